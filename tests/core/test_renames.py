"""Old names of a module resolve to the new objects, warn, and do not hide misspelt names."""

from __future__ import annotations

from importlib import import_module

import pytest

from maetheory import core
from maetheory.core.renames import renamed

SUBPACKAGES = ["core", "checkpoints", "spectra", "masks", "data", "models", "graph"]


def test_old_name_is_the_new_object_and_warns() -> None:
    resolve = renamed("maetheory.core", {"Number": "Estimate"})
    with pytest.warns(DeprecationWarning, match=r"maetheory\.core\.Number was renamed; use maetheory\.core\.Estimate"):
        assert resolve("Number") is core.Estimate


def test_warning_points_at_the_caller() -> None:
    with pytest.warns(DeprecationWarning, match="replacing") as caught:
        core.replacing  # noqa: B018  # reading the attribute is what warns
    assert caught[0].filename == __file__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'maetheory\.core' has no attribute 'Estimat'"):
        core.Estimat  # noqa: B018  # reading the attribute is what fails


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_every_alias_of_a_subpackage_resolves(subpackage: str) -> None:
    module = import_module(f"maetheory.{subpackage}")
    names = aliases(getattr(module, "_renamed", module.__getattr__))
    assert names
    for old, new in names.items():
        assert old not in vars(module)
        with pytest.warns(DeprecationWarning, match=rf"\.{old} was renamed"):
            assert getattr(module, old) is getattr(module, new)


def aliases(resolve: object) -> dict[str, str]:
    """Return the table of old and new names that the function made by `renamed` closes over."""
    variables = resolve.__code__.co_freevars  # type: ignore[attr-defined]  # a function, typed as an object
    cells = resolve.__closure__  # type: ignore[attr-defined]  # as above
    return cells[variables.index("names")].cell_contents
