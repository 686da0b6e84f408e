"""Configuration of `maetheory graph`: which graph is made of images and under which masks."""

from __future__ import annotations

from dataclasses import dataclass

from maetheory.core import InputError
from maetheory.masks.factory import MASK_LAWS
from maetheory.masks.law import check_mask_ratio
from maetheory.masks.views import POSITION_MODES

KINDS = ("exact", "tokens", "kernel")
DEFAULT_CODES = {"exact": 2, "tokens": 64}
DEFAULT_MASKS = {"tokens": 16, "kernel": 4}
DEFAULT_POSITIONS = {"exact": "dropped", "tokens": "dropped", "kernel": "kept"}
DEFAULT_CONTENTS = {"exact": "patches", "tokens": "pooled", "kernel": "patches"}
"""Kind -> what identifies a view or a target by default; pooled so that many images share it, and numbers decide."""


@dataclass(frozen=True)
class GraphConfig:
    """Kind of graph, its masks and its parameters; None stands for the default of the kind.

    Attributes
    ----------
    kind : {"exact", "tokens", "kernel"}
    mask_ratio : float
    law : {"uniform", "bernoulli", "block"}
    patch : int, optional
        Side of a patch in pixels; by default a quarter of the image side.
    k : int, optional
        Number of spectral features; by default the number of classes.
    positions : {"kept", "dropped"}, optional
        Whether a view includes the positions of its patches; by default kept for kernel and otherwise dropped.
    codes : int, optional
        Number of distinct patches; or of mean patches where both are pooled; by default 2 for
        exact and 64 for tokens.
    masks : int, optional
        Number of masks drawn; by default 16 for tokens and 4 for kernel.
    views, targets : {"patches", "pooled"}, optional
        Whether the codes of all patches identify a view (target), or the code of their mean; pooled is for tokens, and
        is their default.
    bandwidth : float, optional
        Bandwidth of the kernel; by default a quarter of the median distance between targets.
    device : str, optional
        Device of the kernel computations; by default the CPU.
    seed : int

    Raises
    ------
    InputError
        If a value is right for no images, so that none need be loaded to refuse it.
    """

    kind: str = "tokens"
    mask_ratio: float = 0.75
    law: str = "uniform"
    patch: int | None = None
    k: int | None = None
    positions: str | None = None
    codes: int | None = None
    masks: int | None = None
    views: str | None = None
    targets: str | None = None
    bandwidth: float | None = None
    device: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"the kind must be 'exact', 'tokens' or 'kernel', but it is {self.kind!r}")
        if self.positions not in (None, *POSITION_MODES):
            raise InputError(f"positions must be 'kept' or 'dropped', but it is {self.positions!r}")
        kinds_of_option = {
            "codes": tuple(DEFAULT_CODES),
            "masks": tuple(DEFAULT_MASKS),
            "bandwidth": ("kernel",),
            "device": ("kernel",),
        }
        for name, kinds in kinds_of_option.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise InputError(
                    f"{name} must be left out for a graph of kind {self.kind}: it is for kind {' or '.join(kinds)}"
                )
        for name in ("views", "targets"):
            if getattr(self, name) not in (None, "patches", "pooled"):
                raise InputError(f"{name} must be 'patches' or 'pooled', but they are {getattr(self, name)!r}")
        if self.kind != "tokens" and "pooled" in (self.views, self.targets):
            raise InputError(f"pooled views and targets are for kind tokens, not for {self.kind}")
        if self.kind == "kernel" and self.positions == "dropped":
            raise InputError("a kernel graph is of one mask at a time, so its positions are kept; leave positions out")
        if self.law not in MASK_LAWS:
            raise InputError(f"the mask law must be 'uniform', 'bernoulli' or 'block', but it is {self.law!r}")
        check_mask_ratio(self.mask_ratio)
        self._check_numbers()

    def _check_numbers(self) -> None:
        if self.patch is not None and self.patch < 1:
            raise InputError(f"the patch size must divide the image sides, but {self.patch} divides none")
        if self.k is not None and self.k < 1:
            raise InputError(
                f"k must be at least 1 and below the number of distinct views and targets, but it is {self.k}"
            )
        if self.codes is not None and self.codes < 2:
            raise InputError(
                f"size must lie between 2 and the number of distinct patches there are, but codes is {self.codes}"
            )
        if self.masks is not None and self.kind == "kernel" and self.masks < 2:
            raise InputError(
                f"an average over masks needs at least 2 of them to know its error, but masks is {self.masks}"
            )
        if self.masks is not None and self.masks < 1:
            raise InputError(f"n_masks must be at least 1, but it is {self.masks}")
        if self.bandwidth is not None and not self.bandwidth >= 0:
            raise InputError(f"the bandwidth must not be negative, but it is {self.bandwidth}")
