"""Advice on planted images whose best mask law is known, on images that decide nothing, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import maetheory
from maetheory.core import InputError
from maetheory.data import ImageSet, load_images
from maetheory.empirical import Advice, advise
from maetheory.empirical.advice import candidates as candidates_module
from maetheory.empirical.advice import default_patch_sizes, evidence_table, make_candidates, predicting_scores
from maetheory.empirical.advice.cost import estimate_cost
from maetheory.empirical.advice.evidence import evidence_sentence
from maetheory.reports.advice_evidence import advice_evidence

PHI = "tokens pair_label_error"
FIGURES = Path(__file__).parents[3] / "figures"


def planted(n: int, places: tuple[tuple[int, int], ...], seed: int = 0) -> ImageSet:
    """Noise of 8 x 8 pixels, with the brightness of the label in the given quadrants."""
    rng = np.random.default_rng(seed)
    labels, images = np.arange(n) % 4, 0.05 * rng.random((n, 1, 8, 8))
    for row, column in places:
        images[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += labels[:, None, None, None] / 5
    return ImageSet(images, labels, "planted")


OPTIONS: dict[str, Any] = {"laws": ("uniform", "block"), "mask_ratios": (0.5, 0.75), "patch_sizes": (4,)}


def test_the_law_that_always_parts_two_copies_of_the_label_is_recommended() -> None:
    """Half of a 2 x 2 grid as a block is a row, so that it shows one of two diagonal copies and hides the other."""
    found = advise(planted(300, ((0, 0), (1, 1))), **OPTIONS | {"mask_ratios": (0.5,)}, n_masks=12)
    assert found.recommended == ("block 0.5 patch 4",)
    assert found.undecided == ""
    best = found.to_frame().iloc[0]
    assert (best.candidate, best.score, best.group) == ("block 0.5 patch 4", PHI, 1)
    assert best.value < 0.01
    assert "told apart from all others" in found.reading()
    assert "digits 0.82* (cls)" in found.reading()


def test_a_label_in_one_patch_noise_and_labels_of_other_images_are_undecided() -> None:
    copies = planted(300, ((0, 0), (1, 1)))
    strangers = ImageSet(copies.images, np.random.default_rng(1).permutation(copies.labels), "strangers")
    for images in (planted(300, ()), planted(300, ((0, 1),)), strangers):
        found = advise(images, **OPTIONS, n_masks=4)
        assert "is better than with views, targets or labels permuted" in found.undecided
        assert found.recommended == ()
        assert found.reading().startswith("Undecided: ")


@pytest.mark.parametrize(("side", "decided"), [(32, True), (36, False)])
def test_images_larger_than_those_of_the_studies_are_undecided(side: int, decided: bool) -> None:
    """32 x 32 x 3 is scored from whole pixels, as in the studies; anything larger from averaged ones."""
    small = planted(120, ((0, 0), (1, 1)))
    pixels = np.kron(small.images[..., ::2, ::2], np.ones((1, 1, side // 4, side // 4))).repeat(3, axis=1)
    found = advise(ImageSet(pixels, small.labels, "large"), **OPTIONS | {"patch_sizes": (side // 2,)}, n_masks=6)
    assert (found.leading_score == PHI) is decided
    assert ("larger than those on which φ of token graphs predicted probes" in found.undecided) is not decided
    assert decided or not found.recommended


def test_laws_that_are_one_law_are_not_told_apart() -> None:
    """One hidden patch of four is the same for both laws, with masks drawn anew; eight sets of images."""
    different = 0
    for seed in range(8):
        images = planted(80, ((0, 0), (1, 1)), seed)
        found = advise(images, laws=("uniform", "block"), mask_ratios=(0.25,), patch_sizes=(4,), n_masks=3, seed=seed)
        different += max(found.groups[PHI]) > 1
        assert found.groups["linear_mae_kept_share"] == (1, 1)
    assert different <= 2  # P < 0.006 at 5 %


def test_without_labels_only_scores_that_need_none_are_there_and_nothing_is_advised() -> None:
    images = load_images("digits", limit=100)
    found = advise(images, **OPTIONS, use_labels=False)
    assert list(found.scores) == ["linear_mae_kept_share"]
    assert (found.leading_score, found.k) == (None, 10)
    assert "has predicted probes in two of our studies; labels would add φ" in found.undecided
    assert any("no labels" in one for one in found.assumptions)
    same = advise(images.images, **OPTIONS)
    assert same.to_frame().equals(found.to_frame())


def test_labels_of_an_array_may_be_any_whole_numbers() -> None:
    images = load_images("digits", limit=100)
    one = advise(images, **OPTIONS, n_masks=2)
    other = advise(images.images, 7 * images.labels - 3, **OPTIONS, n_masks=2)
    assert one.to_frame().equals(other.to_frame())
    assert len(repr(one).splitlines()) == 3
    assert maetheory.advise is advise
    assert isinstance(one, Advice)


def test_a_candidate_is_named_as_in_the_studies() -> None:
    studied = pd.read_csv(FIGURES / "cifar10-small" / "score_against_accuracy.csv").law.unique()
    named = [
        one.name for one in make_candidates(32, 32, laws=("uniform", "bernoulli", "block"), mask_ratios=(0.5, 0.75))
    ]
    assert set(named[:6]) <= set(studied)
    assert make_candidates(32, 32, laws=("mixture",), mask_ratios=(0.25, 0.75))[0].law.mask_ratio == 0.5
    assert default_patch_sizes(64, 128) == (8, 16)


def test_the_shipped_evidence_is_that_of_the_published_studies() -> None:
    pd.testing.assert_frame_equal(advice_evidence(FIGURES), evidence_table())
    assert predicting_scores(evidence_table()) == [PHI]


def test_a_score_needs_two_studies_and_no_study_against_it() -> None:
    def table(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=["dataset", "score", "rho", "p_adjusted"]).assign(readout="cls")

    right = [("a", "x", 0.9, 0.01), ("b", "x", 0.9, 0.04)]
    assert predicting_scores(table(*right)) == ["x"]
    assert predicting_scores(table(right[0], ("b", "x", 0.9, 0.06))) == []
    assert predicting_scores(table(right[0], ("a", "x", 0.9, 0.01))) == []
    assert predicting_scores(table(*right, ("c", "x", -0.2, 0.5))) == ["x"]
    assert predicting_scores(table(*right, ("c", "x", -0.9, 0.01))) == []
    better = [("a", "y", 0.95, 0.01), ("b", "y", 0.95, 0.01)]
    assert predicting_scores(table(*right, *better)) == ["y", "x"]
    assert evidence_sentence(table(*right), "x") == "a 0.90* (cls); b 0.90* (cls)"
    assert evidence_sentence(table(*right), "z") == "no study"


def test_cost_grows_with_images_masks_and_labels() -> None:
    some = make_candidates(32, 32)
    small, large = (estimate_cost((n, 3, 32, 32), some, n_masks=8, has_labels=True) for n in (500, 4000))
    assert 2 * small.seconds < large.seconds
    assert small.bytes < large.bytes
    assert estimate_cost((500, 3, 32, 32), some, n_masks=8, has_labels=False).seconds < small.seconds
    assert str(large).endswith("GB beside the images")


def test_memory_that_does_not_suffice_is_said_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maetheory.core.memory.available_memory", lambda: 1000)
    said: list[str] = []
    with pytest.raises(InputError, match=r"advice on these images would take about .* take fewer images"):
        advise(planted(40, ()), **OPTIONS, announce=said.append)
    assert not said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((30, 8, 8))}, "must be of shape"),
        ({"images": np.full((30, 1, 8, 8), np.nan)}, "NaN|nan"),
        ({"images": np.zeros((30, 1, 8, 8), np.uint8)}, "all images are equal"),
        ({"images": np.zeros((10, 1, 8, 8))}, "at least 20 images, but there are 10"),
        ({"labels": np.zeros(5, int)}, "one whole number for each of the 40 images"),
        ({"labels": np.zeros(40)}, "one whole number for each of the 40 images"),
        ({"laws": ("uniform", "ring")}, "'ring' was given"),
        ({"mask_ratios": (0.5, 1.0)}, "strictly between 0 and 1"),
        ({"mask_ratios": (0.5, 0.99)}, "nothing visible"),
        ({"patch_sizes": (3,)}, "3 does not divide 8x8"),
        ({"patch_sizes": (0,)}, "0 does not divide 8x8"),
        ({"laws": ("uniform",), "mask_ratios": (0.5,)}, "at least two candidates"),
        ({"mask_ratios": ()}, "at least two candidates"),
        ({"n_masks": 1}, "at least 2 masks"),
        ({"n_images": 19}, "at least 20 images, but n_images is 19"),
        ({"k": 0}, "k must be at least 1"),
        ({"images": "/none/there"}, "/none/there"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"images": planted(40, ()), **OPTIONS} | change
    with pytest.raises(InputError, match=words):
        advise(given.pop("images"), **given)


def test_sizes_without_a_default_are_asked_for() -> None:
    with pytest.raises(InputError, match="no default patch size divides images of 50x50"):
        make_candidates(50, 50)
    assert candidates_module.DEFAULT_RATIOS == (0.25, 0.5, 0.75)
