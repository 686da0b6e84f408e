"""Reference of the public functions and classes, package by package."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

PACKAGES = (
    "maetheory.masks",
    "maetheory.graph",
    "maetheory.spectra",
    "maetheory.theory",
    "maetheory.theory.referee",
    "maetheory.theory.certified",
    "maetheory.testing",
    "maetheory.empirical",
    "maetheory.metrics",
    "maetheory.models",
    "maetheory.training",
    "maetheory.data",
    "maetheory.data.worlds",
    "maetheory.checkpoints",
    "maetheory.evaluation",
    "maetheory.experiments",
    "maetheory.figures",
    "maetheory.reports",
    "maetheory.core",
)


def api_pages(folder: Path, _: Path) -> None:
    """Write one page a package, with its essay and everything that it exports, and their index."""
    api = folder / "api"
    api.mkdir(parents=True)
    names = [name.removeprefix("maetheory.") for name in PACKAGES]
    seen: set[int] = set()
    for package, name in zip(PACKAGES, names, strict=True):
        (api / f"{name}.rst").write_text(_package_page(package, seen), encoding="utf-8")
    toctree = "\n".join(names)
    (api / "index.md").write_text(
        "# API reference\n\nEvery public function and class, by package, from the foundations of the theory to the "
        "reports.\nThe main ones are also attributes of `maetheory` itself.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{toctree}\n```\n",
        encoding="utf-8",
    )


def _package_page(package: str, seen: set[int]) -> str:
    """Return the page of a package; what an earlier page describes, by its identity, is not described again."""
    module = importlib.import_module(package)
    exported = exported_names(module)
    parts = [package, "=" * len(package), "", inspect.getdoc(module) or "", "", f".. py:module:: {package}", ""]
    for name in exported:
        value = getattr(module, name)
        if callable(value) and id(value) in seen:
            parts += [f"``{name}``: described on the page of an earlier package.", ""]
            continue
        seen.add(id(value))
        if inspect.isclass(value):
            parts += [f".. autoclass:: {package}.{name}", "   :members:", ""]
        elif callable(value):
            parts += [f".. autofunction:: {package}.{name}", ""]
        else:  # a table or constant, whose docstring Python does not keep
            parts += [f".. py:data:: {package}.{name}", f"   :type: {type(value).__name__}", ""]
    return "\n".join(parts)


def exported_names(module: object) -> list[str]:
    """Return the names that a module exports, in alphabetical order: those that its page describes."""
    return sorted(getattr(module, "__all__", None) or _own_names(module), key=str.lower)


def _own_names(module: object) -> list[str]:
    name = getattr(module, "__name__", "")
    return [key for key, value in vars(module).items() if getattr(value, "__module__", "") == name and key[0] != "_"]
