"""The study of mask laws at a small size: a planted score is found, and a second call does nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from html_pages import check_page

from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.empirical import HYPOTHESES, LawScores, score_law
from maetheory.experiments import EXPERIMENTS, Cell, Reproduction, reproduce
from maetheory.experiments.studies import mask_law_scores
from maetheory.experiments.studies.mask_law_scores import (
    count_above_untrained,
    read_scores,
    score_correlations,
    score_mask_laws,
    seed_agreement,
)
from maetheory.experiments.studies.mask_laws import mask_law_cells
from maetheory.experiments.studies.mask_laws_page import summary_sentence
from maetheory.masks import MaskLaw

LAWS = (*(("uniform", ratio, 4) for ratio in (0.25, 0.5, 0.75)), ("block", 0.5, 4))


def planted(seeds: int = 3, noise: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Twelve laws whose accuracy falls with φ of token graphs, all other scores being constant or random.

    One seed in twenty gives another score that is significant at 5 %, as it should: the rate itself is under test in
    test_rank_correlation.
    """
    rng, laws = np.random.default_rng(2), [f"uniform {0.05 * i:g} patch 2" for i in range(1, 13)]
    scores = pd.DataFrame(
        [
            (law, name, i / 20, 0.5 if "bound" in name else rng.random(), HYPOTHESES[name].direction)
            for i, law in enumerate(laws, 1)
            for name in HYPOTHESES
        ],
        columns=["law", "score", "mask_ratio", "value", "direction"],
    )
    phi = scores[scores.score == "tokens pair_label_error"].set_index("law").value
    rows = [
        (law, "MAE", seed, readout, "linear_probe", 1 - phi[law] / 2 + noise * rng.normal())
        for law in laws
        for seed in range(seeds)
        for readout in ("cls", "mean")
    ]
    rows += [
        (law, "MAE", seed, "hidden pixels", "reconstruction_loss", rng.random())
        for law in laws
        for seed in range(seeds)
    ]
    rows += [
        ("untrained patch 2", "random", seed, readout, "linear_probe", 0.75)
        for seed in range(seeds)
        for readout in ("cls", "mean")
    ]
    return scores, pd.DataFrame(rows, columns=["cell", "objective", "seed", "readout", "metric", "value"])


def test_a_planted_score_has_correlation_1_in_its_own_direction() -> None:
    scores, ledger = planted()
    found = score_correlations(scores, ledger)
    assert len(found) == 2 * (len(HYPOTHESES) + 1)
    right = found[found.score == "tokens pair_label_error"]
    assert right.rho.to_numpy() == pytest.approx(1)
    assert right[["least_seed", "most_seed"]].to_numpy() == pytest.approx(1)
    assert (right.p_adjusted < 0.01).all()
    others = found[~found.score.isin(["tokens pair_label_error"])]
    assert (others.p_adjusted.dropna() > 0.05).all()
    flat = found[found.score.str.contains("bound")]
    assert flat.rho.isna().all()
    assert flat.why.str.contains("is the same for all 12, so it ranks nothing").all()
    words = summary_sentence(found, ledger)
    assert words.startswith("12 mask laws, of which")
    assert "these scores predict accuracy: tokens pair_label_error (cls) 1.00" in words
    backwards = ledger.assign(value=np.where(ledger.metric == "linear_probe", 1 - ledger.value, ledger.value))
    assert "these scores correlate negatively: tokens pair_label_error (cls) -1.00" in summary_sentence(
        score_correlations(scores, backwards), backwards
    )


def test_seeds_that_disagree_are_told() -> None:
    scores, ledger = planted()
    assert seed_agreement(ledger, "cls") == pytest.approx(1)
    noisy = planted(noise=100.0)[1]
    assert abs(seed_agreement(noisy, "cls")) < 0.5
    assert "no score predicts" in summary_sentence(score_correlations(scores, noisy), noisy)
    assert np.isnan(seed_agreement(planted(seeds=1)[1], "cls"))


def test_laws_are_compared_with_the_untrained_network_of_their_patch_size() -> None:
    ledger = planted()[1]
    means = ledger[(ledger.readout == "cls") & (ledger.objective == "MAE")].groupby("cell").value.mean()
    assert count_above_untrained(ledger, "cls") == (means > 0.75).sum()
    cells = mask_law_cells(EXPERIMENTS["digits"].cells[0].recipe, (("block", 0.5, 2), ("uniform", 0.75, 4)))
    assert [cell.name for cell in cells] == [
        "untrained patch 2",
        "untrained patch 4",
        "block 0.5 patch 2",
        "uniform 0.75 patch 4",
    ]
    assert [cell.trained for cell in cells] == [False, False, True, True]
    assert cells[3].recipe.law().n_patches == 4


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    return again(tmp_path_factory.mktemp("laws"))


def again(out: Path) -> Reproduction:
    preset = EXPERIMENTS["mask-laws-digits"]
    recipe = replace(preset.cells[-1].recipe, epochs=1, batch=64, warmup_epochs=0.5)
    small = replace(
        preset, cells=mask_law_cells(recipe, LAWS), seeds=(0,), train_limit=100, test_limit=60, monitor_epochs=1
    )
    return reproduce(small, out=out, workers=1)


@pytest.mark.slow
def test_the_study_leaves_figure_table_and_page(done: Reproduction) -> None:
    assert {path.name for path in done.figures} == {
        *(f"score_against_accuracy.{suffix}" for suffix in ("svg", "png", "csv")),
        "score_correlations.csv",
    }
    assert "4 mask laws, of which" in done.summary
    drawn = pd.read_csv(next(path for path in done.figures if path.name == "score_against_accuracy.csv"))
    assert len(drawn) == 4 * 2 * (len(HYPOTHESES) + 1)
    assert drawn.accuracy.between(0, 1).all()
    assert len(check_page(done.page.read_text(encoding="utf-8")).pictures) == 1


@pytest.mark.slow
def test_a_table_of_an_older_version_is_computed_again(done: Reproduction) -> None:
    path = done.page.parent / "mask_law_scores.csv"
    whole = path.read_bytes()
    older = pd.read_csv(path)
    older[older.score != "linear_mae_kept_share"].to_csv(path, index=False)
    again(done.page.parent)
    assert path.read_bytes() == whole


@pytest.mark.slow
def test_a_second_call_scores_nothing_again(done: Reproduction) -> None:
    table = done.page.parent / "mask_law_scores.csv"
    stamp, before = table.stat().st_mtime_ns, {path: path.read_bytes() for path in done.figures}
    assert again(done.page.parent).summary == done.summary
    assert table.stat().st_mtime_ns == stamp
    assert {path: path.read_bytes() for path in done.figures} == before


def stored_scores() -> pd.DataFrame:
    """A table as `score_table` makes it, with an undecided score without a value."""
    rows = [
        {"law": law, "patch": 2, "mask_ratio": 0.75, "score": score, "value": value, "low": 0.1, "high": value}
        | {"decided": not np.isnan(value), "why": 'of "few", masks', "direction": -1, "k": 3}
        | {"n_images": 20, "n_masks": 8}
        for law in ("uniform 0.75", "block é")
        for score, value in (("rank", 1 / 3), ("label error", np.nan))
    ]
    return pd.DataFrame(rows)


def cells_of_patch_4() -> list[Cell]:
    """Three trained cells."""
    return [cell for cell in mask_law_cells(EXPERIMENTS["digits"].cells[1].recipe, LAWS) if cell.trained][:3]


def test_scores_are_stored_law_by_law_and_not_computed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped at the third law, the table holds two; the second call scores the third and the changed first alone."""
    images, cells = load_images("digits", limit=100), cells_of_patch_4()
    whole, path, asked = score_mask_laws(cells, images, n_masks=2), tmp_path / "scores.csv", []

    def stopped(images: ImageSet, law: MaskLaw, *, name: str, **options: Any) -> LawScores:
        asked.append(name)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return score_law(images, law, name=name, **options)

    monkeypatch.setattr(mask_law_scores, "score_law", stopped)
    with pytest.raises(KeyboardInterrupt):
        score_mask_laws(cells, images, n_masks=2, store=path)
    assert set(read_scores(path).law) == {one.name for one in cells[:2]}
    halved = pd.read_csv(path)
    halved.loc[halved.law == cells[0].name, "n_images"] = 30
    halved.to_csv(path, index=False)
    told: list[str] = []
    again = score_mask_laws(
        cells, images, n_masks=2, store=path, progress=lambda done, total, message: told.append(f"{done} {message}")
    )
    pd.testing.assert_frame_equal(again, whole, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(read_scores(path), whole, check_dtype=False, check_exact=True)
    assert told == [f"0 scoring {cells[0].name}", f"2 scoring {cells[2].name}"]
    whole.assign(n_images=whole.n_images.where(whole.law != cells[0].name, 30)).to_csv(path, index=False)
    score_mask_laws(cells, images, n_masks=2, store=path)
    pd.testing.assert_frame_equal(read_scores(path), whole, check_dtype=False, check_exact=True)


def test_stored_scores_are_read_as_they_were(tmp_path: Path) -> None:
    table, path = stored_scores(), tmp_path / "mask_law_scores.csv"
    table.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_scores(path), table, check_dtype=False)
    for name in ("value", "low", "high", "mask_ratio"):
        assert read_scores(path)[name].dtype == float  # an empty field is no text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda text: text.replace(",0.75,", ",x,", 1), "could not convert"),
        (lambda text: text.replace("mask_ratio", "ratio"), "it must have the columns"),
        (lambda text: text.splitlines()[0], "it must have the columns .* and rows"),
        (lambda text: text.replace("True", "maybe"), "bool"),
        (lambda text: text.replace("-1", "3"), "a direction is neither"),
        (lambda text: text.replace("0.1", "inf", 1), "infinite"),
        (lambda text: text + text.splitlines()[-1], "one row for each score"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "one row for each score"),
        (lambda text: text[: len(text) // 2], ""),
        (lambda text: '"' * 10_000, ""),
        (lambda text: "", ""),
    ],
)
def test_damaged_scores_are_one_sentence(tmp_path: Path, change: Callable[[str], str], word: str) -> None:
    path = tmp_path / "mask_law_scores.csv"
    stored_scores().to_csv(path, index=False)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=rf"mask_law_scores.csv is no whole table .*{word}.*; delete it"):
        read_scores(path)


def test_scores_of_another_encoding_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mask_law_scores.csv"
    stored_scores().to_csv(path, index=False, encoding="utf-16")
    with pytest.raises(InputError, match="is no whole table of mask-law scores"):
        read_scores(path)
