"""`import maetheory` is quick, its attributes are lazy, and editors and type checkers see the same names."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import maetheory

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(maetheory.__file__)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def type_checking_imports() -> dict[str, str]:
    """Return the names that the TYPE_CHECKING block re-exports, each with the module it imports it from."""
    for node in ast.parse(SOURCE.read_text()).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports = [line for line in node.body if isinstance(line, ast.ImportFrom)]
            assert len(imports) == len(node.body)
            assert all(alias.asname == alias.name for line in imports for alias in line.names)
            return {alias.name: str(line.module) for line in imports for alias in line.names}
    raise AssertionError("maetheory/__init__.py has no TYPE_CHECKING block")


@pytest.mark.parametrize("library", ["torch", "scipy", "numpy", "sklearn", "matplotlib"])
def test_importing_the_package_imports_no_library(library: str) -> None:
    assert run(f"import sys, maetheory; print({library!r} in sys.modules)") == "False"


def test_the_exact_computations_need_no_torch() -> None:
    code = (
        "import sys, maetheory; maetheory.MaskGraph, maetheory.check, maetheory.worlds; print('torch' in sys.modules)"
    )
    assert run(code) == "False"


def test_type_checkers_and_the_table_name_the_same_modules() -> None:
    lazy = {name: f"maetheory.{subpackage}" for subpackage, names in maetheory._SUBPACKAGES.items() for name in names}
    assert type_checking_imports() == lazy


@pytest.mark.parametrize("name", sorted(maetheory._SUBPACKAGE_OF))
def test_lazy_attribute_is_the_object_of_its_module(name: str) -> None:
    module = import_module(f"maetheory.{maetheory._SUBPACKAGE_OF[name]}")
    assert getattr(maetheory, name) is getattr(module, name)
    assert vars(maetheory)[name] is getattr(module, name)  # found without __getattr__ from now on


def test_every_name_in_dir_resolves() -> None:
    assert set(maetheory.__all__) <= set(dir(maetheory))
    for name in dir(maetheory):
        getattr(maetheory, name)


def test_every_subpackage_is_an_attribute() -> None:
    folders = {path.parent.name for path in SOURCE.parent.glob("*/__init__.py")} - {"cli"}
    assert set(maetheory._SUBPACKAGES) == folders | {"testing"}
    assert run("import maetheory; print(maetheory.metrics.effective_rank.__name__)") == "effective_rank"


def test_star_import_gives_the_names_of_all() -> None:
    assert run("from maetheory import *; print(__version__, Estimate(1.5))") == f"{maetheory.__version__} 1.5"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'maetheory' has no attribute 'MaskGraf'"):
        maetheory.MaskGraf  # noqa: B018  # reading the attribute is what fails


def test_the_wheel_ships_the_type_marker() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"packages": ["maetheory"]}  # the whole folder, nothing excluded
    assert (ROOT / "maetheory" / "py.typed").read_bytes() == b""


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert maetheory.__version__ == project["version"]
