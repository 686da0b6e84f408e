"""Images and a law of masks become a graph: exact, counted from a sample of codes, or blurred by a kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maetheory.core import InputError, Progress, silent
from maetheory.core.memory import check_memory
from maetheory.data import ImageSet, worlds
from maetheory.empirical import Ranks, average_over_masks, fit_codebook, sharded_token_graph, token_sample
from maetheory.empirical.ranks import agreed
from maetheory.graph import MaskGraph
from maetheory.graph.enumerate import MAX_PAIRS
from maetheory.masks import MaskLaw, named_law
from maetheory.masks.views import POSITIONS
from maetheory.reports.graph_numbers import GraphNumbers, exact_numbers, kernel_numbers, token_numbers

KINDS = ("exact", "tokens", "kernel")
CODES = {"exact": 2, "tokens": 64}
MASKS = {"tokens": 16, "kernel": 4}
SHARED_BYTES = 200  # of a pair of image and mask in a shared graph, as measured
KERNEL_BYTES = 8 * 4  # of an image and column of a basis: of views and of targets, and each copied as it grows
EXACT_BYTES = 200  # of a pair of state and mask


@dataclass(frozen=True)
class GraphPlan:
    """What graph is wanted.

    Attributes
    ----------
    kind : {"exact", "tokens", "kernel"}
    mask_ratio : float
    law : {"uniform", "bernoulli", "block"}
    patch : int, optional
        Side of a patch; a quarter of the image's by default.
    k : int, optional
        Features; the number of classes by default.
    positions : {"kept", "dropped"}
    codes : int, optional
        Symbols of the exact world, 2, or codes of tokens, 64.
    masks : int, optional
        Drawn for tokens, 16, or for kernels, 4.
    views, targets : {"patches", "pooled"}
        What tokens of a view, or target, are compared.
    bandwidth : float, optional
        Of the kernel; a quarter of the median distance by default.
    device : str, optional
        Where kernels are compared and multiplied; the CPU by default.
    seed : int
    """

    kind: str = "tokens"
    mask_ratio: float = 0.75
    law: str = "uniform"
    patch: int | None = None
    k: int | None = None
    positions: str = "kept"
    codes: int | None = None
    masks: int | None = None
    views: str = "patches"
    targets: str = "patches"
    bandwidth: float | None = None
    device: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"the kind must be 'exact', 'tokens' or 'kernel', but it is {self.kind!r}")
        if self.positions not in POSITIONS:
            raise InputError(f"positions must be 'kept' or 'dropped', but it is {self.positions!r}")
        only = {"codes": tuple(CODES), "masks": tuple(MASKS), "bandwidth": ("kernel",), "device": ("kernel",)}
        for name, kinds in only.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise InputError(f"{name} must be left out for a graph of kind {self.kind}: it is for kind "
                                 f"{' or '.join(kinds)}")  # fmt: skip
        if self.kind != "tokens" and (self.views, self.targets) != ("patches", "patches"):
            raise InputError(f"pooled views and targets are for kind tokens, not for {self.kind}")
        if self.kind == "kernel" and self.positions == "dropped":
            raise InputError("a kernel graph is of one mask at a time, so its positions are kept; leave positions out")


@dataclass(frozen=True)
class GraphStudy:
    """A plan, with what was left open filled in, the images it was carried out on, and the numbers."""

    plan: GraphPlan
    numbers: GraphNumbers
    dataset: str
    n_images: int
    n_classes: int
    grid: tuple[int, int]
    commonest: float


def study(plan: GraphPlan, images: ImageSet, *, ranks: Ranks | None = None, progress: Progress = silent) -> GraphStudy:
    """Make the graph of a plan and compute its numbers.

    Parameters
    ----------
    plan : GraphPlan
    images : ImageSet
        All images, also where several processes share them.
    ranks : Ranks, optional
        Several processes. Of tokens each takes its share of the images, and there are no bands; of a kernel each takes
        its share of the pairs.
    progress : Progress

    Raises
    ------
    InputError
        If plan and images do not fit together, or the graph would not fit in memory.
    """
    _check_labels(images)
    patch = _patch(images) if plan.patch is None else plan.patch
    rows, columns = images.shape[2] // max(patch, 1), images.shape[3] // max(patch, 1)
    if patch < 1 or (rows * patch, columns * patch) != images.shape[2:]:
        raise InputError(f"the patch size must divide the image sides, but {patch} does not divide "
                         f"{images.shape[2]}x{images.shape[3]}")  # fmt: skip
    if ranks is not None and plan.kind == "exact":
        raise InputError("a graph of kind exact is made by one process: start it without torchrun")
    law = named_law(plan.law, (rows, columns), plan.mask_ratio)
    plan = GraphPlan(**{**vars(plan), "patch": patch, "k": images.n_classes if plan.k is None else plan.k,
                        "codes": CODES.get(plan.kind) if plan.codes is None else plan.codes,
                        "masks": MASKS.get(plan.kind) if plan.masks is None else plan.masks})  # fmt: skip
    name = f"{images.name}/{images.split}" if images.split else images.name
    carried_out: dict[str, Callable[[], GraphNumbers]] = {
        "exact": lambda: _exact(plan, images, law, progress),
        "tokens": lambda: _tokens(plan, images, law, progress) if ranks is None
        else _shared_tokens(plan, images, law, ranks, progress),
        "kernel": lambda: _kernel(plan, images, law, ranks, progress),
    }  # fmt: skip
    commonest = float(np.bincount(images.labels).max() / len(images))
    return GraphStudy(plan, carried_out[plan.kind](), name, len(images), images.n_classes, (rows, columns), commonest)


def _exact(plan: GraphPlan, images: ImageSet, law: MaskLaw, progress: Progress) -> GraphNumbers:
    codes = _given(plan.codes)
    try:
        n_masks = len(law.support()[0])
    except InputError as error:
        raise InputError(f"{str(error).split(':')[0]}: take larger patches, or a sample with kind tokens") from None
    states = int(min(len(images), float(codes) ** law.n_patches * images.n_classes))
    if states * n_masks > MAX_PAIRS:
        raise InputError(f"up to {states:,} states x {n_masks:,} masks are {states * n_masks:,} pairs, more than the "
                         f"{MAX_PAIRS:,} that are enumerated: take at most {MAX_PAIRS // n_masks:,} images, larger "
                         "patches, or a sample with kind tokens")  # fmt: skip
    check_memory(EXACT_BYTES * states * n_masks, f"{states * n_masks:,} pairs of state and mask", "take fewer images")
    progress(0, 3, "quantising patches")
    world = worlds.from_images(images, _given(plan.patch), codes, plan.seed)
    progress(1, 3, "enumerating views and targets")
    graph = MaskGraph.enumerate(world, law, plan.positions)
    _check_k(plan, graph.shape)
    progress(2, 3, "finding singular values")
    meaning = (
        f"exact for these {len(images):,} images, quantised to {len(world.values)} patches, and all {n_masks:,} masks"
    )
    return exact_numbers(graph, _given(plan.k), graph.joint.nnz, seed=plan.seed, meaning=meaning, verdict="EXACT")


def _tokens(plan: GraphPlan, images: ImageSet, law: MaskLaw, progress: Progress) -> GraphNumbers:
    _check_pairs(plan, images, 300 + 80 * (_given(plan.k) + 9) + 40 * images.n_classes)  # 1.4 times what was measured
    progress(0, 1, "fitting codes")
    book = fit_codebook(images, _given(plan.patch), _given(plan.codes), seed=plan.seed)
    sample = token_sample(
        images, law, codebook=book, n_masks=plan.masks, seed=plan.seed, positions=plan.positions, views=plan.views,
        targets=plan.targets, progress=progress,
    )  # fmt: skip
    _check_k(plan, sample.shape)
    progress(1, 2, "estimating with bands")
    meaning = (f"of the graph of all images, as far as these {len(images):,} under {plan.masks} drawn masks tell, with "
               "95 % bands")  # fmt: skip
    return token_numbers(sample, _given(plan.k), seed=plan.seed, meaning=meaning)


def _shared_tokens(plan: GraphPlan, images: ImageSet, law: MaskLaw, ranks: Ranks, progress: Progress) -> GraphNumbers:
    ranks.agreed(lambda: _check_pairs(plan, images, SHARED_BYTES / ranks.count))
    book = ranks.by_first(lambda: fit_codebook(images, _given(plan.patch), _given(plan.codes), seed=plan.seed))
    mine = np.array_split(np.arange(len(images)), ranks.count)[ranks.number]
    graph = sharded_token_graph(
        images.take(mine) if len(mine) else None, law, codebook=book, n_masks=plan.masks, seed=plan.seed,
        positions=plan.positions, views=plan.views, targets=plan.targets, ranks=ranks, progress=progress,
    )  # fmt: skip
    _check_k(plan, graph.shape)
    progress(1, 2, "finding singular values")
    meaning = (f"of these {len(images):,} images under {plan.masks} drawn masks, shared by {ranks.count} processes; as "
               "estimates for all images label errors are too small and singular values too large, by how much "
               "only one process tells")  # fmt: skip
    return exact_numbers(graph, _given(plan.k), graph.n_edges, seed=plan.seed, meaning=meaning, verdict="PLUG-IN")


def _kernel(plan: GraphPlan, images: ImageSet, law: MaskLaw, ranks: Ranks | None, progress: Progress) -> GraphNumbers:
    _check_k(plan, (len(images), len(images)))
    bases = KERNEL_BYTES * len(images) * min(len(images), 512)
    agreed(ranks, lambda: check_memory(bases, f"the singular vectors of {len(images):,} images", "take fewer images"))
    progress(0, _given(plan.masks), "comparing targets")
    found = average_over_masks(images, law, masks=_given(plan.masks), k=_given(plan.k), patch=_given(plan.patch),
                               bandwidth=plan.bandwidth, device=plan.device or "cpu", seed=plan.seed, ranks=ranks,
                               progress=progress)  # fmt: skip
    shared = "" if ranks is None else f", shared by {ranks.count} processes,"
    meaning = (f"means over {plan.masks} drawn masks with two standard errors, for these {len(images):,} images"
               f"{shared} at this bandwidth; α is that of a vote of other images, too large if anything")  # fmt: skip
    return kernel_numbers(found, meaning)


def _check_pairs(plan: GraphPlan, images: ImageSet, size: float) -> None:
    """Refuse more pairs of image and mask, of so many bytes each, than memory has room for."""
    pairs = len(images) * _given(plan.masks)
    check_memory(size * pairs, f"{len(images):,} images under {plan.masks} masks", "take fewer images or masks")


def _check_labels(images: ImageSet) -> None:
    present = len(np.unique(images.labels))
    if len(images) < images.n_classes:
        raise InputError(f"there are {images.n_classes} classes, but only {len(images)} labelled images; take one "
                         "image per class at least")  # fmt: skip
    if present < 2:
        raise InputError(f"all {len(images)} images have one label, so no label can be wrong; take images of at least "
                         "two classes")  # fmt: skip


def _check_k(plan: GraphPlan, shape: tuple[int, int]) -> None:
    if not 1 <= _given(plan.k) < min(shape):
        raise InputError(f"k must be at least 1 and below {min(shape)}, the smaller number of distinct views and "
                         f"targets, but it is {plan.k}")  # fmt: skip


def _patch(images: ImageSet) -> int:
    side = min(images.shape[2:])
    if side % 4 or max(images.shape[2:]) % (side // 4):
        raise InputError(f"images of {images.shape[2]}x{images.shape[3]} have no patch of a quarter of their side; say "
                         "which patch")  # fmt: skip
    return side // 4


def _given(number: int | None) -> int:
    assert number is not None
    return number
