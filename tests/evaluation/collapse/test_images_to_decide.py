"""The number of images that a comparison with untrained networks needs, from errors of images and of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.evaluation import collapse_report
from maetheory.evaluation.collapse.dimensional_collapse import assess_dimensional_collapse
from maetheory.evaluation.collapse.images_to_decide import images_sentence, images_to_separate
from maetheory.evaluation.collapse.verdict import Answer

N = 50


def row(value: float, error: float, spread: float, baseline_error: float, images: int = 1000) -> dict[str, Any]:
    """Return a row of a report in which untrained networks of rank 10 are compared on 50 images."""
    half = np.hypot(spread, baseline_error)
    return {
        "value": 2 * value,
        "error": 0.1,
        "low": 2 * value - 0.1,
        "high": 2 * value + 0.1,
        "images": images,
        "d": 64,
        "same_images": value,
        "same_images_error": error * value,
        "random_images": N,
        "random_init": 10.0,
        "random_init_low": 10 * np.exp(-half),
        "random_init_high": 10 * np.exp(half),
        "random_init_error": 10 * baseline_error,
    }


def overlap(value: float, error: float, spread: float, baseline_error: float, images: float) -> bool:
    """Return whether intervals overlap once the errors over images are those of more images."""
    shrink = np.sqrt(N / images)
    return abs(np.log(value / 10)) < error * shrink + np.hypot(spread, baseline_error * shrink)


@pytest.mark.parametrize("value", [8.5, 11.0])
@pytest.mark.parametrize(("error", "baseline_error"), [(0.15, 0.05), (0.05, 0.15), (0.1, 0.1), (0.2, 0.0)])
def test_intervals_part_at_that_number_of_images_and_not_before(
    value: float, error: float, baseline_error: float
) -> None:
    case = (value, error, 0.05, baseline_error)
    needed = images_to_separate(row(*case))
    assert overlap(*case, N)
    assert not overlap(*case, needed)
    assert overlap(*case, 0.89 * needed)  # two digits are rounded up by a tenth at most


def test_the_spread_of_networks_is_not_mended_by_images() -> None:
    wide = row(9.0, 0.1, 0.2, 0.1)
    assert images_to_separate(wide) == np.inf
    answer, sentence = assess_dimensional_collapse(wide)
    assert answer is Answer.UNDECIDED
    assert "more images would not decide it" in sentence


def test_the_sentence_names_the_option_that_gives_the_images() -> None:
    case = (11.0, 0.15, 0.0, 0.1)
    needed = int(images_to_separate(row(*case)))
    answer, sentence = assess_dimensional_collapse(row(*case))
    assert answer is Answer.UNDECIDED
    assert f"about {needed} compared images would decide it" in sentence
    assert "(--full compares all 1000)" in sentence
    assert f"(--full --limit {needed})" in images_sentence(row(*case, images=needed - 1))
    assert images_sentence(row(*case) | {"random_init_low": 0.0, "random_init_high": np.inf}) == ""
    assert images_sentence({name: one for name, one in row(*case).items() if name != "random_init_error"}) == ""


def test_a_report_states_the_part_of_the_interval_that_images_shrink() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(8, 2, 3, 24, 1, 3, 24, 48)).eval()
    pixels = np.random.default_rng(0).random((320, 3, 8, 8)).astype(np.float32)
    errors = []
    for n in (40, 320):
        table = collapse_report(encoder, pixels, full=True, metrics=["effective_rank"], untrained_images=n)
        (rank,) = table[table.readout == "mean"].to_dict("records")
        assert 0 < rank["random_init_error"] < rank["random_init_high"] - rank["random_init_low"]
        errors.append(rank["random_init_error"] / rank["random_init"])
    assert errors[1] < 0.7 * errors[0]
