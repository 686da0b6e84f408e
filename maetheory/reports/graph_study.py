"""Images and a law of masks become a graph: exact, counted from a sample of codes, or blurred by a kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maetheory.core import InputError, Progress, silent
from maetheory.core.memory import check_memory
from maetheory.data import ImageSet, worlds
from maetheory.empirical import ProcessGroup, average_over_masks, fit_codebook, sharded_token_graph, token_sample
from maetheory.empirical.parallel.process_group import run_everywhere
from maetheory.graph import MaskGraph
from maetheory.graph.enumerate import MAX_PAIRS
from maetheory.masks import MaskLaw, make_mask_law
from maetheory.masks.views import POSITION_MODES
from maetheory.reports.graph_statistics import GraphStatistics, exact_statistics, kernel_statistics, token_statistics

KINDS = ("exact", "tokens", "kernel")
DEFAULT_CODES = {"exact": 2, "tokens": 64}
DEFAULT_MASKS = {"tokens": 16, "kernel": 4}
SHARDED_BYTES_PER_PAIR = 200  # of a pair of image and mask in a shared graph, as measured
KERNEL_BYTES_PER_VECTOR = (
    8 * 4
)  # of an image and column of a basis: of views and of targets, and each copied as it grows
EXACT_BYTES_PER_PAIR = 200  # of a pair of state and mask


@dataclass(frozen=True)
class GraphConfig:
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
        if self.positions not in POSITION_MODES:
            raise InputError(f"positions must be 'kept' or 'dropped', but it is {self.positions!r}")
        only = {
            "codes": tuple(DEFAULT_CODES),
            "masks": tuple(DEFAULT_MASKS),
            "bandwidth": ("kernel",),
            "device": ("kernel",),
        }
        for name, kinds in only.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise InputError(
                    f"{name} must be left out for a graph of kind {self.kind}: it is for kind {' or '.join(kinds)}"
                )
        if self.kind != "tokens" and (self.views, self.targets) != ("patches", "patches"):
            raise InputError(f"pooled views and targets are for kind tokens, not for {self.kind}")
        if self.kind == "kernel" and self.positions == "dropped":
            raise InputError("a kernel graph is of one mask at a time, so its positions are kept; leave positions out")


@dataclass(frozen=True)
class GraphStudy:
    """A plan, with what was left open filled in, the images it was carried out on, and the numbers."""

    plan: GraphConfig
    numbers: GraphStatistics
    dataset: str
    n_images: int
    n_classes: int
    grid: tuple[int, int]
    commonest: float


def study_graph(
    plan: GraphConfig, images: ImageSet, *, process_group: ProcessGroup | None = None, progress: Progress = silent
) -> GraphStudy:
    """Make the graph of a plan and compute its numbers.

    Parameters
    ----------
    plan : GraphPlan
    images : ImageSet
        All images, also where several processes share them.
    process_group : Ranks, optional
        Several processes. Of tokens each takes its share of the images, and there are no bands; of a kernel each takes
        its share of the pairs.
    progress : Progress

    Raises
    ------
    InputError
        If plan and images do not fit together, or the graph would not fit in memory.
    """
    _check_labels(images)
    patch = _default_patch(images) if plan.patch is None else plan.patch
    rows, columns = images.shape[2] // max(patch, 1), images.shape[3] // max(patch, 1)
    if patch < 1 or (rows * patch, columns * patch) != images.shape[2:]:
        raise InputError(
            f"the patch size must divide the image sides, but {patch} does not divide "
            f"{images.shape[2]}x{images.shape[3]}"
        )
    if process_group is not None and plan.kind == "exact":
        raise InputError("a graph of kind exact is made by one process: start it without torchrun")
    law = make_mask_law(plan.law, (rows, columns), plan.mask_ratio)
    plan = GraphConfig(
        **{
            **vars(plan),
            "patch": patch,
            "k": images.n_classes if plan.k is None else plan.k,
            "codes": DEFAULT_CODES.get(plan.kind) if plan.codes is None else plan.codes,
            "masks": DEFAULT_MASKS.get(plan.kind) if plan.masks is None else plan.masks,
        }
    )
    name = f"{images.name}/{images.split}" if images.split else images.name
    carried_out: dict[str, Callable[[], GraphStatistics]] = {
        "exact": lambda: _exact_graph_statistics(plan, images, law, progress),
        "tokens": lambda: (
            _token_graph_statistics(plan, images, law, progress)
            if process_group is None
            else _sharded_token_graph_statistics(plan, images, law, process_group, progress)
        ),
        "kernel": lambda: _kernel_graph_statistics(plan, images, law, process_group, progress),
    }
    commonest = float(np.bincount(images.labels).max() / len(images))
    return GraphStudy(plan, carried_out[plan.kind](), name, len(images), images.n_classes, (rows, columns), commonest)


def _exact_graph_statistics(plan: GraphConfig, images: ImageSet, law: MaskLaw, progress: Progress) -> GraphStatistics:
    codes = _require(plan.codes)
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
    progress(0, 3, "quantising patches")
    world = worlds.from_images(images, _require(plan.patch), codes, plan.seed)
    progress(1, 3, "enumerating views and targets")
    graph = MaskGraph.enumerate(world, law, plan.positions)
    _check_k(plan, graph.shape)
    progress(2, 3, "finding singular values")
    description = (
        f"exact for these {len(images):,} images, quantised to {len(world.values)} patches, and all {n_masks:,} masks"
    )
    return exact_statistics(
        graph, _require(plan.k), graph.joint.nnz, seed=plan.seed, description=description, verdict="EXACT"
    )


def _token_graph_statistics(plan: GraphConfig, images: ImageSet, law: MaskLaw, progress: Progress) -> GraphStatistics:
    _check_pair_memory(
        plan, images, 300 + 80 * (_require(plan.k) + 9) + 40 * images.n_classes
    )  # 1.4 times what was measured
    progress(0, 1, "fitting codes")
    book = fit_codebook(images, _require(plan.patch), _require(plan.codes), seed=plan.seed)
    sample = token_sample(
        images,
        law,
        codebook=book,
        n_masks=plan.masks,
        seed=plan.seed,
        positions=plan.positions,
        views=plan.views,
        targets=plan.targets,
        progress=progress,
    )
    _check_k(plan, sample.shape)
    progress(1, 2, "estimating with bands")
    description = (
        f"of the graph of all images, as far as these {len(images):,} under {plan.masks} drawn masks tell, with "
        "95 % bands"
    )
    return token_statistics(sample, _require(plan.k), seed=plan.seed, description=description)


def _sharded_token_graph_statistics(
    plan: GraphConfig, images: ImageSet, law: MaskLaw, process_group: ProcessGroup, progress: Progress
) -> GraphStatistics:
    process_group.run_everywhere(lambda: _check_pair_memory(plan, images, SHARDED_BYTES_PER_PAIR / process_group.count))
    book = process_group.run_on_root(
        lambda: fit_codebook(images, _require(plan.patch), _require(plan.codes), seed=plan.seed)
    )
    mine = np.array_split(np.arange(len(images)), process_group.count)[process_group.number]
    graph = sharded_token_graph(
        images.take(mine) if len(mine) else None,
        law,
        codebook=book,
        n_masks=plan.masks,
        seed=plan.seed,
        positions=plan.positions,
        views=plan.views,
        targets=plan.targets,
        process_group=process_group,
        progress=progress,
    )
    _check_k(plan, graph.shape)
    progress(1, 2, "finding singular values")
    description = (
        f"of these {len(images):,} images under {plan.masks} drawn masks, shared by {process_group.count} processes; as "
        "estimates for all images label errors are too small and singular values too large, by how much "
        "only one process tells"
    )
    return exact_statistics(
        graph, _require(plan.k), graph.n_edges, seed=plan.seed, description=description, verdict="PLUG-IN"
    )


def _kernel_graph_statistics(
    plan: GraphConfig, images: ImageSet, law: MaskLaw, process_group: ProcessGroup | None, progress: Progress
) -> GraphStatistics:
    _check_k(plan, (len(images), len(images)))
    bases = KERNEL_BYTES_PER_VECTOR * len(images) * min(len(images), 512)
    run_everywhere(
        process_group,
        lambda: check_memory(bases, f"the singular vectors of {len(images):,} images", "take fewer images"),
    )
    progress(0, _require(plan.masks), "comparing targets")
    found = average_over_masks(
        images,
        law,
        masks=_require(plan.masks),
        k=_require(plan.k),
        patch=_require(plan.patch),
        bandwidth=plan.bandwidth,
        device=plan.device or "cpu",
        seed=plan.seed,
        process_group=process_group,
        progress=progress,
    )
    shared = "" if process_group is None else f", shared by {process_group.count} processes,"
    description = (
        f"means over {plan.masks} drawn masks with two standard errors, for these {len(images):,} images"
        f"{shared} at this bandwidth; α is that of a vote of other images, too large if anything"
    )
    return kernel_statistics(found, description)


def _check_pair_memory(plan: GraphConfig, images: ImageSet, size: float) -> None:
    """Refuse more pairs of image and mask, of so many bytes each, than memory has room for."""
    pairs = len(images) * _require(plan.masks)
    check_memory(size * pairs, f"{len(images):,} images under {plan.masks} masks", "take fewer images or masks")


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


def _check_k(plan: GraphConfig, shape: tuple[int, int]) -> None:
    if not 1 <= _require(plan.k) < min(shape):
        raise InputError(
            f"k must be at least 1 and below {min(shape)}, the smaller number of distinct views and "
            f"targets, but it is {plan.k}"
        )


def _default_patch(images: ImageSet) -> int:
    side = min(images.shape[2:])
    if side % 4 or max(images.shape[2:]) % (side // 4):
        raise InputError(
            f"images of {images.shape[2]}x{images.shape[3]} have no patch of a quarter of their side; say which patch"
        )
    return side // 4


def _require(number: int | None) -> int:
    assert number is not None
    return number
