"""Find the state dict of an encoder in a file, and translate its keys by a dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

OUTER_WRAPPERS = ("module.", "_forward_module.")
INNER_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
MIN_ENCODER_TENSORS = 10  # of one block and the patch embedding
MAX_LISTED_STATE_DICTS = 32
COMMONLY_UNUSED = ((r"mask_token", "the mask token"), (r"n_averaged", "the count of an average"))


@dataclass(frozen=True)
class DialectMatch:
    """A dialect that fits a state dict of a file.

    Attributes
    ----------
    dialect : Dialect
    state_dict_path, prefix : str
        Dotted path of the state dict in the file's tree, and the prefix of the encoder's keys in it.
    wrappers : tuple of str
        Prefixes and infixes of parallel training and compilation that were removed.
    tensors : mapping from name to Tensor
        The tensors with the prefix, under their names without wrappers and prefix.
    other_keys : tuple of str
        The keys without the prefix.
    other_state_dicts : mapping from path to number of tensors
        The other state dicts of the tree.
    """

    dialect: Dialect
    state_dict_path: str
    prefix: str
    wrappers: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    other_keys: tuple[str, ...]
    other_state_dicts: Mapping[str, int]

    @property
    def weights_path(self) -> str:
        """Path and prefix of the weights, as the argument `weights=` takes them."""
        return ".".join(part for part in (self.state_dict_path, self.prefix.rstrip(".")) if part)

    @property
    def averaged(self) -> bool:
        """Whether these weights are a running average of the trained ones; the target of an optimiser of JAX is not."""
        path = re.sub(r"^opt\.target(\.|$)", "", self.weights_path)
        return bool(re.search(r"(^|[._])(ema|teacher|target|momentum|averaged?)([._]|$)", path))


def match_dialects(
    contents: CheckpointContents, dialects: Sequence[Dialect], weights: str | None = None
) -> Iterator[DialectMatch]:
    """Iterate over the matches at the places where each dialect keeps its encoder, at most one a dialect, in order.

    Parameters
    ----------
    contents : CheckpointContents
    dialects : sequence of Dialect
    weights : str, optional
        A path in the tree, or the prefix of the wanted weights, instead of the dialect's choice.

    Raises
    ------
    InputError
        If `weights` names nothing in the file.
    """
    states = dict(find_state_dicts(contents.tree))
    chosen = None if weights is None else _find_chosen_weights(weights, states)
    for dialect in dialects:
        match = (
            _find_place_of_dialect(dialect, states)
            if chosen is None
            else _match_chosen_weights(dialect, states, *chosen)
        )
        if match is not None and dialect.evidence(contents, match.tensors):
            yield match


def search_matches(
    contents: CheckpointContents, dialects: Sequence[Dialect], weights: str | None = None
) -> Iterator[DialectMatch]:
    """Iterate over the matches in any state dict and behind any prefix of names, shorter prefixes first.

    Parameters and errors are those of `match_dialects`. A project's own module or training loop puts an encoder under
    a name of its own, which no dialect lists. A dialect that is known by the path of its state dict is not searched.
    """
    dialects = [dialect for dialect in dialects if "" in dialect.state_dict_paths]
    states = dict(find_state_dicts(contents.tree))
    chosen_path, chosen_prefix = (None, "") if weights is None else _find_chosen_weights(weights, states)
    for path, state in states.items():
        if chosen_path not in (None, path):
            continue
        stripped, wrappers = strip_wrappers(state)
        others = _count_tensors_of_other_state_dicts(states, path)
        for base in _module_prefixes(stripped):
            if not base.startswith(chosen_prefix):
                continue
            for dialect in dialects:
                match = _match_behind_prefix(dialect, path, stripped, wrappers, base, dialect.prefixes, others)
                if match is not None and dialect.evidence(contents, match.tensors):
                    yield match


def to_canonical_names(match: DialectMatch) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Return the tensors under canonical names, and the number of unused keys by description.

    Raises
    ------
    InputError
        If two keys translate to the same canonical name.
    """
    unused: dict[str, int] = {}
    tensors: dict[str, Tensor] = {}
    patterns = (*match.dialect.unused, *COMMONLY_UNUSED)
    for name in match.other_keys:
        description = _unused_description(name, patterns) or f"outside {match.prefix.rstrip('.')}: {name.split('.')[0]}"
        unused[description] = unused.get(description, 0) + 1
    for name, value in match.tensors.items():
        canonical = _to_canonical_name(name, match.dialect.rename)
        description = _unused_description(name, patterns)
        if canonical and not description:
            description = _unused_description(canonical, patterns)
        if description:
            unused[description] = unused.get(description, 0) + 1
        elif canonical in tensors:
            raise InputError(f"two names of this file mean {canonical} to {match.dialect.name}; one is {name}")
        elif canonical:
            tensors[canonical] = value
    return dict(match.dialect.convert(tensors)), unused


def find_state_dicts(tree: Any, path: str = "", depth: int = 4) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Iterate over the dicts of named tensors in a tree, with dotted paths; optimiser states have integer keys."""
    if isinstance(tree, list | tuple) and len(tree) <= MAX_LISTED_STATE_DICTS:
        tree = {str(i): value for i, value in enumerate(tree) if not isinstance(value, Tensor)}
    if not isinstance(tree, Mapping) or depth < 0:
        return
    own = {name: value for name, value in tree.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if own:
        yield path, own
    for name, value in tree.items():
        if isinstance(name, str):
            yield from find_state_dicts(value, f"{path}.{name}" if path else name, depth - 1)


def strip_wrappers(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Remove the parts that parallel training and compilation add to names, and return those parts as well.

    Raises
    ------
    InputError
        If two names become equal.
    """
    stripped, wrappers = dict(state), tuple[str, ...]()
    for wrapper in INNER_WRAPPERS:
        pattern = re.compile(rf"(^|\.){re.escape(wrapper)}")
        if any(pattern.search(name) for name in stripped):
            stripped, wrappers = _rename_keys(stripped, pattern, r"\1"), (*wrappers, wrapper)
    while wrapper := _outer_wrapper(stripped):
        stripped, wrappers = _rename_keys(stripped, re.compile("^" + re.escape(wrapper)), ""), (*wrappers, wrapper)
    return stripped, wrappers


def _outer_wrapper(state: Mapping[str, Tensor]) -> str:
    """Return the wrapper that begins every name except the count of an average, "" if there is none."""
    names = [name for name in state if name != "n_averaged"]
    return next(
        (wrapper for wrapper in OUTER_WRAPPERS if names and all(name.startswith(wrapper) for name in names)), ""
    )


def _rename_keys(state: dict[str, Tensor], pattern: re.Pattern[str], replacement: str) -> dict[str, Tensor]:
    """Substitute a pattern in every key."""
    renamed = {pattern.sub(replacement, name): value for name, value in state.items()}
    if len(renamed) != len(state):
        raise InputError("two names of this file become one when 'module.' and '_orig_mod.' are taken off")
    return renamed


def _find_chosen_weights(weights: str, states: Mapping[str, dict[str, Tensor]]) -> tuple[str, str]:
    """Return the path and the prefix that the argument means: a path of the tree, a prefix of names, or both joined.

    Raises
    ------
    InputError
        If the file has neither.
    """
    if weights in states:
        return weights, ""
    for path, state in states.items():
        prefix = _find_key_prefix(path, weights)
        if any(name.startswith(prefix) for name in strip_wrappers(state)[0]):
            return path, prefix
    available = ", ".join(f"{path or 'the top'} ({len(state)} tensors)" for path, state in list(states.items())[:10])
    raise InputError(f"this file holds no weights {weights!r}; it holds {available or 'none'}")


def _find_key_prefix(path: str, weights: str) -> str:
    """Return the prefix that `weights` means within the state dict at `path`."""
    if weights.startswith(path + "."):
        return weights[len(path) + 1 :].removeprefix("module.") + "."
    return weights.removeprefix("module.") + "."


def _match_chosen_weights(
    dialect: Dialect, states: Mapping[str, dict[str, Tensor]], path: str, chosen: str
) -> DialectMatch | None:
    """Return the match of a dialect at a chosen path and prefix; the prefix may be one of the dialect's own."""
    state, wrappers = strip_wrappers(states[path])
    others = _count_tensors_of_other_state_dicts(states, path)
    if not chosen:
        return _match_behind_prefix(dialect, path, state, wrappers, "", dialect.prefixes, others)
    own = [prefix for prefix in dialect.prefixes if prefix and f".{chosen}".endswith(f".{prefix}")]
    places = [(chosen.removesuffix(prefix), (prefix,)) for prefix in own]
    for base, prefixes in [*places, (chosen, dialect.prefixes)]:
        match = _match_behind_prefix(dialect, path, state, wrappers, base, prefixes, others)
        if match is not None:
            return match
    return None


def _find_place_of_dialect(dialect: Dialect, states: Mapping[str, dict[str, Tensor]]) -> DialectMatch | None:
    """Return the first path and prefix of a dialect that hold all it requires, None without one."""
    for path in dialect.state_dict_paths:
        if path not in states:
            continue
        state, wrappers = strip_wrappers(states[path])
        others = _count_tensors_of_other_state_dicts(states, path)
        match = _match_behind_prefix(dialect, path, state, wrappers, "", dialect.prefixes, others)
        if match is not None:
            return match
    return None


def _match_behind_prefix(
    dialect: Dialect,
    path: str,
    state: Mapping[str, Tensor],
    wrappers: tuple[str, ...],
    base: str,
    prefixes: Sequence[str],
    other_state_dicts: Mapping[str, int],
) -> DialectMatch | None:
    """Return the match of a dialect among the names that begin with `base`, at the first of its prefixes that fits."""
    names = [name[len(base) :] for name in state if name.startswith(base)]
    for prefix in prefixes:
        inside = [name[len(prefix) :] for name in names if name.startswith(prefix)]
        beside = [name for name in names if not name.startswith(prefix)]
        if inside and _dialect_fits(dialect, [*inside, *beside]):
            whole = base + prefix
            tensors = {name[len(whole) :]: value for name, value in state.items() if name.startswith(whole)}
            outside = [name for name in state if not name.startswith(base)]
            return DialectMatch(dialect, path, whole, wrappers, tensors, (*beside, *outside), other_state_dicts)
    return None


def _count_tensors_of_other_state_dicts(states: Mapping[str, dict[str, Tensor]], path: str) -> dict[str, int]:
    """Return the number of tensors of every state dict but one."""
    return {other: len(state) for other, state in states.items() if other != path}


def _module_prefixes(state: Mapping[str, Tensor]) -> list[str]:
    """Return the prefixes of names that several tensors share, the empty one and other short ones first."""
    counts: dict[str, int] = {}
    for name in state:
        for end in (found.end() for found in re.finditer(r"\.", name)):
            counts[name[:end]] = counts.get(name[:end], 0) + 1
    common = [prefix for prefix, n in counts.items() if n >= MIN_ENCODER_TENSORS]
    return ["", *sorted(common, key=lambda prefix: prefix.count("."))]


def _dialect_fits(dialect: Dialect, names: Sequence[str]) -> bool:
    """Return whether every required pattern matches a name and no forbidden one does."""

    def occurs(pattern: str) -> bool:
        compiled = re.compile(pattern)
        return any(compiled.fullmatch(name) for name in names)

    return all(map(occurs, dialect.required)) and not any(map(occurs, dialect.forbidden))


def _unused_description(name: str, patterns: Sequence[tuple[str, str]]) -> str:
    """Return the description of the first pattern that matches, "" if none does."""
    return next((description for pattern, description in patterns if re.fullmatch(pattern, name)), "")


def _to_canonical_name(name: str, rename: Sequence[tuple[str, str]]) -> str:
    """Translate a name by the first pattern that matches; "" drops it."""
    for pattern, replacement in rename:
        if found := re.fullmatch(pattern, name):
            return found.expand(replacement) if replacement else ""
    return name
