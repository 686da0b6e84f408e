"""`maetheory inspect` and `maetheory collapse`: architecture and collapse of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import Checkpoint, Device, Json, MeasuredData, Seed, with_loading_options
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress, terminal_options


@app.command()
@with_loading_options
def inspect(
    *,
    checkpoint: Checkpoint,
    loading: Mapping[str, Any],
    as_json: Json = False,
) -> None:
    """Report a checkpoint's architecture, how each fact was inferred, and unused weights.

    No code from the file is run.
    """
    from maetheory.checkpoints import inspect_checkpoint

    report = inspect_checkpoint(checkpoint, **loading)
    print_result(report.to_dict(), as_json, lambda: str(report))


@app.command()
@with_loading_options
def collapse(
    *,
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            help="Checkpoint files, or folders of maetheory runs or of Hugging Face models; or files of features, "
            "rows x dimensions (.npy, .npz, .pt, .csv, .parquet), which need no images."
        ),
    ],
    data: MeasuredData = None,
    readout: Annotated[list[str] | None, typer.Option(help="cls, mean or tokens; may be repeated.")] = None,
    layer: Annotated[
        str,
        typer.Option(help="last, all, or a number: 0 is the embedding, -1 the last layer."),
    ] = "last",
    final_norm: Annotated[bool, typer.Option(help="Apply the encoder's final norm.")] = True,
    limit: Annotated[int | None, typer.Option(help="Number of test images; all by default.")] = None,
    array: Annotated[
        str | None, typer.Option(help="Name of the features in a file that holds several arrays or columns of lists.")
    ] = None,
    prefix_tokens: Annotated[
        int | None,
        typer.Option(min=0, help="Tokens before the patches in a file of tokens (n, t, d), which --readout reduces."),
    ] = None,
    loading: Mapping[str, Any],
    n_initialisations: Annotated[
        int,
        typer.Option(
            "--initialisations",
            "--twins",
            min=1,
            help="Number of untrained networks of the same architecture in the random-initialisation baseline, drawn "
            "by the initialisation rule of the checkpoint's code base; each other usual rule adds half as many, for "
            "the span. Each takes as long as the checkpoint; a single one leaves the answers undecided.",
        ),
    ] = 5,
    device: Device = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also write records, a table, figures and a page to this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure feature collapse with error bars and baselines (random initialisation, shuffled columns, noise)."""
    from maetheory.checkpoints.device import usable_device
    from maetheory.reports.collapse import collapse_document, collapse_text
    from maetheory.reports.collapse_files import write_collapse_report
    from maetheory.reports.default_images import load_measured_images
    from maetheory.reports.feature_diagnosis import diagnose_files

    torch_device = usable_device(device or "cpu")
    with hold_output_folder(out):
        with show_progress() as progress:
            diagnoses = diagnose_files(
                checkpoints,
                lambda options, reports: load_measured_images(data, reports, limit, progress, options),
                array=array,
                prefix_tokens=prefix_tokens,
                readouts=readout,
                layers=layer,
                final_norm=final_norm,
                n_initialisations=n_initialisations,
                seed=seed,
                progress=progress,
                **loading,
                device=torch_device,
            )
        try:
            if out is not None:
                write_collapse_report(out, diagnoses)
        finally:  # what was measured is printed even if the folder cannot be written
            print_result(collapse_document(diagnoses), as_json, lambda: collapse_text(diagnoses, **terminal_options()))
