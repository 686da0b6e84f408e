"""Published files are found from any folder, and where they are missing one sentence says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from maetheory.core import InputError
from maetheory.figures import published

ROOT = Path(__file__).resolve().parents[2]


def installed_elsewhere(monkeypatch: pytest.MonkeyPatch, site: Path) -> None:
    """Let the package lie in a folder of its own, as a wheel does."""
    monkeypatch.setitem(published.__globals__, "__file__", str(site / "maetheory" / "figures" / "published.py"))


def test_a_published_file_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert published() == ROOT / "figures"
    assert published("digits/effective_rank.csv").read_text().startswith("source,")
    with pytest.raises(InputError, match=r"holds no digits/effective_rnak.csv.*effective_rank"):
        published("digits/effective_rnak.csv")


def test_a_wheel_finds_the_clone_that_it_is_used_in_and_says_what_to_do_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_elsewhere(monkeypatch, tmp_path / "site")
    monkeypatch.chdir(ROOT / "notebooks")
    assert published("digits/effective_rank.csv") == ROOT / "figures" / "digits" / "effective_rank.csv"
    (tmp_path / "figures").mkdir()  # a folder of that name alone is not the published one
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"pip install -e \."):
        published()


def test_no_notebook_needs_its_own_folder() -> None:
    for script in (ROOT / "notebooks").glob("*.py"):
        assert 'read_csv("../' not in script.read_text(encoding="utf-8"), script.name
        assert '"../figures' not in script.read_text(encoding="utf-8"), script.name
