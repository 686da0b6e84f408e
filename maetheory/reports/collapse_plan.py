"""What measuring the collapse of a checkpoint takes: images, passes over them, and seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from maetheory.checkpoints import LoadReport
from maetheory.checkpoints.initialisations import initialisation_rules_of
from maetheory.core import Progress
from maetheory.evaluation.collapse.metric_specs import QUICK_METRICS, VIEW_METRICS
from maetheory.evaluation.features.feature_sets import MAX_ROWS_IN_MEMORY, collect_features
from maetheory.evaluation.features.forward_operations import forward_operations
from maetheory.evaluation.features.masked_views import MASK_RATIO, N_VIEWS, n_images_for_views

FULL_INITIALISATIONS, QUICK_INITIALISATIONS = 5, 3
COMPARISON_SHARE = 0.36  # of a pass over all images, which a quick comparison with untrained networks may take
COMPARISON_OPERATIONS = 2e11  # floating-point operations, a second or two of a CPU core, which it may take in any case
OPERATIONS_FOR_ENOUGH = 2e12  # 20 seconds or less, which it may take for as many images as the next line says
ENOUGH_COMPARED_IMAGES, MIN_COMPARED_IMAGES = 400, 40
DEFAULT_LIMIT, LARGE_LIMIT = 10_000, 1_000  # images by default, and for encoders of more operations than the next
LARGE_OPERATIONS = 5e9  # floating-point operations of one image; ViT-S/16 of 224 pixels has 9e9
PASS = "encoding"  # in the message of every forward pass
TIMED_IMAGES, MAX_TIMED_IMAGES, LONG_ENOUGH = 8, 64, 0.2  # seconds that a timed batch takes


def _say_nothing(sentence: str) -> None:
    pass


@dataclass(frozen=True)
class Effort:
    """How much is measured, and how.

    Attributes
    ----------
    full : bool
        All metrics, masked views, and untrained networks on all images; otherwise what the verdict needs.
    further_metrics : tuple of str
        Metrics to measure beside those of a quick report.
    n_initialisations : int, optional
        Untrained networks of the code base's own rule; 5 by default, 3 if not full.
    precision : "auto", "fp32" or "bf16"
        As for `resolve_precision`.
    announce : callable
        Called with the plan, a sentence, before each checkpoint is measured.
    """

    full: bool = True
    further_metrics: tuple[str, ...] = ()
    n_initialisations: int | None = None
    precision: str = "fp32"
    announce: Callable[[str], None] = _say_nothing

    @property
    def metrics(self) -> tuple[str, ...] | None:
        """Names of the metrics, None for all."""
        return None if self.full else tuple(dict.fromkeys((*QUICK_METRICS, *self.further_metrics)))

    @property
    def initialisations(self) -> int:
        """Number of untrained networks of the code base's own rule."""
        return self.n_initialisations or (FULL_INITIALISATIONS if self.full else QUICK_INITIALISATIONS)


@dataclass(frozen=True)
class CollapsePlan:
    """Images and passes of one checkpoint.

    Attributes
    ----------
    images : int
    networks : int
        Number of untrained networks, over all rules.
    untrained_images : int
        Number of images that these and the checkpoint are compared on.
    view_passes : int
        Images encoded under masks, by the checkpoint and by untrained networks of its own rule.
    encoded_again : int, default 0
        Images that the checkpoint itself encodes once more for the comparison, because features were not kept.
    """

    images: int
    networks: int
    untrained_images: int
    view_passes: int
    encoded_again: int = 0

    @property
    def image_passes(self) -> int:
        """Images encoded by the checkpoint and by untrained networks, those under masks included."""
        return self.images + self.encoded_again + self.untrained_images * self.networks + self.view_passes

    def seconds(self, per_image: float) -> float:
        """Return the seconds of all passes, given those of one; under masks a quarter of the patches is encoded."""
        return per_image * (self.image_passes - MASK_RATIO * self.view_passes)

    def sentence(self, name: str, precision: str, seconds: float) -> str:
        """Return the plan as a sentence."""
        views = f" and {N_VIEWS} masked views" if self.view_passes else ""
        compared = (
            "" if not self.networks else f"; {self.networks} untrained networks on {self.untrained_images} of them"
        )
        return (
            f"{name}: {self.images} images{views}{compared}; {self.image_passes} forward passes in {precision}, about "
            f"{timedelta(seconds=max(1, round(seconds)))}"
        )


def plan_collapse(
    report: LoadReport,
    n_images: int,
    effort: Effort,
    *,
    readouts: Sequence[str] | None = None,
    shared: bool = False,
) -> CollapsePlan:
    """Return what measuring a checkpoint takes.

    Parameters
    ----------
    report : LoadReport
    n_images : int
    effort : Effort
    readouts : sequence of str, optional
        As for `collect_features`, which keeps no features of all tokens.
    shared : bool
        Whether the untrained networks were measured with another checkpoint already.
    """
    rules = initialisation_rules_of(report.dialect, layer_scale=report.config.layer_scale)
    networks = effort.initialisations + (len(rules) - 1) * ((effort.initialisations + 1) // 2)
    untrained = n_images if effort.full else compared_images(n_images, networks, forward_operations(report.config))
    views = 0
    if any(name in (effort.metrics or VIEW_METRICS) for name in VIEW_METRICS):
        with_views = 1 + (effort.initialisations if untrained == n_images and not shared else 0)
        views = N_VIEWS * n_images_for_views(n_images, report.config.width) * with_views
    kept = n_images <= MAX_ROWS_IN_MEMORY and "tokens" not in (readouts or ())
    again = untrained if untrained < n_images and not kept else 0
    return CollapsePlan(n_images, 0 if shared else networks, untrained, views, again)


def compared_images(n_images: int, networks: int, operations: float) -> int:
    """Return the number of images that a checkpoint and its untrained networks are compared on in a quick report.

    These networks take the largest of three amounts of work: `COMPARISON_SHARE` of a pass over all images,
    `COMPARISON_OPERATIONS`, and `OPERATIONS_FOR_ENOUGH` as far as `ENOUGH_COMPARED_IMAGES` need them.

    Examples
    --------
    >>> compared_images(1000, 9, 3.5e10), compared_images(10_000, 9, 7e8), compared_images(360, 7, 1e7)
    (40, 400, 360)
    >>> compared_images(1000, 7, 7e8), compared_images(1000, 7, 1e8)
    (400, 400)
    """
    enough = min(OPERATIONS_FOR_ENOUGH / operations, ENOUGH_COMPARED_IMAGES * networks)
    passes = max(COMPARISON_SHARE * n_images, COMPARISON_OPERATIONS / operations, enough)
    return min(n_images, max(MIN_COMPARED_IMAGES, int(passes / networks)))


def default_limit(reports: Sequence[LoadReport]) -> int:
    """Return the number of images by default: 10 000, or 1000 if a pass of one takes more than 5e9 operations."""
    return LARGE_LIMIT if max(forward_operations(one.config) for one in reports) > LARGE_OPERATIONS else DEFAULT_LIMIT


def seconds_per_image(
    encoder: Any, images: Any, precision: Callable[[], AbstractContextManager[Any]], **settings: Any
) -> float:
    """Return the seconds that a forward pass takes for each image, measured on a first batch.

    Parameters
    ----------
    encoder, images, **settings
        As for `collect_features`, whose errors are raised before any longer work.
    precision : callable
        Returns the context of the passes.
    """
    count, seconds = min(len(images), TIMED_IMAGES), 0.0
    while True:
        for _ in range(2):  # the first is to warm up
            start = time.perf_counter()
            with precision():
                collect_features(encoder, images.images[:count], **settings)
            seconds = time.perf_counter() - start
        if seconds > LONG_ENOUGH or count == min(len(images), MAX_TIMED_IMAGES):
            return seconds / count
        count = min(len(images), MAX_TIMED_IMAGES)


class OverallProgress:
    """Progress over the passes of all checkpoints together, from that of each pass.

    Parameters
    ----------
    progress : Progress
    total : int
        Forward passes of all checkpoints.
    """

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.finished = progress, total, 0

    def __call__(self, done: int, total: int, message: str) -> None:
        """Receive the progress of one pass, which counts from then on when it is done; other work does not count."""
        if PASS not in message:
            done = 0
        elif done >= total:
            self.finished += total
            done = 0
        self.total = max(self.total, self.finished + done)
        self.progress(self.finished + done, self.total, message)
