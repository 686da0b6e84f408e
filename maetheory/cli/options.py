"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_DATA_HELP = "digits, cifar10, a folder of images, a .npy or .npz file, or a folder of CIFAR or MNIST files."
_SEED_HELP = "Seed of all random numbers."
MAX_SEED = 2**31 - 1

Checkpoint = Annotated[
    Path, typer.Argument(help="Checkpoint file, or folder of a maetheory run or of a Hugging Face model.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
Data = Annotated[str, typer.Option("--data", help=_DATA_HELP)]
OptionalData = Annotated[str | None, typer.Option("--data", help=f"{_DATA_HELP} By default the experiment's own.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help=_SEED_HELP)]
OptionalSeed = Annotated[int | None, typer.Option("--seed", min=0, max=MAX_SEED, help=_SEED_HELP)]
MaskRatio = Annotated[float, typer.Option("--mask-ratio", help="Fraction of hidden patches.")]
Heads = Annotated[
    int | None, typer.Option("--heads", min=1, help="Number of attention heads, if the file does not state it.")
]


def _parse_channel_values(text: str) -> tuple[float, ...]:
    """Return one number, or one a channel separated by commas.

    Raises
    ------
    BadParameter
        If the text is something else.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"it must be one number, or one a channel separated by commas, but it is {text!r}"
        ) from None


_CHANNEL_HELP = "of the images that the encoder was trained on: one number, or one a channel separated by commas."
Mean = Annotated[
    Any, typer.Option("--mean", parser=_parse_channel_values, metavar="NUMBERS", help=f"Mean {_CHANNEL_HELP}")
]
Std = Annotated[
    Any,
    typer.Option("--std", parser=_parse_channel_values, metavar="NUMBERS", help=f"Standard deviation {_CHANNEL_HELP}"),
]
Eps = Annotated[float | None, typer.Option("--eps", help="LayerNorm's eps, if the file does not state it.")]
Activation = Annotated[
    str | None,
    typer.Option("--activation", help="gelu, gelu-tanh or quick-gelu, if the file does not state it."),
]
DialectName = Annotated[str | None, typer.Option("--dialect", help="Code base that wrote the file.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Which weights of the file, by their path in it.")]
Device = Annotated[str | None, typer.Option("--device", help="Device of the computation: cpu (default), cuda, …")]
ImageSize = Annotated[
    int | None,
    typer.Option("--image-size", min=1, help="Side of the images in pixels; position embeddings are resized."),
]
