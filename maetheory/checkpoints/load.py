"""Load the encoder of any checkpoint with a report of how, or raise an error that names what the file holds instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from maetheory.checkpoints.complete_match import CompleteMatch, complete_match
from maetheory.checkpoints.device import usable_device
from maetheory.checkpoints.dialects.catalogue import DIALECTS
from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.encoder import Encoder
from maetheory.checkpoints.encoder_config import Size, format_size, two_sides
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.reading.training_arguments import decoder_status, training_arguments
from maetheory.checkpoints.report import HeadDescription, LoadReport
from maetheory.checkpoints.resize_positions import resize_position_embedding
from maetheory.core import InputError
from maetheory.core.unknown_names import unknown_name_error


def load_checkpoint(
    path: str | Path,
    *,
    heads: int | None = None,
    dialect: str | None = None,
    device: str | torch.device = "cpu",
    image_size: Size | None = None,
    weights: str | None = None,
    eps: float | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    activation: str | None = None,
    sha256: str | None = None,
) -> tuple[Encoder, LoadReport]:
    """Load the encoder of any checkpoint without running any code of it.

    Parameters
    ----------
    path : path of a file, or of a folder: a training run of ours, a Hugging Face model
        Also ``hf://organisation/model``, and ``https://…`` with `sha256`.
    heads : int, optional
        Number of attention heads, which most files do not state.
    dialect : str, optional
        Name of the code base that wrote the file; by default the first one whose names fit.
    device : str or torch.device
    image_size : int or (int, int), optional
        Side of the images, or height and width of rectangles; if it is not the file's, the position table is resized,
        and the report says how.
    weights : str, optional
        Which of the file's weights, by the path in its tree ("model") or by the prefix of their names
        ("module.momentum_encoder"); by default those that the code base evaluates, averaged ones first.
    eps : float, optional
        LayerNorm ε.
    mean, std : float or one float a channel, optional
        Values by which images in [0, 1] are standardised, (x - mean) / std.
    activation : "gelu", "gelu-tanh", "quick-gelu", "swiglu" or "geglu", optional
        Activation of the MLPs.

    sha256 : str, optional
        Hash that the weights file must have, 64 hexadecimal digits.

    Returns
    -------
    encoder : Encoder
        In eval mode, float32.
    report : LoadReport

    Raises
    ------
    InputError
        If the file cannot be read, is no Vision Transformer, has missing or unexpected tensors, holds NaN or infinity,
        or does not state a value that is needed; the message names the argument to pass.
    """
    contents = read_checkpoint(path, sha256=sha256)
    encoder, report = load_contents(
        contents,
        heads=heads,
        dialect=dialect,
        image_size=image_size,
        weights=weights,
        eps=eps,
        mean=mean,
        std=std,
        activation=activation,
    )
    device = usable_device(device)
    try:
        return encoder.to(device), report
    except RuntimeError as error:  # out of memory
        raise InputError(f"the device {str(device)!r} cannot hold the encoder: {str(error).splitlines()[0]}") from error


def inspect_checkpoint(path: str | Path, **options: Any) -> LoadReport:
    """Return the report of `load_checkpoint` without the encoder; options and errors are the same."""
    options.pop("device", None)
    contents = read_checkpoint(path, sha256=options.pop("sha256", None))
    return load_contents(contents, **options)[1]


def load_contents(
    contents: CheckpointContents,
    *,
    heads: int | None = None,
    dialect: str | None = None,
    image_size: Size | None = None,
    weights: str | None = None,
    eps: float | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    activation: str | None = None,
    dialects: Sequence[Dialect] = DIALECTS,
) -> tuple[Encoder, LoadReport]:
    """Build the encoder from contents already read; arguments and errors as for `load_checkpoint`."""
    arguments = {
        "heads": heads,
        "image_size": image_size,
        "eps": eps,
        "mean": mean,
        "std": std,
        "activation": activation,
    }
    chosen = _select_dialects_by_name(dialects, dialect)
    found = complete_match(contents, chosen, weights, arguments, dialect_given=dialect is not None)
    if image_size and two_sides(image_size) != found.config.image_shape:
        found = _resize_positions(found, image_size)
    return _build_encoder(found), _make_report(contents, found)


def _select_dialects_by_name(dialects: Sequence[Dialect], name: str | None) -> Sequence[Dialect]:
    """Return the dialects of a name, all of them without one."""
    if name is None:
        return dialects
    chosen = [dialect for dialect in dialects if dialect.name == name]
    if not chosen:
        raise unknown_name_error("dialect", name, (dialect.name for dialect in dialects))
    return [replace(dialect, evidence=_accept_without_evidence) for dialect in chosen]


def _accept_without_evidence(contents: CheckpointContents, tensors: Mapping[str, Any]) -> bool:
    """Return True: a caller who names the code base needs no evidence of it."""
    return True


def _resize_positions(found: CompleteMatch, size: Size) -> CompleteMatch:
    """Return the match with its position table interpolated to another image size."""
    config = replace(found.config, image_size=size)
    if found.config.positions == "none":
        return found._replace(config=config, sources={**found.sources, "image_size": "argument"})
    if found.config.positions != "table":
        raise InputError(
            f"relative positions are of one image size only, {format_size(found.config.image_size)}, but image_size= "
            f"(--image-size) is {format_size(size)}"
        )
    table, method = resize_position_embedding(
        found.tensors["pos_embed"],
        config.position_prefix,
        config.grid,
        old_grid=found.config.grid,
        antialias=found.match.dialect.antialias,
        interpolate_offset=found.match.dialect.interpolate_offset,
        recompute_sincos=found.match.dialect.recompute_sincos,
    )
    (rows, columns), (new_rows, new_columns) = found.config.grid, config.grid
    note = f"positions of {rows} x {columns} patches became {new_rows} x {new_columns}: {method}"
    return found._replace(
        config=config,
        tensors={**found.tensors, "pos_embed": table},
        sources={**found.sources, "image_size": "argument"},
        notes=(*found.notes, note),
    )


def _build_encoder(found: CompleteMatch) -> Encoder:
    """Return the encoder with the tensors of the file, built on the meta device so that no weights are drawn."""
    head = found.head
    if head is not None:
        head.module.load_state_dict(head.tensors)
    with torch.device("meta"):
        encoder = Encoder(found.config, None, head.readout if head else "cls")
    encoder.load_state_dict(found.tensors, assign=True)
    encoder.code_base = found.code_base
    encoder.head = head.module if head else None
    return encoder.eval()


def _make_report(contents: CheckpointContents, found: CompleteMatch) -> LoadReport:
    """Describe the file, the dialect, the configuration and its sources."""
    match, head = found.match, found.head
    notes = [*contents.notes, *found.notes]
    weights_path = match.weights_path or "the top of the file"
    if match.averaged:
        weights_path += ", a running average of the trained weights"
    if match.other_state_dicts:
        listed = ", ".join(
            f"{path or 'the top'} ({n} tensors)" for path, n in list(match.other_state_dicts.items())[:10]
        )
        notes.append(f"the file also holds {listed}; weights= (--weights) chooses")
    return LoadReport(
        path=str(contents.path),
        sha256=contents.sha256,
        container=contents.container,
        dialect=found.code_base,
        about=found.description,
        weights=weights_path,
        prefix=match.prefix,
        wrappers=match.wrappers,
        globals=contents.globals,
        config=found.config,
        sources=found.sources,
        left=found.unused,
        decoder=decoder_status(found.unused, (*match.tensors, *match.other_keys)),
        head=HeadDescription(head.classes, head.readout) if head else None,
        notes=tuple(notes),
        trained=training_arguments(contents),
    )
