"""Scores of mask laws from their graphs, without training a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.data.images import ImageSet
from maetheory.empirical.graph_scores import BoundInputs, GraphScores, graph_scores, mean_scores
from maetheory.empirical.hypotheses import GRAPH_HYPOTHESES, HYPOTHESES
from maetheory.empirical.kernel.graph_summary import KernelGraphSummary
from maetheory.empirical.kernel.mask_average import KernelAverage, average_over_masks
from maetheory.empirical.linear_mae import linear_mae_kept_share
from maetheory.empirical.tokens.interval_estimate import IntervalEstimate
from maetheory.empirical.tokens.interval_estimation import graph_intervals
from maetheory.empirical.tokens.region_tokens import REGION_CODES, region_sample
from maetheory.masks import MaskLaw, patchify
from maetheory.metrics import class_distances

N_BOUND_INPUTS = 3  # of the image bound, each with a third of the error probability


@final
@dataclass(frozen=True)
class LawScores:
    """Scores of one mask law on a labelled data set, each with its interval.

    Attributes
    ----------
    law : str
        Its name.
    patch : int
        Side of a patch in pixels.
    mask_ratio : float
    tokens : GraphScores
        From graphs of quantised regions: plug-in values, which are optimistic, and intervals over images and masks.
    kernel : GraphScores
        From graphs of blurred targets: values for these images, and intervals over masks.
    relative_distance : IntervalEstimate
        Ratio of the mean intra-class to the mean inter-class distance of views under the same mask.
    linear_mae_kept_share : IntervalEstimate
        Share of what linear prediction finds under the law that k linear features keep; its interval is over images.
    k, n_images, n_masks : int
        Number of spectral features, of images, and of masks drawn.
    """

    law: str
    patch: int
    mask_ratio: float
    tokens: GraphScores
    kernel: GraphScores
    relative_distance: IntervalEstimate
    linear_mae_kept_share: IntervalEstimate
    k: int
    n_images: int
    n_masks: int

    def intervals(self) -> dict[str, IntervalEstimate]:
        """Return every score by its name in `HYPOTHESES`."""
        graphs = {
            f"{source} {name}": getattr(getattr(self, source), name)
            for source in ("tokens", "kernel")
            for name in GRAPH_HYPOTHESES
        }
        ratio = IntervalEstimate(self.mask_ratio, self.mask_ratio, self.mask_ratio, True, "")
        return graphs | {
            "mask_ratio": ratio,
            "relative_distance": self.relative_distance,
            "linear_mae_kept_share": self.linear_mae_kept_share,
        }


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
    progress: Progress = no_progress,
) -> LawScores:
    """Score a mask law on labelled images, without training a model.

    Positions are part of a view, as for a ViT: the graph has one block for each mask, and every score is a mean over
    masks drawn from the law. Quantisation and blur determine how often images share a target, so scores are comparable
    only between laws on the same images with the same `k`, `codes` and `factor`.

    Parameters
    ----------
    images : ImageSet
        With labels of at least two classes.
    law : MaskLaw
        Over the patches of an image.
    patch : int
        Side of a patch in pixels.
    name : str, optional
        Name of the law; its Python expression by default.
    k : int, optional
        Number of spectral features for each mask; the number of classes by default.
    n_masks : int, default 8
        Number of masks drawn, at least 2; the same for both graphs.
    codes : int, default 32
        Maximal number of codes of visible regions, and of hidden ones, under a mask.
    factor : float, default 0.25
        Bandwidth of the kernel, as a multiple of the median distance of two targets.
    seed : int, default 0
        Draws masks; initialises k-means and solvers.
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
    n_values = k + len(masses)  # eigenvalues that the certificate needs
    average = average_over_masks(
        images,
        law,
        masks=n_masks,
        k=min(n_values, len(images)) - 1,
        patch=patch,
        factor=factor,
        seed=seed,
        progress=progress,
    )
    token_inputs = [
        _token_bound_inputs(images, law, mask, patch=patch, codes=codes, k=k, masses=masses, seed=seed)
        for mask in average.masks
    ]
    kernel_inputs = [_kernel_bound_inputs(summary, k, masses) for summary in average.per_mask]
    return LawScores(
        law=name or repr(law),
        patch=patch,
        mask_ratio=law.mask_ratio,
        tokens=mean_scores([graph_scores(inputs) for inputs in token_inputs]),
        kernel=mean_scores([graph_scores(inputs) for inputs in kernel_inputs]),
        relative_distance=_relative_distance(images, average, patch),
        linear_mae_kept_share=kept_share_interval(images.images, law, patch=patch, k=k),
        k=k,
        n_images=len(images),
        n_masks=n_masks,
    )


def score_table(laws: Iterable[LawScores]) -> pd.DataFrame:
    """Return one row for each law and score, with its interval and the direction in which it predicts accuracy.

    Columns are law, patch, mask_ratio, score, value, low, high, decided, why, direction (1 where a higher value
    predicts a better probe, -1 where it predicts a worse one), k, n_images, n_masks.
    """
    rows: list[dict[str, Any]] = [
        {
            "law": law.law,
            "patch": law.patch,
            "mask_ratio": law.mask_ratio,
            "score": name,
            "value": interval.value,
            "low": interval.low,
            "high": interval.high,
            "decided": interval.decided,
            "why": interval.why,
            "direction": HYPOTHESES[name].direction,
            "k": law.k,
            "n_images": law.n_images,
            "n_masks": law.n_masks,
        }
        for law in laws
        for name, interval in law.intervals().items()
    ]
    return pd.DataFrame(rows)


def kept_share_interval(images: np.ndarray, law: MaskLaw, *, patch: int, k: int) -> IntervalEstimate:
    """Return `linear_mae_kept_share` with its interval over images, as far as it lies from 0 to 1."""
    found = linear_mae_kept_share(images, law, patch=patch, k=k)
    return IntervalEstimate(found.value, max(found.low, 0.0), min(found.high, 1.0), True, "")


def _token_bound_inputs(
    images: ImageSet, law: MaskLaw, mask: np.ndarray, *, patch: int, codes: int, k: int, masses: np.ndarray, seed: int
) -> BoundInputs:
    """Bound inputs of the token graph under a mask, eigenvalues padded with 0 to k + r.

    Values are those of the plug-in graph, all of one graph, so that bounds computed from them hold for it.
    """
    sample = region_sample(images, law, mask, patch=patch, codes=codes, seed=seed)
    n_values = k + len(masses)
    n_known = min(n_values, *sample.shape)
    if n_known < 2:
        raise InputError(
            "under one mask every image shows the same, or hides the same; choose a law that shows and "
            "hides what differs"
        )
    found = graph_intervals(sample, n_known - 1, confidence=1 - 0.05 / N_BOUND_INPUTS, seed=seed)
    graph = sample.graph
    phi = _replace_value(found.phi, float(graph.pair_label_error()))
    plug_in = graph.spectrum(n_known).values ** 2
    eigenvalues = [_replace_value(one, float(value)) for one, value in zip(found.eigenvalues, plug_in, strict=True)]
    padding = [IntervalEstimate(0.0, 0.0, 0.0, True, "")] * (n_values - n_known)
    alpha = _replace_value(found.alpha, float(graph.label_error()))
    return BoundInputs(phi, alpha, phi, (*eigenvalues, *padding), masses, k)


def _replace_value(interval: IntervalEstimate, value: float) -> IntervalEstimate:
    return replace(interval, value=float(np.clip(value, interval.low, interval.high)))


def _kernel_bound_inputs(summary: KernelGraphSummary, k: int, masses: np.ndarray) -> BoundInputs:
    """Bound inputs of a kernel graph, with rounding errors and the bound on eigenvalues that the solver missed."""
    phi, alpha, graph_phi = (
        IntervalEstimate(each.value, max(each.low, 0.0), each.high, True, "")
        for each in (summary.pair_label_error, summary.view_label_error, summary.graph_pair_label_error)
    )
    eigenvalues = tuple(
        IntervalEstimate(
            each.value, max(each.low, 0.0), min(max(each.high, summary.missed_eigenvalue_bound), 1.0), True, ""
        )
        for each in summary.values
    )
    return BoundInputs(phi, alpha, graph_phi, eigenvalues, masses, k)


def _relative_distance(images: ImageSet, average: KernelAverage, patch: int) -> IntervalEstimate:
    """Relative distance of views, with its jackknife interval over images and masks."""
    patches = patchify(images.images, patch)  # (n, p, c)
    views = (patches[:, mask].reshape(len(patches), -1).astype(np.float64) for mask in average.masks)
    found = class_distances(views, images.labels).ratio
    if not np.isfinite(found.error):
        return IntervalEstimate(found.value, 0.0, np.inf, False, "the jackknife needs at least two images and masks")
    return IntervalEstimate(found.value, found.low, found.high, True, "")
