"""Find the dialect that explains every tensor of a file, and the complete encoder under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from maetheory.checkpoints.classifier_head import ClassifierHead, find_classifier_head, is_head_key
from maetheory.checkpoints.dialects.code_base import infer_code_base
from maetheory.checkpoints.dialects.dialect import ConfigValue, Dialect
from maetheory.checkpoints.dialects.infer import infer_config
from maetheory.checkpoints.dialects.match import DialectMatch, match_dialects, search_matches, to_canonical_names
from maetheory.checkpoints.dialects.model_names import stated_model_name
from maetheory.checkpoints.dialects.other_contents import other_contents_error, unseen_computation_error
from maetheory.checkpoints.dialects.rotary import refuse_possible_rotary, refuse_qwen3_encoder
from maetheory.checkpoints.dialects.rotary_encoders import EVA_DIALECTS
from maetheory.checkpoints.dialects.stated_values import pickled_module_values, stored_configuration_values
from maetheory.checkpoints.dialects.unrecognised import no_encoder_error
from maetheory.checkpoints.encoder import Encoder
from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

ROTARY_DIALECTS = {dialect.name for dialect in EVA_DIALECTS} - {"timm"}
PATCHES = "patch_embed.proj.weight"
TOKEN_PARAMETERS = ("cls_token", "reg_token", "pos_embed")


class CompleteMatch(NamedTuple):
    """A match that has every tensor of an encoder and no unexplained one.

    Attributes
    ----------
    match : DialectMatch
    config : EncoderConfig
    sources : dict of str to str
        Source of each field of the configuration.
    tensors : dict of str to Tensor
        The state dict of `Encoder`.
    head : ClassifierHead, optional
    unused : dict of str to int
        Number of unused keys by description.
    notes : tuple of str
        What was assumed, converted or added.
    code_base, description : str
        Those of the dialect, or neutral ones where nothing shows that timm wrote names which any code may use.
    """

    match: DialectMatch
    config: EncoderConfig
    sources: dict[str, str]
    tensors: dict[str, Tensor]
    head: ClassifierHead | None
    unused: dict[str, int]
    notes: tuple[str, ...]
    code_base: str
    description: str


def complete_match(
    contents: CheckpointContents,
    dialects: Sequence[Dialect],
    weights: str | None,
    arguments: Mapping[str, Any],
    *,
    dialect_given: bool = False,
) -> CompleteMatch:
    """Return the match of the first dialect that explains every key.

    Parameters
    ----------
    contents : CheckpointContents
    dialects : sequence of Dialect
    weights : str, optional
        As for `load_checkpoint`.
    arguments : mapping from field of `EncoderConfig` to value
        The caller's values; None is no value.
    dialect_given : bool
        Whether the caller chose the dialect.

    Raises
    ------
    InputError
        If no dialect does, a later one explains the same state dict as other tensors, or names show that the file's
        own code computes more than its tensors show.
    """
    if unseen := unseen_computation_error(contents):
        raise unseen
    complete, errors = _translate_matches(
        match_dialects(contents, dialects, weights), contents, arguments, dialect_given
    )
    if not complete:
        complete, more_errors = _translate_matches(
            search_matches(contents, dialects, weights), contents, arguments, dialect_given
        )
        errors += more_errors
        complete = _matches_of_only_encoder(complete)
    if not complete:
        known = other_contents_error(contents)
        raise known or (errors[0] if errors else no_encoder_error(contents, dialects))
    first = complete[0]
    for other in complete[1:]:
        if _at_same_place(first.match, other.match) and not _equal_state_dicts(first.tensors, other.tensors):
            raise InputError(
                f"this file can be read as {first.match.dialect.name} and as {other.match.dialect.name}, "
                "and they differ: pass dialect= (--dialect)"
            )
    return first


def _translate_matches(
    matches: Iterable[DialectMatch],
    contents: CheckpointContents,
    arguments: Mapping[str, Any],
    dialect_given: bool,
) -> tuple[list[CompleteMatch], list[InputError]]:
    """Return the matches that are whole encoders, and the errors of the others."""
    complete: list[CompleteMatch] = []
    errors: list[InputError] = []
    for match in matches:
        try:
            complete.append(_translate_match(match, contents, arguments, dialect_given))
        except InputError as error:
            errors.append(error)
    return complete, errors


def _matches_of_only_encoder(complete: list[CompleteMatch]) -> list[CompleteMatch]:
    """Return the matches of the only encoder among those that a search found.

    Raises
    ------
    InputError
        If the file holds several that differ.
    """
    places: dict[str, CompleteMatch] = {}
    for found in complete:
        if not any(_equal_state_dicts(found.tensors, other.tensors) for other in places.values()):
            places.setdefault(found.match.weights_path or "the top of the file", found)
    if len(places) > 1:
        raise InputError(
            f"this file holds {len(places)} encoders, {', '.join(places)}: pass weights= (--weights) with one of them"
        )
    return [found for found in complete if _at_same_place(complete[0].match, found.match)]


def _at_same_place(one: DialectMatch, other: DialectMatch) -> bool:
    """Return whether two matches read the same state dict behind the same prefix."""
    return (one.state_dict_path, one.prefix) == (other.state_dict_path, other.prefix)


def _equal_state_dicts(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Return whether two state dicts are equal."""
    return one.keys() == other.keys() and all(
        value is other[name] or torch.equal(value, other[name]) for name, value in one.items()
    )


def _translate_match(
    match: DialectMatch, contents: CheckpointContents, arguments: Mapping[str, Any], dialect_given: bool
) -> CompleteMatch:
    """Translate a match to canonical tensors and check that they are a whole encoder."""
    try:
        tensors, unused = to_canonical_names(match)
        tensors, converted = _to_float32(_with_token_axes(tensors))
        tensors, turned = _with_channels_first(tensors)
        _check_finite(tensors)
        config_values = _stated_values(match, contents, tensors)
        dialect_notes = match.dialect.notes(contents, tensors)
        if not dialect_given:
            refuse_qwen3_encoder(match.tensors, stated_model_name(contents)[0])
        settled = dialect_given or match.dialect.name in ROTARY_DIALECTS or bool(stated_model_name(contents)[0])
        dialect_notes += refuse_possible_rotary(match.tensors, match.state_dict_path, settled)
    except (KeyError, IndexError, RuntimeError, AttributeError, TypeError) as error:
        raise InputError(
            f"these weights are no whole Vision Transformer as {match.dialect.name} writes them: "
            f"{type(error).__name__} {error}"
        ) from error
    config, sources, notes = infer_config(tensors, config_values, match.dialect.defaults, arguments)
    tensors = match.dialect.finish(tensors, config)
    head = find_classifier_head(tensors, config, match.dialect.head_readout)
    unused |= _count_unreadable_head_keys(tensors, config, head)
    state_dict, filled = _encoder_state_dict(tensors, config)
    all_notes = (*notes, *dialect_notes, *converted, *turned, *filled)
    return CompleteMatch(match, config, sources, state_dict, head, unused, all_notes, *infer_code_base(match, contents))


def _stated_values(
    match: DialectMatch, contents: CheckpointContents, tensors: Mapping[str, Tensor]
) -> dict[str, ConfigValue]:
    """Return what the file states: its pickled module first, then its dialect's places, then usual names."""
    usual = stored_configuration_values(contents, tensors)
    own = dict(match.dialect.config_values(contents, tensors))
    own = {name: value for name, value in own.items() if not (value.assumed and name in usual)}
    return usual | own | pickled_module_values(contents, match)


def _to_float32(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors in float32, and a note on the types that were converted."""
    dtypes = {value.dtype for value in tensors.values() if value.is_floating_point()} - {torch.float32}
    names = sorted(str(dtype).removeprefix("torch.") for dtype in dtypes)
    single = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    return single, (f"{' and '.join(names)} weights became float32",) if names else ()


def _with_token_axes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with tokens and positions of one or two dimensions in shape (1, t, d)."""
    return {
        name: value.reshape(1, -1, value.shape[-1]) if name in TOKEN_PARAMETERS and value.ndim in (1, 2) else value
        for name, value in tensors.items()
    }


def _with_channels_first(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors with a patch embedding (D, s, s, C) turned to (D, C, s, s), and a note on it.

    Square patches of 1, 3 or 4 channels are told from images of s channels in patches s x C, which nobody has.
    """
    patches = tensors.get(PATCHES)
    if patches is None or patches.ndim != 4:
        return tensors, ()
    _, rows, columns, channels = patches.shape
    if rows != columns or columns == channels or channels not in (1, 3, 4) or rows in (1, 3):
        return tensors, ()
    note = f"the patch embedding {tuple(patches.shape)} was read with channels last, as MLX stores it"
    return {**tensors, PATCHES: patches.permute(0, 3, 1, 2).contiguous()}, (note,)


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Check that no tensor holds NaN or infinity."""
    bad = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise InputError(f"{len(bad)} tensors of this file hold NaN or infinity, among them {', '.join(bad[:10])}")


def _count_unreadable_head_keys(
    tensors: Mapping[str, Tensor], config: EncoderConfig, head: ClassifierHead | None
) -> dict[str, int]:
    """Return the number of head keys by description if they are no classifier that an `Encoder` can have."""
    n = sum(is_head_key(name, config) for name in tensors)
    return {"a head that reads no single token of the encoder": n} if head is None and n else {}


def _encoder_state_dict(
    tensors: Mapping[str, Tensor], config: EncoderConfig
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the state dict of the encoder, and a note on biases that the file omits and that are set to zero.

    Raises
    ------
    InputError
        If a name is missing, unexpected, or of another shape, or norms have no bias: RMS norms do not centre.
    """
    with torch.device("meta"):
        wanted = Encoder(config).state_dict()
    names = {name for name in tensors if not is_head_key(name, config)}
    zero = _omitted_biases(names, sorted(set(wanted) - names))
    _check_parameter_names(names, wanted, zero)
    for name in sorted(set(wanted) - set(zero)):
        if (
            tensors[name].shape != wanted[name].shape
            or tensors[name].is_floating_point() != wanted[name].is_floating_point()
        ):
            raise InputError(
                f"{name} must hold real numbers of shape {tuple(wanted[name].shape)}, but this file's is "
                f"{tensors[name].dtype} {tuple(tensors[name].shape)}"
            )
    state_dict = {name: tensors[name] if name in tensors else torch.zeros(wanted[name].shape) for name in wanted}
    return state_dict, (f"the file leaves out {len(zero)} biases, which are zero, as {zero[0]}",) if zero else ()


def _omitted_biases(names: set[str], missing: Sequence[str]) -> list[str]:
    """Return the missing biases that the file has in no block although it has their weights.

    Raises
    ------
    InputError
        If one of them belongs to a norm.
    """
    present = {_parameter_kind(name) for name in names}
    zero = [
        name
        for name in missing
        if name.endswith("bias")
        and name.removesuffix("bias") + "weight" in names
        and _parameter_kind(name) not in present
    ]
    if missing_bias := next((name for name in zero if "norm" in name), None):
        raise InputError(
            f"the norms of this file have no bias ({missing_bias} is missing), so they may be RMS norms, which no "
            "encoder here computes"
        )
    return zero


def _check_parameter_names(names: set[str], wanted: Mapping[str, Tensor], zero: Sequence[str]) -> None:
    """Check that the tensors have the names of the encoder, omitted biases aside, and no others."""
    missing = [name for name in sorted(set(wanted) - names) if name not in zero]
    unexpected = sorted(names - set(wanted))
    problems = [
        f"{len(found)} are {what}: {', '.join(found[:10])}{' …' if len(found) > 10 else ''}"
        for what, found in (("missing", missing), ("unexpected", unexpected))
        if found
    ]
    if problems:
        raise InputError(
            f"these weights are no whole Vision Transformer: of its {len(wanted)} names {' and '.join(problems)}"
        )


def _parameter_kind(name: str) -> str:
    """Return a name with its block number replaced by "i": the same for that parameter of every block."""
    return ".".join("i" if part.isdigit() else part for part in name.split("."))
