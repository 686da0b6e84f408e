"""The plan of a collapse report: its size, its images, and untrained networks that checkpoints share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.data import ImageSet
from maetheory.evaluation.collapse import untrained_comparison
from maetheory.evaluation.features.forward_operations import forward_operations
from maetheory.reports import collapse_plan
from maetheory.reports.collapse_plan import Effort, OverallProgress, compared_images
from maetheory.reports.diagnosis import diagnose

CONFIG = EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)


@pytest.fixture
def images() -> ImageSet:
    pixels = np.random.default_rng(0).random((90, 3, 8, 8)).astype(np.float32)
    return ImageSet(pixels, np.zeros(90, int), "noise")


def save(folder: Path, seed: int, config: EncoderConfig = CONFIG) -> Path:
    torch.manual_seed(seed)
    path = folder / f"{seed}.pth"
    torch.save({"model": Encoder(config).state_dict()}, path)
    return path


@pytest.mark.parametrize("depth", [1, 3])
def test_operations_are_those_that_torch_counts(depth: int) -> None:
    counter = pytest.importorskip("torch.utils.flop_counter")
    config = replace(CONFIG, depth=depth)
    with torch.no_grad(), counter.FlopCounterMode(display=False) as counted:
        Encoder(config)(torch.zeros(1, 3, 8, 8))
    patches = 2 * config.n_patches * config.width * 3 * 2**2
    attention = 2 * 2 * 17**2 * config.inner * depth  # which the counter leaves out on a CPU
    assert forward_operations(config) + patches == counted.get_total_flops() + attention


def test_the_comparison_takes_a_share_of_a_pass_or_little_in_any_case() -> None:
    assert compared_images(10_000, 9, 1e10) * 9 == 0.36 * 10_000
    assert compared_images(1000, 8, 1e9) == 2e12 / 1e9 / 8  # twenty seconds at most, for a few hundred images
    assert compared_images(1000, 8, 1e8) == 400
    assert compared_images(1000, 8, 2e7) == 1000  # 2e11 operations, a second or two, in any case
    assert compared_images(50, 9, 1e12) == 40
    assert compared_images(30, 9, 1e12) == 30


def test_a_quick_report_compares_on_the_same_images_at_equal_n(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for amount in ("COMPARISON_OPERATIONS", "OPERATIONS_FOR_ENOUGH"):
        monkeypatch.setattr(collapse_plan, amount, 0)
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    (found,) = diagnose(
        [save(tmp_path, 0)],
        images,
        heads=3,
        progress=lambda done, total, message: steps.append((done, total)),
        effort=Effort(full=False, announce=said.append),
    )
    table = found.measurements.table
    assert set(table.random_images) == {40}
    rank = table[(table.metric == "effective_rank") & (table.readout == "cls")].iloc[0]
    assert rank.images == 90
    assert rank.same_images < rank.value  # fewer images, lower rank
    assert "lidar" not in set(table.metric)
    networks = 3 + 2 * 3  # timm's rule, and three others
    assert f"90 images; {networks} untrained networks on 40 of them; {90 + 40 * networks} forward" in said[0]
    totals = {total for _, total in steps}
    assert totals == {90 + 40 * networks}  # one bar over everything
    assert steps[-1][0] == max(totals)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_the_checkpoint_is_encoded_again_only_where_its_features_are_not_kept(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for amount in ("COMPARISON_OPERATIONS", "OPERATIONS_FOR_ENOUGH"):
        monkeypatch.setattr(collapse_plan, amount, 0)
    path, steps = save(tmp_path, 0), []

    def same_images(**options: Any) -> list[float]:
        steps.clear()
        (found,) = diagnose(
            [path],
            images,
            heads=3,
            progress=lambda done, total, message: steps.append((done, total)),
            effort=Effort(full=False),
            **options,
        )
        assert {total for _, total in steps} == {steps[-1][0]}  # the plan is what was done
        return found.measurements.table.same_images.dropna().tolist()

    kept = same_images()
    passes = steps[-1][0]
    same_images(readouts=["tokens"])
    assert steps[-1][0] == passes + 40
    monkeypatch.setattr(untrained_comparison, "features_of_images", lambda *_: None)
    monkeypatch.setattr(collapse_plan, "MAX_ROWS_IN_MEMORY", 0)
    np.testing.assert_allclose(same_images(), kept, rtol=1e-5)  # other batches round differently
    assert steps[-1][0] == passes + 40


def test_checkpoints_of_one_architecture_share_their_untrained_networks(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    original = untrained_comparison.random_init_models
    monkeypatch.setattr(
        untrained_comparison, "random_init_models", lambda *a, **k: drawn.append(1) or original(*a, **k)
    )
    paths = [save(tmp_path, 0), save(tmp_path, 1), save(tmp_path, 2, replace(CONFIG, depth=1))]
    found = diagnose(paths, images, heads=3, effort=Effort(full=False))
    assert len(drawn) == 2
    alone = diagnose(paths[1:2], images, heads=3, effort=Effort(full=False))
    ranks = [one.measurements.table.query("metric == 'effective_rank'").random_init.tolist() for one in found]
    assert ranks[0] == ranks[1] != ranks[2]
    assert ranks[1] == alone[0].measurements.table.query("metric == 'effective_rank'").random_init.tolist()


def test_progress_of_several_passes_is_one_progress() -> None:
    steps: list[tuple[int, int]] = []
    overall = OverallProgress(lambda done, total, message: steps.append((done, total)), 10)
    for done, total in ((2, 4), (4, 4), (3, 6), (6, 6)):
        overall(done, total, "a, encoding")
    overall(1, 2, "a, measuring cls")  # no pass
    assert steps == [(2, 10), (4, 10), (7, 10), (10, 10), (10, 10)]


def test_a_full_report_is_planned_as_it_is_measured(images: ImageSet, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    diagnose(
        [save(tmp_path, 0)],
        images,
        heads=3,
        progress=lambda done, total, message: steps.append((done, total)),
        effort=Effort(n_initialisations=2),
    )
    networks = 2 + 3
    assert {total for _, total in steps} == {90 * (1 + networks) + 4 * 90 * 3}
    assert steps[-1][0] == steps[-1][1]
