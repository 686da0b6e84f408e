"""Any checkpoint becomes an encoder and a report of how, or an error that says what the file holds instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from maetheory.checkpoints.device import usable_device
from maetheory.checkpoints.dialects.catalogue import DIALECTS
from maetheory.checkpoints.dialects.dialect import ConfigValue, Dialect
from maetheory.checkpoints.dialects.infer import infer_config
from maetheory.checkpoints.dialects.match import DialectMatch, match_dialects, to_canonical_names
from maetheory.checkpoints.dialects.unrecognised import no_encoder_error
from maetheory.checkpoints.encoder import Encoder, EncoderConfig
from maetheory.checkpoints.head import ClassifierHead, find_classifier_head, is_head_key
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.reading.training_arguments import decoder_status, training_arguments
from maetheory.checkpoints.report import Head, LoadReport
from maetheory.checkpoints.resize_positions import resize_position_embedding
from maetheory.core import InputError

TOKEN_PARAMETERS = ("cls_token", "reg_token", "pos_embed")


class _CompleteMatch(NamedTuple):
    """A match that holds every tensor of an encoder and nothing unexplained."""

    match: DialectMatch
    config: EncoderConfig
    sources: dict[str, str]
    tensors: dict[str, Tensor]
    head: ClassifierHead | None
    left: dict[str, int]
    notes: tuple[str, ...]


def load_checkpoint(
    path: str | Path,
    *,
    heads: int | None = None,
    dialect: str | None = None,
    device: str | torch.device = "cpu",
    image_size: int | None = None,
    weights: str | None = None,
    eps: float | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> tuple[Encoder, LoadReport]:
    """Load the encoder of any checkpoint without running any code of it.

    Parameters
    ----------
    path : path of a file, or of a folder: a training run of ours, a Hugging Face model
    heads : int, optional
        Attention heads, which no shape tells.
    dialect : str, optional
        Name of the code base that wrote the file, where it cannot be told.
    device : str or torch.device
    image_size : int, optional
        Another side of images; the position table is resized, and the report says how.
    weights : str, optional
        Which of the file's weights, by the path in its tree ("model") or by what stands before their names
        ("module.momentum_encoder"); by default those the code base would evaluate, averaged ones first.
    eps : float, optional
        LayerNorm ε.
    mean, std : float or one float a channel, optional
        How images in [0, 1] are standardised.

    Returns
    -------
    encoder : Encoder
        In eval mode, float32.
    report : LoadReport

    Raises
    ------
    InputError
        If the file cannot be read, is no Vision Transformer, holds less or more than one, holds NaN or infinity, or
        something nobody wrote down is needed; the sentence names the argument to pass.
    """
    contents = read_checkpoint(path)
    encoder, report = load_contents(
        contents, heads=heads, dialect=dialect, image_size=image_size, weights=weights, eps=eps, mean=mean, std=std
    )
    device = usable_device(device)
    try:
        return encoder.to(device), report
    except RuntimeError as error:  # its memory is full
        raise InputError(f"the device {str(device)!r} cannot hold the encoder: {str(error).splitlines()[0]}") from error


def inspect_checkpoint(path: str | Path, **options: Any) -> LoadReport:
    """Return the report `load_checkpoint` gives, with the same options and errors, and keep no tensor."""
    options.pop("device", None)
    return load_contents(read_checkpoint(path), **options)[1]


def load_contents(
    contents: CheckpointContents,
    *,
    heads: int | None = None,
    dialect: str | None = None,
    image_size: int | None = None,
    weights: str | None = None,
    eps: float | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    dialects: Sequence[Dialect] = DIALECTS,
) -> tuple[Encoder, LoadReport]:
    """Load what was read; arguments and errors as for `load_checkpoint`."""
    arguments = {"heads": heads, "image_size": image_size, "eps": eps, "mean": mean, "std": std}
    reading = _best_match(contents, _select_dialects(dialects, dialect), weights, arguments)
    size = image_size or reading.config.image_size
    if size != reading.config.image_size:
        reading = _resize_positions(reading, size)
    encoder = _build_encoder(reading)
    return encoder, _make_report(contents, reading)


def _select_dialects(dialects: Sequence[Dialect], name: str | None) -> Sequence[Dialect]:
    if name is None:
        return dialects
    chosen = [dialect for dialect in dialects if dialect.name == name]
    if not chosen:
        known = ", ".join(dict.fromkeys(dialect.name for dialect in dialects))
        raise InputError(f"unknown dialect {name!r}; known are {known}")
    return chosen


def _best_match(
    contents: CheckpointContents, dialects: Sequence[Dialect], weights: str | None, arguments: Mapping[str, Any]
) -> _CompleteMatch:
    """Return the reading of the first dialect that explains every key.

    Raises
    ------
    InputError
        If none does, or a later dialect explains the same state dict as other tensors.
    """
    whole: list[_CompleteMatch] = []
    wrong: list[InputError] = []
    for match in match_dialects(contents, dialects, weights):
        try:
            whole.append(_complete_match(match, contents, arguments))
        except InputError as error:
            wrong.append(error)
    if not whole:
        raise wrong[0] if wrong else no_encoder_error(contents, dialects)
    first = whole[0]
    for other in whole[1:]:
        if (other.match.weights, other.match.prefix) == (first.match.weights, first.match.prefix) and not _same_tensors(
            first.tensors, other.tensors
        ):
            raise InputError(
                f"this file can be read as {first.match.dialect.name} and as {other.match.dialect.name}, "
                "and they differ: pass dialect= (--dialect)"
            )
    return first


def _same_tensors(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        value is other[name] or torch.equal(value, other[name]) for name, value in one.items()
    )


def _complete_match(match: DialectMatch, contents: CheckpointContents, arguments: Mapping[str, Any]) -> _CompleteMatch:
    try:
        tensors, left = to_canonical_names(match)
        tensors, converted = _to_float32(tensors)
        config_values: Mapping[str, ConfigValue] = match.dialect.config_values(contents, tensors)
        told = match.dialect.notes(contents, tensors)
    except (KeyError, IndexError, RuntimeError, AttributeError, TypeError) as error:
        raise InputError(
            f"these weights are no whole Vision Transformer as {match.dialect.name} writes them: "
            f"{type(error).__name__} {error}"
        ) from error
    config, sources, notes = infer_config(tensors, config_values, match.dialect.defaults, arguments)
    head = find_classifier_head(tensors, config, match.dialect.head_readout)
    kept, filled, left = _check_state_dict(tensors, config, head, left)
    return _CompleteMatch(match, config, sources, kept, head, left, (*notes, *told, *converted, *filled))


def _to_float32(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return float32 tensors, tokens of three dimensions, and what was converted.

    Raises
    ------
    InputError
        If a tensor holds NaN or infinity.
    """
    kinds = sorted(
        {
            str(value.dtype).removeprefix("torch.")
            for value in tensors.values()
            if value.is_floating_point() and value.dtype != torch.float32
        }
    )
    single = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    bad = [name for name, value in single.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise InputError(f"{len(bad)} tensors of this file hold NaN or infinity, among them {', '.join(bad[:10])}")
    for name in TOKEN_PARAMETERS:
        if name in single and single[name].ndim in (1, 2):
            single[name] = single[name].reshape(1, -1, single[name].shape[-1])
    return single, (f"{' and '.join(kinds)} weights became float32",) if kinds else ()


def _check_state_dict(
    tensors: Mapping[str, Tensor], config: EncoderConfig, head: ClassifierHead | None, left: Mapping[str, int]
) -> tuple[dict[str, Tensor], list[str], dict[str, int]]:
    """Return exactly the encoder's tensors, notes on biases that are zero because nobody wrote them, and what is left.

    Raises
    ------
    InputError
        If a name is missing, unexpected, or of another shape, or norms have no bias: RMS norms do not centre.
    """
    with torch.device("meta"):
        wanted = Encoder(config).state_dict()
    left = dict(left)
    names = set(tensors) - {name for name in tensors if is_head_key(name, config)}
    if head is None and (unused := len(tensors) - len(names)):
        left["a head that reads no single token of the encoder"] = unused
    missing, unexpected = sorted(set(wanted) - names), sorted(names - set(wanted))
    zero = [
        name
        for name in missing
        if name.endswith("bias")
        and name.removesuffix("bias") + "weight" in names
        and not any(_parameter_kind(name) == _parameter_kind(other) for other in names)
    ]
    if bare := next((name for name in zero if "norm" in name), None):
        raise InputError(
            f"the norms of this file have no bias ({bare} is missing), so they may be RMS norms, which no "
            "encoder here computes"
        )
    problems = [
        f"{len(found)} are {what}: {', '.join(found[:10])}{' …' if len(found) > 10 else ''}"
        for what, found in (("missing", [n for n in missing if n not in zero]), ("unexpected", unexpected))
        if found
    ]
    if problems:
        raise InputError(
            f"these weights are no whole Vision Transformer: of its {len(wanted)} names {' and '.join(problems)}"
        )
    for name in sorted(set(wanted) - set(zero)):
        if tensors[name].shape != wanted[name].shape or not tensors[name].is_floating_point():
            raise InputError(
                f"{name} must hold real numbers of shape {tuple(wanted[name].shape)}, but this file's is "
                f"{tensors[name].dtype} {tuple(tensors[name].shape)}"
            )
    kept = {name: tensors[name] if name in tensors else torch.zeros(wanted[name].shape) for name in wanted}
    notes = [f"the file leaves out {len(zero)} biases, which are zero, as {zero[0]}"] if zero else []
    return kept, notes, left


def _parameter_kind(name: str) -> str:
    """Return a name with its block number taken out: the same parameter of every block."""
    parts = name.split(".")
    return ".".join("i" if part.isdigit() else part for part in parts)


def _resize_positions(reading: _CompleteMatch, size: int) -> _CompleteMatch:
    config = replace(reading.config, image_size=size)
    if reading.config.positions != "table":
        raise InputError(
            f"relative positions are of one image size only, {reading.config.image_size}, but image_size= "
            f"(--image-size) is {size}"
        )
    table, how = resize_position_embedding(
        reading.tensors["pos_embed"],
        config.position_prefix,
        config.grid,
        antialias=reading.match.dialect.antialias,
        interpolate_offset=reading.match.dialect.interpolate_offset,
    )
    old, new = reading.config.grid, config.grid
    note = f"positions of {old} x {old} patches became {new} x {new}: {how}"
    return reading._replace(
        config=config,
        tensors={**reading.tensors, "pos_embed": table},
        sources={**reading.sources, "image_size": "argument"},
        notes=(*reading.notes, note),
    )


def _build_encoder(reading: _CompleteMatch) -> Encoder:
    head = reading.head
    if head is not None:
        head.module.load_state_dict(head.tensors)
    with torch.device("meta"):
        encoder = Encoder(reading.config, None, head.readout if head else "cls")
    encoder.load_state_dict(reading.tensors, assign=True)
    encoder.code_base = reading.match.dialect.name
    encoder.head = head.module if head else None
    return encoder.eval()


def _make_report(contents: CheckpointContents, reading: _CompleteMatch) -> LoadReport:
    match, head = reading.match, reading.head
    notes = list(reading.notes)
    where = match.where or "the top of the file"
    if match.averaged:
        where += ", a running average of the trained weights"
    if match.other_state_dicts:
        listed = ", ".join(
            f"{path or 'the top'} ({n} tensors)" for path, n in list(match.other_state_dicts.items())[:10]
        )
        notes.append(f"the file also holds {listed}; weights= (--weights) chooses")
    return LoadReport(
        str(contents.path),
        contents.sha256,
        contents.container,
        match.dialect.name,
        match.dialect.about,
        where,
        match.prefix,
        match.wrappers,
        contents.globals,
        reading.config,
        reading.sources,
        reading.left,
        decoder_status(reading.left, (*match.inside, *match.other_keys)),
        Head(head.classes, head.readout) if head else None,
        tuple(notes),
        training_arguments(contents),
    )
