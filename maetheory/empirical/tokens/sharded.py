"""Processes that hold shares of the images count one token graph together."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError, Progress, silent
from maetheory.data.images import ImageSet
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.codebook import Codebook, fit_codebook_to_vectors
from maetheory.empirical.tokens.graph import CHUNK, POOLED_CODES, check_options, show
from maetheory.empirical.tokens.hashing import hash_tables
from maetheory.empirical.tokens.node_identities import Side, codebook_images, masked_means_of_images
from maetheory.empirical.tokens.sample import check_mask_law, sample_masks
from maetheory.empirical.tokens.sharded_graph import ShardedGraph
from maetheory.masks import MaskLaw, patchify


def sharded_token_graph(
    images: ImageSet | None,
    law: MaskLaw,
    *,
    codebook: Codebook,
    n_masks: int | None = None,
    seed: int = 0,
    positions: str = "kept",
    views: str = "patches",
    targets: str = "patches",
    pooled_codes: int = POOLED_CODES,
    chunk: int = CHUNK,
    process_group: ProcessGroup | None = None,
    progress: Progress = silent,
) -> ShardedGraph:
    """Count the mask graph of the images of all processes, each of which calls this with its own.

    It is the graph that `token_graph` counts of all images in one process. Everything but the images must be the same
    everywhere, the codebook too.

    Parameters
    ----------
    images : ImageSet or None
        The share of this process; None is an empty one.
    process_group : Ranks, optional
        All processes by default.
    law, codebook, n_masks, seed, positions, views, targets, pooled_codes, chunk, progress
        As for `token_sample`.

    Raises
    ------
    InputError
        On every process, as for `token_sample` on any, or if there is no process group.
    """
    process_group = ProcessGroup.of() if process_group is None else process_group
    check_options(views, targets, chunk)
    total = int(process_group.counts(0 if images is None else len(images)).sum())
    process_group.run_everywhere(lambda: _check(images, total, law, codebook, positions))
    masks, mask_weights = sample_masks(law, n_masks, seed)
    tables = hash_tables(law.n_patches, codebook.size, seed)
    size = 0 if images is None else len(images)
    sides = []
    for shown, word in ((masks, views), (~masks, targets)):
        pooled = word == "pooled"
        book = _means_codebook(images, shown, codebook.patch, pooled_codes, seed, process_group) if pooled else None
        sides.append(Side(size, shown, positions, tables, book))
    if images is not None:
        show(images, codebook, sides, chunk, progress)
    labels = np.empty(0, np.int64) if images is None else images.labels
    return ShardedGraph.from_hashes(
        sides[0].hashes(seed), sides[1].hashes(seed), labels, mask_weights, process_group=process_group
    )


def _check(images: ImageSet | None, total: int, law: MaskLaw, codebook: Codebook, positions: str) -> None:
    if total < 2:
        raise InputError(f"a sampled graph needs at least 2 images, but all processes together have {total}")
    if images is not None:
        n_patches, width = patchify(images.images[:1], codebook.patch).shape[1:]
        check_mask_law(n_patches, law, positions)
        if width != len(codebook.mean):
            raise InputError(f"this codebook is for patches of {len(codebook.mean)} values, but these have {width}")


def _means_codebook(
    images: ImageSet | None, shown: np.ndarray, patch: int, size: int, seed: int, process_group: ProcessGroup
) -> Codebook:
    """Fit the codebook of means that one process with all images would fit, on the first process."""
    lengths = process_group.counts(0 if images is None else len(images))
    ends = np.cumsum(lengths)
    chosen = codebook_images(int(ends[-1]), len(shown), seed)
    here = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    width = int(process_group.all_reduce(0 if images is None else images.shape[1] * patch * patch, "max"))
    rows = np.empty((0, width))
    if len(here[process_group.number]):
        assert images is not None
        rows = masked_means_of_images(
            images, here[process_group.number] - (ends - lengths)[process_group.number], shown, patch
        )
    together = process_group.gather(rows, [len(part) * len(shown) for part in here])
    return process_group.run_on_root(lambda: fit_codebook_to_vectors(together, patch, size, seed=seed))
