"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
DialectName = Annotated[str | None, typer.Option("--dialect", help="Code base that wrote the file.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Which weights of the file, by their path in it.")]
Device = Annotated[str | None, typer.Option("--device", help="Device of the computation: cpu (default), cuda, …")]
ImageSize = Annotated[
    int | None,
    typer.Option("--image-size", min=1, help="Side of the images in pixels; position embeddings are resized."),
]
