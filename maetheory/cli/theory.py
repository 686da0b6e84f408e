"""`maetheory check` and `maetheory figure`: theorems on finite worlds, and the figures of the theory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import Json, Seed, TrainingDevice
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.program import DONE, VIOLATED, app
from maetheory.cli.terminal import print_result, printable_path, show_progress, terminal_options
from maetheory.core import InputError


@app.command()
def check(
    slugs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[THEOREM]...",
            help="Names of theorems, or their numbers in the paper, such as 3.4 or 'theorem 3.4'; all by default.",
        ),
    ] = None,
    worlds: Annotated[int, typer.Option(help="Number of random worlds per theorem.")] = 40,
    search_worlds: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Also minimise the slack from random worlds, and print the call of theory.replay that draws the world "
            "of the smallest slack again.",
        ),
    ] = False,
    with_certificates: Annotated[
        bool,
        typer.Option(
            "--certify",
            help="Also prove the verdicts of small worlds in ball arithmetic; with --out, write a certificate of each "
            "to certificates/ that check_certificate.py, also written there, verifies without this package.",
        ),
    ] = False,
    list_names: Annotated[
        bool, typer.Option("--list", help="List the theorems by number and name, and check none.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also add every check, with provenance, to checks.jsonl in this folder.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check theorems on finite worlds; exit 1 if one is VIOLATED.

    The worlds are small image distributions under masks, the theorem's tight and broken examples, and random worlds.
    The slack is relative to the size of the terms; the tightness is 1 - |slack| / larger side, which is 1 at equality.
    """
    from maetheory.reports import append_records
    from maetheory.reports.theorem_check_records import checks_document, theorem_check_ledger_records
    from maetheory.reports.theorem_checks import checks_text
    from maetheory.theory import THEOREMS, search
    from maetheory.theory.certified.certificate_files import CertificateFiles
    from maetheory.theory.certified.survey import certify_theorems
    from maetheory.theory.survey import select_theorems, survey
    from maetheory.theory.theorem_names import paper_number

    theorems = select_theorems(THEOREMS, slugs or ())
    if list_names:
        names = {theorem.slug: paper_number(theorem) for theorem in theorems}
        listed = "\n".join(f"{number:<10}{slug}" for slug, number in names.items())
        print_result({"numbers": names}, as_json, lambda: f"number    name\n{listed}")
        return DONE
    with hold_output_folder(out), show_progress() as progress:
        settings: Any = {"worlds": worlds, "seed": seed, "progress": progress}
        surveys = survey(theorems, **settings)
        files = None if out is None or not with_certificates else CertificateFiles(out / "certificates")
        certificates = certify_theorems(theorems, **settings, files=files) if with_certificates else ()
        searches = [search(theorem, **settings) for theorem in theorems if search_worlds]
        if out is not None:
            append_records(out / "checks.jsonl", theorem_check_ledger_records(surveys, seed=seed))
    document = checks_document(surveys, searches, certificates, files)
    print_result(document, as_json, lambda: checks_text(surveys, searches, certificates, files, **terminal_options()))
    return VIOLATED if document["violated"] else DONE


@app.command()
def figure(
    names: Annotated[list[str] | None, typer.Argument(help="Names of figures; all by default.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the figures: an SVG, a PNG and a CSV each. Needed to draw.")
    ] = None,
    device: TrainingDevice = "auto",
    as_json: Json = False,
) -> None:
    """Draw the figures of the theory into the folder --out; without any option list their names.

    Three of them train small networks, on --device. Figures of data, such as effective_rank, are drawn by the commands
    that make the data; the list names them.
    """
    from maetheory.figures.plotting import MADE_BY
    from maetheory.figures.theory_figures import THEORY_FIGURES, check_figure_names, draw_theory_figures

    if out is None and names:
        check_figure_names(names)
        raise InputError("figures are written to a folder; say which with --out, such as --out figures")
    if out is None:
        commands = "\n".join(f"  {name:<32}{command}" for name, command in MADE_BY.items())
        listed = "\n".join([*THEORY_FIGURES, "draw them with: maetheory figure [NAME…] --out FOLDER"])
        text = f"{listed}\n\nfigures of data, and what makes the data and draws it:\n{commands}"
        document = {"figures": [], "names": list(THEORY_FIGURES), "made_by": dict(MADE_BY)}
        return print_result(document, as_json, lambda: text)

    with hold_output_folder(out), show_progress() as progress:
        written = [str(path) for path in draw_theory_figures(names or (), out, device=device, progress=progress)]
    return print_result({"figures": written}, as_json, lambda: "\n".join(map(printable_path, written)))
