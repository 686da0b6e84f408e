"""Token graph of images that are distributed over a process group."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError, Progress, no_progress
from maetheory.data.images import ImageSet
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook_to_vectors
from maetheory.empirical.tokens.node_identities import (
    CHUNK_IMAGES,
    POOLED_CODES,
    check_node_options,
    collect_node_identities,
    sample_image_indices_for_codebook,
    visible_patch_means_of_images,
)
from maetheory.empirical.tokens.sample import check_mask_law, sample_mask_pairs
from maetheory.empirical.tokens.sharded_graph import ShardedGraph
from maetheory.masks import PredictionLaw, patchify


def sharded_token_graph(
    images: ImageSet | None,
    law: PredictionLaw,
    *,
    codebook: Codebook,
    n_masks: int | None = None,
    seed: int = 0,
    positions: str = "kept",
    views: str = "patches",
    targets: str = "patches",
    pooled_codes: int = POOLED_CODES,
    chunk: int = CHUNK_IMAGES,
    process_group: ProcessGroup | None = None,
    progress: Progress = no_progress,
) -> ShardedGraph:
    """Build the mask graph of the images of all processes, each of which calls this with its own images.

    The result is the graph that `token_graph` builds of all images in one process. All arguments but the images must be
    the same on every process, the codebook included.

    Parameters
    ----------
    images : ImageSet or None
        The images of this process; None if it has none.
    process_group : ProcessGroup, optional
        All processes by default.
    law, codebook, n_masks, seed, positions, views, targets, pooled_codes, chunk, progress
        As for `token_sample`.

    Raises
    ------
    InputError
        On every process, as for `token_sample` on any, or if there is no process group.
    """
    process_group = ProcessGroup.from_torch() if process_group is None else process_group
    check_node_options(views, targets, chunk)
    size = 0 if images is None else len(images)
    total = int(process_group.all_gather_int(size).sum())
    process_group.run_everywhere(lambda: _check_arguments(images, total, law, codebook, positions))
    masks, mask_weights = sample_mask_pairs(law, n_masks, seed)
    sides = collect_node_identities(
        images,
        codebook,
        masks,
        (views, targets),
        positions,
        seed=seed,
        chunk=chunk,
        fit_means=lambda shown: _mean_patch_codebook(images, shown, codebook.patch, pooled_codes, seed, process_group),
        progress=progress,
    )
    labels = np.empty(0, np.int64) if images is None else images.labels
    view, target = (side.hashes(seed) for side in sides)
    return ShardedGraph.from_hashes(view, target, labels, mask_weights, process_group=process_group)


def _check_arguments(
    images: ImageSet | None, total: int, law: PredictionLaw, codebook: Codebook, positions: str
) -> None:
    if total < 2:
        raise InputError(f"a sampled graph needs at least 2 images, but all processes together have {total}")
    if images is not None:
        n_patches, width = patchify(images.images[:1], codebook.patch).shape[1:]
        check_mask_law(n_patches, law, positions)
        if width != len(codebook.mean):
            raise InputError(f"this codebook is for patches of {len(codebook.mean)} values, but these have {width}")


def _mean_patch_codebook(
    images: ImageSet | None, shown: np.ndarray, patch: int, size: int, seed: int, process_group: ProcessGroup
) -> Codebook:
    """Fit the codebook of mean patches on the root; it equals that of one process with all images."""
    lengths = process_group.all_gather_int(0 if images is None else len(images))
    ends = np.cumsum(lengths)
    chosen = sample_image_indices_for_codebook(int(ends[-1]), len(shown), seed)
    chosen_by_rank = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    local = chosen_by_rank[process_group.rank] - (ends - lengths)[process_group.rank]
    width = int(process_group.all_reduce(0 if images is None else images.shape[1] * patch * patch, "max"))
    rows = np.empty((0, width))
    if images is not None and len(local):
        rows = visible_patch_means_of_images(images, local, shown, patch)
    gathered = process_group.gather(rows, [len(part) * len(shown) for part in chosen_by_rank])
    return process_group.run_on_root(lambda: fit_codebook_to_vectors(gathered, patch, size, seed=seed))
