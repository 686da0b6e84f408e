"""Committed notebooks are their scripts, executed: same cells, no error, the same numbers when run again."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
import pandas as pd
import pytest

from maetheory.reports.mask_ratio import mask_ratio_summary
from maetheory.theory import THEOREMS

HERE = Path(__file__).resolve().parents[2] / "notebooks"
SCRIPTS = sorted(HERE.glob("[0-9][0-9]_*.py"))
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e-?\d+)?")


def cells(path: Path) -> list[nbformat.NotebookNode]:
    return jupytext.read(path).cells if path.suffix == ".py" else nbformat.read(path, 4).cells


def printed(path: Path) -> list[float]:
    """Every decimal number in the text outputs of a notebook."""
    return [float(number) for number in NUMBER.findall(outputs(path))]


def outputs(path: Path) -> str:
    """Every text output of a notebook."""
    found = [output for cell in cells(path) for output in cell.get("outputs", [])]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in found)


def renderer() -> Any:
    """notebooks/render.py as a module."""
    specification = importlib.util.spec_from_file_location("render", HERE / "render.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def render(script: Path, folder: Path, **environment: str) -> Path:
    code = f"import sys; sys.path.insert(0, {str(HERE)!r}); from render import render; from pathlib import Path; "
    code += f"render(Path({str(script)!r}), Path({str(folder)!r}))"
    env = {name: value for name, value in os.environ.items() if name != "MAETHEORY_FAST"} | environment
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, env=env, timeout=900)
    return folder / f"{script.stem}.ipynb"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_committed_notebook_is_its_script_executed(script: Path) -> None:
    committed = cells(script.with_suffix(".ipynb"))
    assert [cell.source for cell in committed] == [cell.source for cell in cells(script)]
    assert [cell.id for cell in committed] == [f"cell-{number:02d}" for number in range(len(committed))]
    code = [cell for cell in committed if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebooks_import_call_and_show(script: Path) -> None:
    source = "\n".join(cell.source for cell in cells(script) if cell.cell_type == "code").replace("%matplotlib", "#")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 5


LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]+)[^)]*\)")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_links_lead_to_files_of_the_repository(script: Path) -> None:
    for text, target in LINK.findall("".join(c.source for c in cells(script) if c.cell_type == "markdown")):
        assert (HERE / target).is_file(), (text, target)


def test_links_to_statements_name_them_by_the_module_that_holds_them() -> None:
    """The site turns such a link into one to the statement's page, by its text."""
    statements = HERE.parent / "maetheory" / "theory" / "statements"
    for script in SCRIPTS:
        for text, target in LINK.findall(script.read_text(encoding="utf-8").replace("\n# ", " ")):
            module = (HERE / target).resolve()
            if module.parent == statements and module.name != "__init__.py":
                assert text in THEOREMS, text
                assert re.search(f'slug="{text}"', module.read_text(encoding="utf-8")), (text, module.name)


def test_the_story_of_six_theorems_shows_each_with_its_claim_verdict_and_change() -> None:
    source = (HERE / "03_theorems_one_by_one.py").read_text(encoding="utf-8")
    slugs = re.findall(r'^    "\d\. .*": "([\w-]+)",$', source, re.MULTILINE)
    assert len(slugs) == 6
    assert set(slugs) <= set(THEOREMS)
    assert f"All {len(THEOREMS)} statements" in source
    sections = re.split(r"^# ## (?=\d\. )", source, flags=re.MULTILINE)[1:]
    assert len(sections) == 6
    for section in sections:
        for part in (
            r"^# \$\$ ",
            r"\*\*Verdict",
            r"\*Change this:\*",
            r"own_examples\(",
            r"plt\.show\(\)|figures\.plot\(",
        ):
            assert re.search(part, section, re.MULTILINE), (section[:40], part)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_two_renderings_are_byte_identical(script: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (render(script, tmp_path / name, MAETHEORY_FAST="1") for name in "ab")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_committed_numbers_come_out_again(script: Path, tmp_path: Path) -> None:
    """Other processors round differently and training amplifies it, so a tenth is allowed."""
    if missing := renderer().missing_data(script):
        pytest.skip(f"the published {script.stem}.ipynb shows {missing}, which is not here")
    again, committed = printed(render(script, tmp_path)), printed(script.with_suffix(".ipynb"))
    assert committed
    np.testing.assert_allclose(again, committed, rtol=0.1, atol=0.02)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_without_the_real_checkpoints_two_models_of_digits_take_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MAETHEORY_DATA", raising=False)
    text = outputs(render(HERE / "06_your_own_checkpoint.py", tmp_path, MAETHEORY_FAST="1"))
    assert "IcarusWizard/MAE" not in text
    assert "U-MAE" in text
    assert text.count("dimensional collapse: ") == 4  # two files, two readouts


def test_the_published_notebook_shows_the_real_checkpoints() -> None:
    text = outputs(HERE / "06_your_own_checkpoint.ipynb")
    assert "IcarusWizard/MAE" in text
    assert text.count("dimensional collapse: ") == 4
    assert "U-MAE" not in text


def test_a_rendering_without_the_data_leaves_the_published_notebook_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, rendered = renderer(), []
    monkeypatch.setattr(script, "render", lambda path, folder: rendered.append((path.stem, folder == HERE)))
    monkeypatch.setattr(sys, "argv", ["render.py", "01_what_masking_does.py", "06_your_own_checkpoint.py"])
    for name in ("MAETHEORY_FAST", "MAETHEORY_DATA"):
        monkeypatch.delenv(name, raising=False)
    for data in (None, str(tmp_path)):
        if data:
            monkeypatch.setenv("MAETHEORY_DATA", data)
        rendered.clear()
        script.main()
        assert rendered == [("01_what_masking_does", True)]
        assert "06_your_own_checkpoint.ipynb is left as it is: it needs $MAETHEORY_DATA" in capsys.readouterr().err
    (tmp_path / "checkpoints" / "cifar10-vit-tiny").mkdir(parents=True)
    script.main()
    assert rendered[-1] == ("06_your_own_checkpoint", True)
    monkeypatch.delenv("MAETHEORY_DATA")
    monkeypatch.setenv("MAETHEORY_FAST", "1")
    script.main()
    assert rendered[-1] == ("06_your_own_checkpoint", False)


def test_the_mask_ratio_story_prints_what_the_published_table_says_today() -> None:
    """Its last cell reads a committed table: a changed sentence needs the notebook executed again."""
    frame = pd.read_csv(HERE.parent / "figures" / "cifar10-small" / "image_mask_ratio.csv")
    said = mask_ratio_summary(frame).replace(". ", ".\n").replace("; ", ";\n")
    assert said in outputs(HERE / "05_mask_ratio.ipynb")
