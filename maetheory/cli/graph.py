"""The command that makes mask graphs of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import Data, Device, Json, Seed
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress, terminal_options
from maetheory.core import check_writable


@app.command()
def graph(
    data: Data = "digits",
    kind: Annotated[str, typer.Option(help="exact, tokens or kernel.")] = "tokens",
    mask_ratio: Annotated[float, typer.Option(help="Share of hidden patches.")] = 0.75,
    law: Annotated[str, typer.Option("--law", help="uniform, bernoulli or block.")] = "uniform",
    patch: Annotated[
        int | None, typer.Option(help="Side of a patch in pixels; a quarter of the image by default.")
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="Spectral features; as many as classes by default.")] = None,
    positions: Annotated[str, typer.Option(help="kept or dropped: whether a view knows where it was seen.")] = "kept",
    codes: Annotated[
        int | None, typer.Option(help="Distinct patches: 2 for exact, 64 codes for tokens by default.")
    ] = None,
    views: Annotated[
        str, typer.Option(help="patches or pooled: all codes seen, or that of their mean (tokens).")
    ] = "patches",
    targets: Annotated[str, typer.Option(help="patches or pooled, as for views (tokens).")] = "patches",
    masks: Annotated[int | None, typer.Option(help="Masks drawn: 16 for tokens, 4 for kernel by default.")] = None,
    bandwidth: Annotated[
        float | None, typer.Option(help="Of the kernel; a quarter of the median distance of targets by default.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "--images", help="Use so many images, classes balanced.")
    ] = None,
    device: Device = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Also leave graph.json and graph.txt there.")] = None,
    as_json: Json = False,
) -> None:
    """Make the mask graph of images: its size, components, spectrum, label errors, and the bound they give.

    exact: images quantised to a few patches, all masks. tokens: patches become codes, masks are drawn, and every number
    has a band or is UNDECIDED. kernel: alike targets are taken for one another, means over masks. For instance:
    maetheory graph --kind exact --limit 300 --positions dropped; maetheory graph --data cifar10 --kind tokens --targets
    pooled --codes 16. On many processes, but for exact: torchrun --nproc_per_node=2 -m maetheory graph --data DIR; of
    tokens that gives the numbers of these images, without bands.
    """
    import torch

    from maetheory.checkpoints.device import usable_device
    from maetheory.data import load_images
    from maetheory.empirical import ProcessGroup
    from maetheory.reports.graph import graph_document, graph_text, write_graph_report
    from maetheory.reports.graph_config import GraphConfig
    from maetheory.reports.graph_study import study_graph
    from maetheory.training import make_fabric

    if out is not None:
        check_writable(out)
    if device is not None:
        usable_device(device, torch.float64)
    plan = GraphConfig(
        kind, mask_ratio, law, patch, k, positions, codes, masks, views, targets, bandwidth, device, seed or 0
    )
    fabric = make_fabric("cpu")
    fabric.launch()
    with show_progress() as progress:
        images = load_images(data or "digits", limit=limit, progress=progress)
        process_group = ProcessGroup.from_torch() if fabric.world_size > 1 else None
        found = study_graph(plan, images, process_group=process_group, progress=progress)
        if out is not None and fabric.is_global_zero:
            write_graph_report(out, found)
    if fabric.is_global_zero:
        print_result(graph_document(found), as_json, lambda: graph_text(found, **terminal_options()))
