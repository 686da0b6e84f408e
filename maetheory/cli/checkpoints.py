"""Commands that read a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Data, Device, DialectName, Heads, ImageSize, Json, Seed, Weights
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress, terminal_options
from maetheory.core import check_writable


@app.command()
def inspect(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file, or a folder of a run or of Hugging Face.")],
    heads: Heads = None,
    dialect: DialectName = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    as_json: Json = False,
) -> None:
    """Say what a checkpoint holds, what was guessed and from what, and what is left over; no code of it runs."""
    from maetheory.checkpoints import inspect_checkpoint

    report = inspect_checkpoint(checkpoint, heads=heads, dialect=dialect, weights=weights, image_size=image_size)
    print_result(report.to_dict(), as_json, lambda: str(report))


@app.command()
def collapse(
    checkpoints: Annotated[list[Path], typer.Argument(help="Checkpoint files, or folders of runs or Hugging Face.")],
    data: Data = "digits",
    readout: Annotated[list[str] | None, typer.Option(help="cls, mean or tokens; may be repeated.")] = None,
    layer: Annotated[
        str, typer.Option(help="last, all, or a number: from 0, the embedding, or back from -1.")
    ] = "last",
    final_norm: Annotated[bool, typer.Option(help="Whether the final norm is applied.")] = True,
    limit: Annotated[int | None, typer.Option(help="Use so many test images.")] = None,
    heads: Heads = None,
    dialect: DialectName = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    twins: Annotated[
        int,
        typer.Option(
            min=1, help="Random initialisations to compare with; each takes as long as a file, and one decides nothing."
        ),
    ] = 5,
    device: Device = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Also leave records, a table, figures and a page there.")] = None,
    as_json: Json = False,
) -> None:
    """Say how far features have collapsed, with error bars, beside untrained twins, shuffled columns and noise."""
    from maetheory.checkpoints.device import usable_device
    from maetheory.data import load_images
    from maetheory.reports.collapse import collapse_document, collapse_text
    from maetheory.reports.collapse_files import write_collapse_report
    from maetheory.reports.diagnosis import diagnose

    if out is not None:
        check_writable(out)
    load_options = {
        "heads": heads,
        "dialect": dialect,
        "weights": weights,
        "image_size": image_size,
        "device": usable_device(device or "cpu"),
    }
    with show_progress() as progress:
        images = load_images(data or "digits", split="test", limit=limit, progress=progress)
        found = diagnose(
            checkpoints,
            images,
            readouts=readout,
            layers=layer,
            final_norm=final_norm,
            twins=twins,
            seed=seed or 0,
            progress=progress,
            **load_options,
        )
        if out is not None:
            write_collapse_report(out, found)
    print_result(collapse_document(found), as_json, lambda: collapse_text(found, **terminal_options()))
