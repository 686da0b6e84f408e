"""The command that asks a checkpoint for classes it was not trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from maetheory.cli.options import Data, Device, DialectName, Heads, ImageSize, Json, Seed, Weights
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress
from maetheory.core import Estimate, InputError, Progress, atomic_write, check_writable

SGD_OPTIONS = ("epochs", "batch", "base_lr", "seed")
MODE_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "linear": (),
        "knn": (),
        "sgd": SGD_OPTIONS,
        "lars": (*SGD_OPTIONS, "trust"),
        "finetune": (*SGD_OPTIONS, "layer_decay", "drop_path", "mixup", "cutmix", "crop", "flip"),
    }
)
"""Which options of a recipe each mode has."""


@app.command()
def probe(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file, or a folder of a run or of Hugging Face.")],
    data: Data = "digits",
    mode: Annotated[
        str,
        typer.Option(
            help="linear (logistic regression to its optimum), sgd or lars (a batch norm and a linear map, "
            "trained by steps as MAE's), knn, or finetune (the encoder too)."
        ),
    ] = "linear",
    readout: Annotated[str | None, typer.Option(help="cls or mean; cls by default, mean where fine-tuned.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use so many images of each split.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Of sgd, lars and finetune.")] = None,
    batch: Annotated[int | None, typer.Option(help="Global batch, of sgd, lars and finetune.")] = None,
    base_lr: Annotated[float | None, typer.Option(help="Peak learning rate per 256 images, of the same.")] = None,
    trust: Annotated[float | None, typer.Option(help="LARS's trust coefficient.")] = None,
    layer_decay: Annotated[float | None, typer.Option(help="Learning rate of a layer over that above it.")] = None,
    drop_path: Annotated[float | None, typer.Option(help="Stochastic depth of the last block.")] = None,
    mixup: Annotated[float | None, typer.Option(help="a of Beta(a, a); 0 does not mix so.")] = None,
    cutmix: Annotated[float | None, typer.Option(help="a of Beta(a, a); 0 does not mix so.")] = None,
    crop: Annotated[int | None, typer.Option(help="Move images by up to so many pixels.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip", help="Mirror half of the images.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Leaves the result there as probe.json; and is the folder of a fine-tuning run."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on fine-tuning from the newest checkpoint.")] = False,
    heads: Heads = None,
    dialect: DialectName = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    device: Device = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Read classes off frozen features with a linear map or nearest neighbours, or fine-tune; test on the test split.

    What is not given is MAE's recipe for ImageNet. --flip, --crop, --mixup, --cutmix, --drop-path and --layer-decay
    are of finetune, which takes what Fabric finds, a GPU if there is one, unless it is given a --device.
    """
    from maetheory.checkpoints import load_checkpoint
    from maetheory.checkpoints.device import usable_device
    from maetheory.data import load_images
    from maetheory.reports.diagnosis import resize_note

    specified_options = {
        "epochs": epochs,
        "batch": batch,
        "base_lr": base_lr,
        "trust": trust,
        "layer_decay": layer_decay,
        "drop_path": drop_path,
        "mixup": mixup,
        "cutmix": cutmix,
        "crop": crop,
        "flip": flip,
        "seed": seed,
    }
    options = _check_mode_options(mode, {name: value for name, value in specified_options.items() if value is not None})
    if resume and mode != "finetune":
        raise InputError(f"only finetune can be resumed, but the mode is {mode!r}")
    readout = readout or ("mean" if mode == "finetune" else "cls")
    if readout not in ("cls", "mean"):
        raise InputError(f"a probe reads 'cls' or 'mean', but the readout is {readout!r}")
    if out is not None:
        check_writable(out)
    place = usable_device(device or "cpu")
    with show_progress() as progress:
        encoder, report = load_checkpoint(
            checkpoint, heads=heads, dialect=dialect, weights=weights, image_size=image_size, device=place
        )
        splits = [load_images(data or "digits", split=split, limit=limit) for split in ("train", "test")]
        result: dict[str, Any]
        if mode == "finetune":
            result = _finetune(
                encoder, splits, readout, options, out or Path("runs/finetune"), resume, device or "auto", progress
            )
        else:
            result = _probe_frozen(encoder, splits, mode, readout, options, progress)
    accuracy: Estimate = result.pop("accuracy")
    notes = [*report.notes, *filter(None, [resize_note(splits[0], report)])]
    document = {
        "accuracy": accuracy.value,
        "error": accuracy.error,
        "mode": mode,
        **result,
        "readout": readout,
        "step": report.trained.get("step"),
        "n_test": len(splits[1]),
        "checkpoint": report.path,
        "sha256": report.sha256,
        "notes": notes,
    }
    if out is not None:
        with atomic_write(out / "probe.json") as part:
            part.write_text(json.dumps(document, indent=1) + "\n")
    percent = Estimate(100 * accuracy.value, 100 * accuracy.error)
    said = f"accuracy {percent} % ({readout}; {result['recipe']}; {len(splits[1])} test images)"
    print_result(document, as_json, lambda: "\n".join([said, *(f"note: {note}" for note in notes)]))


def _check_mode_options(mode: str, specified_options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a mode, with a warm-up as short as the epochs make it.

    Raises
    ------
    InputError
        If the mode is unknown or does not have an option that was given.
    """
    if mode not in MODE_OPTIONS:
        raise InputError(f"the mode must be one of {', '.join(MODE_OPTIONS)}, but it is {mode!r}")
    unsupported = [name for name in specified_options if name not in MODE_OPTIONS[mode] and name != "seed"]
    if unsupported:
        words = ", ".join(f"--{name.replace('_', '-')}" for name in unsupported)
        raise InputError(f"the mode {mode!r} has no {words}; leave it out, or choose another mode")
    return {name: value for name, value in specified_options.items() if name in MODE_OPTIONS[mode]}


def _with_warmup(first: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with the share of warm-up that a recipe has, at most as many epochs of it."""
    share = min(1.0, options.get("epochs", first.epochs) / first.epochs)
    return options | {"warmup_epochs": first.warmup_epochs * share}


def _probe_frozen(
    encoder: Any, splits: list[Any], mode: str, readout: str, options: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    from maetheory.evaluation import ProbeConfig, encode, knn_probe, linear_probe, sgd_probe

    images, test = splits
    config = ProbeConfig(mode, **_with_warmup(ProbeConfig(), options)) if mode in ("sgd", "lars") else None  # type: ignore[arg-type]
    z, z_test = (encode(encoder, each, readout=readout, progress=progress) for each in splits)  # type: ignore[arg-type]
    parts = (z, images.labels, z_test, test.labels)
    if config is not None:
        found = sgd_probe(*parts, config, device=next(encoder.parameters()).device, progress=progress)
    else:
        found = (linear_probe if mode == "linear" else knn_probe)(*parts)
    return {"accuracy": found.accuracy, "recipe": found.recipe}


def _finetune(
    encoder: Any,
    splits: list[Any],
    readout: str,
    options: dict[str, Any],
    out: Path,
    resume: bool,
    accelerator: str,
    progress: Progress,
) -> dict[str, Any]:
    from maetheory.evaluation import FinetuneConfig, finetune
    from maetheory.training import make_fabric

    config = FinetuneConfig(readout, **_with_warmup(FinetuneConfig(), options))  # type: ignore[arg-type]
    found = finetune(
        encoder,
        splits[0],
        splits[1],
        config,
        out=out,
        resume=resume,
        progress=progress,
        fabric=make_fabric(accelerator),
    )
    return {
        "accuracy": found.accuracy,
        "recipe": found.recipe,
        "run": str(found.run.checkpoint),
        "loss": found.run.loss,
        "steps": found.run.steps,
    }
