"""`maetheory probe`: test accuracy of a checkpoint's features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import BATCH_SIZE, Checkpoint, Data, Device, Json, OptionalSeed, with_loading_options
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.probe_modes import fine_tune, mode_options, probe_frozen
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result, show_progress
from maetheory.core import Estimate, InputError, atomic_write, check_writable
from maetheory.core.json_documents import strict_json


@app.command()
@with_loading_options
def probe(
    *,
    checkpoint: Checkpoint,
    data: Data = "digits",
    mode: Annotated[
        str,
        typer.Option(
            help="linear (logistic regression trained to convergence), sgd or lars (batch norm and a linear map, "
            "trained with MAE's recipe), knn, or finetune (trains the encoder too)."
        ),
    ] = "linear",
    readout: Annotated[str | None, typer.Option(help="cls or mean; by default cls, and mean for fine-tuning.")] = None,
    limit: Annotated[int | None, typer.Option(help="Number of images of each split; all by default.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of sgd, lars and finetune.")] = None,
    batch: Annotated[int | None, typer.Option(*BATCH_SIZE, help="Global batch size of sgd, lars and finetune.")] = None,
    base_lr: Annotated[
        float | None, typer.Option(help="Peak learning rate per 256 images of sgd, lars and finetune.")
    ] = None,
    trust: Annotated[float | None, typer.Option(help="Trust coefficient of lars.")] = None,
    layer_decay: Annotated[
        float | None, typer.Option(help="finetune: learning rate of a layer divided by that of the layer above.")
    ] = None,
    drop_path: Annotated[float | None, typer.Option(help="finetune: stochastic depth rate of the last block.")] = None,
    mixup: Annotated[float | None, typer.Option(help="finetune: Beta parameter of mixup; 0 disables it.")] = None,
    cutmix: Annotated[float | None, typer.Option(help="finetune: Beta parameter of cutmix; 0 disables it.")] = None,
    crop: Annotated[int | None, typer.Option(help="finetune: largest random shift in pixels.")] = None,
    flip: Annotated[bool | None, typer.Option("--flip", help="finetune: mirror half of the images.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Also write probe.json to this folder; it is the folder of a fine-tuning run, by default "
            "runs/finetune below the working directory."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="finetune: resume from the newest checkpoint.")] = False,
    loading: Mapping[str, Any],
    device: Device = None,
    seed: OptionalSeed = None,
    as_json: Json = False,
) -> None:
    """Evaluate frozen features (linear, k-NN) or fine-tune; report test accuracy.

    Defaults follow MAE's recipes for ImageNet. finetune runs on the device that Fabric chooses, a GPU if there is one,
    unless --device is given; the other modes run on the CPU by default.
    """
    from maetheory.checkpoints import load_checkpoint
    from maetheory.checkpoints.device import usable_device
    from maetheory.data import load_images
    from maetheory.reports.diagnosis import encoder_decode_options, image_notes, resize_note

    options = mode_options(
        mode,
        {
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
        },
    )
    if resume and mode != "finetune":
        raise InputError(f"only finetune can be resumed, but the mode is {mode!r}")
    readout = readout or ("mean" if mode == "finetune" else "cls")
    if readout not in ("cls", "mean"):
        raise InputError(f"a probe reads 'cls' or 'mean', but the readout is {readout!r}")
    if out is not None:
        check_writable(out)
    written = None if mode == "finetune" else out  # a fine-tuning run holds its folder itself
    torch_device = usable_device(device or "cpu")
    with hold_output_folder(written):
        with show_progress() as progress:
            encoder, report = load_checkpoint(checkpoint, **loading, device=torch_device)
            decoding = encoder_decode_options(report)
            images = load_images(data, split="train", limit=limit, options=decoding)
            decoding = replace(decoding, pixel_ranges=images.pixel_ranges)  # one scale for both splits
            splits = [images, load_images(data, split="test", limit=limit, options=decoding)]
            if mode == "finetune":
                folder, accelerator = out or Path("runs/finetune"), device or "auto"
                run_options: dict[str, Any] = {"out": folder, "resume": resume, "accelerator": accelerator}
                result = fine_tune(encoder, splits, readout, options, progress=progress, **run_options)
            else:
                result = probe_frozen(encoder, splits, mode, readout, options, progress)
        accuracy: Estimate = result.pop("accuracy")
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
            "notes": [
                *report.notes,
                *(f"{images.split}: {note}" for images in splits for note in image_notes(images)),
                *filter(None, [resize_note(splits[0], report)]),
            ],
        }
        if out is not None:
            with atomic_write(out / "probe.json") as part:
                part.write_text(strict_json(document, indent=1) + "\n", encoding="utf-8")
    print_result(document, as_json, lambda: _result_text(accuracy, document))


def _result_text(accuracy: Estimate, document: dict[str, Any]) -> str:
    """Return the accuracy in percent with its recipe, and the notes below it."""
    percent = Estimate(100 * accuracy.value, 100 * accuracy.error)
    details = f"{document['readout']}; {document['recipe']}; {document['n_test']} test images"
    return "\n".join([f"accuracy {percent} % ({details})", *(f"note: {note}" for note in document["notes"])])
