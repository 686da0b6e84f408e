"""The same features in the formulas of other tools and in ours: a table of both numbers and of the digits they share.

Each formula is written out here from what the tool computes, in NumPy and without `maetheory.metrics`; the tools
themselves are not run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maetheory import metrics
from maetheory.core import generator

ROWS, DIMENSIONS, MOST_DIGITS = 2000, 256, 12


@dataclass(frozen=True)
class Formula:
    """What another tool computes, and the call here that gives the same number.

    Attributes
    ----------
    tool, says : str
        The tool, and its formula in words and signs.
    formula : callable
        Takes features (N, D) and returns the tool's number.
    call : str
        Expression in `Z` and the names of `maetheory.metrics`; empty where nothing here computes the same.
    digits : int
        Digits in which both must agree: ten, which rounding of sums of 256 terms leaves; or fewer, where the tool adds
        a constant that is 10⁻⁸ of what it is added to.
    """

    tool: str
    says: str
    formula: Callable[[np.ndarray], float]
    call: str
    digits: int = 10


def comparison_features() -> np.ndarray:
    """Return Gaussian features of known spectrum: variance 1/i in direction i, and a mean of length 1, (N, D)."""
    rng = generator(0, "comparison")
    scale = np.arange(1, DIMENSIONS + 1) ** -0.5
    turn = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    return (rng.normal(size=(ROWS, DIMENSIONS)) * scale) @ turn + DIMENSIONS**-0.5


def singular(rows: np.ndarray) -> np.ndarray:
    """Return the singular values, descending."""
    return np.linalg.svd(rows, compute_uv=False)


def exp_entropy(shares: np.ndarray) -> float:
    """Return exp(−Σ p ln p)."""
    return math.exp(-float(np.sum(shares * np.log(shares))))


def explained_variance_ratio(rows: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of the covariance over their sum, as PCA reports them."""
    eigenvalues = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    return eigenvalues / eigenvalues.sum()


def weighted_slope(values: np.ndarray, first: int, last: int) -> float:
    """Return −slope of ln value on ln rank by least squares with weights 1/rank, ranks from 1, both ends included."""
    rank = np.arange(first, last + 1)
    design = np.stack([-np.log(rank), np.ones(len(rank))], axis=1)
    weighted = design / rank[:, None]
    return float(np.linalg.solve(design.T @ weighted, weighted.T @ np.log(values[first - 1 : last]))[0])


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows of length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def gaussian_potential(rows: np.ndarray) -> float:
    """Return ln of the mean of exp(−2 ‖zᵢ − zⱼ‖²) over pairs i < j of rows of length 1."""
    units = unit_rows(rows)
    squares = 2 - 2 * units @ units.T
    return float(np.log(np.exp(-2 * squares[np.triu_indices(len(rows), 1)]).mean()))


def tail_exponent(values: np.ndarray) -> float:
    """Return the exponent of the density of eigenvalues above the threshold of least Kolmogorov-Smirnov distance.

    Clauset, Shalizi and Newman 2009, by maximum likelihood.
    """
    ordered = np.sort(values)
    best = (math.inf, math.nan)
    for start in range(len(ordered) - 2):
        tail = ordered[start:]
        exponent = 1 + len(tail) / float(np.sum(np.log(tail / tail[0])))
        below = 1 - (tail / tail[0]) ** (1 - exponent)
        best = min(best, (float(np.abs(below - np.arange(len(tail)) / len(tail)).max()), exponent))
    return best[1]


FORMULAS = (
    Formula(
        "effective rank, Roy and Vetterli 2007",
        "exp(−Σ p ln p), p = σ / Σσ",
        lambda z: exp_entropy(singular(z) / singular(z).sum()),
        "effective_rank(Z)",
    ),
    Formula(
        "RankMe, Garrido et al. 2023",
        "the same with p = σ / Σσ + 10⁻⁷",
        lambda z: exp_entropy(singular(z) / singular(z).sum() + 1e-7),
        "rankme(Z)",
    ),
    Formula(
        "RankMe callback of stable-pretraining",
        "p = σ / Σσ + 10⁻⁵",
        lambda z: exp_entropy(singular(z) / singular(z).sum() + 1e-5),
        'rankme(Z, convention="stable-pretraining")',
    ),
    Formula(
        "a variant of that callback in public code",
        "p = (σ + 10⁻⁸) / Σ(σ + 10⁻⁸) of centred features",
        lambda z: exp_entropy((singular(z - z.mean(0)) + 1e-8) / (singular(z - z.mean(0)) + 1e-8).sum()),
        'effective_rank(Z, convention="centred")',
        digits=8,
    ),
    Formula(
        "rankme of reptrix",
        "p = explained variance ratios of a PCA (centred, squared) + 10⁻⁷",
        lambda z: exp_entropy(explained_variance_ratio(z) + 1e-7),
        'rankme(Z, convention="reptrix")',
    ),
    Formula(
        "package rankme, a share of the largest",
        "−Σ p ln p / ln D, p = σ / Σσ",
        lambda z: math.log(exp_entropy(singular(z) / singular(z).sum())) / math.log(z.shape[1]),
        "np.log(effective_rank(Z)) / np.log(Z.shape[1])",
    ),
    Formula(
        "numerical_rank of TF-GNN",
        "trace of the second moment / its largest eigenvalue",
        lambda z: float(np.trace(z.T @ z) / np.linalg.eigvalsh(z.T @ z)[-1]),
        "stable_rank(Z)",
    ),
    Formula(
        "α-ReQ, code of its authors (after Stringer et al.)",
        "ln λᵢ on ln i, weights 1/i, ranks 11 to 100",
        lambda z: weighted_slope(explained_variance_ratio(z), 11, 100),
        "alpha_req(Z, ranks=(11, 100)).alpha",
    ),
    Formula(
        "alpha of reptrix",
        "the same, ranks 6 to 100",
        lambda z: weighted_slope(explained_variance_ratio(z), 6, 100),
        'alpha_req(Z, convention="reptrix").alpha',
    ),
    Formula(
        "std_of_l2_normalized of lightly",
        "mean over columns of the standard deviation (N − 1) of rows of length 1",
        lambda z: float(unit_rows(z).std(axis=0, ddof=1).mean()),
        "direction_std(Z)",
    ),
    Formula(
        "uniformity of Wang and Isola 2020",
        "ln mean over i < j of exp(−2 ‖zᵢ − zⱼ‖²), rows of length 1",
        gaussian_potential,
        "uniformity(Z)",
    ),
    Formula(
        "uniformity term of U-MAE's code",
        "mean squared cosine over all pairs, each row with itself too",
        lambda z: float(((unit_rows(z) @ unit_rows(z).T) ** 2).mean()),
        "umae_uniformity(Z, diagonal=True)",
    ),
    Formula(
        "alpha of WeightWatcher, here on the eigenvalues of features",
        "exponent of the density of eigenvalues in its tail, by maximum likelihood",
        lambda z: tail_exponent(np.linalg.eigvalsh(z.T @ z / len(z))),
        "",
    ),
)


def shared_digits(a: float, b: float) -> int:
    """Return the number of leading digits in which two numbers agree, at most `MOST_DIGITS`."""
    if a == b:
        return MOST_DIGITS
    return max(0, min(MOST_DIGITS, math.floor(-math.log10(abs(a - b) / abs(a)))))


def compare(features: np.ndarray) -> list[tuple[Formula, float, float | None]]:
    """Return each formula with its number and, where there is a call, with ours."""
    names = {name: getattr(metrics, name) for name in metrics.__all__} | {"np": np, "Z": features}
    return [(one, one.formula(features), float(eval(one.call, dict(names))) if one.call else None) for one in FORMULAS]


def comparison_numbers(folder: Path, _: Path) -> None:
    """Write the table that `comparison.md` includes."""
    lines = ["| tool and its formula | its number | the same here | digits that agree |", "|---|---|---|---|"]
    for one, theirs, ours in compare(comparison_features()):
        here = f"`{one.call}` | {shared_digits(theirs, ours)}" if ours is not None else "no equivalent | "
        lines.append(f"| **{one.tool}**: {one.says} | {theirs:.7g} | {here} |")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison_numbers.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
