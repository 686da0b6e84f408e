"""Sections of the collapse page on what features have collapsed onto: sentences, a figure and tables a readout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maetheory.evaluation.explanation import ReadoutExplanation
from maetheory.evaluation.explanation.reading import (
    CONTENT_FREE,
    direction_sentences,
    direction_table,
    explanation_paragraph,
    removal_table,
)
from maetheory.reports.diagnosis import Diagnosis
from maetheory.reports.page import Picture, Section, Table

LEGEND = (
    "Directions are the principal directions of the features, by variance; each number is of images that did not help "
    "to find the direction, except those by layer and of probes. Constant colours, shuffled patches and pixel noise: "
    "the variance along the direction of such images, which have no content, over that of real images; r²: the squared "
    "correlation of their scores with those of the real images that they are made from. A constant image has the mean "
    "colour of a real one; shuffled patches are those of a real image in random order; pixel noise has the data "
    f"set's mean and standard deviation. {CONTENT_FREE} * p below 0.05, corrected for all statistics and directions. "
    "Changes of accuracy have intervals that hold together with 95 %, for the probes as they were trained."
)
CAPTION = (
    "Images at the extremes of each direction; the variance along it of images without content over that of real ones "
    "(dotted: one half; diamonds: untrained networks); R² of its score on each layer's features, and the share of "
    "their variance that the score explains (dotted: the layer from which it can be read)."
)


def explained_readouts(diagnoses: Sequence[Diagnosis]) -> list[tuple[Diagnosis, ReadoutExplanation]]:
    """Return each readout with directions to explain, in the order of the files and readouts."""
    return [
        (one, readout)
        for one in diagnoses
        for readout in (one.explanation.readouts if one.explanation else ())
        if readout.directions
    ]


def explanation_sections(diagnoses: Sequence[Diagnosis], pictures: Mapping[str, Picture]) -> Iterator[Section]:
    """Yield a section for each readout that is explained.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
    pictures : mapping from name of a figure to Picture
        Of directions-1, directions-2, … in the order of `explained_readouts`.
    """
    for number, (one, readout) in enumerate(explained_readouts(diagnoses), 1):
        tables = [Table(direction_table(readout), "Leading directions; numbers ± two standard errors over images.")]
        if readout.removal:
            tables.append(Table(removal_table(readout), "Probes after directions are projected out."))
        yield Section(
            f"Leading directions of {one.name}: {readout.readout}",
            f"{explanation_paragraph(readout)}\n\n{LEGEND}",
            pictures=[pictures[f"directions-{number}"]._replace(caption=CAPTION)],
            tables=tables,
            points=direction_sentences(readout),
        )
