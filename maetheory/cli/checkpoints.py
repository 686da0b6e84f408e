"""`maetheory inspect` and `maetheory collapse`: architecture and collapse of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import BATCH_SIZE, Checkpoint, Device, Json, MeasuredData, Seed, with_loading_options
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.program import GATE_FAILED, app
from maetheory.cli.terminal import print_note, print_result, printable_path, show_progress, terminal_options, wrapped


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
    print_result(report.to_dict(), as_json, lambda: wrapped(str(report)))


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
    limit: Annotated[
        int | None,
        typer.Option(
            help="Number of test images; by default at most 10 000, or 1000 for encoders of more than 5e9 "
            "floating-point operations an image."
        ),
    ] = None,
    array: Annotated[
        str | None, typer.Option(help="Name of the features in a file that holds several arrays or columns of lists.")
    ] = None,
    prefix_tokens: Annotated[
        int | None,
        typer.Option(min=0, help="Tokens before the patches in a file of tokens (n, t, d), which --readout reduces."),
    ] = None,
    loading: Mapping[str, Any],
    n_initialisations: Annotated[
        int | None,
        typer.Option(
            "--initialisations",
            "--twins",
            min=1,
            help="Number of untrained networks of the same architecture in the random-initialisation baseline, drawn "
            "by the initialisation rule of the checkpoint's code base; each other usual rule adds half as many, for "
            "the span. A single one leaves the answers undecided. By default 3, or 5 with --full.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Measure and print all metrics, of masked views too, and untrained networks on all images. By "
            "default: what the verdict needs, and untrained networks on a random part of the images.",
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="Print the sentence of each answer and all metrics that were measured, with their n → ∞ and shuffled "
            "values. By default, without --full, only what decides is printed; --json and --out always hold all.",
        ),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also say what it has collapsed onto: for the leading directions of the features, how much of their "
            "variance images without content have, which statistics of images they follow, from which layer they can "
            "be read, and what probes lose without them. At most 2000 images.",
        ),
    ] = False,
    directions: Annotated[int, typer.Option(min=1, max=100, help="--explain: number of leading directions.")] = 5,
    precision: Annotated[
        str,
        typer.Option(
            help="Precision of forward passes: fp32, bf16, or auto: bf16 where the CPU (AVX512-BF16, AMX) or GPU "
            "multiplies bfloat16 natively. Moments and spectra are always float64."
        ),
    ] = "auto",
    batch: Annotated[
        int | None,
        typer.Option(
            *BATCH_SIZE,
            min=1,
            help="Images in a forward pass; by default up to 256, as many as keep the activations of a block in 1 GiB.",
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit with 3 if the condition is met by a readout: a metric, one of < <= > >=, and a number, such as "
            "'effective_rank < 20', or 'collapsed': an answer on complete or dimensional collapse is yes. May be "
            "repeated."
        ),
    ] = None,
    device: Device = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also write records, a table, figures and a page to this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure feature collapse with error bars and baselines (random initialisation, shuffled columns, noise).

    Exit 0: measured; 2: bad input; 3: a condition of --fail-if is met.
    """
    from maetheory.checkpoints.device import usable_device
    from maetheory.evaluation.collapse.conditions import condition_metrics, parse_condition
    from maetheory.evaluation.features.precision import resolve_precision
    from maetheory.reports.collapse import collapse_document, collapse_text
    from maetheory.reports.collapse_files import write_collapse_report
    from maetheory.reports.collapse_plan import Effort, default_limit
    from maetheory.reports.default_images import load_measured_images
    from maetheory.reports.feature_diagnosis import diagnose_files

    conditions = [parse_condition(one) for one in fail_if or ()]
    torch_device = usable_device(device or "cpu")
    effort = Effort(
        full, condition_metrics(conditions), n_initialisations, resolve_precision(precision, torch_device), print_note
    )
    with hold_output_folder(out):
        with show_progress() as progress:
            diagnoses = diagnose_files(
                checkpoints,
                lambda options, reports: load_measured_images(
                    data, reports, default_limit(reports) if limit is None else limit, progress, options
                ),
                array=array,
                prefix_tokens=prefix_tokens,
                readouts=readout,
                layers=layer,
                final_norm=final_norm,
                seed=seed,
                progress=progress,
                effort=effort,
                batch=batch,
                explained_directions=directions if explain else None,
                **loading,
                device=torch_device,
            )
        try:
            if out is not None:
                write_collapse_report(out, diagnoses)
        finally:  # what was measured is printed even if the folder cannot be written
            print_result(
                collapse_document(diagnoses, conditions),
                as_json,
                lambda: collapse_text(diagnoses, conditions, **terminal_options(), brief=not (verbose or full)),
            )
        if out is not None:
            print_note(f"the page is {printable_path(out / 'report.html')}")
    if any(one.met for diagnosis in diagnoses for one in diagnosis.results_of(conditions)):
        raise typer.Exit(GATE_FAILED)
