"""Contents of the page of a collapse report: first the answers, then tables, figures and how each file was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from maetheory.evaluation.collapse.answer import Answer
from maetheory.evaluation.collapse.verdict import Finding
from maetheory.evaluation.explanation.reading import explanation_headline
from maetheory.reports.collapse import (
    LEGEND,
    effective_rank_table_by_layer,
    last_layer_table,
    more_images_sentence,
    overall_answer,
)
from maetheory.reports.collapse_tables import (
    COMPARABLE,
    comparison_table,
    metric_remarks,
    ranges_caption,
    ranges_table,
    yardstick_table,
)
from maetheory.reports.diagnosis import Diagnosis
from maetheory.reports.explanation_page import explanation_sections
from maetheory.reports.page import Picture, Section, Statement, Table

_PICTURES = {
    "spectra": (
        "Singular values of the features and of their baselines",
        "The faster the blue curve falls, the fewer directions the features use.",
    ),
    "growth": (
        "Effective rank by number of images",
        "A curve that still rises says that more images would give a larger rank; compare ranks at equal n.",
    ),
    "layers": ("Effective rank by layer", "Shaded: the interval of the n → ∞ value."),
}
"""Name of a figure -> title of its section, and caption."""


def collapse_statements(diagnoses: Sequence[Diagnosis]) -> list[Statement]:
    """Return for each file whether it has collapsed, with the answers that say so."""
    return [
        Statement(
            f"{one.name}: {overall_answer(one.yardsticks)}.",
            points=[
                *(_readout_answers(readout, one.yardsticks) for readout in _readouts(one.yardsticks)),
                *(map(explanation_headline, one.explanation.readouts) if one.explanation else ()),
            ],
        )
        for one in diagnoses
    ]


def _readouts(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(one.readout for one in findings))


def _readout_answers(readout: str, findings: Sequence[Finding]) -> str:
    """Return the answers about a readout in short, and the sentence on dimensional collapse."""
    own = [one for one in findings if one.readout == readout]
    answers = ", ".join(f"{one.question} {one.answer}" for one in own)
    if len(own) > 1 and all(one.answer is Answer.NO for one in own):
        answers = f"all answers are no ({', '.join(one.question for one in own)})"
    decisive = " ".join(one.sentence for one in own if one.question == "dimensional collapse")
    return f"{readout}: {answers}. {decisive}"


def collapse_introduction(diagnoses: Sequence[Diagnosis]) -> str:
    """Return how many images were measured, and of what data set."""
    n = max(int(one.measurements.table.images.max()) for one in diagnoses)
    if diagnoses[0].precision:
        return f"Features of {n} images of {diagnoses[0].dataset}; forward passes in {diagnoses[0].precision}."
    return f"Features of {n} images of {diagnoses[0].dataset}."


def collapse_sections(diagnoses: Sequence[Diagnosis], pictures: Mapping[str, Picture]) -> list[Section]:
    """Return the sections of the page.

    Parameters
    ----------
    diagnoses : sequence of Diagnosis
    pictures : mapping from name of a figure to Picture
        "spectra", "growth" and, if several layers were measured, "layers".
    """
    sections = [_answer_section(one) for one in diagnoses]
    sections += explanation_sections(diagnoses, pictures)
    for name, picture in pictures.items():
        if name not in _PICTURES:
            continue
        title, caption = _PICTURES[name]
        tables = (
            [
                Table(effective_rank_table_by_layer(one.measurements.table), f"Effective rank by layer of {one.name}.")
                for one in diagnoses
            ]
            if name == "layers"
            else []
        )
        sections.append(Section(title, pictures=[picture._replace(caption=caption)], tables=tables))
    sections += [_metric_section(one) for one in diagnoses]
    sections.append(Section("How to read the tables", LEGEND))
    return sections + [_loading_section(one) for one in diagnoses]


def _answer_section(one: Diagnosis) -> Section:
    """Return the four answers about a file, with its comparisons to other networks."""
    table = one.measurements.table
    more = more_images_sentence(table)
    named = (
        (_answer_table(one.yardsticks), "Four questions, each with the number that answers it."),
        (comparison_table(table), "The file beside untrained networks of its architecture, on the same images."),
        (
            ranges_table(table).rename(columns={"of d": "d"}),
            f"{ranges_caption(table).capitalize()}, on their own data; {COMPARABLE}.",
        ),
    )
    return Section(
        f"Answers for {one.name}",
        tables=[Table(frame, caption) for frame, caption in named if len(frame)],
        points=[*map(str, one.yardsticks), f"{more[0].upper()}{more[1:]}."],
    )


def _answer_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the questions with their answers beside them, where a narrow page shows them."""
    table = yardstick_table(findings)
    return table[["readout", "question", "answer", "number", "compared with"]] if len(table) else table


def _metric_section(one: Diagnosis) -> Section:
    """Return all metrics of a file under their publications' conventions."""
    metrics = last_layer_table(one.measurements.table, None)
    return Section(
        f"All metrics of {one.name}",
        tables=[Table(metrics, "Metrics of the last layer, ± two standard errors over images.")],
        points=list(metric_remarks(one.measurements.table, None)),
    )


def _loading_section(one: Diagnosis) -> Section:
    """Return what the file states, what was inferred from it and what was assumed."""
    lines = str(one.report).splitlines()
    facts = pd.DataFrame([(line[:19].strip(), line[19:]) for line in lines], columns=["field", "value"])
    return Section(
        f"How {one.name} was loaded",
        tables=[Table(facts, "What the file states, and what was inferred or assumed.")],
        points=one.notes,
    )
