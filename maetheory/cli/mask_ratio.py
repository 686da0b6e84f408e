"""`maetheory mask-ratio`: class distances and mask graphs of images against the mask ratio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Data, Device, Json, Seed
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.patch_size import check_patch_sizes
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, printable_path, show_progress, warn_of_image_assumptions, wrapped
from maetheory.core import InputError


@app.command("mask-ratio")
def mask_ratio(
    data: Data = "digits",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Also measure distances in the features of this checkpoint.")
    ] = None,
    readout: Annotated[str | None, typer.Option(help="Readout of the checkpoint, cls or mean; cls by default.")] = None,
    patch: Annotated[
        int | None, typer.Option(help="Side of a patch for distances; by default the checkpoint's, or that of graphs.")
    ] = None,
    graph_patch: Annotated[
        int | None, typer.Option(help="Side of a patch in graphs; by default a quarter of the image side.")
    ] = None,
    ratio: Annotated[
        list[float] | None, typer.Option("--mask-ratio", "--ratio", help="Fraction of hidden patches; may be repeated.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Number of images of each split; all by default.")] = None,
    device: Device = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also write the figures, an SVG, a PNG and a CSV each, to this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute distances within and between classes, and statistics of mask graphs, against the mask ratio.

    With --out also draw them. To train a model at every ratio: maetheory reproduce --preset mask-ratio-digits.
    """
    from maetheory.checkpoints import load_checkpoint
    from maetheory.checkpoints.device import usable_device
    from maetheory.core import generator
    from maetheory.data import load_images
    from maetheory.figures import image_statistics_by_mask_ratio, masked_pair
    from maetheory.figures.image_mask_ratio import RATIOS, coarse_patch_size, encoder_patch_size
    from maetheory.masks.law import check_mask_ratio
    from maetheory.reports.mask_ratio import mask_ratio_summary, write_mask_ratio_figures

    if checkpoint is None and readout is not None:
        raise InputError("--readout is of a checkpoint's features; name one with --checkpoint, or leave it out")
    if checkpoint is None and device is not None:
        raise InputError("--device is of a checkpoint's features; name one with --checkpoint, or leave it out")
    for one in ratio or ():
        check_mask_ratio(one)
    check_patch_sizes(data, [patch, graph_patch])
    encoder = None if checkpoint is None else load_checkpoint(checkpoint, device=usable_device(device or "cpu"))[0]
    with hold_output_folder(out), show_progress() as progress:
        images, test = (load_images(data, split=split, limit=limit, progress=progress) for split in ("train", "test"))
        warn_of_image_assumptions(images, test)
        side = patch or (coarse_patch_size(test) if encoder is None else encoder_patch_size(encoder, test))
        frame = image_statistics_by_mask_ratio(
            images,
            test,
            side,
            graph_patch=graph_patch,
            encoder=encoder,
            readout=readout or "cls",  # type: ignore[arg-type]  # `image_statistics_by_mask_ratio` refuses other values
            ratios=ratio or RATIOS,
            seed=seed,
            progress=progress,
        )
        written: list[Path] = []
        if out is not None:
            written = write_mask_ratio_figures(out, frame, masked_pair(test, side, generator(seed, "masked pair")))
    summary = mask_ratio_summary(frame)
    document = {
        "reading": summary,
        "figures": [str(path) for path in written],
        "numbers": json.loads(frame.to_json(orient="records")),
    }
    print_result(document, as_json, lambda: "\n".join([wrapped(summary), *map(printable_path, written)]))
