"""Build a mask graph from images (exact, tokens or kernel) and compute its statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.empirical import ProcessGroup
from maetheory.masks import make_mask_law
from maetheory.reports.graph_config import (
    DEFAULT_CODES,
    DEFAULT_CONTENTS,
    DEFAULT_MASKS,
    DEFAULT_POSITIONS,
    GraphConfig,
)
from maetheory.reports.graph_kinds import compute_graph_statistics
from maetheory.reports.graph_statistics import GraphStatistics


@dataclass(frozen=True)
class GraphStudy:
    """Statistics of a mask graph of images.

    Attributes
    ----------
    config : GraphConfig
        With all defaults filled in.
    statistics : GraphStatistics
    dataset : str
    n_images, n_classes : int
    grid : (int, int)
        Rows and columns of patches.
    majority_share : float
        Share of the images in the largest class.
    """

    config: GraphConfig
    statistics: GraphStatistics
    dataset: str
    n_images: int
    n_classes: int
    grid: tuple[int, int]
    majority_share: float


def study_graph(
    config: GraphConfig,
    images: ImageSet,
    *,
    process_group: ProcessGroup | None = None,
    progress: Progress = no_progress,
    announce: Callable[[str], None] = lambda sentence: None,
) -> GraphStudy:
    """Build the graph that a configuration names and compute its statistics.

    Parameters
    ----------
    config : GraphConfig
    images : ImageSet
        All images, also in each of several processes.
    process_group : ProcessGroup, optional
        Several processes. For tokens each builds the graph of its share of the images, and the statistics have no
        intervals; for a kernel each computes its share of the pairs.
    progress : Progress
    announce : callable, optional
        Receives the plan of long work, one sentence with estimates of time and memory, before it begins.

    Raises
    ------
    InputError
        If configuration and images do not fit together, or the graph would not fit in memory.
    """
    _check_labels(images)
    patch = _default_patch(images) if config.patch is None else config.patch
    rows, columns = images.shape[2] // max(patch, 1), images.shape[3] // max(patch, 1)
    if patch < 1 or (rows * patch, columns * patch) != images.shape[2:]:
        raise InputError(
            f"the patch size must divide the image sides, but {patch} does not divide "
            f"{images.shape[2]}x{images.shape[3]}"
        )
    if process_group is not None and config.kind == "exact":
        raise InputError("a graph of kind exact is made by one process: start it without torchrun")
    law = make_mask_law(config.law, (rows, columns), config.mask_ratio)
    config = replace(
        config,
        patch=patch,
        k=images.n_classes if config.k is None else config.k,
        positions=config.positions or DEFAULT_POSITIONS[config.kind],
        views=config.views or DEFAULT_CONTENTS[config.kind],
        targets=config.targets or DEFAULT_CONTENTS[config.kind],
        codes=DEFAULT_CODES.get(config.kind) if config.codes is None else config.codes,
        masks=DEFAULT_MASKS.get(config.kind) if config.masks is None else config.masks,
    )
    statistics = compute_graph_statistics(config, images, law, process_group, progress, announce)
    dataset = f"{images.name}/{images.split}" if images.split else images.name
    majority_share = float(np.bincount(images.labels).max() / len(images))
    return GraphStudy(config, statistics, dataset, len(images), images.n_classes, (rows, columns), majority_share)


def _check_labels(images: ImageSet) -> None:
    present = len(np.unique(images.labels))
    if len(images) < images.n_classes:
        raise InputError(
            f"there are {images.n_classes} classes, but only {len(images)} labelled images; take one "
            "image per class at least"
        )
    if present < 2:
        raise InputError(
            f"all {len(images)} images have one label, so no label can be wrong; take images of at least two classes"
        )


def _default_patch(images: ImageSet) -> int:
    side = min(images.shape[2:])
    if side % 4 or max(images.shape[2:]) % (side // 4):
        raise InputError(
            f"images of {images.shape[2]}x{images.shape[3]} have no patch of a quarter of their side; say which patch"
        )
    return side // 4
