"""Dialects that exchange two tensors, which a comparison with the foreign code must detect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from maetheory.checkpoints.dialects.dialect import Dialect


def exchange_targets(dialects: Iterable[Dialect], one: str, other: str) -> list[Dialect]:
    """Return the dialects with these two parts of canonical names exchanged in the targets of their tables."""

    def wrong(target: str) -> str:
        return target.replace(one, "?").replace(other, one).replace("?", other)

    return [
        replace(dialect, rename=tuple((pattern, wrong(target)) for pattern, target in dialect.rename))
        for dialect in dialects
    ]
