"""The page of the code bases whose checkpoints can be read."""

from __future__ import annotations

from pathlib import Path

from maetheory.checkpoints.dialects.catalogue import DIALECTS
from maetheory.checkpoints.dialects.dialect import COMMON_DEFAULTS, Dialect

INTRODUCTION = """# Code bases of checkpoints

`maetheory inspect FILE` says which of these wrote a file. They are tried in this order, the more specific first; the
first that explains every tensor is the file's own. A file that none explains is refused, with the tensors that do not
fit. Nothing in a file is executed: pickles are read by a parser that knows tensors, numbers and texts.

Of every setting (heads, ε, activation, mean, standard deviation, image size) the report says its source:
*stated in the file*, *inferred from shapes* or *assumed*. Options such as `--heads`, `--eps`, `--activation`, `--mean`
and `--std` replace what is assumed.
"""
DEFAULT_NAMES = {"eps": "ε of LayerNorm", "activation": "activation", "mean": "mean", "std": "standard deviation"}


def code_base_page(folder: Path, _: Path) -> None:
    """Write the page of the code bases."""
    folder.mkdir(parents=True, exist_ok=True)
    page = INTRODUCTION + "".join(map(_code_base, DIALECTS))
    (folder / "code_bases.md").write_text(page, encoding="utf-8")


def _code_base(dialect: Dialect) -> str:
    keys = "\n".join(f"    {pattern}" for pattern in dialect.required)
    assumed = {**COMMON_DEFAULTS, **dialect.defaults}
    defaults = ", ".join(
        f"{DEFAULT_NAMES.get(name, name.replace('_', ' '))} {value}"
        for name, value in assumed.items()
        if isinstance(value, int | float | str | tuple)
    )
    ignored = "; ".join(dict.fromkeys(what for _, what in dialect.unused))
    lines = [f"\n## {dialect.name}\n", f"{dialect.description[0].upper()}{dialect.description[1:]}.\n"]
    lines += [f"Keys that such a file must hold (regular expressions, without a wrapper or prefix):\n\n{keys}\n"]
    lines += [f"Where the file states nothing: {defaults}.\n"]
    lines += [f"Not needed by the encoder: {ignored}.\n"] if ignored else []
    return "\n".join(lines)
