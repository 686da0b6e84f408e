"""The interactive page of the documentation: its numbers against a direct count, and its script in a browser."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))

from generators import explorer  # noqa: E402  (the path is set above)

from maetheory.theory import THEOREMS  # noqa: E402  (the path is set above)


def counted(classes: int, visible: int, noise: float) -> tuple[float, float, np.ndarray]:
    """Count α, φ and the eigenvalues of the graph of views from the definition, picture by picture and mask by mask."""
    patches, symbols = explorer.PATCHES[classes], max(2, classes)
    joint: Counter[tuple[tuple[int, ...], tuple[int, ...], int]] = Counter()
    masks = list(itertools.combinations(range(patches), visible))
    for picture in itertools.product(range(symbols), repeat=patches):
        flips = np.array([sum(symbol != label for symbol in picture) for label in range(classes)])
        likelihood = (1 - noise) ** (patches - flips) * (noise / (symbols - 1)) ** flips
        p, label = likelihood.mean(), int(likelihood.round(12).argmax())  # the most probable class, ties to the first
        for mask in masks:
            view = tuple(picture[i] for i in mask)
            target = tuple(picture[i] for i in range(patches) if i not in mask)
            joint[view, target, label] += p / len(masks)
    joint = Counter({key: p for key, p in joint.items() if p > 0})
    views, targets = (sorted({key[side] for key in joint}) for side in (0, 1))
    table = np.zeros((len(views), len(targets), classes))
    for (view, target, label), p in joint.items():
        table[views.index(view), targets.index(target), label] = p
    pairs, labels = table.sum(2), table.sum(1)
    bayes = labels.round(12).argmax(1)
    alpha = 1 - labels.max(1).sum()
    positive = (pairs / pairs.sum(0)) @ pairs.T
    phi = positive[bayes[:, None] != bayes[None, :]].sum()
    normalized = pairs / np.sqrt(np.outer(pairs.sum(1), pairs.sum(0)))
    return alpha, phi, np.linalg.svd(normalized, compute_uv=False) ** 2


@pytest.mark.parametrize(("classes", "visible", "noise"), [(2, 1, 0.1), (2, 4, 0.05), (3, 1, 0.2), (2, 3, 0.0)])
def test_label_errors_and_spectrum_are_those_of_a_direct_count(classes, visible, noise, monkeypatch):
    monkeypatch.setattr(explorer, "PATCHES", {classes: explorer.PATCHES[classes]})
    monkeypatch.setattr(explorer, "NOISES", (noise,))
    monkeypatch.setattr(explorer, "MAX_FEATURES", 2)
    record = explorer.mixture_graphs()[f"mixture/{classes}/{visible}/{noise:g}"]
    alpha, phi, spectrum = counted(classes, visible, noise)
    assert record["alpha"] == pytest.approx(alpha, rel=1e-5, abs=1e-12)
    assert record["phi"] == pytest.approx(phi, rel=1e-5, abs=1e-12)
    shown = np.pad(spectrum, (0, 9))[: len(record["eigenvalues"])]
    assert record["eigenvalues"] == pytest.approx(shown, rel=1e-5, abs=1e-9)
    assert np.sum(record["joint"]) == pytest.approx(1, abs=1e-4)


def test_the_counterexample_has_one_spectrum_and_two_residuals():
    found = explorer.label_blind_graphs()
    within, across = found["pair/within"], found["pair/across"]
    assert within["eigenvalues"] == across["eigenvalues"]
    assert within["alpha"] == across["alpha"] == 0
    assert (within["features"][1]["residual"], across["features"][1]["residual"]) == (0, 0.5)


def test_presets_and_statements_exist():
    page = (DOCS / "explore.md").read_text(encoding="utf-8")
    patches, noises = explorer.PATCHES, {f"{noise:g}" for noise in explorer.NOISES}
    for name in re.findall(r'data-graph="([^"]+)"', page):
        kind, *setting = name.split("/")
        if kind == "mixture":
            classes, visible, noise = setting
            assert 1 <= int(visible) < patches[int(classes)]
            assert noise in noises
        else:
            assert name in explorer.label_blind_graphs()
    assert {name for name, _ in explorer.STATEMENTS} <= set(THEOREMS)
    script = (DOCS / "_static" / "explorer.js").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([\w-]+)"', page))
    assert set(re.findall(r'\$\("([\w-]+)"\)', script)) <= ids


@pytest.mark.slow
def test_the_script_shows_the_numbers_in_a_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser is installed")
    monkeypatch.setattr(explorer, "PATCHES", {2: 6, 3: 2})
    monkeypatch.setattr(explorer, "NOISES", (0.1,))
    explorer.explorer_data(tmp_path, tmp_path)
    data = (tmp_path / "static" / "explorer_data.js").read_text(encoding="utf-8")
    script = (DOCS / "_static" / "explorer.js").read_text(encoding="utf-8")
    html = re.search(r"^```\{raw\} html\n(.*?)^```", (DOCS / "explore.md").read_text(encoding="utf-8"), re.S | re.M)
    assert html is not None
    body = re.sub(r"<script src=.*?</script>", "", html[1])
    page = tmp_path / "page.html"
    page.write_text(f"<meta charset=utf-8>{body}<script>{data}{script}</script>", encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    record = json.loads(data.split(" = ", 1)[1].rstrip(";\n"))["graphs"]["mixture/2/1/0.1"]
    assert f"α = {record['alpha']:.3g}"[:9] in shown
    assert shown.count("<circle") == len(record["joint"]) + len(record["joint"][0]) + 4
    assert shown.count("<tr>") == 1 + len(explorer.STATEMENTS)
    assert "HOLDS" in shown
