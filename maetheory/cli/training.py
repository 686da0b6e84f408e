"""`maetheory reproduce` and `maetheory train`: one experiment from images to report, and one model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from maetheory.cli.options import (
    BATCH_SIZE,
    Data,
    Json,
    MaskLaw,
    MaskRatio,
    OptionalData,
    OptionalSeed,
    Seed,
    TrainingDevice,
    TrainingPrecision,
)
from maetheory.cli.program import app
from maetheory.cli.terminal import (
    print_note,
    print_result,
    printable_path,
    show_progress,
    warn_of_image_assumptions,
    wrapped,
)


@app.command()
def reproduce(
    preset: Annotated[
        str,
        typer.Option(
            help="Name of an experiment: digits, cifar10-small, tin20, digits-uniformity, mask-ratio-digits, "
            "table1-cifar10-tiny, …"
        ),
    ] = "digits",
    data: OptionalData = None,
    out: Annotated[Path | None, typer.Option(help="Folder of runs, ledger and report; runs/PRESET by default.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder of figures; OUT/figures by default.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs, in place of the preset's.")] = None,
    seed: OptionalSeed = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--num-workers",
            "--workers",
            min=1,
            help="Number of parallel runs; by default one per core, or one on a GPU.",
        ),
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile models before training.")] = False,
    device: TrainingDevice = "auto",
    precision: TrainingPrecision = "32-true",
    finetune: Annotated[bool, typer.Option("--finetune", help="Also fine-tune and test every model.")] = False,
    as_json: Json = False,
) -> None:
    """Train and measure all models of an experiment, draw figures and write a report page.

    A run that was interrupted is resumed. Everything is written to OUT: without --out that is the folder runs/PRESET
    below the working directory.
    """
    from maetheory.experiments import experiment
    from maetheory.experiments import reproduce as run_experiment
    from maetheory.experiments.precision import choose_experiment_precision

    chosen = experiment(preset)
    if epochs is not None:
        chosen = chosen.with_epochs(epochs)
    if seed is not None:
        chosen = replace(chosen, seeds=(seed,))
    folder = out or Path("runs") / preset
    if precision == "auto":
        choice = choose_experiment_precision(chosen, folder, device)
        print_note(str(choice))
        precision = choice.precision
    with show_progress() as progress:
        done = run_experiment(
            chosen,
            out=folder,
            root=data,
            figures_to=figures,
            progress=progress,
            compiled=compiled,
            workers=workers,
            finetuned=finetune,
            precision=precision,
            device=device,
        )
    document = {
        "reading": done.summary,
        "page": str(done.page),
        "figures": [str(path) for path in done.figures],
        "ledger": json.loads(done.ledger.to_json(orient="records")),
    }
    print_result(document, as_json, lambda: f"{wrapped(done.summary)}\nreport: {printable_path(done.page)}")


@app.command()
def train(
    preset: Annotated[str, typer.Option(help="Name of an architecture: digits, cifar10-small, cifar10, …")] = "digits",
    data: Data = "digits",
    patch: Annotated[int | None, typer.Option(help="Side of a patch in pixels; by default the architecture's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run, by default below the working directory.")] = Path(
        "runs/train"
    ),
    objective: Annotated[str, typer.Option(help="mae or simmim.")] = "mae",
    uniformity_weight: Annotated[
        float, typer.Option(help="Weight λ of U-MAE's uniformity term; 0 trains without it.")
    ] = 0.0,
    mask_ratio: MaskRatio = 0.75,
    mask_law: MaskLaw = "uniform",
    epochs: Annotated[int, typer.Option(help="Number of epochs.")] = 100,
    batch: Annotated[int, typer.Option(*BATCH_SIZE, help="Global batch size, over all processes.")] = 256,
    base_lr: Annotated[float, typer.Option(help="Peak learning rate per 256 images.")] = 1.5e-4,
    warmup_epochs: Annotated[float, typer.Option(help="Epochs of linear learning-rate warm-up.")] = 10.0,
    limit: Annotated[int | None, typer.Option(help="Number of training images; all by default.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Decode a folder of images during training, with random crops, or load centre crops into memory; "
            "by default images of more than 2 GiB are streamed.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the newest checkpoint in OUT.")] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the model before training.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also log to TensorBoard.")] = False,
    accelerator: Annotated[
        str, typer.Option("--device", "--accelerator", help="Kind of device: auto, cpu, cuda or mps.")
    ] = "auto",
    devices: Annotated[
        int | None, typer.Option(help="Processes per node; by default torchrun's setting, or 1.")
    ] = None,
    nodes: Annotated[int | None, typer.Option(help="Number of nodes; by default torchrun's setting, or 1.")] = None,
    strategy: Annotated[
        str, typer.Option(help="auto, ddp (each process holds all weights) or fsdp (weights are sharded).")
    ] = "auto",
    precision: TrainingPrecision = "32-true",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train one model, on one or several devices.

    On several devices start the command with torchrun, for two of them: torchrun --nproc_per_node=2 -m maetheory train.
    The processes share --batch-size, and the result depends neither on their number nor on --strategy. fsdp is for
    models that do not fit on one device.
    """
    from maetheory.data import load_or_stream
    from maetheory.models import preset as architecture
    from maetheory.training import TrainConfig, choose_run_precision, make_fabric
    from maetheory.training import train as run_training

    model = architecture(preset)
    if patch is not None:
        model = replace(model, encoder=replace(model.encoder, patch=patch))
    config = TrainConfig(
        model,
        objective=objective,  # type: ignore[arg-type]  # `TrainConfig` refuses other values
        uniformity_weight=uniformity_weight,
        mask_ratio=mask_ratio,
        mask_law=mask_law,  # type: ignore[arg-type]  # `TrainConfig` refuses other values
        epochs=epochs,
        batch=batch,
        base_lr=base_lr,
        warmup_epochs=warmup_epochs,
        seed=seed,
    )
    if precision == "auto":
        choice = choose_run_precision(config, out if resume else None, accelerator, devices=devices, nodes=nodes)
        print_note(str(choice))
        precision = choice.precision
    fabric = make_fabric(accelerator, devices, nodes, precision, strategy=strategy)
    with show_progress() as progress:
        images = load_or_stream(data, config.model.encoder.image_size, limit=limit, stream=stream, progress=progress)
        warn_of_image_assumptions(images)
        done = run_training(
            config,
            images,
            out=out,
            resume=resume,
            fabric=fabric,
            compiled=compiled,
            tensorboard=tensorboard,
            progress=progress,
        )
    if not fabric.is_global_zero:
        return
    document = {
        "checkpoint": str(done.checkpoint),
        "loss": done.loss,
        "steps": done.steps,
        "skipped": len(done.skipped),
    }
    where = printable_path(done.checkpoint)
    print_result(document, as_json, lambda: f"loss {done.loss:.4f} after {done.steps} steps; checkpoint {where}")
