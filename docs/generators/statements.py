"""A page for each statement: its claim, docstring, examples, and both sides on the worlds it is checked on."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from generators.claims import LATEX
from generators.theorem_ledger import referee_section
from maetheory.figures import plot
from maetheory.theory import THEOREMS, Theorem
from maetheory.theory.survey import BROKEN, TIGHT, TheoremSurvey, survey

REPOSITORY = Path(__file__).parents[2]
RANDOM_WORLDS = 20
INTRODUCTION = """# Statements

Every statement is a function of a finite world: a mask graph, features, a decoder, labels. `maetheory check NAME`
evaluates both sides and every assumption on standard, tight, broken and random worlds; `--search` looks for a world
that violates it, and `--certify` proves single worlds in ball arithmetic. `maetheory referee NAME` asks five questions
about it: its answers are on each page, and all verdicts in the [ledger of theorems](../theorem_ledger.md). Verdicts:

| verdict | meaning |
|---|---|
| HOLDS | the inequality holds in this world |
| TIGHT | its sides are equal up to rounding error |
| VACUOUS | it holds, but says no more than a bound that is known without it |
| INAPPLICABLE | an assumption fails |
| UNDECIDED | the sides are closer than their errors |
| VIOLATED | it fails: a counterexample |

*printed* is a claim as the paper prints it; *constant ours* one whose constant the paper leaves open; *ours* a claim of
this project.
"""


def statement_pages(folder: Path, _: Path) -> None:
    """Write one page a statement, and their index by the paper's numbers."""
    pages = folder / "statements"
    pages.mkdir(parents=True)
    surveys = survey(tuple(THEOREMS.values()), worlds=RANDOM_WORLDS)
    for one in surveys:
        _draw_sides(one, pages / f"{one.theorem.slug}.svg")
        (pages / f"{one.theorem.slug}.rst").write_text(_page(one), encoding="utf-8")
    (pages / "index.md").write_text(_index(surveys), encoding="utf-8")


def _index(surveys: tuple[TheoremSurvey, ...]) -> str:
    lines = [INTRODUCTION, "| statement | source | worlds checked | verdicts |", "|---|---|---|---|"]
    for one in surveys:
        counts = ", ".join(f"{n} {name}" for name, n in one.counts.items() if n)
        slug = one.theorem.slug
        lines.append(f"| [{title(slug)}]({slug}.rst) | {one.theorem.reference} | {len(one.checks)} | {counts} |")
    slugs = "\n".join(one.theorem.slug for one in surveys)
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", slugs, "```", ""])


def title(slug: str) -> str:
    """Return the name of a statement in words."""
    words = [{"umae": "U-MAE", "mae": "MAE"}.get(word, word) for word in slug.split("-")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


def _page(one: TheoremSurvey) -> str:
    theorem = one.theorem
    name = title(theorem.slug)
    parts = [name, "=" * len(name), "", ".. math::", "", f"   {LATEX[theorem.slug]}", ""]
    parts += [f"**Source**: {theorem.reference}.", "", f"**Check it**: ``maetheory check {theorem.slug}``", ""]
    parts += [_docstring(theorem), ""]
    parts += ["On the worlds it is checked on", "------------------------------", ""]
    counts = ", ".join(f"{n} {verdict}" for verdict, n in one.counts.items() if n)
    parts += [f"{len(one.checks)} worlds: {counts}.", "", f".. image:: {theorem.slug}.svg"]
    parts += ["   :alt: left side against right side on every world; on the shaded side the claim is false", ""]
    parts += _examples(one)
    parts += referee_section(theorem.slug)
    source = Path(inspect.getsourcefile(_module(theorem)) or "").relative_to(REPOSITORY)
    parts += ["Code", "----", "", f".. literalinclude:: /../{source.as_posix()}", "   :language: python", ""]
    return "\n".join(parts)


def _examples(one: TheoremSurvey) -> list[str]:
    parts = []
    for record in one.checks:
        if record.kind == TIGHT:
            parts += ["Tight example", "-------------", "", "::", "", f"    {record.check}", ""]
    if one.theorem.never_tight:
        parts += [f"No world that is not degenerate makes it tight: {_escape(one.theorem.never_tight)}.", ""]
    broken = [record for record in one.checks if record.kind == BROKEN]
    if broken:
        parts += ["Assumptions that cannot be dropped", "----------------------------------", ""]
        parts += ["In each of these worlds only one assumption fails.", "", "::", ""]
        for record in broken:
            for assumption in record.check.assumptions:
                if not assumption.holds:
                    parts += [f"    {assumption.name}: {assumption.measured}", f"        {record.check}"]
        parts += [""]
    return parts


def _docstring(theorem: Theorem) -> str:
    """Return the docstring of the statement's module as reStructuredText, without its first line's repetition."""
    text = inspect.getdoc(_module(theorem)) or ""
    return re.sub(r"(?<![\\`*\w|])\|(?=\S)|(?<=\S)\|(?![\w|`])", r"\\|", text)


def _module(theorem: Theorem) -> ModuleType:
    """Return the module that defines a statement."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith("maetheory.theory.statements.") and any(value is theorem for value in vars(module).values()):
            return module
    raise LookupError(f"no module defines {theorem.slug}")


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("`", "\\`")


def _draw_sides(one: TheoremSurvey, path: Path) -> None:
    figure = plot("statement_sides", one)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


assert set(LATEX) == set(THEOREMS), set(LATEX) ^ set(THEOREMS)
