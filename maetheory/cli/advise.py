"""`maetheory advise`: which mask law, mask ratio and patch size, from the images alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from maetheory.cli.options import Json, Seed
from maetheory.cli.output_folder import hold_output_folder
from maetheory.cli.patch_size import check_patch_sizes
from maetheory.cli.program import app
from maetheory.cli.terminal import (
    print_note,
    print_result,
    printable_path,
    show_progress,
    terminal_options,
    warn_of_image_assumptions,
    wrapped,
)
from maetheory.core import InputError

Item = TypeVar("Item")


@app.command()
def advise(
    images: Annotated[
        str,
        typer.Argument(
            help="digits, cifar10, a folder of images, a .npy or .npz file, or a folder of CIFAR or MNIST files."
        ),
    ] = "digits",
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Labels of the images, in their order: a .npy file, or a text file with one whole number a line. By "
            "default those of the images, such as the names of class folders."
        ),
    ] = None,
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Ignore all labels.")] = False,
    laws: Annotated[
        str,
        typer.Option(
            "--laws", "--mask-law", help="Mask laws, separated by commas: uniform, bernoulli, block, mixture."
        ),
    ] = "uniform,block,mixture",
    ratios: Annotated[
        str, typer.Option("--mask-ratios", "--mask-ratio", help="Fractions of hidden patches, separated by commas.")
    ] = "0.25,0.5,0.75",
    patch_sizes: Annotated[
        str | None,
        typer.Option(
            "--patch-sizes",
            "--patch-size",
            help="Sides of a patch in pixels, separated by commas; by default an eighth and a quarter of the side.",
        ),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", help="Features of the linear autoencoder; the number of classes by default, 10 without."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="Largest number of images, balanced over classes.")] = 2000,
    masks: Annotated[int, typer.Option(help="Number of masks drawn for each candidate.")] = 8,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write advice.json, advice.csv and the figure, as SVG and PNG, to this folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank mask laws, mask ratios and patch sizes for images, without training, or say that the images do not decide.

    Each candidate is scored from the images and, where there are labels, from these. The ranking follows the score that
    predicted linear probes in our studies of mask laws; its correlations there are printed with it.

    Examples: maetheory advise; maetheory advise DIR --patch-sizes 8,16; maetheory advise images.npy --labels labels.txt
    """
    from maetheory.data import load_images
    from maetheory.empirical.advice import advise as advise_images
    from maetheory.empirical.advice import make_candidates
    from maetheory.reports.advice import advice_document, advice_text, write_advice

    if labels is not None and no_labels:
        raise InputError("--labels gives labels and --no-labels ignores them; leave one out")
    chosen_laws = _items(laws, str, "--laws")
    chosen_ratios = _items(ratios, float, "--mask-ratios")
    sizes = None if patch_sizes is None else _items(patch_sizes, int, "--patch-sizes")
    make_candidates(
        2**10, 2**10, laws=chosen_laws, mask_ratios=chosen_ratios, patch_sizes=(2**5, 2**6)
    )  # early refusal
    check_patch_sizes(images, sizes or [])
    with hold_output_folder(out), show_progress() as progress:
        found = load_images(images, limit=None if labels is not None else limit, progress=progress)
        warn_of_image_assumptions(found)
        advice = advise_images(
            found,
            None if labels is None else _read_labels(labels),
            laws=chosen_laws,
            mask_ratios=chosen_ratios,
            patch_sizes=sizes,
            use_labels=not no_labels,
            k=k,
            n_images=limit,
            n_masks=masks,
            seed=seed,
            progress=progress,
            announce=print_note,
        )
        written = [] if out is None else write_advice(out, advice)
    print_result(
        {**advice_document(advice), "files": [str(path) for path in written]},
        as_json,
        lambda: "\n".join([wrapped(advice_text(advice, **terminal_options())), *map(printable_path, written)]),
    )


def _items(text: str, kind: Callable[[str], Item], option: str) -> list[Item]:
    """Return the values of an option that stand between commas.

    Raises
    ------
    InputError
        If there is none, or one is of another kind.
    """
    try:
        return [kind(part.strip()) for part in text.split(",")]
    except ValueError:
        wanted = "whole numbers" if kind is int else "numbers"
        raise InputError(f"{option} takes {wanted} separated by commas, but it is {text!r}") from None


def _read_labels(path: Path):  # type: ignore[no-untyped-def]  # NumPy is imported inside
    """Return the labels in a file, (N,)."""
    import numpy as np

    from maetheory.core.files import read_regular_file
    from maetheory.data.npy_headers import map_npy

    try:
        if path.suffix == ".npy":
            return np.array(map_npy(path))
        words = read_regular_file(path, 2**28).decode("ascii").split()
        return np.array([int(word) for word in words], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{path} must hold one whole number for each image, as .npy or as text with one a line, but it "
            "cannot be read so"
        ) from error
