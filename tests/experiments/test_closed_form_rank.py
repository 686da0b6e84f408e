"""The study of the closed-form rank measures what it says, and resumes from its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory.evaluation.bounds.toy_training import TOY_CONFIG
from maetheory.experiments import closed_form_rank
from maetheory.experiments.closed_form_rank import CHANGES, COLUMNS, closed_form_rank_rows
from maetheory.figures import plot

SHORT = replace(TOY_CONFIG, epochs=1, warmup_epochs=0.5)


def test_one_thing_is_changed_at_a_time() -> None:
    base = TOY_CONFIG.to_dict()
    for name, recipe in CHANGES.items():
        changed = [key for key, value in recipe.to_dict().items() if value != base[key]]
        assert len(changed) == (0 if name == "as it is" else 4 if "batches" in name else 1), name
    larger = CHANGES["batches of 512"]
    assert larger.peak_lr == pytest.approx(TOY_CONFIG.peak_lr)
    assert larger.epochs * TOY_CONFIG.batch == TOY_CONFIG.epochs * larger.batch  # as many steps


def test_rows_obey_the_bounds_of_their_definitions() -> None:
    (row,) = closed_form_rank_rows({"as it is": SHORT}, weights=(1.0,), seeds=(0,))
    assert set(row) == set(COLUMNS)
    assert 1 <= row["rank"] <= row["largest_rank"] == TOY_CONFIG.model.encoder.width
    assert row["rank"] < row["predicted_rank"] <= row["largest_rank"] + 1e-9
    assert 1 / row["largest_rank"] <= row["uniformity"] <= 1
    assert row["reconstruction"] > 0


def test_a_table_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[str, float, int]] = []

    def row(changes: dict[str, object], *, weights: tuple[float], seeds: tuple[int]) -> list[dict[str, object]]:
        trained.append((next(iter(changes)), weights[0], seeds[0]))
        return [dict(zip(COLUMNS, (*trained[-1], 5.0, 16.0, 16, 0.1, 0.7), strict=True))]

    monkeypatch.setattr(closed_form_rank, "closed_form_rank_rows", row)
    monkeypatch.setattr(closed_form_rank, "CHANGES", {"as it is": SHORT, "width 32": SHORT})
    closed_form_rank.main(["--seeds", "1", "--into", str(tmp_path)])
    assert len(trained) == 6
    closed_form_rank.main(["--seeds", "2", "--into", str(tmp_path)])
    assert len(trained) == len(set(trained)) == 12
    assert len(pd.read_csv(tmp_path / "closed_form_rank.csv")) == 12
    assert (tmp_path / "closed_form_rank.png").stat().st_size > 0


def test_every_point_is_drawn() -> None:
    frame = pd.DataFrame(
        {"change": ["as it is", "width 32"] * 2, "weight": [0.1, 0.1, 1, 1], "seed": 0, "rank": [5.0, 6, 7, 8]}
    ).assign(predicted_rank=16.0)
    (ax,) = plot("closed_form_rank", frame).axes
    drawn = np.concatenate([line.get_xdata() for line in ax.lines if line.get_marker() == "o"])
    assert sorted(drawn) == [5, 6, 7, 8]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["as it is", "width 32"]
    assert not plt.get_fignums()
