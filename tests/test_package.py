"""`import maetheory` is quick, its attributes are lazy, and editors and type checkers see the same names."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tarfile
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


NO_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NoTorch())
"""
"""Code after which torch cannot be imported, as where it is not installed."""


def test_the_exact_world_works_where_torch_is_not_installed() -> None:
    code = (
        f"{NO_TORCH}import maetheory; maetheory.MaskGraph, maetheory.check, maetheory.worlds, maetheory.spectra\n"
        "from maetheory.testing import assert_holds\n"
        "from maetheory.cli import run_command\n"
        "print(run_command(['check', '3.4', '--worlds', '0']), run_command(['collapse', 'a.npy']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines()[-1:] == ["0 2"], done.stderr
    assert "this command needs torch, which is not installed" in done.stderr


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


def test_the_metadata_names_who_what_and_where() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": "maetheory contributors"}]
    assert "masked autoencoder" in project["keywords"]
    assert "Typing :: Typed" in project["classifiers"]
    assert "https://arxiv.org/abs/2210.08344" in project["urls"].values()
    assert project["readme"] == "README.md"


@pytest.mark.slow
def test_sdist_and_wheel_work_where_they_are_installed(tmp_path: Path) -> None:
    """Both hold the data files; the wheel, installed alone, finds the paper's numbers and checks a theorem."""
    tools, tree, built, site = (tmp_path / name for name in ("tools", "tree", "built", "site"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--target"]
    if subprocess.run([*pip, str(tools), "hatchling"], capture_output=True, timeout=300, check=False).returncode:
        pytest.skip("hatchling cannot be installed here: no package index is reached")
    shutil.copytree(SOURCE.parent, tree / "maetheory", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "constraints.txt"):
        shutil.copyfile(ROOT / name, tree / name)
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(built)]
    subprocess.run(build, cwd=tree, env=os.environ | {"PYTHONPATH": str(tools)}, check=True, capture_output=True)
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"maetheory/py.typed", "README.md", "LICENSE", "pyproject.toml"} <= held
    data = {str(path.relative_to(ROOT)) for path in SOURCE.parent.rglob("*.csv")}
    assert data
    assert data <= held
    subprocess.run([*pip, str(site), "--no-deps", str(wheel)], check=True, capture_output=True)
    code = (
        "import maetheory; from maetheory.cli import run_command; from maetheory.data.paper import paper_numbers; "
        "print(maetheory.__file__, len(paper_numbers('table1')), run_command(['check', '3.4', '--worlds', '0']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    file, rows, code_of_check = done.stdout.splitlines()[-1].split()
    assert Path(file).is_relative_to(site)
    assert (int(rows) > 10, code_of_check) == (True, "0")
    metadata = next(site.glob("*.dist-info/METADATA")).read_text()
    assert "Author: maetheory contributors" in metadata
    assert "## What do you want to do?" in metadata  # the long description


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert maetheory.__version__ == project["version"]
