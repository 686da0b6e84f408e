"""Commands for data sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Json
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List data sets, or fetch one.")
app.add_typer(data_app, name="data")


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets known by name."""
    from maetheory.data import DATASETS

    document = {name: asdict(what) for name, what in DATASETS.items()}
    print_result(document, as_json, lambda: "\n".join(f"{name}\t{what.description}" for name, what in DATASETS.items()))


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="A data set that `data list` names.")],
    out: Annotated[Path | None, typer.Option(help="Where to put it; the user's cache by default.")] = None,
    as_json: Json = False,
) -> None:
    """Download a data set, checked against its hash; never leaves half of it."""
    from maetheory.data import fetch

    with show_progress() as progress:
        where = fetch(name, out, progress=progress)
    print_result({"path": str(where)}, as_json, lambda: str(where))
