"""One mask speaks for itself only: what is said of a law of masks is a mean over masks, with the spread between them.

Given a mask, the graph of N images is computed; nothing is sampled but the mask. So the error of a mean is two
standard errors over independent masks, and it is an error about the mean over the law **for these N images**. How other
images would move it is not in it, and cannot be had by splitting them: half the images make another graph, with twice
the self pairs and other values, so the spread of halves is no error of the whole. For images, repeat with other ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from maetheory.core import Estimate, InputError, Progress, generator, silent
from maetheory.data import ImageSet
from maetheory.empirical.kernel.graph import KernelGraph, kernel_graph
from maetheory.empirical.kernel.masked_images import check_image_labels
from maetheory.empirical.kernel.neighbour_graph import NeighbourGraph, neighbour_graph
from maetheory.empirical.kernel.summary import KernelGraphSummary, summarise
from maetheory.empirical.parallel.process_group import ProcessGroup, run_everywhere
from maetheory.masks import MaskLaw, patchify


@final
@dataclass(frozen=True, eq=False)
class KernelAverage:
    """Means over independent masks of the numbers of kernel graphs, for the images given.

    Every Estimate is sampled; its error is two standard errors over masks, and what each graph's own numbers may be off
    by rounding. Errors over images are not included. With positions kept, the graph of all masks is these graphs side
    by side: φ, α, α₂ and self pairs of it are the means given here, but its values are all of theirs together, not
    their means, and its bound is not the mean of theirs.

    Attributes
    ----------
    values : tuple of Estimate
        λ₁..λ_{k+1} of the augmentation graph under one mask, λ = σ².
    pair_label_error : Estimate
        φ of pairs of two different images that share a target; the φ of `sharp_bound`, as in token graphs.
    graph_pair_label_error : Estimate
        φ of the graphs as they stand: pairs of an image with itself included, which agree. The φ of `graph_bound`.
    view_label_error : Estimate
        α, overestimated: how often the vote of all other images' views misses an image's label. Of the graphs
        themselves α is 0, because every view is its own image's.
    target_label_error : Estimate
        α₂ of the graphs as they stand.
    sharp_bound : Estimate
        4φ/(1 − λ_{k+1}) + 2α with φ of different images and α of votes: what token graphs state, each part no less
        than the graph's own. Infinite where λ_{k+1} cannot be told from 1 under some mask.
    graph_bound : Estimate
        4φ/(1 − λ_{k+1}) with φ of the graphs as they stand and their α = 0: S3 (i), a theorem for these images.
    self_pair_fraction : Estimate
        Share of positive pairs that join an image with itself.
    tail : Estimate
        Σ_{i>k} λ_i².
    k, n_images : int
    masks : ndarray of bool, shape (m, p)
        Those that were drawn; True = visible.
    each : tuple of KernelNumbers
        The numbers under each of them, with its bandwidth and whether its certificate is complete.
    """

    values: tuple[Estimate, ...]
    pair_label_error: Estimate
    graph_pair_label_error: Estimate
    view_label_error: Estimate
    target_label_error: Estimate
    sharp_bound: Estimate
    graph_bound: Estimate
    self_pair_fraction: Estimate
    tail: Estimate
    k: int
    n_images: int
    masks: np.ndarray
    each: tuple[KernelGraphSummary, ...]


def average_over_masks(
    images: ImageSet | np.ndarray,
    law: MaskLaw,
    *,
    masks: int,
    k: int,
    patch: int,
    labels: np.ndarray | None = None,
    bandwidth: float | None = None,
    factor: float = 0.25,
    neighbours: int | None = None,
    device: str | torch.device = "cpu",
    room: int | None = None,
    scratch_dir: str | Path | None = None,
    seed: int = 0,
    process_group: ProcessGroup | None = None,
    progress: Progress = silent,
) -> KernelAverage:
    """Average the numbers of kernel graphs over masks drawn from a law, one graph in memory at a time.

    Parameters
    ----------
    images : ImageSet, or array (N, C, H, W)
        uint8 0..255 or float in [0, 1].
    law : MaskLaw
        Over the patches of an image.
    masks : int
        How many are drawn, independently; at least 2.
    k : int
        Number of spectral features, from 1 to N − 1.
    patch : int
        Side of a patch in pixels.
    labels : ndarray of int, shape (N,), optional
        Those of an ImageSet are its own; at least two classes.
    bandwidth : float, optional
        Of the Gaussian, in pixel units, the same for all masks; by default `factor` times the median distance of two
        targets under each.
    factor, device, room, scratch
        As for `kernel_graph`.
    neighbours : int, optional
        Cut the kernel after so many nearest targets, itself included: `neighbour_graph`, which needs neither room nor
        scratch. All targets by default.
    seed : int
        Draws the masks; starts the solvers and draws the probes under each.
    process_group : Ranks, optional
        Processes that call this together with the same arguments and share every table; all get the result.
    progress : Progress
        Called after each mask.

    Returns
    -------
    KernelAverage

    Raises
    ------
    InputError
        If there are fewer than two masks, k is out of range, law and images do not fit together, there are no labels,
        or labels of one class only, or processes are to share a graph of nearest neighbours.

    Examples
    --------
    >>> from maetheory.masks import UniformMasks
    >>> rng = np.random.default_rng(0)
    >>> found = average_over_masks(rng.random((20, 1, 4, 4)), UniformMasks(4, 1), masks=3, k=2, patch=2, factor=1.0,
    ...                            labels=np.arange(20) % 2)
    >>> len(found.values), round(float(found.values[0]), 9)
    (3, 1.0)
    """
    if neighbours is not None and process_group is not None:
        raise InputError("a graph of nearest neighbours is made by one process: leave out neighbours or ranks")
    known = run_everywhere(process_group, lambda: _check_arguments(images, labels, law, patch, masks, k))
    drawn = law.sample(generator(seed, "kernel masks"), masks)  # (m, p)
    each = []
    for number, mask in enumerate(drawn):
        own = int(generator(seed, "kernel mask", number).integers(2**31))
        common: dict[str, Any] = {
            "patch": patch,
            "labels": known,
            "bandwidth": bandwidth,
            "factor": factor,
            "device": device,
            "seed": own,
        }
        graph: KernelGraph | NeighbourGraph
        if neighbours is None:
            graph = kernel_graph(
                images, mask, room=room, scratch_dir=scratch_dir, process_group=process_group, **common
            )
        else:
            graph = neighbour_graph(images, mask, neighbours=neighbours, **common)
        each.append(summarise(graph, k, seed=own))
        del graph  # before the next one takes its room
        progress(number + 1, masks, "masks averaged")
    return _average(each, k, len(known), drawn)


def mean_over_masks(values: Sequence[Estimate]) -> Estimate:
    """Mean with two standard errors and the mean of what each may be off by rounding; infinite if one is.

    Errors that are themselves sampled are not added: they show in the spread, or are of images, not of masks.

    Examples
    --------
    >>> mean_over_masks([Estimate(1.0), Estimate(2.0), Estimate(3.0)])
    2 ± 1.15 (sampled)
    """
    numbers = np.array([value.value for value in values])
    if not np.isfinite(numbers).all():
        return Estimate(np.inf, sampled=True)
    rounding = float(np.mean([0.0 if value.sampled else value.error for value in values]))
    error = 2 * float(numbers.std(ddof=1)) / np.sqrt(len(numbers))
    return Estimate(float(numbers.mean()), error + rounding, sampled=True)


def _average(each: list[KernelGraphSummary], k: int, n_images: int, drawn: np.ndarray) -> KernelAverage:
    names = (
        "pair_label_error",
        "graph_pair_label_error",
        "view_label_error",
        "target_label_error",
        "sharp_bound",
        "graph_bound",
        "self_pairs",
        "tail",
    )
    means = {name: mean_over_masks([getattr(one, name) for one in each]) for name in names}
    values = tuple(mean_over_masks(under_each) for under_each in zip(*(one.values for one in each)))
    return KernelAverage(values=values, **means, k=k, n_images=n_images, masks=drawn, each=tuple(each))


def _pixels(images: ImageSet | np.ndarray) -> np.ndarray:
    return images.images if isinstance(images, ImageSet) else np.asarray(images)


def _labels(images: ImageSet | np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    known = check_image_labels(images, labels)
    if known is None:
        raise InputError(
            "label errors and bounds need labels, but the images were given without; give labels=, one "
            "integer from 0 per image"
        )
    if known.min() == known.max():
        raise InputError(
            f"all {len(known)} images have the label {known[0]}, so no label can be wrong; "
            "give images of at least two classes"
        )
    return known


def _check_arguments(
    images: ImageSet | np.ndarray, labels: np.ndarray | None, law: MaskLaw, patch: int, masks: int, k: int
) -> np.ndarray:
    """Return the labels of images that fit all the rest."""
    known = _labels(images, labels)
    n_patches, n = patchify(_pixels(images)[:1], patch).shape[1], len(known)
    if law.n_patches != n_patches:
        raise InputError(f"the mask law must cover the {n_patches} patches of an image, but it covers {law.n_patches}")
    if not isinstance(masks, Integral) or masks < 2:
        raise InputError(f"an average over masks needs at least 2 of them to know its error, but masks is {masks}")
    if not isinstance(k, Integral) or not 1 <= k < n:
        raise InputError(f"k must be a whole number from 1 to {n - 1}, one less than the images, but it is {k}")
    return known
