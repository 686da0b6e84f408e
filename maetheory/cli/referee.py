"""`maetheory referee`: five questions about the claims of a user's file, or of this package."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maetheory.cli.options import Json, Seed
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.program import DONE, INTERRUPTED, VIOLATED, app
from maetheory.cli.terminal import print_line, print_result, show_progress, terminal_options
from maetheory.core import InputError, Progress, check_writable

if TYPE_CHECKING:
    from maetheory.theory import Theorem
    from maetheory.theory.referee import RefereeReport


@app.command()
def referee(
    claims: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE.py[:NAME]]...",
            help="Python files that define a Theorem, which are executed as the code they are; :NAME is the slug or "
            "variable of one of them. Also names of theorems of this package.",
        ),
    ] = None,
    worlds: Annotated[
        int,
        typer.Option(min=1, help="Number of drawn worlds per claim; those found by minimising the slack come on top."),
    ] = 300,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds per claim, after which the report is what was found so far.")
    ] = None,
    seed: Seed = 0,
    template: Annotated[
        bool,
        typer.Option(
            "--template", help="Print a file with one claim, false on purpose, to put yours in its place; and exit."
        ),
    ] = False,
    page: Annotated[Path | None, typer.Option(help="Also write the report as one HTML page to this file.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write referee.json, and a pytest file for each violated claim, to this folder."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Answer five questions about claims by searching worlds; exit 1 if a claim is violated.

    Is it violated, vacuous, how tight is it, which assumptions does it need, and how hard was the search? FILE.py is
    executed as Python code. The report depends on the claim, the seed and the number of worlds alone, unless --seconds
    or Ctrl-C ends it early, which prints what was found so far.
    """
    from maetheory.reports.referee_page import write_referee_page
    from maetheory.reports.referee_records import referee_document
    from maetheory.reports.referee_text import referee_text
    from maetheory.theory.referee import TEMPLATE

    if template:
        print_line(TEMPLATE.rstrip(), sys.stdout)
        return DONE
    if not claims:
        raise InputError(
            "say which claim: a file such as claim.py (maetheory referee --template prints one) or a theorem"
        )
    if page is not None:
        check_writable(page.parent)
    with hold_output_folder(out), show_progress() as progress:
        reports = _referee_all(_select(claims), worlds, seed, seconds, progress)
        if page is not None:
            write_referee_page(page, reports)
        if out is not None:
            _write_files(out, reports)
    print_result(referee_document(reports), as_json, lambda: referee_text(reports, width=terminal_options()["width"]))
    if any(one.stopped == "interrupted" for one in reports):
        return INTERRUPTED
    return VIOLATED if any(one.violated for one in reports) else DONE


def _select(claims: list[str]) -> list[tuple[Theorem, str | None]]:
    """Return the theorems of these arguments with the file that defines each; None for one of this package."""
    from maetheory.theory import THEOREMS
    from maetheory.theory.referee import select_theorem
    from maetheory.theory.theorem_names import find_theorem

    found: list[tuple[Theorem, str | None]] = []
    for claim in claims:
        file, _, name = claim.rpartition(":") if ".py:" in claim and not Path(claim).exists() else (claim, "", "")
        if file.endswith(".py") or Path(file).exists():
            found += [(theorem, file) for theorem in select_theorem(file, name or None).values()]
        else:
            found.append((find_theorem(THEOREMS, claim), None))
    return found


def _referee_all(
    selected: list[tuple[Theorem, str | None]], worlds: int, seed: int, seconds: float | None, progress: Progress
) -> list[RefereeReport]:
    """Referee claim after claim; an interrupted one is the last. What their code prints goes to standard error."""
    from maetheory.theory.falsify import SideError
    from maetheory.theory.referee import describe_error, referee_theorem

    reports: list[RefereeReport] = []
    settings: dict[str, Any] = {"worlds": worlds, "seed": seed, "seconds": seconds, "progress": progress}
    for theorem, file in selected:
        try:
            with redirect_stdout(sys.stderr):
                where_it_is = None if file is None else os.path.abspath(file)  # a replay may be run in any folder
                reports.append(referee_theorem(theorem, file=where_it_is, **settings))
        except SideError as error:
            if file is None:
                raise
            where = f"world {error.found.number} of seed {error.found.seed}"
            raise InputError(f"{describe_error(error.__cause__ or error, file)} ({theorem.slug}, {where})") from error
        if reports[-1].stopped == "interrupted":
            break
    return reports


def _write_files(folder: Path, reports: list[RefereeReport]) -> None:
    from maetheory.core import atomic_write
    from maetheory.core.json_documents import strict_json
    from maetheory.reports.referee_records import referee_document

    texts = {"referee.json": strict_json(referee_document(reports), indent=1)}
    for one in reports:
        if one.violation is not None:
            name = "test_" + "".join(letter if letter.isalnum() else "_" for letter in one.theorem.slug)
            names = chain([f"{name}.py"], (f"{name}_{number}.py" for number in count(2)))  # slugs of two files
            texts[next(file for file in names if file not in texts)] = one.violation.test
    for name, text in texts.items():
        with atomic_write(folder / name) as part:
            part.write_text(text, encoding="utf-8")
