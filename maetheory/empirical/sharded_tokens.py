"""Processes that hold shares of the images count one token graph together."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError, Progress, silent
from maetheory.data.images import ImageSet
from maetheory.empirical.codebook import Codebook, codebook_of_rows
from maetheory.empirical.identities import hash_tables
from maetheory.empirical.ranks import Ranks
from maetheory.empirical.sample import check_images, draw_masks
from maetheory.empirical.sharded import ShardedGraph
from maetheory.empirical.token_side import Side, fitted_images, rows_of_means
from maetheory.empirical.tokens import CHUNK, POOLED_CODES, check_words, show
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
    ranks: Ranks | None = None,
    progress: Progress = silent,
) -> ShardedGraph:
    """Count the mask graph of the images of all processes, each of which calls this with its own.

    It is the graph that `token_graph` counts of all images in one process. Everything but the images must be the same
    everywhere, the codebook too.

    Parameters
    ----------
    images : ImageSet or None
        The share of this process; None is an empty one.
    ranks : Ranks, optional
        All processes by default.
    law, codebook, n_masks, seed, positions, views, targets, pooled_codes, chunk, progress
        As for `token_sample`.

    Raises
    ------
    InputError
        On every process, as for `token_sample` on any, or if there is no process group.
    """
    ranks = Ranks.of() if ranks is None else ranks
    check_words(views, targets, chunk)
    total = int(ranks.counts(0 if images is None else len(images)).sum())
    ranks.agreed(lambda: _check(images, total, law, codebook, positions))
    masks, mask_weights = draw_masks(law, n_masks, seed)
    tables = hash_tables(law.n_patches, codebook.size, seed)
    size = 0 if images is None else len(images)
    sides = []
    for shown, word in ((masks, views), (~masks, targets)):
        pooled = word == "pooled"
        book = _means_codebook(images, shown, codebook.patch, pooled_codes, seed, ranks) if pooled else None
        sides.append(Side(size, shown, positions, tables, book))
    if images is not None:
        show(images, codebook, sides, chunk, progress)
    labels = np.empty(0, np.int64) if images is None else images.labels
    return ShardedGraph.of_pairs(sides[0].hashes(seed), sides[1].hashes(seed), labels, mask_weights, ranks=ranks)


def _check(images: ImageSet | None, total: int, law: MaskLaw, codebook: Codebook, positions: str) -> None:
    if total < 2:
        raise InputError(f"a sampled graph needs at least 2 images, but all processes together have {total}")
    if images is not None:
        n_patches, width = patchify(images.images[:1], codebook.patch).shape[1:]
        check_images(n_patches, law, positions)
        if width != len(codebook.mean):
            raise InputError(f"this codebook is for patches of {len(codebook.mean)} values, but these have {width}")


def _means_codebook(
    images: ImageSet | None, shown: np.ndarray, patch: int, size: int, seed: int, ranks: Ranks
) -> Codebook:
    """Fit the codebook of means that one process with all images would fit, on the first process."""
    lengths = ranks.counts(0 if images is None else len(images))
    ends = np.cumsum(lengths)
    chosen = fitted_images(int(ends[-1]), len(shown), seed)
    here = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    width = int(ranks.reduced(0 if images is None else images.shape[1] * patch * patch, "max"))
    rows = np.empty((0, width))
    if len(here[ranks.number]):
        assert images is not None
        rows = rows_of_means(images, here[ranks.number] - (ends - lengths)[ranks.number], shown, patch)
    together = ranks.gathered_first(rows, [len(part) * len(shown) for part in here])
    return ranks.by_first(lambda: codebook_of_rows(together, patch, size, seed=seed))
