"""The three kinds of mask graphs of images: exact, tokens (in one or several processes) and kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from maetheory.core import InputError, Progress
from maetheory.core.memory import check_memory
from maetheory.data import ImageSet, worlds
from maetheory.empirical import ProcessGroup, average_over_masks, fit_codebook, sharded_token_graph, token_sample
from maetheory.empirical.parallel.process_group import run_everywhere
from maetheory.empirical.tokens.codebook import Codebook
from maetheory.graph import MaskGraph
from maetheory.graph.enumerate import MAX_PAIRS
from maetheory.masks import MaskLaw
from maetheory.reports.graph_config import DEFAULT_POSITIONS, GraphConfig
from maetheory.reports.graph_plan import (
    EXACT_SORTS_PER_PAIR,
    SORTS_PER_PAIR_AND_VALUE,
    announce_kernel_plan,
    announce_pair_plan,
    basis_bytes,
)
from maetheory.reports.graph_statistics import GraphStatistics, exact_statistics, kernel_statistics, token_statistics

EXACT_BYTES_PER_PAIR = 200  # per pair of state and mask
SHARDED_BYTES_PER_PAIR = 200  # per pair of image and mask of a sharded graph, as measured
BYTES_PER_MASKED_PATCH = 24  # of masks while they are drawn: a random number, its rank, and the mask


def compute_graph_statistics(
    config: GraphConfig,
    images: ImageSet,
    law: MaskLaw,
    process_group: ProcessGroup | None,
    progress: Progress,
    announce: Callable[[str], None],
) -> GraphStatistics:
    """Build the graph of `config.kind` and compute its statistics.

    Parameters
    ----------
    config : GraphConfig
        With all defaults filled in.
    images : ImageSet
    law : MaskLaw
    process_group : ProcessGroup or None
    progress : Progress
    announce : callable
        Receives the plan of long work, one sentence, before it begins.

    Raises
    ------
    InputError
        If the graph would not fit in memory or has fewer nodes than features.
    """
    if config.kind == "exact":
        return _exact_graph_statistics(config, images, law, progress, announce)
    if config.kind == "kernel":
        return _kernel_graph_statistics(config, images, law, process_group, progress, announce)
    if process_group is None:
        return _token_graph_statistics(config, images, law, progress, announce)
    return _sharded_token_graph_statistics(config, images, law, process_group, progress, announce)


def _exact_graph_statistics(
    config: GraphConfig, images: ImageSet, law: MaskLaw, progress: Progress, announce: Callable[[str], None]
) -> GraphStatistics:
    codes = _require_number(config.codes)
    try:
        n_masks = len(law.support()[0])
    except InputError as error:
        raise InputError(f"{str(error).split(':')[0]}: take larger patches, or a sample with kind tokens") from None
    states = int(min(len(images), float(codes) ** law.n_patches * images.n_classes))
    if states * n_masks > MAX_PAIRS:
        raise InputError(
            f"up to {states:,} states x {n_masks:,} masks are {states * n_masks:,} pairs, more than the "
            f"{MAX_PAIRS:,} that are enumerated: take at most {MAX_PAIRS // n_masks:,} images, larger "
            "patches, or a sample with kind tokens"
        )
    check_memory(
        EXACT_BYTES_PER_PAIR * states * n_masks, f"{states * n_masks:,} pairs of state and mask", "take fewer images"
    )
    announce_pair_plan(
        announce,
        subject=f"up to {states:,} states under all {n_masks:,} masks",
        pairs=states * n_masks,
        bytes_per_pair=EXACT_BYTES_PER_PAIR,
        sorts_per_pair=EXACT_SORTS_PER_PAIR,
    )
    progress(0, 3, "quantising patches")
    world = worlds.from_images(images, _require_number(config.patch), codes, config.seed)
    progress(1, 3, "enumerating views and targets")
    graph = MaskGraph.enumerate(world, law, config.positions or DEFAULT_POSITIONS[config.kind])
    _check_k(config, graph.shape)
    progress(2, 3, "computing singular values")
    description = (
        f"exact for these {len(images):,} images, quantised to {len(world.values)} patches, and all {n_masks:,} masks"
    )
    return exact_statistics(
        graph, _require_number(config.k), graph.joint.nnz, seed=config.seed, description=description, verdict="EXACT"
    )


def _token_graph_statistics(
    config: GraphConfig, images: ImageSet, law: MaskLaw, progress: Progress, announce: Callable[[str], None]
) -> GraphStatistics:
    n_values = _require_number(config.k) + 9
    bytes_per_pair = 300 + 80 * n_values + 40 * images.n_classes  # 1.4 times the measured use
    _check_pair_memory(config, images, bytes_per_pair)
    announce_pair_plan(
        announce,
        subject=f"{len(images):,} images under {config.masks} masks",
        pairs=len(images) * _require_number(config.masks),
        bytes_per_pair=bytes_per_pair,
        sorts_per_pair=SORTS_PER_PAIR_AND_VALUE * n_values,
    )
    progress(0, 1, "fitting the codebook")
    codebook = _fit_codebook(config, images)
    sample = token_sample(
        images,
        law,
        codebook=codebook,
        **_token_options(config),
        progress=progress,
    )
    _check_k(config, sample.shape)
    progress(1, 2, "computing intervals")
    description = (
        f"estimates for the graph of all images, from these {len(images):,} images under {config.masks} drawn masks, "
        "with 95 % intervals"
    )
    return token_statistics(sample, _require_number(config.k), seed=config.seed, description=description)


def _fit_codebook(config: GraphConfig, images: ImageSet) -> Codebook:
    return fit_codebook(images, _require_number(config.patch), _require_number(config.codes), seed=config.seed)


def _token_options(config: GraphConfig) -> dict[str, Any]:
    """Return the options that `token_sample` and `sharded_token_graph` share."""
    return {
        "n_masks": config.masks,
        "seed": config.seed,
        "positions": config.positions,
        "views": config.views,
        "targets": config.targets,
        **({"pooled_codes": config.codes} if (config.views, config.targets) == ("pooled", "pooled") else {}),
    }


def _sharded_token_graph_statistics(
    config: GraphConfig,
    images: ImageSet,
    law: MaskLaw,
    process_group: ProcessGroup,
    progress: Progress,
    announce: Callable[[str], None],
) -> GraphStatistics:
    process_group.run_everywhere(
        lambda: _check_pair_memory(config, images, SHARDED_BYTES_PER_PAIR / process_group.world_size)
    )
    if process_group.rank == 0:
        shared = f"shared by {process_group.world_size} processes"
        announce_pair_plan(
            announce,
            subject=f"{len(images):,} images under {config.masks} masks, {shared}",
            pairs=len(images) * _require_number(config.masks) / process_group.world_size,
            bytes_per_pair=SHARDED_BYTES_PER_PAIR,
            sorts_per_pair=SORTS_PER_PAIR_AND_VALUE * _require_number(config.k) / 3,  # one graph in place of three
        )
    codebook = process_group.run_on_root(lambda: _fit_codebook(config, images))
    mine = np.array_split(np.arange(len(images)), process_group.world_size)[process_group.rank]
    graph = sharded_token_graph(
        images.take(mine) if len(mine) else None,
        law,
        codebook=codebook,
        **_token_options(config),
        process_group=process_group,
        progress=progress,
    )
    _check_k(config, graph.shape)
    progress(1, 2, "computing singular values")
    description = (
        f"exact for these {len(images):,} images under {config.masks} drawn masks, shared by "
        f"{process_group.world_size} processes; as estimates for all images the label errors are too small and the "
        "singular values too large, by an amount that only a run in one process estimates"
    )
    return exact_statistics(
        graph, _require_number(config.k), graph.n_edges, seed=config.seed, description=description, verdict="PLUG-IN"
    )


def _kernel_graph_statistics(
    config: GraphConfig,
    images: ImageSet,
    law: MaskLaw,
    process_group: ProcessGroup | None,
    progress: Progress,
    announce: Callable[[str], None],
) -> GraphStatistics:
    _check_k(config, (len(images), len(images)))
    masks, device = _require_number(config.masks), config.device or "cpu"

    def check_sizes() -> None:
        check_memory(basis_bytes(len(images)), f"the singular vectors of {len(images):,} images", "take fewer images")
        drawn = BYTES_PER_MASKED_PATCH * masks * law.n_patches
        check_memory(drawn, f"{masks:,} masks of {law.n_patches} patches", "take fewer masks")

    run_everywhere(process_group, check_sizes)
    if process_group is None or process_group.rank == 0:
        hidden = images.images[0].size * law.mask_ratio
        announce_kernel_plan(
            announce,
            n_images=len(images),
            values_per_target=max(1, round(hidden)),
            masks=masks,
            device=device,
            processes=1 if process_group is None else process_group.world_size,
        )
    progress(0, masks, "computing kernels")
    found = average_over_masks(
        images,
        law,
        masks=masks,
        k=_require_number(config.k),
        patch=_require_number(config.patch),
        bandwidth=config.bandwidth,
        device=device,
        seed=config.seed,
        process_group=process_group,
        progress=progress,
    )
    shared = "" if process_group is None else f", shared by {process_group.world_size} processes"
    description = (
        f"means over {config.masks} drawn masks with two standard errors, for these {len(images):,} images at this "
        f"bandwidth{shared}; α is the error of a vote of the other images, which is an upper estimate"
    )
    return kernel_statistics(found, description)


def _check_pair_memory(config: GraphConfig, images: ImageSet, size: float) -> None:
    """Raise an InputError if the pairs of image and mask, of `size` bytes each, do not fit in memory."""
    pairs = len(images) * _require_number(config.masks)
    check_memory(size * pairs, f"{len(images):,} images under {config.masks} masks", "take fewer images or masks")


def _check_k(config: GraphConfig, shape: tuple[int, int]) -> None:
    if not 1 <= _require_number(config.k) < min(shape):
        raise InputError(
            f"k must be at least 1 and below {min(shape)}, the smaller number of distinct views and "
            f"targets, but it is {config.k}"
        )


def _require_number(number: int | None) -> int:
    assert number is not None
    return number
