"""The public ledger of theorems: what the referee found about every statement, ours, the paper's and of others.

It is read from ``docs/theorem_ledger.json``, which ``python -m maetheory.reports.referee_ledger`` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

LEDGER = Path(__file__).parents[1] / "theorem_ledger.json"
INTRODUCTION = """# Ledger of theorems

What `maetheory referee` finds about every statement of this package, of the paper and of papers after it. A violation
refutes a claim. Every other answer is evidence from a search and no proof: it says how hard the search looked.

| verdict | meaning |
|---|---|
| VIOLATED | a world was found in which every assumption holds and the claim fails |
| VACUOUS | no world was found in which it says more than a bound that is known without it |
| UNDECIDED | the same, of fewer than 20 worlds, which are too few to say so |
| NO VIOLATION FOUND | it held in every world that was tried |

"""


@cache
def read_ledger() -> tuple[dict[str, Any], ...]:
    """Return the entries of the ledger, in its order."""
    return tuple(json.loads(LEDGER.read_text(encoding="utf-8")))


def ledger_page(folder: Path, _: Path) -> None:
    """Write the table of all claims, and the answers for those that have no page of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [INTRODUCTION, "| claim | source | verdict |", "|---|---|---|"]
    for entry in read_ledger():
        link = f"#{entry['slug']}" if entry["file"] else f"statements/{entry['slug']}.rst"
        cells = [f"[{_escaped(entry['statement'])}]({link})", _escaped(entry["reference"]), entry["verdict"]]
        lines.append(f"| {' | '.join(cells)} |")
    for entry in read_ledger():
        if entry["file"]:
            lines += ["", *_section(entry)]
    (folder / "theorem_ledger.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def referee_section(slug: str) -> list[str]:
    """Return what the referee found about a statement of the package, as lines of reStructuredText."""
    (entry,) = (one for one in read_ledger() if one["slug"] == slug)
    head = "What the referee finds"
    lines = [
        head,
        "-" * len(head),
        "",
        f"``maetheory referee {slug} --worlds {entry['worlds']}``: {entry['verdict']}.",
        "",
    ]
    for question, answers in entry["answers"].items():
        lines += [question, *[f"    - {_escaped(answer)}" for answer in answers], ""]
    return lines


def _section(entry: dict[str, Any]) -> Iterator[str]:
    yield f"({entry['slug']})="
    yield f"## {entry['slug']}: {entry['verdict']}"
    yield f"\n{_escaped(entry['statement'])} ({_escaped(entry['reference'])}), as `{entry['file']}` reads it.\n"
    for question, answers in entry["answers"].items():
        yield question
        yield from (f": {_escaped(answer)}\n" for answer in answers)
    if entry["violation"]:
        yield f"```python\n{entry['violation']['code'].rstrip()}\n```"


def _escaped(text: str) -> str:
    """Escape what Markdown, its tables or reStructuredText would read as markup."""
    for letter in "\\*_`[]<|":
        text = text.replace(letter, f"\\{letter}")
    return text
