"""Configuration of masked pretraining, stored in each checkpoint."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from maetheory.core import InputError, printable_value
from maetheory.masks import MaskLaw, make_mask_law
from maetheory.models import MAEConfig
from maetheory.models.penalties import UNIFORMITY_FORMS, UniformityForm
from maetheory.training.loop_config import LoopConfig, check_loop_config


@dataclass(frozen=True)
class TrainConfig(LoopConfig):
    """Recipe of masked pretraining: its own fields, and those of `LoopConfig`.

    Attributes
    ----------
    model : MAEConfig
    objective : "mae" or "simmim"
    uniformity_weight : float
        λ of U-MAE (Zhang et al. 2022); 0 trains the plain objective.
    uniformity_form : "squares", "gaussian" or "coding-rate"
        The uniformity term: U-MAE's own, Wang and Isola's potential, or minus M-MAE's coding rate.
    uniformity_readout : "cls" or "mean"
        Which vector of an image the uniformity term takes: the cls token or the mean of the visible patch tokens.
    uniformity_convention : "off-diagonal" or "authors"
        Which pairs of a batch count; a coding rate has no pairs.
    uniformity_normalize : bool
        Whether to L2-normalise those vectors first; only the form "squares" allows false.
    mask_ratio : float
    mask_law : "uniform", "bernoulli" or "block"
    initialisation : "xavier" or "normal"
        How initial weights are drawn: Xavier-uniform, as MAE does, or normal of standard deviation 0.02, as Hugging
        Face does.
    accumulate : int
        Micro-batches per step; with more than one, uniformity compares images inside a micro-batch only.
    """

    model: MAEConfig = field(default_factory=MAEConfig)
    objective: Literal["mae", "simmim"] = "mae"
    uniformity_weight: float = 0.0
    uniformity_form: UniformityForm = "squares"
    uniformity_readout: Literal["cls", "mean"] = "cls"
    uniformity_convention: Literal["off-diagonal", "authors"] = "off-diagonal"
    uniformity_normalize: bool = True
    mask_ratio: float = 0.75
    mask_law: Literal["uniform", "bernoulli", "block"] = "uniform"
    initialisation: Literal["xavier", "normal"] = "xavier"

    def __post_init__(self) -> None:
        self.law()
        if self.objective not in ("mae", "simmim"):
            raise InputError(f"the objective must be 'mae' or 'simmim', but it is {self.objective!r}")
        if self.initialisation not in ("xavier", "normal"):
            raise InputError(f"the initialisation must be 'xavier' or 'normal', but it is {self.initialisation!r}")
        check_loop_config(self)
        if not self.uniformity_weight >= 0:
            raise InputError(f"uniformity_weight must not be negative, but it is {self.uniformity_weight}")
        for name, words in (("readout", ("cls", "mean")), ("convention", ("off-diagonal", "authors"))):
            word = getattr(self, f"uniformity_{name}")
            if word not in words:
                raise InputError(f"the uniformity {name} must be {words[0]!r} or {words[1]!r}, but it is {word!r}")
        if self.uniformity_form not in UNIFORMITY_FORMS:
            raise InputError(
                f"the uniformity form must be one of {', '.join(UNIFORMITY_FORMS)}, but it is {self.uniformity_form!r}"
            )
        if self.uniformity_form != "squares" and not self.uniformity_normalize:
            raise InputError(
                f"the uniformity form {self.uniformity_form} falls without bound on vectors of any "
                "length, so uniformity_normalize must be true"
            )

    def law(self) -> MaskLaw:
        """Return the mask law of the run.

        Raises
        ------
        InputError
            If the mask ratio leaves nothing visible or nothing hidden, or the law is unknown.
        """
        side = self.model.encoder.grid
        return make_mask_law(self.mask_law, (side, side), self.mask_ratio)

    @property
    def peak_lr(self) -> float:
        """Peak learning rate, base_lr · batch / 256."""
        return self.base_lr * self.batch / 256

    @property
    def uniformity_term(self) -> str:
        """Name of the uniformity term: its form, with pairs and readout where they are not the defaults."""
        words: list[str] = [self.uniformity_form]
        words += ["authors"] if self.uniformity_convention == "authors" else []
        words += ["mean"] if self.uniformity_readout == "mean" else []
        return " ".join(words)

    @staticmethod
    def from_dict(record: dict[str, Any]) -> TrainConfig:
        """Return the configuration that `to_dict` wrote.

        Raises
        ------
        AttributeError, KeyError, TypeError
            If the record is not one of a `TrainConfig`, or a field has another type.
        InputError
            If a field is out of its range.
        """
        config = TrainConfig(**{**record, "model": MAEConfig.from_dict(record["model"])})
        for part in (config, config.model, config.model.encoder):
            _check_types(part)
        return config


def _check_types(config: Any) -> None:
    """Raise TypeError if a field has another type than its default; an integer may stand for a float."""
    for one in fields(config):
        value, default = getattr(config, one.name), one.default
        wanted = (int, float) if isinstance(default, float) else type(default)
        if default is MISSING:
            continue
        if not isinstance(value, wanted) or (isinstance(value, bool) and not isinstance(default, bool)):
            raise TypeError(f"{one.name} must be of type {type(default).__name__}, but it is {printable_value(value)}")
