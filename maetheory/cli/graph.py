"""`maetheory graph`: spectrum, label errors and bound of the mask graph of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Data, Device, Json, MaskLaw, MaskRatio, Seed
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.patch_size import check_patch_sizes
from maetheory.cli.program import app
from maetheory.cli.terminal import print_note, print_result, show_progress, terminal_options, warn_of_image_assumptions


@app.command()
def graph(
    data: Data = "digits",
    kind: Annotated[str, typer.Option(help="exact, tokens or kernel.")] = "tokens",
    mask_ratio: MaskRatio = 0.75,
    mask_law: MaskLaw = "uniform",
    patch: Annotated[
        int | None, typer.Option(help="Side of a patch in pixels; by default a quarter of the image side.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", help="Number of spectral features; by default the number of classes.")
    ] = None,
    positions: Annotated[
        str | None,
        typer.Option(
            help="kept or dropped: whether a view includes the positions of its patches; by default dropped, and kept "
            "for kernel."
        ),
    ] = None,
    codes: Annotated[
        int | None,
        typer.Option(
            help="Number of distinct patches, or of mean patches where both are pooled; by default 2 for exact, 64 for "
            "tokens."
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            help="patches or pooled: a view is the codes of its patches, or the code of their mean; by default pooled "
            "for tokens, which alone can be."
        ),
    ] = None,
    targets: Annotated[str | None, typer.Option(help="patches or pooled, as for --views.")] = None,
    masks: Annotated[
        int | None, typer.Option(help="Number of masks drawn; by default 16 for tokens, 4 for kernel.")
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(help="Bandwidth of the kernel; by default a quarter of the median distance between targets."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "--images", help="Number of images, balanced over classes; all by default.")
    ] = None,
    device: Device = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Also write graph.json and graph.txt to this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Build the mask graph of images and report its size, components, spectrum, label errors and bound.

    exact: images are quantised to a few distinct patches and all masks are enumerated. tokens: patches are quantised to
    codes, masks are drawn, and every statistic has an interval or is UNDECIDED. kernel: a Gaussian kernel compares
    targets, and the statistics are means over the drawn masks.

    Examples: maetheory graph; maetheory graph --kind exact --limit 300 --positions kept; maetheory graph --data cifar10
    --views patches --codes 16.

    By default views and targets are the codes of their mean patch, without positions, so that many images share them;
    finer ones need more images to decide anything.

    tokens and kernel run on several processes: torchrun --nproc_per_node=2 -m maetheory graph --data DIR; for tokens
    the statistics are then those of the given images, without intervals.
    """
    import torch

    from maetheory.checkpoints.device import usable_device
    from maetheory.data import load_images
    from maetheory.empirical import ProcessGroup
    from maetheory.reports.graph import graph_document, graph_text, write_graph_report
    from maetheory.reports.graph_config import GraphConfig
    from maetheory.reports.graph_study import study_graph
    from maetheory.training import make_fabric
    from maetheory.training.run_folder import hold_on_root

    if device is not None:
        usable_device(device, torch.float64)
    config = GraphConfig(
        kind=kind,
        mask_ratio=mask_ratio,
        law=mask_law,
        patch=patch,
        k=k,
        positions=positions,
        codes=codes,
        masks=masks,
        views=views,
        targets=targets,
        bandwidth=bandwidth,
        device=device,
        seed=seed,
    )
    fabric = make_fabric("cpu")
    fabric.launch()
    with hold_on_root(lambda: hold_output_folder(out), fabric), show_progress() as progress:
        check_patch_sizes(data, [patch])
        images = load_images(data, limit=limit, progress=progress)
        warn_of_image_assumptions(images)
        process_group = ProcessGroup.from_torch() if fabric.world_size > 1 else None
        study = study_graph(config, images, process_group=process_group, progress=progress, announce=print_note)
        if out is not None and fabric.is_global_zero:
            write_graph_report(out, study)
    if fabric.is_global_zero:
        print_result(graph_document(study), as_json, lambda: graph_text(study, **terminal_options()))
