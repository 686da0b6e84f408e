"""Command-line options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
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
MeasuredData = Annotated[
    str | None,
    typer.Option(
        "--data",
        help=f"{_DATA_HELP} Needed for every checkpoint but those of 8 x 8 pixels, which are measured on digits.",
    ),
]
OptionalData = Annotated[str | None, typer.Option("--data", help=f"{_DATA_HELP} By default the experiment's own.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=MAX_SEED, help=_SEED_HELP)]
OptionalSeed = Annotated[int | None, typer.Option("--seed", min=0, max=MAX_SEED, help=_SEED_HELP)]
MaskLaw = Annotated[str, typer.Option("--mask-law", "--law", help="Mask law: uniform, bernoulli or block.")]
BATCH_SIZE = ("--batch-size", "--batch")
"""Name of the option in the ecosystem, and its old name here."""
MaskRatio = Annotated[float, typer.Option("--mask-ratio", help="Fraction of hidden patches.")]
Device = Annotated[str | None, typer.Option("--device", help="Device of the computation: cpu (default), cuda, …")]
TrainingPrecision = Annotated[
    str,
    typer.Option(
        "--precision",
        help="Training precision: 32-true, bf16-mixed, …, or auto: measure both for a second and take the faster.",
    ),
]
TrainingDevice = Annotated[str, typer.Option("--device", help="Kind of device: auto (default), cpu, cuda or mps.")]


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


def _parse_image_size(text: str) -> int | tuple[int, int]:
    """Return the side of square images, or height and width.

    Raises
    ------
    BadParameter
        If the text is no positive number, nor two of them with an x between.
    """
    sides = [int(part) if part.isdecimal() and len(part) < 10 else 0 for part in text.lower().split("x")]
    if len(sides) not in (1, 2) or min(sides) < 1:
        raise typer.BadParameter(
            f"it must be a whole number of at least 1, or height and width as 32x128, but it is {text!r}"
        )
    return sides[0] if len(set(sides)) == 1 else (sides[0], sides[1])


_CHANNEL_HELP = "of the images that the encoder was trained on: one number, or one a channel separated by commas."
LOADING_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "heads": Annotated[
            int | None,
            typer.Option("--heads", min=1, help="Number of attention heads, if the file does not state it."),
        ],
        "dialect": Annotated[str | None, typer.Option("--dialect", help="Code base that wrote the file.")],
        "weights": Annotated[
            str | None, typer.Option("--weights", help="Which weights of the file, by their path in it.")
        ],
        "image_size": Annotated[
            Any,
            typer.Option(
                "--image-size",
                parser=_parse_image_size,
                metavar="SIDE|HEIGHTxWIDTH",
                help="Side of the images in pixels, or height and width as 32x128; position embeddings are resized.",
            ),
        ],
        "mean": Annotated[
            Any, typer.Option("--mean", parser=_parse_channel_values, metavar="NUMBERS", help=f"Mean {_CHANNEL_HELP}")
        ],
        "std": Annotated[
            Any,
            typer.Option(
                "--std", parser=_parse_channel_values, metavar="NUMBERS", help=f"Standard deviation {_CHANNEL_HELP}"
            ),
        ],
        "eps": Annotated[float | None, typer.Option("--eps", help="LayerNorm's eps, if the file does not state it.")],
        "activation": Annotated[
            str | None,
            typer.Option("--activation", help="gelu, gelu-tanh or quick-gelu, if the file does not state it."),
        ],
        "sha256": Annotated[
            str | None,
            typer.Option("--sha256", help="Hash that the file must have; with it an https address is downloaded."),
        ],
    }
)
"""Options of every command that loads a checkpoint: keyword of `load_checkpoint` -> its option, by default None."""


def with_loading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `LOADING_OPTIONS` in place of its argument `loading`, which receives their values as a mapping.

    All arguments of the command are keywords, as typer calls it.
    """
    signature = inspect.signature(command, eval_str=True)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in LOADING_OPTIONS.items()
    ]
    own = list(signature.parameters.values())
    place = list(signature.parameters).index("loading")

    @wraps(command)
    def command_with_options(**values: Any) -> None:
        loading = {name: values.pop(name) for name in LOADING_OPTIONS}
        command(**values, loading=loading)

    parameters = [*own[:place], *shared, *own[place + 1 :]]
    command_with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # PEP 362
    return command_with_options
