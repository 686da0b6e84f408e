"""A mask law is judged before anything is trained: by the label errors, the eigenvalues and the bounds of its graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd

from maetheory.core import InputError, Progress, silent
from maetheory.data.images import ImageSet
from maetheory.empirical.graph_scores import BoundInputs, GraphScores, graph_scores, mean_scores
from maetheory.empirical.kernel.mask_average import KernelAverage, average_over_masks
from maetheory.empirical.kernel.summary import KernelGraphSummary
from maetheory.empirical.tokens.graph_intervals import bands
from maetheory.empirical.tokens.intervals import IntervalEstimate
from maetheory.empirical.tokens.regions import REGION_CODES, region_sample
from maetheory.masks import MaskLaw, patchify
from maetheory.metrics import class_distances

N_BOUND_INPUTS = 3  # of the image bound, each with a third of the risk


@final
@dataclass(frozen=True)
class Score:
    """What a number of a mask law is said to predict, and which way, before any accuracy is known.

    Attributes
    ----------
    direction : int
        1: a higher number predicts a better probe; -1: a worse one.
    why : str
        Who says so.
    """

    direction: int
    why: str


_GRAPH = {
    "pair_label_error": Score(-1, "views of different classes that share a target are pulled together (the paper, S3)"),
    "view_label_error": Score(-1, "what a view does not say of its image no feature of views can (the paper, S3)"),
    "connectivity": Score(+1, "the paper: masking should connect, so the further λ₂ is below 1 the better"),
    "next_eigenvalue": Score(
        -1, "a large λ_{k+1} means that k features leave out a part as connected as theirs (S3 i)"
    ),
    "residual_bound": Score(-1, "φ/(1 − λ_{k+1}) bounds the probe's residual (S3 i)"),
    "certificate": Score(-1, "the sharpest bound of the residual (S3 iii)"),
    "image_bound": Score(-1, "4φ/(1 − λ_{k+1}) + 2α bounds the error on images (S3 i)"),
}

HYPOTHESES: Mapping[str, Score] = MappingProxyType(
    {f"{source} {name}": score for source in ("tokens", "kernel") for name, score in _GRAPH.items()}
    | {
        "mask_ratio": Score(+1, "a rival: hide more, the task gets harder"),
        "relative_distance": Score(-1, "a rival: the paper's intra- over inter-class distance of views"),
    }
)
"""Every score of `LawScores`. Directions were written down before the accuracies they are compared with were seen."""


@final
@dataclass(frozen=True)
class LawScores:
    """What a labelled data set says of one mask law, each number with its band.

    Attributes
    ----------
    law : str
        What it is called.
    patch : int
        Side of a patch in pixels.
    mask_ratio : float
    tokens : GraphScores
        From graphs of quantised regions: values of the graphs counted, which flatter, and bands over images and masks.
    kernel : GraphScores
        From graphs of blurred targets: values for these images, and bands over masks.
    relative_distance : Band
        Mean distance of what is visible of two images of one class over that of two classes, under the same mask.
    k, n_images, n_masks : int
        Number of spectral features, of images, and of masks drawn.
    """

    law: str
    patch: int
    mask_ratio: float
    tokens: GraphScores
    kernel: GraphScores
    relative_distance: IntervalEstimate
    k: int
    n_images: int
    n_masks: int

    def bands(self) -> dict[str, IntervalEstimate]:
        """Return every number under its name in `HYPOTHESES`."""
        graphs = {
            f"{source} {name}": getattr(getattr(self, source), name)
            for source in ("tokens", "kernel")
            for name in _GRAPH
        }
        ratio = IntervalEstimate(self.mask_ratio, self.mask_ratio, self.mask_ratio, True, "")
        return graphs | {"mask_ratio": ratio, "relative_distance": self.relative_distance}


def score_law(
    images: ImageSet,
    law: MaskLaw,
    *,
    patch: int,
    name: str | None = None,
    k: int | None = None,
    n_masks: int = 8,
    codes: int = REGION_CODES,
    factor: float = 0.25,
    seed: int = 0,
    progress: Progress = silent,
) -> LawScores:
    """Score a mask law on labelled images; nothing is trained.

    Positions are part of a view, as for a ViT: the graph is one block for each mask, and every number is a mean over
    masks drawn from the law. Quantising and blurring decide how often images meet, so scores compare laws on the same
    images with the same `k`, `codes` and `factor`, and nothing else.

    Parameters
    ----------
    images : ImageSet
        With labels of at least two classes.
    law : MaskLaw
        Over the patches of an image.
    patch : int
        Side of a patch in pixels.
    name : str, optional
        What the law is called; how it is written in Python by default.
    k : int, optional
        Number of spectral features for each mask; the number of classes by default.
    n_masks : int, default 8
        How many masks are drawn, at least 2; the same for both graphs.
    codes : int, default 32
        Most codes of visible regions, and of hidden ones, under a mask.
    factor : float, default 0.25
        Bandwidth of the kernel, as a share of the median distance of two targets.
    seed : int, default 0
        Draws masks; starts k-means and solvers.
    progress : Progress

    Raises
    ------
    InputError
        If there are fewer than twenty images or two masks, one class only, or images, law and k do not fit together.

    Examples
    --------
    >>> from maetheory.data import load_images
    >>> from maetheory.masks import UniformMasks
    >>> found = score_law(load_images("digits", split="test"), UniformMasks(16, 4), patch=2, n_masks=2)
    >>> found.mask_ratio, found.k, 0 < found.tokens.certificate.value < 1
    (0.75, 10, True)
    """
    masses = np.sort(np.bincount(images.labels) / len(images))[::-1]
    masses = masses[masses > 0]
    k = len(masses) if k is None else k
    if not 1 <= k < len(images):
        raise InputError(f"k must be from 1 to {len(images) - 1}, one less than there are images, but it is {k}")
    count = k + len(masses)  # eigenvalues that the certificate needs
    average = average_over_masks(
        images,
        law,
        masks=n_masks,
        k=min(count, len(images)) - 1,
        patch=patch,
        factor=factor,
        seed=seed,
        progress=progress,
    )
    counted = [_token_bound_inputs(images, law, mask, patch, codes, count, seed) for mask in average.masks]
    tokens = mean_scores([graph_scores(BoundInputs(*parts, masses, k)) for parts in counted])
    return LawScores(
        law=name or repr(law),
        patch=patch,
        mask_ratio=law.mask_ratio,
        tokens=tokens,
        kernel=mean_scores([graph_scores(BoundInputs(*_kernel_bound_inputs(one), masses, k)) for one in average.each]),
        relative_distance=_relative_distance(images, average, patch),
        k=k,
        n_images=len(images),
        n_masks=n_masks,
    )


def score_table(laws: Iterable[LawScores]) -> pd.DataFrame:
    """Return a row for each law and score, with its band and the direction in which it predicts accuracy.

    Columns are law, patch, mask_ratio, score, value, low, high, decided, why, direction (1 where a higher value
    predicts a better probe, -1 where it predicts a worse one), k, n_images, n_masks.
    """
    rows: list[dict[str, Any]] = [
        {
            "law": law.law,
            "patch": law.patch,
            "mask_ratio": law.mask_ratio,
            "score": name,
            "value": band.value,
            "low": band.low,
            "high": band.high,
            "decided": band.decided,
            "why": band.why,
            "direction": HYPOTHESES[name].direction,
            "k": law.k,
            "n_images": law.n_images,
            "n_masks": law.n_masks,
        }
        for law in laws
        for name, band in law.bands().items()
    ]
    return pd.DataFrame(rows)


_Parts = tuple[IntervalEstimate, IntervalEstimate, IntervalEstimate, tuple[IntervalEstimate, ...]]


def _token_bound_inputs(
    images: ImageSet, law: MaskLaw, mask: np.ndarray, patch: int, codes: int, count: int, seed: int
) -> _Parts:
    """Parts of the graph of regions under a mask: φ, α, φ again, and eigenvalues, 0 beyond the smaller side.

    Values are those of the graph counted, all of one graph, so that bounds made of them hold for it.
    """
    sample = region_sample(images, law, mask, patch=patch, codes=codes, seed=seed)
    known = min(count, *sample.shape)
    if known < 2:
        raise InputError(
            "under one mask every image shows the same, or hides the same; choose a law that shows and "
            "hides what differs"
        )
    found, graph = bands(sample, known - 1, confidence=1 - 0.05 / N_BOUND_INPUTS, seed=seed), sample.graph
    phi = _with_value(found.phi, float(graph.pair_label_error()))
    plug_in = graph.spectrum(known).values ** 2
    eigenvalues = [_with_value(band, float(value)) for band, value in zip(found.eigenvalues, plug_in, strict=True)]
    beyond = [IntervalEstimate(0.0, 0.0, 0.0, True, "")] * (count - known)
    return phi, _with_value(found.alpha, float(graph.label_error())), phi, (*eigenvalues, *beyond)


def _with_value(band: IntervalEstimate, value: float) -> IntervalEstimate:
    return replace(band, value=float(np.clip(value, band.low, band.high)))


def _kernel_bound_inputs(numbers: KernelGraphSummary) -> _Parts:
    """Parts of a kernel graph, with what they may be off by rounding and by values that the solver left out."""
    phi, alpha, own = (
        IntervalEstimate(each.value, max(each.low, 0.0), each.high, True, "")
        for each in (numbers.pair_label_error, numbers.view_label_error, numbers.graph_pair_label_error)
    )
    eigenvalues = tuple(
        IntervalEstimate(
            each.value, max(each.low, 0.0), min(max(each.high, numbers.missed_eigenvalue_bound), 1.0), True, ""
        )
        for each in numbers.values
    )
    return phi, alpha, own, eigenvalues


def _relative_distance(images: ImageSet, average: KernelAverage, patch: int) -> IntervalEstimate:
    patches = patchify(images.images, patch)  # (n, p, c)
    views = (patches[:, mask].reshape(len(patches), -1).astype(np.float64) for mask in average.masks)
    found = class_distances(views, images.labels).relative
    if not np.isfinite(found.error):
        return IntervalEstimate(found.value, 0.0, np.inf, False, "without one image or mask nothing is left apart")
    return IntervalEstimate(found.value, found.low, found.high, True, "")
