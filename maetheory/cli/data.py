"""`maetheory data`: the known data sets, and their download."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Json
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, printable_path, show_progress, wrapped

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List or download data sets.")
app.add_typer(data_app, name="data")


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets that are known by name."""
    from maetheory.data import DATASETS

    document = {name: asdict(dataset) for name, dataset in DATASETS.items()}
    lines = [f"{name:<9} {dataset.description}" for name, dataset in DATASETS.items()]
    print_result(document, as_json, lambda: wrapped("\n".join(lines)))


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="Name of a data set, as printed by `maetheory data list`.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the data set; the user's cache by default.")] = None,
    as_json: Json = False,
) -> None:
    """Download a data set and check its hash; an interrupted download leaves no files."""
    from maetheory.data import fetch

    with show_progress() as progress:
        path = fetch(name, out, progress=progress)
    print_result({"path": str(path)}, as_json, lambda: printable_path(path))
