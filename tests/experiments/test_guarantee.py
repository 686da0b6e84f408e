"""The guarantee is chosen on one half and certified on the other, and no measured value exceeds its bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from maetheory.core import InputError
from maetheory.data import ImageSet
from maetheory.empirical.kernel.bandwidth import median_heuristic
from maetheory.empirical.kernel.gaussian_matrix import GaussianKernelMatrix
from maetheory.empirical.kernel.graph import KernelGraph
from maetheory.experiments import guarantee, guarantee_views
from maetheory.experiments.guarantee import FINITE, POPULATION, guarantee_rows
from maetheory.experiments.guarantee_views import MaskedImages, image_halves, masked_halves
from maetheory.figures import plot

PUBLISHED = Path(__file__).resolve().parents[2] / "figures" / "guarantee.csv"
BOUNDS = (("measured_residual", "residual_bound"), ("measured_error", "one_view_error_bound"))
N = 120


def _world(seed: int, noise: float, n: int = N) -> MaskedImages:
    """Four classes, each a point of the plane, seen twice with noise."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 4)
    centres = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])[labels]
    return MaskedImages(*(centres + noise * rng.normal(size=(2, n, 2))), labels)


@pytest.fixture(scope="module")
def clear() -> pd.DataFrame:
    """Rows of a world in which each part of an image tells the class."""
    return pd.DataFrame(guarantee_rows(_world(0, 0.05, 300), _world(1, 0.05, 300)))


def test_a_clear_world_has_a_guarantee(clear: pd.DataFrame) -> None:
    whole, finite = clear[clear.statement == POPULATION], clear[clear.statement == FINITE]
    assert len(whole) == 1
    assert (whole.image_error_bound < whole.trivial_error).all()
    assert finite.residual_bound.iloc[0] < 0.2 < finite.trivial_residual.iloc[0]
    assert finite.one_view_error_bound.iloc[0] < finite.trivial_error.iloc[0]


def test_a_world_without_information_has_none() -> None:
    first, second = _world(0, 0.05), _world(1, 0.05)
    rng = np.random.default_rng(2)
    lost = [MaskedImages(half.visible, rng.normal(size=(N, 2)), half.labels) for half in (first, second)]
    (whole,) = [row for row in guarantee_rows(*lost) if row["statement"] == POPULATION]
    assert whole["residual_bound"] > whole["trivial_residual"]
    assert whole["one_view_error_bound"] > whole["trivial_error"]


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.6])
def test_no_measured_value_exceeds_its_bound(noise: float) -> None:
    for row in guarantee_rows(_world(0, noise), _world(1, noise)):
        for measured, bound in BOUNDS:
            assert row[measured] <= row[bound] + 1e-9, (row["statement"], row["k"])


def test_bounds_carry_their_factors_and_half_a_bound_would_be_wrong() -> None:
    rows = list(guarantee_rows(_world(0, 0.3), _world(1, 0.3)))
    for row in rows:
        assert row["image_error_bound"] == pytest.approx(2 * row["one_view_error_bound"], rel=1e-12)
        assert row["one_view_error_bound"] >= 2 * row["residual_bound"] + row["alpha"] - 1e-12
    assert any(row["measured_residual"] > row["residual_bound"] / 2 for row in rows if row["statement"] == FINITE)


def test_nothing_is_chosen_on_the_second_half() -> None:
    first, second = _world(0, 0.3), _world(1, 0.3)
    other = MaskedImages(second.visible[::-1], second.hidden, np.roll(second.labels, 7))
    one, two = (pd.DataFrame(guarantee_rows(first, half)) for half in (second, other))
    assert one[["k", "choice", "first_half"]].equals(two[["k", "choice", "first_half"]])
    assert not np.allclose(one.phi, two.phi)


def test_finite_rows_are_those_of_the_kernel_graph() -> None:
    second = _world(1, 0.3)
    for row in guarantee_rows(_world(0, 0.3), second):
        if row["statement"] != FINITE:
            continue
        width = median_heuristic(second.hidden, row["choice"], np.random.default_rng(0))
        graph = KernelGraph(
            GaussianKernelMatrix(second.hidden, width), second.visible, second.labels, np.ones(1, dtype=bool)
        )
        spectrum = graph.spectrum(row["k"] + 1)
        assert row["phi"] == pytest.approx(graph.pair_label_error(distinct=False).value, abs=1e-6)
        assert row["next_eigenvalue"] == pytest.approx(spectrum.values[-1] ** 2, abs=1e-6)
        assert row["residual_bound"] <= graph.residual_bound(spectrum) + 1e-6  # S3 (iii) is never worse than (i)


def _numbered(split: str) -> ImageSet:
    """Images of one value each, all different, between the two splits too."""
    offset, n = (0, 60) if split == "train" else (60, 40)
    images = np.broadcast_to((np.arange(n) + offset)[:, None, None, None] / 100, (n, 1, 8, 8))
    return ImageSet(images.copy(), np.arange(n) % 2, "numbered", split)


@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
@pytest.mark.parametrize("encoded", [False, True])
def test_halves_are_disjoint(monkeypatch: pytest.MonkeyPatch, dataset: str, encoded: bool) -> None:
    monkeypatch.setattr(guarantee_views, "load_images", lambda name, *, split, root: _numbered(split))
    first, second = (
        set(half.images[:, 0, 0, 0].tolist())
        for half in image_halves(dataset, encoded=encoded, images=1000, seed=0, root=None)
    )
    assert not first & second
    assert len(second) >= 20
    trained = set(_numbered("train").images[:, 0, 0, 0].tolist())
    assert bool(second & trained) == (dataset == "digits" and not encoded)
    other = image_halves(dataset, encoded=not encoded, images=1000, seed=0, root=None)[1]
    assert not first & set(
        other.images[:, 0, 0, 0].tolist()
    )  # the choice between pixels and encoders is of first halves


def test_parts_of_a_view_share_no_pixel() -> None:
    halves = (_numbered("train"), _numbered("test"))
    _, second = masked_halves(halves, "checkerboard", None, seed=0)
    filled = halves[0].images.mean()
    shown, hidden = ~np.isclose(second.visible, filled), ~np.isclose(second.hidden, filled)
    assert shown.shape == (40, 64)
    assert (shown.sum(1) == 32).all()
    assert (shown ^ hidden).all()
    _, drawn = masked_halves(halves, "uniform 0.75", None, seed=0)
    assert len(np.unique(np.isclose(drawn.visible, filled), axis=0)) > 30  # each image has its own mask
    with pytest.raises(InputError, match="must be one of checkerboard"):
        masked_halves(halves, "stripes", None, seed=0)


def test_a_table_is_continued_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clear: pd.DataFrame) -> None:
    counted: list[int] = []

    def rows(first: MaskedImages, second: MaskedImages, *, seed: int) -> list[dict[str, Any]]:
        counted.append(len(second))
        return clear.to_dict("records")

    monkeypatch.setattr(guarantee, "guarantee_rows", rows)
    guarantee.main(["--law", "checkerboard", "--images", "50", "--into", str(tmp_path)])
    guarantee.main(["--law", "checkerboard", "--law", "uniform 0.5", "--images", "50", "--into", str(tmp_path)])
    assert counted == [50, 50]
    assert pd.read_csv(tmp_path / "guarantee.csv").law.nunique() == 2
    assert (tmp_path / "guarantee.png").stat().st_size > 0
    with pytest.raises(InputError, match="NAME=PATH"):
        guarantee.main(["--encoder", "run", "--into", str(tmp_path)])


def test_the_figure_takes_the_choice_of_the_first_half(clear: pd.DataFrame) -> None:
    one = clear.assign(dataset="world", space="one", law="law")
    two = one.assign(space="two", first_half=one.first_half + 1, residual_bound=0.0)
    figure = plot("guarantee", pd.concat([one, two], ignore_index=True))
    (ax,) = figure.axes
    drawn = next(line for line in ax.lines if str(line.get_label()).startswith("residual: bound"))
    assert list(drawn.get_ydata()) == list(one[one.statement == FINITE].residual_bound)
    plt.close(figure)


def test_published_bounds_hold_and_the_first_one_is_not_vacuous() -> None:
    frame = pd.read_csv(PUBLISHED)
    for measured, bound in BOUNDS:
        assert (frame[measured] <= frame[bound]).all()
    whole = frame[(frame.dataset == "digits") & (frame.statement == POPULATION)]
    best = whole.loc[whole.first_half.idxmin()]
    assert best.image_error_bound < best.trivial_error
