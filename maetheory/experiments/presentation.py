"""What a presentation takes and returns: a measured experiment, and its figures and page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.data import FolderStream, ImageSet
from maetheory.experiments.difference_from_preset import difference_from_preset
from maetheory.experiments.experiment import Experiment
from maetheory.reports import Statement


@dataclass(frozen=True, eq=False)
class MeasuredExperiment:
    """A trained and measured experiment with its images and folders.

    Attributes
    ----------
    experiment : Experiment
    ledger : DataFrame
        As `maetheory.experiments.run` returns it.
    images : ImageSet or FolderStream
    test : ImageSet
    out : Path
        Folder of the runs, the ledger and the page.
    figures : Path
        Folder of the figures.
    device : str
        Where models are run for figures, as in `TrainingOptions`.
    progress : Progress
        Told of long work on figures.
    """

    experiment: Experiment
    ledger: pd.DataFrame
    images: ImageSet | FolderStream
    test: ImageSet
    out: Path
    figures: Path
    device: str = "auto"
    progress: Progress = no_progress

    @property
    def reservations(self) -> list[Statement]:
        """What a page says first of a run that is not the preset's: a list of one statement, or of none."""
        return [Statement("Not the published run.", self.difference)] if self.difference else []

    @property
    def difference(self) -> str:
        """In what this is not the preset's run, as `difference_from_preset` says it."""
        known = self.ledger.get("precision", pd.Series(dtype=object)).dropna()
        return difference_from_preset(self.experiment, [str(one) for one in known.unique()])

    @property
    def training_images(self) -> ImageSet:
        """Training images, in memory.

        Raises
        ------
        InputError
            If they are streamed.
        """
        if not isinstance(self.images, ImageSet):
            raise InputError(
                f"the report of {self.experiment.name} needs its training images in memory, but they are "
                "streamed; set a train_limit"
            )
        return self.images


@dataclass(frozen=True)
class Presentation:
    """The page, the figures and a one-sentence summary of an experiment."""

    page: Path
    figures: tuple[Path, ...]
    summary: str
