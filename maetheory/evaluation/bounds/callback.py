"""Training callback that checks theorems on a finite world."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from maetheory.evaluation.bounds.check_bounds import check_bounds
from maetheory.evaluation.bounds.encoded_graph import Readout, encode_graph
from maetheory.graph import MaskGraph
from maetheory.theory import Check, Verdict
from maetheory.theory.statements.reconstruction_is_alignment_plus_bias import THEOREM as SPLIT
from maetheory.training import TrainStep


@dataclass(eq=False)
class BoundsCallback:
    """Callback of `maetheory.training.train` that measures both sides of theorems on a finite world.

    It does not change the run: the model is copied, and no random number is drawn.

    Parameters
    ----------
    graph : MaskGraph
        Mask graph of the world of the images, under the mask law of the run; see `encode_graph`.
    steps : collection of int
        The steps after which to measure; the last step is always measured.
    weight : float, optional
        λ of the run, as for `encode_graph`.
    slugs : sequence of str, optional
        Theorems; by default all that apply.
    readout : "cls" or "mean"
    normalized : bool
    fit_steps : int
        As for `encode_graph`.

    Attributes
    ----------
    records : list of dict
        One per measured step and theorem: step, epoch, slug, verdict, lhs, rhs, trivial, slack (over scale), and for
        that step alignment (½ E‖h − h⁺‖²), bias, epsilon and lipschitz.
    """

    graph: MaskGraph
    steps: Collection[int]
    weight: float | None = None
    slugs: Sequence[str] | None = None
    readout: Readout = "cls"
    normalized: bool = True
    fit_steps: int = 100
    records: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, train_step: TrainStep) -> dict[str, float] | None:
        """Measure the model after the chosen steps, and return values to log; None after other steps."""
        if train_step.step not in self.steps and train_step.step != train_step.total:
            return None
        return self.measure(train_step.full_model(), step=train_step.step, epoch=train_step.epoch)

    def measure(self, model: nn.Module, *, step: int = 0, epoch: float = 0.0) -> dict[str, float]:
        """Measure a model, for instance before the first step.

        Returns
        -------
        dict
            population_loss, alignment, bias, epsilon, and the number of violated theorems. It is 0 unless the output of
            the model is not finite or a theorem is false.
        """
        encoded_graph = encode_graph(
            model,
            self.graph,
            readout=self.readout,
            normalized=self.normalized,
            weight=self.weight,
            fit_steps=self.fit_steps,
        )
        split = SPLIT.check(self.graph, h=encoded_graph.h, targets=encoded_graph.targets)
        common = {"step": step, "epoch": epoch}
        parts = {**split.terms, "epsilon": encoded_graph.epsilon, "lipschitz": encoded_graph.lipschitz}
        checks = check_bounds(encoded_graph, self.slugs)
        self.records += [common | _check_record(check) | parts for check in checks]
        violated = sum(check.verdict is Verdict.VIOLATED for check in checks)
        return {
            "population_loss": float(split.lhs),
            **split.terms,
            "epsilon": encoded_graph.epsilon,
            "violated": float(violated),
        }

    @property
    def table(self) -> pd.DataFrame:
        """The records as a DataFrame."""
        return pd.DataFrame(self.records)


def _check_record(check: Check) -> dict[str, Any]:
    return {
        "slug": check.slug,
        "verdict": check.verdict.value,
        "lhs": float(check.lhs),
        "rhs": float(check.rhs),
        "trivial": check.trivial,
        "slack": check.relative_slack,
    }


def log_spaced_steps(steps: int, count: int) -> list[int]:
    """Return at most `count` steps, evenly spaced on a logarithmic scale, including the last one.

    Examples
    --------
    >>> log_spaced_steps(100, 3), log_spaced_steps(100, 1)
    ([1, 10, 100], [100])
    """
    return sorted({int(step) for step in np.round(np.geomspace(1, steps, count))} if count > 1 else {steps})
