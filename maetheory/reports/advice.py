"""Text, JSON document, and files of advice on mask laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from maetheory.core import atomic_write, make_folder, printable_sentence, provenance
from maetheory.core.json_documents import strict_json
from maetheory.empirical.advice import Advice
from maetheory.empirical.advice.evidence import evidence_sentence
from maetheory.figures.advice import advice_size, draw_advice
from maetheory.figures.score_against_accuracy import score_title
from maetheory.figures.style import paper_style, save_figure
from maetheory.reports.console import borderless_table, capturing_console

NAME = "advice"


def advice_document(advice: Advice) -> dict[str, Any]:
    """Return everything that advice says as nested values for JSON."""
    return {
        "reading": advice.reading(),
        "undecided": advice.undecided,
        "recommended": list(advice.recommended),
        "leading_score": advice.leading_score,
        "images": advice.name,
        "n_images": advice.n_images,
        "n_masks": advice.n_masks,
        "k": advice.k,
        "seconds": advice.seconds,
        "assumptions": list(advice.assumptions),
        "scores": advice.to_frame().to_dict("records"),
        "evidence": advice.evidence.to_dict("records"),
    }


def advice_text(advice: Advice, *, width: int, colour: bool) -> str:
    """Return the reading, assumptions, a table of all candidates and the evidence for scores, for a terminal."""
    from rich.table import Column

    frame, names = advice.to_frame(), list(advice.scores)
    order = frame[frame.score == names[0]].candidate
    cells = {(str(row.candidate), str(row.score)): row for row in frame.itertuples()}
    rows: list[list[str]] = []
    for candidate in order:
        first, *others = (cells[candidate, name] for name in names)
        rows.append(
            [
                candidate,
                f"{first.value:.3f} [{first.low:.3f}, {first.high:.3f}] ({first.group})",
                *(f"{one.value:.3f} ({one.group})" for one in others),
            ]
        )
    columns = [  # headings may wrap, cells may not
        Column(title, justify="left" if number == 0 else "right", width=max(map(len, [*texts, *title.split()])))
        for number, (title, texts) in enumerate(
            zip(["candidate", *map(score_title, names)], zip(*rows, strict=True), strict=True)
        )
    ]
    console = capturing_console(max(width, 80), colour=colour)
    with console.capture() as captured:
        console.print(borderless_table(columns, rows))
    notes = [f"note: {printable_sentence(one)}" for one in advice.assumptions]
    legend = (
        "Group 1 (in brackets): the best candidate and all that cannot be told apart from it, "
        "at 5 % for all pairs together; group 2: the same among the others; and so on. Intervals are of 95 %, for "
        "other samples of as many images and other masks; with more images φ of a sample rises, and the share kept may "
        "change by more than its interval."
    )
    evidence = [f"{score_title(name)}: {evidence_sentence(advice.evidence, name)}" for name in names]
    studies = "Rank correlations with linear probes in our studies, positive where the score is right:"
    return "\n".join([advice.reading(), *notes, "", captured.get().rstrip(), "", legend, "", studies, *evidence])


def write_advice(folder: Path, advice: Advice) -> list[Path]:
    """Write advice.json and advice.csv, then the figure, and return the files.

    Raises
    ------
    InputError
        If the folder cannot be created.
    """
    make_folder(folder)
    frame = advice.to_frame()
    with atomic_write(folder / f"{NAME}.json") as part:
        part.write_text(strict_json({**advice_document(advice), **provenance()}, indent=1) + "\n", encoding="utf-8")
    with atomic_write(folder / f"{NAME}.csv") as part:
        frame.to_csv(part, index=False, float_format="%.8g")
    panels, size = advice_size(frame)
    with paper_style():
        figure = plt.figure(figsize=size, layout="constrained")
        draw_advice(list(figure.subplots(1, panels, squeeze=False)[0]), frame)
        drawn = save_figure(figure, frame, folder, NAME)
    return [folder / f"{NAME}.json", *drawn]
