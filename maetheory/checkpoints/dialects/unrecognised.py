"""Error for files that hold no Vision Transformer, naming what they hold instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.dialects.match import find_state_dicts
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

TEXT_MODEL_KEY = re.compile(r"(.*\.)?(word_embeddings|wte|tok_embeddings|embed_tokens|token_embedding|shared)\.weight")
HIERARCHICAL_MODEL_KEY = re.compile(r"(.*\.)?(layers|stages)\.\d+\.(blocks|layers)\.\d+\..*")


def no_encoder_error(contents: CheckpointContents, dialects: Sequence[Dialect]) -> InputError:
    """Return an error that names the content of the file and the dialects that were tried."""
    states = dict(find_state_dicts(contents.tree))
    if not states:
        keys = ", ".join(map(str, list(contents.tree)[:10])) if isinstance(contents.tree, Mapping) else ""
        return InputError(f"{contents.path} holds no named tensors, only {keys or type(contents.tree).__name__}")
    path, state = max(states.items(), key=lambda item: len(item[1]))
    for what, example in _network_kinds(state).items():
        return InputError(f"{contents.path} holds {what} ({example} …), not a Vision Transformer")
    names = ", ".join(list(state)[:10])
    tried = ", ".join(dict.fromkeys(dialect.name for dialect in dialects))
    return InputError(
        f"{contents.path} holds {len(state)} tensors{' at ' + path if path else ''} ({names} …) that are "
        f"no Vision Transformer of a known dialect; tried were {tried}"
    )


def _network_kinds(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the kinds of network that names and shapes indicate, each with a key as example."""
    kinds: list[tuple[str, Callable[[str], bool]]] = [
        ("a text model", lambda name: bool(TEXT_MODEL_KEY.fullmatch(name))),
        (
            "a hierarchical transformer such as Swin",
            lambda name: bool(HIERARCHICAL_MODEL_KEY.fullmatch(name)) and "att" in name,
        ),
        (
            "a convolutional network",
            lambda name: state[name].ndim == 4 and name.endswith("weight") and convolutions > 2,
        ),
    ]
    convolutions = sum(value.ndim == 4 and name.endswith("weight") for name, value in state.items())
    found = ((what, next((name for name in state if fits(name)), None)) for what, fits in kinds)
    return {what: name for what, name in found if name is not None}
