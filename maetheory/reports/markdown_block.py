"""Write the results tables as Markdown between two marks of a document."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from maetheory.core import InputError, atomic_write, printable
from maetheory.core.files import read_regular_file
from maetheory.core.printable import MAX_SENTENCE_LENGTH
from maetheory.data.paper.experiment_names import TABLES, experiment_names
from maetheory.reports.claims import NOT_RUN, claim_verdicts, looks_sentence
from maetheory.reports.paper_tables import EMPTY_CELL, OBJECTIVES, own_results_table, paper_table

_MARKDOWN_SIGNS = re.compile(r"[\\|`*\[\]~$]|(?<!\w)_|_(?!\w)")
MAX_DOCUMENT_BYTES = 2**24
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
_RECIPE_SENTENCES = {
    "linear probing": "The paper does not state its recipe.",
    "fine-tuning": "The paper uses the recipe of MAE (He et al. 2022).",
}
_SPREAD_SENTENCE = "± is the standard deviation over seeds, or two standard errors over test images for one seed"
VERDICT_RULE = (
    "Verdicts of this table follow one rule. The difference is taken seed by seed and image by image. Its half-width "
    "adds in squares that of Student's interval over seeds and that of the normal interval over test images; images "
    f"are paired where the ledger holds the predictions of both models. {looks_sentence()} A claim is confirmed if the "
    "interval lies above 0, refuted if it lies below 0, and undecided otherwise. An experiment with a single seed is "
    "always undecided, because its interval covers test-image sampling only."
)


def markdown_block(ledger: pd.DataFrame) -> str:
    """Return Tables 1 and 2 beside our accuracies, our other experiments, and the verdicts on claims, as Markdown.

    Parameters
    ----------
    ledger : DataFrame
        Published records.
    """
    own, verdicts = own_results_table(ledger), claim_verdicts(ledger)
    paper = pd.concat([paper_table(ledger, table) for table in TABLES])
    parts = [markdown_table(paired_objective_table(ledger)), missing_presets_sentence(ledger)]
    if len(own):
        parts += [f"Our other experiments, %; {_SPREAD_SENTENCE}.", markdown_table(_own_results_table(own))]
    every = pd.concat([own, paper])
    for task, note in _RECIPE_SENTENCES.items():
        recipes = sorted(set(every[every.task == task].recipe) - {EMPTY_CELL}) if len(every) else []
        if recipes:
            parts.append(f"{task.capitalize()}: {escape_markdown('; or '.join(recipes))}. {note}")
    if len(verdicts):
        parts += [VERDICT_RULE, markdown_table(verdict_table(verdicts))]
    return "\n\n".join(parts)


def replace_marked_block(document: str | Path, block: str) -> bool:
    """Replace the text between the marks of a document and return whether the document changed.

    Raises
    ------
    InputError
        If the document is no text in UTF-8 of at most 16 MiB, or does not hold each mark once, in order.
    OSError
        If there is no such document, or it cannot be written.
    """
    path = Path(document)
    try:
        text = read_regular_file(path, MAX_DOCUMENT_BYTES).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} must be a text in UTF-8, but its byte {error.start} is none") from error
    start, end = text.find(BEGIN), text.find(END)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or start > end:
        raise InputError(f"{path} must hold the line {BEGIN} and below it {END}, each once")
    new = f"{text[: start + len(BEGIN)]}\n\n{block}\n\n{text[end:]}"
    if new != text:
        with atomic_write(path) as part:
            part.write_text(new, encoding="utf-8")
    return new != text


def markdown_table(frame: pd.DataFrame) -> str:
    """Return a DataFrame as a Markdown table; texts in it are shown as they are, whatever marks they hold."""
    rows = [[escape_markdown(cell) for cell in row] for row in frame.astype(str).to_numpy().tolist()]
    lines = [list(map(str, frame.columns)), ["---"] * frame.shape[1], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def escape_markdown(text: str) -> str:
    r"""Return text on one line in which no character starts a cell, a tag, a link, code or emphasis.

    An underscore or dash inside a word has no meaning in Markdown and stays.

    Examples
    --------
    >>> print(escape_markdown("a|b <!-- *x* linear_probe"))
    a\|b &lt;!-- \*x\* linear_probe
    """
    shown = printable(text, MAX_SENTENCE_LENGTH).replace("&", "&amp;").replace("<", "&lt;")
    return _MARKDOWN_SIGNS.sub(r"\\\g<0>", shown)


def paired_objective_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the paper's tables per readout, each objective beside its U- form."""
    keys = ["task", "dataset", "backbone"]
    return pd.DataFrame(
        [
            {"table": table[-1], "task": task, "data, backbone": f"{dataset}, {backbone}", **cells}
            for table in TABLES
            for (task, dataset, backbone), rows in paper_table(ledger, table).groupby(keys, sort=False)
            for cells in _paired_cells(rows)
        ]
    )


def _paired_cells(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Return the cells of one task, data set and backbone, for each readout."""
    baseline, improved = rows.method.unique()
    paper = rows.drop_duplicates("method").set_index("method").paper
    cells = []
    for readout, pair in rows.groupby("readout", sort=False):
        ours = pair.set_index("method").ours
        details = pair[pair.ours != NOT_RUN].iloc[0] if (pair.ours != NOT_RUN).any() else pair.iloc[0]
        cells.append(
            {
                "objectives": f"{baseline} / {improved}",
                "paper, %": f"{paper[baseline]} / {paper[improved]}",
                "ours, %": f"{ours.get(baseline, NOT_RUN)} / {ours.get(improved, NOT_RUN)}",
                "readout": readout,
                "seeds": details.seeds,
                "epochs": details.epochs,
                "images": details.images,
            }
        )
    return cells


def missing_presets_sentence(ledger: pd.DataFrame) -> str:
    """Say which command runs the rows, and which presets have not been run."""
    missing = [name for table in TABLES for name in experiment_names(table) if not (ledger.experiment == name).any()]
    sentence = "Each row is a preset of `maetheory reproduce`; rows of fine-tuning need `--finetune`."
    return sentence + (f" Not run: {', '.join(missing)}." if missing else "")


def _own_results_table(own: pd.DataFrame) -> pd.DataFrame:
    named = own.assign(preset=own.experiment, **{"data, model": own.dataset + ", " + own.backbone})
    measured = [name for name in OBJECTIVES if (own[name] != EMPTY_CELL).any()]
    return named[["task", "preset", "data, model", "readout", *measured, "seeds", "epochs", "images"]]


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the result of `claim_verdicts` as texts with the columns of the published table."""
    units = np.where(verdicts.claim.str.contains("accuracy"), " points", "")
    differences = [f"{row.difference:+.3g} ± {row.error:.2g}{unit}" for row, unit in zip(verdicts.itertuples(), units)]
    return pd.DataFrame(
        {
            "claim": verdicts.claim,
            "preset": verdicts.experiment,
            "readout": verdicts.readout,
            "difference": differences,
            "interval from": verdicts.rule,
            "verdict": verdicts.verdict,
        }
    )
