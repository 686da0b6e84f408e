"""Load checkpoints and measure their collapse on images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from maetheory.checkpoints import LoadReport, inspect_checkpoint, load_checkpoint
from maetheory.checkpoints.device import device_name
from maetheory.core import InputError, Progress, no_progress, printable, printable_sentence
from maetheory.data import ImageSet
from maetheory.data.folder import DecodeOptions
from maetheory.data.image_files import abbreviate_names
from maetheory.evaluation import CollapseMeasurements, measure_collapse
from maetheory.evaluation.collapse.conditions import Condition, ConditionResult, evaluate_conditions
from maetheory.evaluation.collapse.random_initialisation import architecture_key
from maetheory.evaluation.collapse.untrained_comparison import UntrainedMeasurements
from maetheory.evaluation.collapse.verdict import Finding, assess_collapse, assess_yardsticks
from maetheory.evaluation.explanation import CollapseExplanation, explain_collapse
from maetheory.evaluation.explanation.explain import check_explainable, explained_layers, explanation_plan
from maetheory.evaluation.features.feature_files import FeatureFile
from maetheory.evaluation.features.precision import autocast, resolve_precision
from maetheory.reports.collapse_plan import Effort, OverallProgress, plan_collapse, seconds_per_image

Layer = int | Literal["last", "all"]
FULL_EFFORT = Effort()


@dataclass(frozen=True)
class Diagnosis:
    """Collapse measurements of one checkpoint.

    Attributes
    ----------
    name : str
        Short name, different for each checkpoint of a call.
    report : LoadReport or FeatureFile
        How the file was read: a checkpoint, or features without their network.
    measurements : CollapseMeasurements
    dataset : str
        Name and split of the images, or name of the file of features.
    seed : int
    resize_note : str
        How the images were changed to fit the encoder; empty if they were not.
    device : str
    image_notes : tuple of str
        How the images were found and scaled, and which files were left out.
    skipped : tuple of str
        Files that could not be decoded.
    precision : "fp32" or "bf16"
        Precision of the forward passes.
    explanation : CollapseExplanation, optional
        What the leading directions of the features hold, if it was asked for.
    """

    name: str
    report: LoadReport | FeatureFile
    measurements: CollapseMeasurements
    dataset: str
    seed: int
    resize_note: str = ""
    device: str = "cpu"
    image_notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    precision: str = "fp32"
    explanation: CollapseExplanation | None = None

    @property
    def yardsticks(self) -> tuple[Finding, ...]:
        """Answers to all questions, each by its own yardstick; those about collapse are the findings."""
        return assess_yardsticks(self.measurements.table)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Answers on complete and dimensional collapse, each with its comparison."""
        return assess_collapse(self.measurements.table)

    def results_of(self, conditions: Sequence[Condition]) -> tuple[ConditionResult, ...]:
        """Return whether each readout meets each condition."""
        return evaluate_conditions(conditions, self.measurements.table)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of loading, then of the images and their resizing, then of measuring."""
        images = (*self.image_notes, *filter(None, [self.resize_note]))
        explanation = () if self.explanation is None else self.explanation.notes
        measured = dict.fromkeys((*self.measurements.notes, *explanation))
        return tuple(map(printable_sentence, (*self.report.notes, *images, *measured)))


def diagnose(
    paths: Sequence[Path],
    images: ImageSet | Callable[[DecodeOptions, Sequence[LoadReport]], ImageSet],
    *,
    readouts: Sequence[Any] | None = None,
    layers: str | int = "last",
    final_norm: bool = True,
    n_initialisations: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    effort: Effort = FULL_EFFORT,
    explained_directions: int | None = None,
    batch: int | None = None,
    **load_options: Any,
) -> list[Diagnosis]:
    """Load checkpoints and measure their collapse, under all conventions and with all baselines.

    Checkpoints of one architecture and code base share their untrained networks.

    Parameters
    ----------
    paths : sequence of path
        All are inspected before the first is measured.
    images : ImageSet, or callable from DecodeOptions and all LoadReports to ImageSet
        Resized to the image size of each encoder. A callable loads images as an encoder takes them; it is called
        again only when an encoder's size or number of channels differs from that of the encoder before.
    layers : "last", "all" or a number, also as text
    readouts, final_norm, n_initialisations, seed, progress
        As for `measure_collapse`.
    effort : Effort
        How much is measured, and in which precision; everything in float32 by default.
    explained_directions : int, optional
        Number of leading directions to explain (`explain_collapse`), of the last layer that is named; none by default.
    batch : int, optional
        Images in a forward pass; by default as many as memory allows.
    **load_options
        As for `load_checkpoint`: heads, dialect, weights, image_size, device.

    Raises
    ------
    InputError
        If a checkpoint cannot be read or measured; the sentence names its file.
    """
    if explained_directions is not None:
        check_explainable(readouts, directions=explained_directions)
    effort = replace(effort, n_initialisations=n_initialisations or effort.n_initialisations)
    options: dict[str, Any] = {
        "readouts": readouts or None,
        "layers": parse_layer(layers),
        "full": True,
        "conventions": "all",
        "metrics": effort.metrics,
        "final_norm": final_norm,
        "n_initialisations": effort.initialisations,
        "batch": batch,
        "seed": seed,
    }
    precision = resolve_precision(effort.precision, load_options.get("device", "cpu"))
    in_precision = partial(autocast, precision, load_options.get("device", "cpu"))
    reports = []
    for path in paths:
        with _name_file_in_errors(path):
            reports.append(inspect_checkpoint(path, **load_options))
    decode_options = [encoder_decode_options(report) for report in reports]
    load = lru_cache(maxsize=1)(lambda options: images(options, reports) if callable(images) else images)
    device = device_name(load_options.get("device", "cpu"))
    diagnoses: list[Diagnosis] = []
    untrained: dict[Any, UntrainedMeasurements] = {}
    explained_untrained: dict[Any, Any] = {}
    explained_layer: int | Literal["last"] = "last" if options["layers"] == "all" else options["layers"]
    overall = OverallProgress(progress, 0)
    for number, (path, name, decoding) in enumerate(zip(paths, unique_names(paths), decode_options, strict=True), 1):
        label = f"{name}, {number} of {len(paths)}" if len(paths) > 1 else name
        chosen = load(decoding)
        if explained_directions is not None:
            check_explainable(readouts, len(chosen))
        with _name_file_in_errors(path):
            encoder, report = load_checkpoint(path, **load_options)
            key = (architecture_key(encoder), decoding)
            plan = plan_collapse(report, len(chosen), effort, readouts=options["readouts"], shared=key in untrained)
            timed = {"readouts": options["readouts"], "final_norm": final_norm, "batch": batch}
            seconds = seconds_per_image(encoder, chosen, in_precision, layers=options["layers"], **timed)
            effort.announce(plan.sentence(name, precision, plan.seconds(seconds)))
            if explained_directions is not None:
                up_to_it = explained_layers(encoder, explained_layer)
                by_layer = seconds_per_image(encoder, chosen, in_precision, layers=up_to_it, **timed)
                shared = key in explained_untrained
                more = explanation_plan(len(chosen), seconds=(by_layer, seconds), shared=shared)
                effort.announce(f"{name}: {more}")
            overall.total = overall.finished + plan.image_passes * (len(paths) - number + 1)
            with in_precision():
                found = measure_collapse(
                    encoder,
                    chosen,
                    progress=_prefix_messages(overall, label),
                    untrained_images=plan.untrained_images,
                    untrained=untrained.get(key),
                    **options,
                )
                explanation = None
                if explained_directions is not None:
                    explanation = explain_collapse(
                        encoder,
                        chosen,
                        directions=explained_directions,
                        readouts=options["readouts"],
                        layer=explained_layer,
                        untrained=explained_untrained.get(key),
                        final_norm=final_norm,
                        batch=batch,
                        seed=seed,
                        progress=_prefix_messages(progress, f"{label}, explanation"),
                    )
            if key[0] is not None:
                untrained[key] = found.untrained
                if explanation is not None:
                    explained_untrained[key] = explanation.untrained
        diagnoses.append(
            Diagnosis(
                name,
                report,
                found,
                f"{chosen.name}/{chosen.split}" if chosen.split else chosen.name,
                seed,
                resize_note(chosen, report),
                device,
                image_notes(chosen),
                chosen.skipped,
                precision,
                explanation,
            )
        )
    return diagnoses


def _prefix_messages(progress: Progress, label: str) -> Progress:
    """Return a progress callback whose messages start with a label."""

    def report(done: int, total: int, message: str) -> None:
        progress(done, total, f"{label}, {message}")

    return report


@contextmanager
def _name_file_in_errors(path: Path) -> Iterator[None]:
    """Add the path of the file to an InputError whose message does not name it."""
    try:
        yield
    except InputError as error:
        raise error if printable_sentence(str(path)) in str(error) else InputError(f"{path}: {error}") from error


def parse_layer(text: str | int) -> Layer:
    """Return a layer: "last", "all" or a number.

    Raises
    ------
    InputError
        If the text is neither.

    Examples
    --------
    >>> parse_layer("all"), parse_layer("3")
    ('all', 3)
    """
    if text in ("last", "all"):
        return text  # type: ignore[return-value]  # mypy does not narrow `str | int` by `in`
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"the layer must be 'last', 'all', a number from 0, or one below 0 that counts from the end, "
            f"but it is {text!r}"
        ) from None


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a short printable name for each path, all different.

    Examples
    --------
    >>> unique_names([Path("a/last.pt"), Path("b/last.pt"), Path("c/mae.pt")])
    ['a/last', 'b/last', 'mae']
    """
    stems = [path.stem if path.suffix else path.name for path in paths]
    longer = [
        printable(f"{path.absolute().parent.name}/{stem}" if stems.count(stem) > 1 else stem)
        for path, stem in zip(paths, stems, strict=True)
    ]
    return [name if longer.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(longer)]


def encoder_decode_options(report: LoadReport) -> DecodeOptions:
    """Return how to decode image files for an encoder: at its own size, and gray where it takes one channel."""
    size = max(report.config.image_shape)
    return DecodeOptions(default_size=size, channels=1 if report.config.channels == 1 else 3)


def image_notes(images: ImageSet) -> tuple[str, ...]:
    """Return how images were found and scaled, and the names of the files that were left out."""
    if not images.skipped:
        return images.notes
    left_out = (
        f"{len(images.skipped)} files cannot be decoded and were left out: {abbreviate_names(images.skipped, 20)}"
    )
    return (*images.notes, left_out)


def resize_note(images: Any, report: LoadReport) -> str:
    """Return how images were changed to fit the encoder; empty if they were not changed."""
    _, channels, height, width = images.shape
    (rows, columns), wanted = report.config.image_shape, report.config.channels
    changes = []
    if (height, width) != (rows, columns):
        changes.append(f"images of {height} x {width} were resized to {rows} x {columns}")
    if channels != wanted:
        changes.append(f"their one channel was repeated {wanted} times")
    return " and ".join(changes)
