"""Options that several commands share, each said once."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]
Data = Annotated[str | None, typer.Option("--data", help="digits, cifar10, or a folder of images.")]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, max=2**31 - 1, help="The one seed everything random comes from.")
]
Heads = Annotated[int | None, typer.Option("--heads", min=1, help="Attention heads, where the file is silent.")]
DialectName = Annotated[str | None, typer.Option("--dialect", help="The code base that wrote the file.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Which of the file's weights, by their path in it.")]
Device = Annotated[str | None, typer.Option("--device", help="Where the arithmetic is done: cpu (default), cuda, …")]
ImageSize = Annotated[int | None, typer.Option("--image-size", min=1, help="Side of images; positions are resized.")]
