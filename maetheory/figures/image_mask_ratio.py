"""What the mask ratio does to real images: distances within and between classes, and the numbers of their mask graphs.

The paper argues that a larger ratio brings images of one class together, until a ratio too large brings classes
together as well, and shows it by distances of masked images. Here are those distances under each reading of the words,
the graphs' own numbers, and how well models trained at each ratio can be read, all in one table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from maetheory.core import Estimate, InputError, Progress, silent
from maetheory.data import ImageSet
from maetheory.data.paper import paper_numbers
from maetheory.empirical import IntervalEstimate, average_over_masks, fit_codebook, mean_graph_intervals, token_sample
from maetheory.evaluation import masked_distances
from maetheory.evaluation.features.encode import Readout
from maetheory.evaluation.masked_distances import patches_per_side
from maetheory.masks import UniformMasks, patchify, visible_count
from maetheory.metrics import ClassDistances

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
COLUMNS = ("source", "number", "asked", "rho", "value", "low", "high", "decided")
PAPER = "paper"
PIXELS, FEATURES = ("pixels, one mask", "pixels, own masks"), ("features, one mask", "features, own masks")
TOKENS, KERNEL = "token graphs", "kernel graphs"
TRAINED_READOUTS = ("trained at ρ, cls", "trained at ρ, mean of patches")
DISTANCES, CHANGE_FROM_MINIMUM = ("intra", "inter", "relative"), "change"
PAPER_MINIMUM = 0.7  # where the paper's relative distance is least
SHARED_MASK_FACTOR = 4  # times as many masks where a mask is of all images, whose errors masks decide, and costs little
MAX_PAIR_IMAGES = 1000  # images in pairs
N_CODES = 2  # of a patch in token graphs: more, and few views meet


def image_mask_ratios(
    images: ImageSet,
    test: ImageSet,
    patch: int,
    *,
    graph_patch: int | None = None,
    encoder: Any = None,
    readout: Readout = "cls",
    k: int | None = None,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compute everything that is drawn of images: distances, token graphs, kernel graphs, and the paper's numbers.

    Parameters
    ----------
    images : ImageSet
        Makes token graphs, and the first thousand of it, classes alike, kernel graphs.
    test : ImageSet
        The first thousand, classes alike, give distances.
    patch : int
        Side of a patch in pixels, for distances.
    graph_patch : int, optional
        That of graphs, which need few patches; by default a quarter of the image, rounded down to what divides it.
    encoder, readout, ratios, seed
        As for `distance_rows`; the ratios strictly between 0 and 1.
    k : int, optional
        Features in graphs; as many as there are classes by default.

    Returns
    -------
    DataFrame
        `COLUMNS`; also what `accuracy_rows` returns has them, and may be put below.

    Raises
    ------
    InputError
        If there are fewer than two classes or, of a class, two test images; a ratio leaves nothing visible or nothing
        hidden; or patches do not fit images or encoder.
    """
    coarse = coarse_patch_size(images) if graph_patch is None else graph_patch
    few, k = images.limit(MAX_PAIR_IMAGES), images.n_classes if k is None else k
    how: dict[str, Any] = {"ratios": ratios, "seed": seed, "progress": progress}
    parts = [
        distance_rows(test.limit(MAX_PAIR_IMAGES), patch, encoder=encoder, readout=readout, **how),
        token_rows(images, coarse, k=k, **how),
        kernel_rows(few, coarse, k=k, **how),
        paper_rows(),
    ]
    return pd.concat(parts, ignore_index=True)


def coarse_patch_size(images: ImageSet) -> int:
    """Return the side of a patch of which about four lie along an image.

    Examples
    --------
    >>> import numpy as np
    >>> coarse_patch_size(ImageSet(np.zeros((1, 3, 32, 48), np.uint8), np.array([0]), "black"))
    8
    """
    common = math.gcd(*images.shape[2:])
    return next(patch for patch in range(max(min(images.shape[2:]) // 4, 1), 0, -1) if common % patch == 0)


def encoder_patch_size(encoder: Any, images: ImageSet) -> int:
    """Return the side of a patch of these images that an encoder, which fits them to its own size, makes of them.

    Raises
    ------
    InputError
        If the encoder is no Vision Transformer or does not cut these images into whole patches.
    """
    grid, sides = patches_per_side(encoder), set(images.shape[2:])
    if len(sides) > 1 or images.shape[2] % grid:
        raise InputError(
            f"the encoder cuts an image into {grid} x {grid} patches, which images of {images.shape[2]} x "
            f"{images.shape[3]} pixels have not; give square ones of a multiple of {grid}"
        )
    return int(images.shape[2] // grid)


def distance_rows(
    images: ImageSet,
    patch: int,
    *,
    encoder: Any = None,
    readout: Readout = "cls",
    ratios: Sequence[float] = RATIOS,
    n_masks: int = 8,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compute mean distances within and between classes, and their quotient, against the mask ratio.

    Parameters
    ----------
    images, patch, readout, seed
        As for `masked_distances`.
    n_masks : int
        Draws; in pixels under one mask four times as many.
    encoder : MAE, SimMIM, ViT or Encoder, optional
        Adds distances in its features, of visible patches only.
    ratios : sequence of float
        From 0 to below 1; each is rounded as MAE does.

    Returns
    -------
    DataFrame
        `COLUMNS`: source is one of `PIXELS` and `FEATURES`; number one of `DISTANCES`, or "change", intra / inter less
        that at 0.7, where the paper's is least, with the error of the difference; asked the ratio asked for and rho the
        share that is hidden; low and high two standard errors.
    """
    kinds = [(PIXELS[0], "one", None, SHARED_MASK_FACTOR * n_masks), (PIXELS[1], "own", None, n_masks)]
    if encoder is not None:
        kinds += [(FEATURES[0], "one", encoder, n_masks), (FEATURES[1], "own", encoder, n_masks)]
    p, rows, grid = _n_patches(images, patch), [], [(ratio, kind) for kind in kinds for ratio in ratios]
    found: dict[tuple[str, float], ClassDistances] = {}
    for done, (ratio, (name, masks, seen_by, many)) in enumerate(grid):
        progress(done, len(grid), f"distances of {name}, mask ratio {ratio:g}")
        found[name, ratio] = masked_distances(
            images, patch, ratio, masks=masks, encoder=seen_by, readout=readout, n_masks=many, seed=seed
        )
    for (name, ratio), one in found.items():
        hidden = 1 - visible_count(p, ratio) / p if ratio else 0.0
        numbers = {number: getattr(one, number) for number in DISTANCES}
        if PAPER_MINIMUM in ratios:
            numbers[CHANGE_FROM_MINIMUM] = one.change(found[name, PAPER_MINIMUM])
        rows += [_row(name, number, ratio, hidden, value) for number, value in numbers.items()]
    return _table(rows)


def token_rows(
    images: ImageSet,
    patch: int,
    *,
    k: int,
    codes: int = N_CODES,
    ratios: Sequence[float] = RATIOS,
    n_masks: int = 8,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compute label errors, λ_{k+1} and the sharp bound of token graphs against the mask ratio, with 95 % bands.

    Positions are kept: each mask has its own graph, and what is given is the mean over masks.

    Parameters
    ----------
    images : ImageSet
        Independent images of at least two classes.
    patch : int
        Side of a patch in pixels. Views of more than about sixteen patches hardly ever meet.
    k : int
        Features, as many as classes for instance.
    codes : int
        Codes of a patch.
    ratios : sequence of float
        Strictly between 0 and 1.
    n_masks, seed
        How many masks are drawn, and from where.

    Returns
    -------
    DataFrame
        `COLUMNS`: number is "alpha", "alpha2", "phi", "next" (λ_{k+1}) or "bound"; decided is False where the sample
        cannot tell.
    """
    _check_two_classes(images)
    p, book, rows = _n_patches(images, patch), fit_codebook(images, patch, codes, seed=seed), []
    for done, ratio in enumerate(ratios):
        progress(done, len(ratios), f"token graphs at mask ratio {ratio:g}")
        law = UniformMasks(p, visible_count(p, ratio))
        found = mean_graph_intervals(token_sample(images, law, codebook=book, n_masks=n_masks, seed=seed), k, seed=seed)
        numbers = {
            "alpha": found.alpha,
            "alpha2": found.alpha2,
            "phi": found.phi,
            "next": found.following,
            "bound": found.sharp_bound,
        }
        rows += [_row(TOKENS, name, ratio, law.mask_ratio, band) for name, band in numbers.items()]
    return _table(rows)


def kernel_rows(
    images: ImageSet,
    patch: int,
    *,
    k: int,
    factor: float = 0.25,
    ratios: Sequence[float] = RATIOS,
    n_masks: int = 4,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Compute the same numbers of kernel graphs: targets that are alike are taken for one another.

    Parameters
    ----------
    images, patch, k, ratios, n_masks, seed
        As for `token_rows`; every image is a node.
    factor : float
        Bandwidth over the median distance of two targets. No number means anything without it.

    Returns
    -------
    DataFrame
        `COLUMNS`: "alpha" (of a vote of other images' views, an overestimate), "alpha2", "phi" (of different images),
        "next", "bound"; low and high are two standard errors over masks, for these images.
    """
    _check_two_classes(images)
    p, rows = _n_patches(images, patch), []
    for done, ratio in enumerate(ratios):
        progress(done, len(ratios), f"kernel graphs at mask ratio {ratio:g}")
        law = UniformMasks(p, visible_count(p, ratio))
        found = average_over_masks(images, law, masks=n_masks, k=k, patch=patch, factor=factor, seed=seed)
        numbers = {
            "alpha": found.view_label_error,
            "alpha2": found.target_label_error,
            "phi": found.pair_label_error,
            "next": found.values[k],
            "bound": found.sharp_bound,
        }
        rows += [_row(KERNEL, name, ratio, law.mask_ratio, number) for name, number in numbers.items()]
    return _table(rows)


def paper_rows() -> pd.DataFrame:
    """Return the paper's distances as it draws them, in `COLUMNS`; it states no errors."""
    numbers = paper_numbers("mask_ratio").rename(columns=lambda name: name.removesuffix("_class_distance"))
    numbers = numbers.rename(columns={"relative_distance": "relative"})
    numbers[CHANGE_FROM_MINIMUM] = numbers.relative - float(
        numbers.relative[numbers.mask_ratio == PAPER_MINIMUM].iloc[0]
    )
    rows = [
        _row(PAPER, number, record["mask_ratio"], record["mask_ratio"], Estimate(record[number]))
        for record in numbers.to_dict("records")
        for number in (*DISTANCES, CHANGE_FROM_MINIMUM)
    ]
    return _table(rows)


def accuracy_rows(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the linear-probe accuracy, in percent, of models trained at each ratio.

    Parameters
    ----------
    ledger : DataFrame
        As `maetheory.experiments.run` returns it: one model for each ratio and seed.

    Returns
    -------
    DataFrame
        `COLUMNS`: mean over seeds, with two standard errors over seeds or, of a single seed, two binomial ones over
        test images.
    """
    probes, rows = ledger[ledger.metric == "linear_probe"], []
    ratios = probes.training.map(lambda recipe: float(recipe["mask_ratio"]))
    for (readout, ratio), part in probes.groupby(["readout", ratios]):
        source = TRAINED_READOUTS[0] if readout == "cls" else TRAINED_READOUTS[1]
        one = len(part) == 1
        error = float(part.error.iloc[0]) if one else 2 * float(part.value.std(ddof=1)) / math.sqrt(len(part))
        rows.append(_row(source, "accuracy", ratio, ratio, Estimate(100 * float(part.value.mean()), 100 * error)))
    return _table(rows)


def _check_two_classes(images: ImageSet) -> None:
    if images.labels.min() == images.labels.max():
        raise InputError(
            f"label errors need images of at least two classes, but all {len(images)} have the label {images.labels[0]}"
        )


def _n_patches(images: ImageSet, patch: int) -> int:
    return int(patchify(images.images[:1], patch).shape[1])


def _row(source: str, number: str, asked: float, rho: float, found: IntervalEstimate | Estimate) -> tuple[Any, ...]:
    value = float(found) if isinstance(found, Estimate) else found.value
    decided = not isinstance(found, IntervalEstimate) or found.decided
    return source, number, asked, rho, value, found.low, found.high, decided


def _table(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS))
