"""Features that come as arrays: the same metrics as with their network, and a sentence for what is no features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from maetheory.core import InputError
from maetheory.evaluation import assess_collapse, collapse_report, measure_collapse
from maetheory.evaluation.features.given_features import NO_NETWORK, check_features
from maetheory.metrics import effective_rank

Z = np.random.default_rng(0).standard_normal((80, 6)).astype(np.float32) @ np.diag([3, 2, 1, 1, 0.5, 0.1])
Z = Z.astype(np.float32)

FORMS: dict[str, Any] = {
    "array": Z,
    "float64": Z.astype(np.float64),
    "tensor": torch.from_numpy(Z),
    "tensor with a gradient": torch.from_numpy(Z).clone().requires_grad_(),
    "DataFrame": pd.DataFrame(Z),
    "Fortran order": np.asfortranarray(Z),
    "big-endian": Z.astype(">f4"),
    "strided": np.repeat(Z, 2, axis=0)[::2],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_metrics_of_the_features(form: str) -> None:
    table = collapse_report(FORMS[form], metrics=["effective_rank", "mean_cosine"])
    assert table.readout.tolist() == ["features"] * 2
    assert table.value[0] == pytest.approx(effective_rank(Z.astype(np.float64)), rel=1e-6)
    assert (table.n[0], table.d[0]) == (80, 6)


def test_half_precision_is_measured_in_float64_moments() -> None:
    half = torch.from_numpy(Z).bfloat16()
    table = collapse_report(half, metrics=["effective_rank"])
    assert table.value[0] == pytest.approx(effective_rank(half.double().numpy()), rel=1e-9)


def test_the_report_is_that_of_the_model_that_gave_the_features() -> None:
    images = np.random.default_rng(1).random((60, 1, 4, 4))
    alone = collapse_report(images.reshape(60, 16).astype(np.float32), full=True)
    model = collapse_report(lambda pixels: pixels.flatten(1), images.astype(np.float32), full=True)
    for column in ("value", "error", "low", "high"):
        np.testing.assert_allclose(alone[column], model[column], rtol=1e-6, equal_nan=True)


def test_what_is_missing_without_the_network_is_said_and_nothing_is_concluded_from_it() -> None:
    measured = measure_collapse(Z, full=True)
    assert measured.notes[0] == NO_NETWORK
    assert "there is no initialisation to compare with" in measured.notes[0]
    assert measured.table.random_init.isna().all()
    constant = measure_collapse(np.ones((30, 4), np.float32) + 0 * Z[:30, :4], full=True)
    assert any("4 of 4 columns are constant" in note for note in constant.notes)
    assert [finding.answer for finding in assess_collapse(constant.table)] == ["yes", "yes"]


def test_without_the_network_low_rank_alone_is_no_verdict_on_dimensional_collapse() -> None:
    """Features of three directions of 24 lie far below shuffled columns, as those of healthy networks may."""
    rng = np.random.default_rng(0)
    low = (rng.standard_normal((200, 3)) @ rng.standard_normal((3, 24))).astype(np.float32)
    complete, dimensional = assess_collapse(collapse_report(low, full=True))
    assert (complete.answer, dimensional.answer) == ("no", "undecided")
    assert "without their network there is no initialisation to compare with" in dimensional.sentence
    assert "shuffled-column baseline" in dimensional.sentence


REFUSED: list[tuple[Any, str]] = [
    (np.arange(12).reshape(4, 3), "the array holds int64: if these are labels, pixels or token numbers"),
    (np.ones((4, 3), bool), "the array holds bool"),
    (Z.astype(np.complex64), "complex"),
    (np.array([["a", "b"]] * 4), "the array holds <U1"),
    (np.where(np.arange(480).reshape(80, 6) == 13, np.nan, Z), "NaN or infinity in 1 of 80 rows, first in row 2"),
    (np.where(np.arange(480).reshape(80, 6) % 100 == 0, np.inf, Z), "in 5 of 80 rows, first in row 0"),
    (Z[0], r"has shape \(6,\), but features are one row per image"),
    (Z[:2], "at least 3 rows are needed, but the array has 2"),
    (Z[:, :0], r"has shape \(80, 0\)"),
    (np.zeros((3, 5, 6)), r"of tokens \(n, t, d\) take the cls token, Z\[:, 0\]"),
    (np.zeros((3, 3, 8, 8)), "images .* need an encoder, and feature maps"),
    (pd.DataFrame({"a": [0.5] * 4, "label": [1] * 4}), "1 of 2 columns of the array hold others: label; drop them"),
]


@pytest.mark.parametrize(("features", "sentence"), REFUSED)
def test_what_is_no_features_is_refused(features: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        collapse_report(features)


def test_options_of_models_and_images_do_not_go_with_features() -> None:
    for options in ({"readout": "cls"}, {"readouts": ("mean",)}, {"mean": 0.5}, {"prefix_tokens": 1}):
        with pytest.raises(InputError, match="are options for models"):
            collapse_report(Z, **options)
    for more in ({"layers": 1}, {"final_norm": False}):
        with pytest.raises(InputError, match="no layers and no final norm"):
            collapse_report(Z, **more)
    with pytest.raises(InputError, match="an array of features alone"):
        collapse_report(Z, np.zeros((80, 1, 4, 4)))
    with pytest.raises(InputError, match="a model needs images"):
        collapse_report(torch.nn.Flatten())


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda z: np.concatenate([z, np.ones((80, 2), np.float32)], 1), "2 of 8 columns are constant over all rows"),
        (lambda z: np.where(np.arange(80)[:, None] < 3, 0, z), "3 of 80 rows are zero, and have no direction"),
        (lambda z: z / np.linalg.norm(z, axis=1, keepdims=True), "all rows have length 1, so they were normalised"),
        (lambda z: z.T, "its 6 rows have 80 columns, more than 10 for each row; rows are images, so transpose it"),
    ],
)
def test_what_a_reader_should_know_is_noted(change: Any, note: str) -> None:
    assert check_features(Z)[1] == ()
    (found,) = check_features(change(Z))[1]
    assert note in found
