"""The command that asks images about the mask ratio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Data, Json, Seed
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress
from maetheory.core import InputError, check_writable


@app.command("mask-ratio")
def mask_ratio(
    data: Data = "digits",
    checkpoint: Annotated[Path | None, typer.Option(help="Adds distances in its features.")] = None,
    readout: Annotated[str | None, typer.Option(help="cls or mean, of the checkpoint; cls by default.")] = None,
    patch: Annotated[int | None, typer.Option(help="Side of a patch; the checkpoint's, or as in graphs.")] = None,
    graph_patch: Annotated[int | None, typer.Option(help="Side of a patch in graphs; a quarter of the image.")] = None,
    ratio: Annotated[list[float] | None, typer.Option(help="A mask ratio; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use so many images of each split.")] = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Where the figures go.")] = Path("figures"),
    as_json: Json = False,
) -> None:
    """Draw distances within and between classes, and mask graphs of images, against the mask ratio.

    Models trained at every ratio: maetheory reproduce --preset mask-ratio-digits.
    """
    from maetheory.checkpoints import load_checkpoint
    from maetheory.core import generator
    from maetheory.data import load_images
    from maetheory.figures import image_mask_ratios, masked_pair
    from maetheory.figures.image_mask_ratio import RATIOS, coarse_patch_size, encoder_patch_size
    from maetheory.reports.mask_ratio import mask_ratio_summary, write_mask_ratio_figures

    if checkpoint is None and readout is not None:
        raise InputError("--readout is of a checkpoint's features; name one with --checkpoint, or leave it out")
    check_writable(out)
    encoder = None if checkpoint is None else load_checkpoint(checkpoint)[0]
    with show_progress() as progress:
        images, test = (
            load_images(data or "digits", split=split, limit=limit, progress=progress) for split in ("train", "test")
        )
        side = patch or (coarse_patch_size(test) if encoder is None else encoder_patch_size(encoder, test))
        frame = image_mask_ratios(
            images,
            test,
            side,
            graph_patch=graph_patch,
            encoder=encoder,
            readout=readout or "cls",  # type: ignore[arg-type]  # the option admits these values only
            ratios=ratio or RATIOS,
            seed=seed or 0,
            progress=progress,
        )
        written = write_mask_ratio_figures(out, frame, masked_pair(test, side, generator(seed or 0, "masked pair")))
    reading = mask_ratio_summary(frame)
    document = {
        "reading": reading,
        "figures": [str(path) for path in written],
        "numbers": json.loads(frame.to_json(orient="records")),
    }
    print_result(document, as_json, lambda: "\n".join([reading, *map(str, written)]))
