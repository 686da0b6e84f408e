"""A card for each metric: definition, conventions, what it sees and does not see, and its bias with the sample size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from maetheory import metrics
from maetheory.metrics import CONVENTIONS, MOMENT_METRICS

FROM_ROWS = ("uniformity", "coherence", "twonn")
"""Metrics that take rows; those of `MOMENT_METRICS` take rows or moments."""
OTHERS = ("gaussianity", "token_class_similarity")
"""Metrics that take more than features or return more than a number; their cards hold the definition alone."""
LOGARITHMIC = ("condition_number",)
DIMENSION, ROWS, DRAWS = 32, 500, 5
FORMULAS = {
    "effective_rank": r"\exp H(p), \quad p_i = \sigma_i / \textstyle\sum_j \sigma_j, \quad H(p) = -\sum_i p_i \ln p_i",
    "rankme": r"\exp\Bigl(-\sum_i p_i \ln p_i\Bigr), \quad p_i = \sigma_i / \textstyle\sum_j \sigma_j + \varepsilon",
    "stable_rank": r"\|Z\|_F^2 / \|Z\|_2^2 = \textstyle\sum_i \sigma_i^2 / \sigma_1^2",
    "participation_ratio": r"\bigl(\sum_i \lambda_i\bigr)^2 / \sum_i \lambda_i^2",
    "nesum": r"\sum_i \lambda_i / \lambda_1, \quad \lambda_i \text{ of the covariance}",
    "condition_number": r"\sigma_1 / \sigma_D",
    "matrix_entropy": r"-\sum_i q_i \ln q_i, \quad q_i = \lambda_i / \textstyle\sum_j \lambda_j",
    "alpha_req": r"\lambda_i \propto i^{-\alpha}, \quad \text{least squares of } \ln \lambda_i \text{ on } \ln i",
    "mean_cosine": r"\frac{1}{N(N-1)} \sum_{i \ne j} \frac{z_i^\top z_j}{\|z_i\| \|z_j\|}",
    "umae_uniformity": r"\frac{1}{N(N-1)} \sum_{i \ne j} (z_i^\top z_j)^2",
    "uniformity": r"\ln \frac{2}{N(N-1)} \sum_{i < j} \exp\bigl(-2 \|z_i - z_j\|^2\bigr), \quad \|z_i\| = 1",
    "gaussianity": (
        r"n \int \bigl|\tfrac{1}{n} \textstyle\sum_j e^{i t x_j} - e^{-t^2/2}\bigr|^2 \, d\mathcal{N}(0, 1)(t)"
    ),
    "token_class_similarity": r"\|C - I\|_F^2 / r^2",
    "direction_std": r"\text{mean over columns of the standard deviation of } z_i / \|z_i\|",
}


def metric_pages(folder: Path, _: Path) -> None:
    """Write one card a metric, and their index."""
    cards = folder / "metrics"
    cards.mkdir(parents=True)
    names = [*MOMENT_METRICS, *FROM_ROWS]
    for name in names:
        _draw(name, cards / f"{name}.svg")
        (cards / f"{name}.rst").write_text(_card(name), encoding="utf-8")
    for name in OTHERS:
        (cards / f"{name}.rst").write_text("\n".join(_definition(name)), encoding="utf-8")
    listed = "\n".join([*names, *OTHERS])
    (cards / "index.md").write_text(
        "# Metrics\n\nEach card gives the definition, the conventions with the libraries that use each, the direction "
        "and the range, and\nthree plots on features whose answer is known: what the metric sees, and how it depends "
        f"on the number of rows.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n",
        encoding="utf-8",
    )


def _definition(name: str) -> list[str]:
    """Return the lines that every card begins with: the name, the formula, and what the docstring says."""
    formula = [".. math::", "", f"   {FORMULAS[name]}", ""] if name in FORMULAS else []
    reference = [f".. autofunction:: maetheory.metrics.{name}", "   :no-index:", ""]
    return [name, "=" * len(name), "", *formula, *reference]


def _card(name: str) -> str:
    parts = _definition(name)
    parts += ["Conventions", "-----------", "", ".. list-table::", "   :header-rows: 1", ""]
    parts += ["   * - convention", "     - source", "     - centred", "     - spectrum"]
    for number, one in enumerate(CONVENTIONS[name]):
        spectrum = "squared" if one.squared else "not squared"
        parts += [f"   * - ``{one.name}``{' (default)' if number == 0 else ''}", f"     - {one.source}"]
        parts += [f"     - {'yes' if one.centred else 'no'}", f"     - {spectrum}"]
    parts += ["", "What it sees", "------------", "", f".. image:: {name}.svg"]
    parts += [f"   :alt: {name} against the number of directions, the decay of the spectrum and the number of rows", ""]
    parts += [
        f"Left: {ROWS} Gaussian rows in {DIMENSION} dimensions whose variance lies in r equal directions. Middle: the "
        "same with variance i\\ :sup:`-a` in direction i. Right: isotropic rows, by their number; where the curve is "
        "not flat, compare only sets of equal size. The bars are the smallest and largest of "
        f"{DRAWS} draws (seeds 0 to {DRAWS - 1}).",
        "",
    ]
    return "\n".join(parts)


def _draw(name: str, path: Path) -> None:
    function: Callable[..., float] = getattr(metrics, name)
    ranks, decays, counts = (1, 2, 4, 8, 16, 32), (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), (50, 100, 200, 500, 1000, 2000)
    directions = np.arange(1, DIMENSION + 1)
    panels = (
        ("equal directions r", ranks, lambda r, rng: _rows(rng, ROWS, (directions <= r).astype(float))),
        ("decay a of the variance", decays, lambda a, rng: _rows(rng, ROWS, directions ** (-a / 2.0))),
        ("rows N", counts, lambda n, rng: _rows(rng, n, np.ones(DIMENSION))),
    )
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
    for axis, (label, points, draw) in zip(axes, panels, strict=True):
        values = np.array([[_value(function, draw(x, np.random.default_rng(s))) for s in range(DRAWS)] for x in points])
        middle = np.median(values, axis=1)
        values, middle = np.where(np.isfinite(values), values, np.nan), np.where(np.isfinite(middle), middle, np.nan)
        spread = np.abs(np.stack([values.min(1), values.max(1)]) - middle)
        axis.errorbar(points, middle, spread, fmt="o-", markersize=4, capsize=3, color="#1f5fa8")
        axis.set_xlabel(label)
        if label != "decay a of the variance":
            axis.set_xscale("log", base=2)
            axis.set_xticks(points, [str(x) for x in points], fontsize=8)
            axis.minorticks_off()
        if name in LOGARITHMIC:
            axis.set_yscale("log")
    axes[0].set_ylabel(name)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _rows(rng: np.random.Generator, count: int, scales: np.ndarray) -> np.ndarray:
    return rng.standard_normal((count, len(scales))) * scales


def _value(function: Callable[..., float], rows: np.ndarray) -> float:
    found = function(rows)
    return float(getattr(found, "alpha", found))
