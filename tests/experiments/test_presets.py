"""The paper's cells are presets with the paper's settings, and a folder of images is enough to run one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maetheory.core import InputError
from maetheory.data import FolderStream
from maetheory.data.folder import load_image_folder
from maetheory.data.paper import paper_numbers
from maetheory.data.paper.experiment_names import TABLES, experiment_name, experiment_names
from maetheory.evaluation import encode
from maetheory.experiments import EXPERIMENTS, experiment, run
from maetheory.experiments.images import features_and_labels, load_experiment_images
from maetheory.experiments.studies.uniformity_terms import uniformity_sweep_cells
from maetheory.models import MAEConfig, ViTConfig
from maetheory.training.checkpointing import build_model

ALL = [name for table in TABLES for name in experiment_names(table)]


def test_every_row_of_the_paper_has_its_cells() -> None:
    for table in TABLES:
        for row in paper_numbers(table).itertuples():
            cells = experiment(experiment_name(table, row.dataset, row.backbone)).cells
            assert row.method in {cell.objective for cell in cells}
    assert len(ALL) == 7


@pytest.mark.parametrize("name", ALL)
def test_the_settings_are_the_papers(name: str) -> None:
    chosen = experiment(name)
    cifar = "cifar10" in name
    for cell in chosen.cells:
        recipe, vit = cell.recipe, cell.recipe.model.encoder
        assert (recipe.base_lr, recipe.weight_decay, recipe.beta1, recipe.beta2) == (1.5e-4, 0.05, 0.9, 0.95)
        assert (recipe.mask_ratio, recipe.mask_law, recipe.clip) == (0.75, "uniform", 0.0)
        assert (recipe.uniformity_form, recipe.uniformity_readout, recipe.uniformity_normalize) == (
            "squares",
            "cls",
            True,
        )
        assert recipe.uniformity_weight == (0.01 if cell.name.startswith("U-") else 0.0)
        assert (recipe.epochs, recipe.warmup_epochs, recipe.batch) == ((2000, 200, 4096) if cifar else (200, 40, 1024))
        assert (vit.image_size, vit.patch) == ((32, 2) if cifar else (224, 16))
        assert recipe.model.norm_pixels != cifar
        assert (vit.width, vit.depth) == {"tiny": (192, 12), "base": (768, 12), "large": (1024, 24)}[
            name.split("-")[-1]
        ]
    assert chosen.source == ("cifar10" if cifar else "folder")
    assert chosen.stream != cifar


def test_shorter_runs_keep_the_share_of_warm_up() -> None:
    tiny = experiment("table1-cifar10-tiny")
    assert [cell.recipe.warmup_epochs for cell in tiny.with_epochs(1000).cells] == [100] * 3
    assert tiny.with_epochs(2000) == tiny
    assert experiment("table1-imagenet1k-base").with_epochs(200).cells[0].recipe.warmup_epochs == 40
    assert experiment("digits").with_epochs(100).cells[0].recipe.warmup_epochs == 5


def test_tin20_is_cifar_small_on_larger_images() -> None:
    tin20 = experiment("tin20")
    assert [cell.name for cell in tin20.cells] == ["random", "MAE", "U-MAE", "SimMIM", "U-SimMIM"]
    for cell, other in zip(tin20.cells, experiment("cifar10-small").cells, strict=True):
        vit = cell.recipe.model.encoder
        assert (vit.image_size, vit.patch, vit.n_patches) == (64, 8, 64)
        model = replace(cell.recipe.model, encoder=replace(vit, image_size=32, patch=4))
        assert replace(cell.recipe, model=model) == other.recipe


def test_a_folder_must_be_named_and_be_one(tmp_path: Path) -> None:
    for root, words in ((None, "say where it is with --data DIR"), (tmp_path, f"but {tmp_path} is none")):
        with pytest.raises(InputError, match="the preset tin20 reads a folder with train/CLASS") as caught:
            load_experiment_images(experiment("tin20"), root)
        assert str(caught.value).endswith(words)


def test_the_sweep_varies_one_knob_at_a_time() -> None:
    cells = experiment("digits-uniformity").cells
    assert len(cells) == len({cell.name for cell in cells}) == 13
    plain = EXPERIMENTS["digits"].cells[1].recipe
    assert cells[0].recipe == plain
    names = ("uniformity_weight", "uniformity_form", "uniformity_readout", "uniformity_convention")
    for cell in uniformity_sweep_cells(plain)[1:]:
        assert replace(cell.recipe, **{name: getattr(plain, name) for name in names}) == plain
        assert sum(getattr(cell.recipe, name) != getattr(plain, name) for name in names[1:]) <= 1
    assert "squares 0.1" in {cell.name for cell in cells}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, many in (("train", 40), ("val", 30)):
        for label, name in enumerate(("dark", "light")):
            (root / split / name).mkdir(parents=True)
            for i in range(many):
                pixels = rng.integers(100 * label, 100 * label + 100, (18, 18, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.mark.parametrize("stream", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_folder_is_trained_on_and_measured(folder: Path, tmp_path: Path, stream: bool) -> None:
    """A stream is probed on central views, the same that are held in memory."""
    model = MAEConfig(ViTConfig(16, 4, 3, width=16, depth=1, heads=2), 16, 1, 2)
    recipe = replace(experiment("tin20").cells[0].recipe, model=model, epochs=1, batch=32, warmup_epochs=0)
    cells = tuple(replace(cell, recipe=recipe) for cell in experiment("tin20").cells[:2])
    small = replace(experiment("tin20"), cells=cells, seeds=(0,), stream=stream, probe_limit=60, train_limit=70)
    ledger = run(small, out=tmp_path, root=folder, workers=1)
    assert set(ledger.train_images) == {70}
    assert set(ledger.test_images) == {60}
    probes = ledger[ledger.metric == "linear_probe"]
    assert probes.recipe.str.endswith("fitted to at most 60 images").all()
    assert (probes[probes.cell == "random"].value == 1).all()  # dark and light are told apart by any network
    values = ledger[(ledger.cell == "random")].set_index(["readout", "metric"]).value
    held = run(replace(small, stream=False, cells=cells[:1]), out=tmp_path / "held", root=folder, workers=1)
    np.testing.assert_array_equal(held.set_index(["readout", "metric"]).value.loc[values.index], values)


@pytest.mark.parametrize("limit", [None, 60])
def test_a_stream_is_probed_from_its_centre_in_its_own_order(folder: Path, limit: int | None) -> None:
    model = build_model(
        replace(experiment("tin20").cells[0].recipe, model=MAEConfig(ViTConfig(16, 4, 3, 16, 1, 2), 16, 1, 2))
    )
    stream = FolderStream(folder, size=16, train=True, workers=0, limit=70)
    central = load_image_folder(folder, size=16, limit=70)
    held, read = (features_and_labels(model, images, ("cls", "mean"), limit) for images in (central, stream))
    assert [len(features) for features in held[0]] == [limit or 70] * 2
    np.testing.assert_array_equal(held[1], read[1])
    for place, readout in enumerate(("cls", "mean")):
        np.testing.assert_allclose(held[0][place], read[0][place], rtol=0, atol=1e-5)
        torch.testing.assert_close(held[0][place], encode(model, central.limit(limit), readout=readout))
