"""A document shows the published numbers between two marks, and what stands between them is never typed by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from maetheory.core import InputError, atomic_write
from maetheory.data.paper.experiment_names import TABLES, experiment_names
from maetheory.reports.claims import NOT_RUN, claim_verdicts
from maetheory.reports.paper_tables import EMPTY_CELL, OBJECTIVES, own_results_table, paper_table

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def markdown_block(ledger: pd.DataFrame) -> str:
    """Return Tables 1 and 2 beside ours, what was run at sizes of our own, and the verdicts, as Markdown.

    Parameters
    ----------
    ledger : DataFrame
        Published records.
    """
    own, judged = own_results_table(ledger), claim_verdicts(ledger)
    shown = pd.concat([paper_table(ledger, table) for table in TABLES])
    parts = [markdown_table(_paired_objective_table(ledger)), _missing_presets_sentence(ledger)]
    if len(own):
        parts += [f"At sizes of our own, %; {_SPREAD_SENTENCE}.", markdown_table(_own_results_table(own))]
    every = pd.concat([own, shown])
    for task, words in _RECIPE_SENTENCES.items():
        recipes = sorted(set(every[every.task == task].recipe) - {EMPTY_CELL}) if len(every) else []
        if recipes:
            parts.append(f"{task.capitalize()}: {'; or '.join(recipes)}. {words}")
    if len(judged):
        parts += [_VERDICT_RULE, markdown_table(_verdict_table(judged))]
    return "\n\n".join(parts)


_RECIPE_SENTENCES = {
    "linear probing": "The paper's recipe is not stated.",
    "fine-tuning": "The paper's is that of MAE (He et al. 2022).",
}
_SPREAD_SENTENCE = (
    "± is the standard deviation over seeds, or two standard errors over test images where there is one seed"
)
_VERDICT_RULE = (
    "Verdicts, by one rule: the difference seed by seed, with a 95 % t-interval over seeds, but none narrower than two "
    "standard errors over test images. Wholly above 0: confirmed; wholly below: refuted; else undecided, as is all "
    "that rests on one seed, whose ± is of test images alone."
)


def replace_marked_block(document: str | Path, block: str) -> bool:
    """Put a block between the marks of a document; return whether that changed it.

    Raises
    ------
    InputError
        If the document does not hold each mark once, in order.
    """
    path = Path(document)
    text = path.read_text(encoding="utf-8")
    start, end = text.find(BEGIN), text.find(END)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or start > end:
        raise InputError(f"{path} must hold the line {BEGIN} and below it {END}, each once")
    new = f"{text[: start + len(BEGIN)]}\n\n{block}\n\n{text[end:]}"
    if new != text:
        with atomic_write(path) as part:
            part.write_text(new, encoding="utf-8")
    return new != text


def markdown_table(frame: pd.DataFrame) -> str:
    """Return a table in Markdown."""
    lines = [list(map(str, frame.columns)), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _paired_objective_table(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each row and readout of the paper's tables, plain and U- beside each other."""
    rows = []
    for table in TABLES:
        frame = paper_table(ledger, table)
        for (task, dataset, backbone), part in frame.groupby(["task", "dataset", "backbone"], sort=False):
            plain, better = part.method.unique()
            theirs = part.drop_duplicates("method").set_index("method").paper
            for readout, both in part.groupby("readout", sort=False):
                ours = both.set_index("method").ours
                how = both[both.ours != NOT_RUN].iloc[0] if (both.ours != NOT_RUN).any() else both.iloc[0]
                rows.append(
                    {
                        "table": table[-1],
                        "task": task,
                        "data, backbone": f"{dataset}, {backbone}",
                        "objectives": f"{plain} / {better}",
                        "paper, %": f"{theirs[plain]} / {theirs[better]}",
                        "ours, %": f"{ours.get(plain, NOT_RUN)} / {ours.get(better, NOT_RUN)}",
                        "readout": readout,
                        "seeds": how.seeds,
                        "epochs": how.epochs,
                        "images": how.images,
                    }
                )
    return pd.DataFrame(rows)


def _missing_presets_sentence(ledger: pd.DataFrame) -> str:
    """Name the presets that are not run."""
    missing = [name for table in TABLES for name in experiment_names(table) if not (ledger.experiment == name).any()]
    words = ["Each row is a preset of `maetheory reproduce`, with `--finetune` where it is fine-tuned."]
    words += [f"Not run: {', '.join(missing)}."] if missing else []
    return " ".join(words)


def _own_results_table(own: pd.DataFrame) -> pd.DataFrame:
    named = own.assign(preset=own.experiment, **{"data, model": own.dataset + ", " + own.backbone})
    held = [name for name in OBJECTIVES if (own[name] != EMPTY_CELL).any()]
    return named[["task", "preset", "data, model", "readout", *held, "seeds", "epochs", "images"]]


def _verdict_table(judged: pd.DataFrame) -> pd.DataFrame:
    unit = np.where(judged.claim.str.contains("accuracy"), " points", "")
    difference = [f"{row.difference:+.3g} ± {row.error:.2g}{words}" for row, words in zip(judged.itertuples(), unit)]
    return pd.DataFrame(
        {
            "claim": judged.claim,
            "preset": judged.experiment,
            "readout": judged.readout,
            "difference": difference,
            "over": judged.rule,
            "verdict": judged.verdict,
        }
    )
