"""Which state dict of a file is an encoder's, and in which dialect it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

OUTER_WRAPPERS = ("module.", "_forward_module.")
INNER_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
COMMONLY_UNUSED = ((r"mask_token", "the mask token"), (r"n_averaged", "the count of an average"))


@dataclass(frozen=True)
class DialectMatch:
    """One reading of a file.

    Attributes
    ----------
    dialect : Dialect
    weights, prefix : str
        Where in the file's tree the state dict lies, and what stands before the encoder's names there.
    wrappers : tuple of str
        What stood around the names besides.
    inside : mapping from name to Tensor
        The tensors behind the prefix, wrappers and prefix off.
    other_keys : tuple of str
        The names without the prefix.
    other_state_dicts : mapping from path to number of tensors
        The tree's other state dicts.
    """

    dialect: Dialect
    weights: str
    prefix: str
    wrappers: tuple[str, ...]
    inside: Mapping[str, Tensor]
    other_keys: tuple[str, ...]
    other_state_dicts: Mapping[str, int]

    @property
    def where(self) -> str:
        """The path and the prefix, as `weights=` takes them."""
        return ".".join(part for part in (self.weights, self.prefix.rstrip(".")) if part)

    @property
    def averaged(self) -> bool:
        """Whether these weights are a running average of the trained ones."""
        return bool(re.search(r"(^|[._])(ema|teacher|target|momentum|averaged?)([._]|$)", self.where))


def match_dialects(
    contents: CheckpointContents, dialects: Sequence[Dialect], weights: str | None = None
) -> Iterator[DialectMatch]:
    """Give each dialect's preferred reading of a file, in the order of the dialects.

    Parameters
    ----------
    contents : CheckpointContents
    dialects : sequence of Dialect
    weights : str, optional
        A path in the tree, or what stands before every name of the wanted weights, instead of the dialect's choice.

    Raises
    ------
    InputError
        If `weights` names nothing in the file.
    """
    states = dict(find_state_dicts(contents.tree))
    if weights is not None:
        dialects = [_restrict_to_weights(dialect, weights, states) for dialect in dialects]
    for dialect in dialects:
        match = _first_match(dialect, states)
        if match is not None:
            yield match


def to_canonical_names(match: DialectMatch) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Return the canonical tensors, and how many keys were set aside under which words.

    Raises
    ------
    InputError
        If two names mean the same tensor.
    """
    left: dict[str, int] = {}
    tensors: dict[str, Tensor] = {}
    aside = (*match.dialect.left, *COMMONLY_UNUSED)
    for name in match.other_keys:
        words = _unused_description(name, aside) or f"outside {match.prefix.rstrip('.')}: {name.split('.')[0]}"
        left[words] = left.get(words, 0) + 1
    for name, value in match.inside.items():
        canonical = _canonical_name(name, match.dialect.rename)
        words = _unused_description(name, aside) or (_unused_description(canonical, aside) if canonical else "")
        if words:
            left[words] = left.get(words, 0) + 1
        elif canonical in tensors:
            raise InputError(f"two names of this file mean {canonical} to {match.dialect.name}; one is {name}")
        elif canonical:
            tensors[canonical] = value
    return dict(match.dialect.convert(tensors)), left


def find_state_dicts(tree: Any, path: str = "", depth: int = 4) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Give every dictionary of named tensors in a tree, with its dotted path; optimisers number theirs and drop out."""
    if not isinstance(tree, Mapping) or depth < 0:
        return
    own = {name: value for name, value in tree.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if own:
        yield path, own
    for name, value in tree.items():
        if isinstance(name, str):
            yield from find_state_dicts(value, f"{path}.{name}" if path else name, depth - 1)


def strip_wrappers(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take off what parallel training and compilation put around or inside names; also say what it was.

    Raises
    ------
    InputError
        If two names become one.
    """
    bare, taken = dict(state), tuple[str, ...]()
    for word in INNER_WRAPPERS:
        inside = re.compile(rf"(^|\.){re.escape(word)}")
        if any(inside.search(name) for name in bare):
            bare, taken = _rename_keys(bare, inside, r"\1"), (*taken, word)
    while word := _outer_wrapper(bare):
        bare, taken = _rename_keys(bare, re.compile("^" + re.escape(word)), ""), (*taken, word)
    return bare, taken


def _outer_wrapper(state: Mapping[str, Tensor]) -> str:
    """Return the wrapper that stands before every name but the count of an average, "" where none does."""
    names = [name for name in state if name != "n_averaged"]
    return next((word for word in OUTER_WRAPPERS if names and all(name.startswith(word) for name in names)), "")


def _rename_keys(state: dict[str, Tensor], pattern: re.Pattern[str], replacement: str) -> dict[str, Tensor]:
    renamed = {pattern.sub(replacement, name): value for name, value in state.items()}
    if len(renamed) != len(state):
        raise InputError("two names of this file become one when 'module.' and '_orig_mod.' are taken off")
    return renamed


def _restrict_to_weights(dialect: Dialect, weights: str, states: Mapping[str, Any]) -> Dialect:
    """Return the dialect reading the asked weights: a path of the tree, a prefix of names, or both in turn."""
    if weights in states:
        return replace(dialect, weights=(weights,))
    found = [
        (path, rest)
        for path, state in states.items()
        if (rest := _key_prefix(path, weights)) is not None
        and any(name.startswith(rest) for name in strip_wrappers(state)[0])
    ]
    if not found:
        there = ", ".join(f"{path or 'the top'} ({len(state)} tensors)" for path, state in list(states.items())[:10])
        raise InputError(f"this file holds no weights {weights!r}; it holds {there or 'none'}")
    path, rest = found[0]
    return replace(dialect, weights=(path,), prefixes=(rest, *(rest + prefix for prefix in dialect.prefixes if prefix)))


def _key_prefix(path: str, weights: str) -> str | None:
    """Return what `weights` says of names inside the state dict at `path`, None where it speaks of another."""
    if weights.startswith(path + "."):
        return weights[len(path) + 1 :].removeprefix("module.") + "."
    return weights.removeprefix("module.") + "."


def _first_match(dialect: Dialect, states: Mapping[str, dict[str, Tensor]]) -> DialectMatch | None:
    for path in dialect.weights:
        if path not in states:
            continue
        state, wrappers = strip_wrappers(states[path])
        for prefix in dialect.prefixes:
            inside = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
            other_keys = tuple(name for name in state if not name.startswith(prefix))
            if _dialect_fits(dialect, [*inside, *other_keys]) and inside:
                other_state_dicts = {other: len(value) for other, value in states.items() if other != path}
                return DialectMatch(dialect, path, prefix, wrappers, inside, other_keys, other_state_dicts)
    return None


def _dialect_fits(dialect: Dialect, names: Sequence[str]) -> bool:
    def there(pattern: str) -> bool:
        whole = re.compile(pattern)
        return any(whole.fullmatch(name) for name in names)

    return all(there(pattern) for pattern in dialect.required) and not any(map(there, dialect.forbidden))


def _unused_description(name: str, patterns: Sequence[tuple[str, str]]) -> str:
    return next((words for pattern, words in patterns if re.fullmatch(pattern, name)), "")


def _canonical_name(name: str, rename: Sequence[tuple[str, str]]) -> str:
    for pattern, replacement in rename:
        if found := re.fullmatch(pattern, name):
            return found.expand(replacement) if replacement else ""
    return name
