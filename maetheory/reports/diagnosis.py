"""A checkpoint is diagnosed from its file and some images, and what was done to either is written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from maetheory.checkpoints import LoadReport, inspect_checkpoint, load_checkpoint
from maetheory.checkpoints.device import device_name
from maetheory.core import InputError, Progress, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation import CollapseMeasurements, measure_collapse
from maetheory.evaluation.collapse.verdict import Finding, verdict

Layer = int | Literal["last", "all"]


@dataclass(frozen=True)
class Diagnosis:
    """One checkpoint: what it is called, how it was loaded, what was measured on which images and where."""

    name: str
    report: LoadReport
    measured: CollapseMeasurements
    dataset: str
    seed: int
    resize_note: str = ""
    device: str = "cpu"

    @property
    def reading(self) -> tuple[Finding, ...]:
        """What has collapsed, compared with what."""
        return verdict(self.measured.table)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before quoting: from loading, then from measuring."""
        return (*self.report.notes, *([self.resize_note] if self.resize_note else []), *self.measured.notes)


def diagnose(
    paths: Sequence[Path],
    images: ImageSet,
    *,
    readouts: Sequence[Any] | None = None,
    layers: str | int = "last",
    final_norm: bool = True,
    twins: int = 5,
    seed: int = 0,
    progress: Progress = no_progress,
    **load_options: Any,
) -> list[Diagnosis]:
    """Load and measure checkpoints one after the other, under every convention and beside every baseline.

    Parameters
    ----------
    paths : sequence of path
        All are inspected before the first is measured.
    images : ImageSet
        Resized to what each encoder takes.
    layers : "last", "all" or a number, also as text
    readouts, final_norm, twins, seed, progress
        As for `measure_collapse`.
    **loading
        As for `load_checkpoint`: heads, dialect, weights, image_size, device.

    Raises
    ------
    InputError
        If a checkpoint cannot be read or measured; the sentence names its file.
    """
    chosen = parse_layer(layers)
    for path in paths:
        with _name_file_in_errors(path):
            inspect_checkpoint(path, **load_options)
    found = []
    for number, (path, name) in enumerate(zip(paths, unique_names(paths), strict=True), 1):
        which = f"{name}, " + (f"{number} of {len(paths)}, " if len(paths) > 1 else "")

        def told(done: int, total: int, message: str, which: str = which) -> None:
            progress(done, total, which + message)

        with _name_file_in_errors(path):
            encoder, report = load_checkpoint(path, **load_options)
            measured = measure_collapse(
                encoder,
                images,
                readouts=readouts or None,
                layers=chosen,
                full=True,
                conventions="all",
                final_norm=final_norm,
                twins=twins,
                seed=seed,
                progress=told,
            )
        data = f"{images.name}/{images.split}" if images.split else images.name
        found.append(
            Diagnosis(
                name,
                report,
                measured,
                data,
                seed,
                resize_note(images, report),
                device_name(load_options.get("device", "cpu")),
            )
        )
    return found


@contextmanager
def _name_file_in_errors(path: Path) -> Iterator[None]:
    """Let a complaint name the file it is about."""
    try:
        yield
    except InputError as error:
        raise error if str(path) in str(error) else InputError(f"{path}: {error}") from error


def parse_layer(text: str | int) -> Layer:
    """Return "last", "all" or the number of a layer.

    Examples
    --------
    >>> parse_layer("all"), parse_layer("3")
    ('all', 3)
    """
    if text in ("last", "all"):
        return text  # type: ignore[return-value]
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"the layer must be 'last', 'all', a number from 0, or one below 0 that counts from the end, "
            f"but it is {text!r}"
        ) from None


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each path, none twice.

    Examples
    --------
    >>> unique_names([Path("a/last.pt"), Path("b/last.pt"), Path("c/mae.pt")])
    ['a/last', 'b/last', 'mae']
    """
    stems = [path.stem if path.suffix else path.name for path in paths]
    longer = [
        f"{path.absolute().parent.name}/{stem}" if stems.count(stem) > 1 else stem
        for path, stem in zip(paths, stems, strict=True)
    ]
    return [name if longer.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(longer)]


def resize_note(images: Any, report: LoadReport) -> str:
    """Say what was done to images that do not fit the encoder; empty when they fit."""
    _, channels, height, width = images.shape
    side, wanted = report.config.image_size, report.config.channels
    done = []
    if (height, width) != (side, side):
        done.append(f"images of {height} x {width} were resized to {side} x {side}")
    if channels != wanted:
        done.append(f"their one channel was repeated {wanted} times")
    return " and ".join(done)
