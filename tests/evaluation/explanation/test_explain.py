"""Explanations of networks whose leading directions are known, and of inputs that cannot be explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from maetheory.core import Estimate, InputError
from maetheory.core import memory as core_memory
from maetheory.data import ImageSet, load_images
from maetheory.evaluation import explain_collapse
from maetheory.evaluation.collapse import random_init_model
from maetheory.evaluation.explanation import CollapseExplanation, explain_readout, feature_passes
from maetheory.evaluation.explanation.content_free_share import ContentFreeShare
from maetheory.evaluation.explanation.reading import (
    direction_sentences,
    direction_table,
    explanation_paragraph,
    removal_table,
)
from maetheory.models import ViT, ViTConfig

RNG = np.random.default_rng(0)
COLOURED = RNG.random((150, 3, 8, 8), dtype=np.float32) * RNG.random((150, 3, 1, 1), dtype=np.float32)
LAYOUT = np.clip(0.5 + 0.15 * RNG.standard_normal((150, 1, 8, 8)), 0, 1).astype(np.float32)
LAYOUT[:, :, :4] = np.clip(LAYOUT[:, :, :4] + RNG.uniform(-0.4, 0.4, (150, 1, 1, 1)), 0, 1)
BRIGHT = torch.tensor([0.299, 0.587, 0.114])


def brightness(pixels: Tensor) -> Tensor:
    """Return features whose first direction is the mean brightness, and whose others are a few pixels."""
    mean = torch.einsum("nchw,c->n", pixels.float(), BRIGHT) / 64
    return torch.cat([100 * mean[:, None], pixels.float()[:, 0, :2, :2].flatten(1)], 1)


def top_and_bottom(pixels: Tensor) -> Tensor:
    """Return features whose first direction is the difference of the upper and the lower half: content alone."""
    pixels = pixels.float()
    halves = pixels[:, :, :4].mean((1, 2, 3)) - pixels[:, :, 4:].mean((1, 2, 3))
    return torch.cat([100 * halves[:, None], pixels[:, 0, :2, :2].flatten(1)], 1)


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load_images("digits", split="train", limit=60)


@pytest.fixture(scope="module")
def network() -> ViT:
    """A network whose cls token hears of the patches in its second block only: all other blocks add nothing."""
    torch.manual_seed(0)
    vit = ViT(ViTConfig(image_size=8, patch=2, channels=1, width=16, depth=4, heads=2)).eval()
    for place, block in enumerate(vit.blocks):
        if place != 1:
            for name, value in block.named_parameters():
                if "norm" not in name:
                    torch.nn.init.zeros_(value)
    return vit


@pytest.fixture(scope="module")
def explained(network: ViT, digits: ImageSet) -> CollapseExplanation:
    return explain_collapse(network, digits, directions=2)


def first(encoder: Callable[[Tensor], Tensor], images: Any, **options: Any) -> Any:
    return explain_collapse(encoder, images, directions=1, **options).readouts[0].directions[0]


def test_a_direction_that_is_the_brightness_is_found() -> None:
    found = first(brightness, COLOURED)
    name, correlation = found.best_statistic
    assert name == "brightness"
    assert abs(correlation.value) > 0.999
    assert correlation.p_adjusted < 0.01
    shares = {part.kind: part for part in found.content_free}
    assert float(shares["constant"].ratio) == pytest.approx(1, abs=0.02)
    assert float(shares["shuffled"].ratio) == pytest.approx(1, abs=0.02)
    assert float(shares["noise"].ratio) < 0.05
    assert shares["constant"].explained > 0.99
    assert (found.content, found.content_free_kinds) == ("content-free", ("constant", "shuffled"))
    means = (COLOURED.mean((2, 3)) @ BRIGHT.numpy())[np.r_[found.lowest, found.highest]]
    assert (means[:8].max() < means[8:].min()) or (means[:8].min() > means[8:].max())


def test_a_direction_of_content_is_not_called_content_free() -> None:
    found = first(top_and_bottom, LAYOUT)
    shares = {part.kind: part for part in found.content_free}
    assert float(shares["constant"].ratio) < 0.001
    assert float(shares["shuffled"].ratio) < 0.3
    assert found.content == "content"
    assert float(found.share) > 0.95
    assert set(found.statistics) == {"brightness", "contrast", "edge energy"}


@pytest.mark.parametrize(
    ("answers", "content"),
    [
        ({"constant": (1.0, 0.9), "shuffled": (0.1, 0.0), "noise": (0.1, None)}, "content-free"),
        ({"constant": (0.1, 0.0), "shuffled": (1.0, 0.1), "noise": (0.1, None)}, "content"),  # varies, but unlike it
        ({"constant": (0.1, 0.0), "shuffled": (0.1, 0.0), "noise": (1.0, None)}, "undecided"),  # noise alone
        ({"constant": (0.5, 0.5), "shuffled": (0.1, 0.0), "noise": (0.1, None)}, "undecided"),
    ],
)
def test_content_is_decided_by_images_whose_scores_can_be_compared(
    answers: dict[str, tuple[float, float | None]], content: str
) -> None:
    shares = [
        ContentFreeShare(
            kind,
            Estimate(ratio, 0.05, sampled=True),
            *((np.nan,) * 3 if explained is None else (explained, explained - 0.05, explained + 0.05)),
        )
        for kind, (ratio, explained) in answers.items()
    ]
    found = replace(first(brightness, COLOURED), content_free=tuple(shares))
    assert found.content == content


def test_the_block_in_which_a_direction_arises_is_named(explained: CollapseExplanation) -> None:
    cls, mean = explained.readouts
    for direction in cls.directions:
        assert [one.layer for one in direction.layers] == [0, 1, 2, 3, 4]
        assert direction.origin is not None
        assert str(direction.origin) == "2"
        assert max(float(one.readable) for one in direction.layers[:2]) <= 0
        assert float(direction.layers[4].readable) == pytest.approx(1, abs=0.01)
        assert float(direction.layers[3].share) == pytest.approx(float(direction.layers[4].share), abs=1e-6)
    assert str(mean.directions[0].origin) == "0"  # the mean of patches has it from the embedding on
    assert (cls.layer, cls.n, cls.d, cls.n_content_free, cls.n_untrained_images) == (4, 60, 16, 60, 60)
    assert all(len(part.untrained) == 2 for part in cls.directions[0].content_free)


def test_an_untrained_network_beside_itself(network: ViT, digits: ImageSet) -> None:
    """What is drawn for the comparison is the network of the same seed: its ratios agree within their errors."""
    twin = random_init_model(network, seed=0)
    (one, _) = explain_collapse(twin, digits, directions=1, n_initialisations=1).readouts
    for part in one.directions[0].content_free:
        assert part.untrained[0] == pytest.approx(float(part.ratio), abs=4 * part.ratio.error + 0.05)


def test_the_same_seed_gives_the_same_numbers(network: ViT, digits: ImageSet, explained: CollapseExplanation) -> None:
    again = explain_collapse(network, digits, directions=2)
    assert explained.to_dict() == again.to_dict()
    one, other = (explain_collapse(brightness, COLOURED[:40], seed=seed).to_frame().value for seed in (0, 1))
    assert not one.equals(other)


def test_untrained_networks_of_an_architecture_are_drawn_once(
    network: ViT, digits: ImageSet, explained: CollapseExplanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(explained.untrained) == 2

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("untrained networks are drawn again")

    monkeypatch.setattr(explain_readout, "random_init_models", refuse)
    again = explain_collapse(network, digits, directions=2, untrained=explained.untrained)
    pd.testing.assert_frame_equal(again.to_frame(), explained.to_frame())
    assert again.notes == explained.notes
    with pytest.raises(AssertionError, match="drawn again"):
        explain_collapse(network, digits, directions=2)


def test_one_layer_and_one_readout(network: ViT, digits: ImageSet) -> None:
    (one,) = explain_collapse(network, digits, directions=1, readout="mean", layer=-3, n_initialisations=0).readouts
    assert (one.readout, one.layer, len(one.directions[0].layers)) == ("mean", 2, 3)
    assert one.directions[0].content_free[0].untrained == ()


def test_forms_of_the_result(explained: CollapseExplanation) -> None:
    assert len(repr(explained).splitlines()) == 3
    assert "CollapseExplanation" in explained._repr_html_()
    frame = explained.to_frame()
    assert list(frame.columns) == ["readout", "direction", "quantity", "of", "value", "low", "high"]
    cls = explained.readouts[0]
    direction = cls.directions[1]
    row = frame[(frame.readout == "cls") & (frame.direction == 2) & (frame.quantity == "share of the variance")]
    assert row.value.item() == float(direction.share)
    text = explanation_paragraph(cls)
    assert text.startswith("cls: of the 2 leading directions, ")
    assert "Without the first 2 directions, the linear probe changes by" in text
    assert "Without the content-free subspace" in text
    sentences = direction_sentences(cls)
    assert len(sentences) == 2
    assert "It can be read from layer 2 on." in sentences[1]
    assert len(direction_table(cls)) == 2
    assert len(removal_table(cls)) == 2 * (1 + 2 + 1 + 1)
    effect = cls.effect("1", "knn")
    assert effect is not None
    assert effect in cls.directions[0].removal
    assert (effect.removed, effect.probe) == ("1", "knn")
    assert cls.effect("9", "knn") is None


def test_without_labels_nothing_is_probed() -> None:
    pixels, classes = COLOURED[:40], np.arange(40) % 2
    for labels in (None, np.zeros(40, int), np.arange(40)):
        found = explain_collapse(brightness, pixels, labels, directions=1)
        (one,) = found.readouts
        assert not one.removal
        assert not one.directions[0].removal
        assert any("no labels of two classes" in note for note in found.notes)
        assert "probe" not in explanation_paragraph(one)
        assert removal_table(one).empty
    given = explain_collapse(brightness, pixels, classes, directions=1)
    known = explain_collapse(brightness, ImageSet(pixels, classes, "planted"), directions=1)
    assert given.to_dict() == known.to_dict()
    assert given.readouts[0].removal


def test_fewer_images_than_dimensions_are_said(digits: ImageSet) -> None:
    found = explain_collapse(lambda pixels: pixels.float().flatten(1) / 255, digits.images[:40], directions=3)
    assert any("40 images for 64 dimensions" in note for note in found.notes)
    assert any("layers of a model of another library are not known" in note for note in found.notes)
    assert all(one.share.low < one.share < one.share.high for one in found.readouts[0].directions)
    assert found.readouts[0].directions[0].origin is None


def test_equal_features_have_nothing_to_explain() -> None:
    found = explain_collapse(lambda pixels: torch.ones(len(pixels), 3), COLOURED, np.arange(150) % 2)
    (one,) = found.readouts
    assert one.directions == ()
    assert explanation_paragraph(one) == (
        "output: all images have the same features, so that there is no direction to explain."
    )
    assert any("vary along 0 directions only, not 5" in note for note in found.notes)
    assert direction_table(one).empty
    assert "no direction" in repr(found)


def test_a_part_of_many_images_is_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def remembering(pixels: Tensor) -> Tensor:
        sizes.append(len(pixels))
        return brightness(pixels)

    monkeypatch.setattr(feature_passes, "CHUNK", 32)
    found = explain_collapse(remembering, COLOURED, directions=1, n_images=100, batch=50)
    assert found.readouts[0].n == 100
    assert "the explanation uses 100 of 150 images, drawn at random" in found.notes
    assert max(sizes) == 50  # real images are batched
    assert sizes.count(25) == 4 * 3  # and those without content are made in chunks
    assert max(found.readouts[0].directions[0].highest) > 99  # positions among all images


def test_memory_is_checked_before_the_work(network: ViT, digits: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_memory, "available_memory", lambda: 10_000)
    with pytest.raises(InputError, match="explain fewer images"):
        explain_collapse(network, digits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"directions": 0}, "directions must be a whole number of at least 1, but it is 0"),
        ({"directions": 1.5}, "directions must be a whole number"),
        ({"n_images": 19}, "n_images must be at least 20"),
        ({"n_initialisations": -1}, "n_initialisations at least 0"),
        ({"readout": "tokens"}, "choose the readout cls or mean, not tokens"),
        ({"readouts": ["cls", "tokens"]}, "choose the readout cls or mean, not tokens"),
        ({"layer": 5}, "layer must lie between 0 and 4"),
        ({"labels": np.arange(3)}, "labels are one whole number for each of the 60 images"),
        ({"labels": np.full(60, 0.5)}, "labels are one whole number"),
    ],
)
def test_what_cannot_be_explained_is_said(
    options: dict[str, Any], message: str, network: ViT, digits: ImageSet
) -> None:
    with pytest.raises(InputError, match=message):
        explain_collapse(network, digits, **options)


def test_features_alone_too_few_images_and_layers_of_a_function() -> None:
    with pytest.raises(InputError, match="features are measured as they are"):
        explain_collapse(np.random.default_rng(0).standard_normal((30, 4)), COLOURED)
    with pytest.raises(InputError, match="needs the network and its images"):
        explain_collapse(np.random.default_rng(0).standard_normal((30, 4)), None)
    with pytest.raises(InputError, match="at least 20 images, but there are 19"):
        explain_collapse(brightness, COLOURED[:19])
    with pytest.raises(InputError, match="a callable has the last one"):
        explain_collapse(brightness, COLOURED, layer=1)
    assert explain_collapse(brightness, COLOURED[:20], directions=1).readouts[0].n == 20


def test_images_that_are_nearly_black_are_no_error() -> None:
    """The mean of a dark image is below 1/255, which would otherwise be taken for a second division by 255."""
    stars = np.zeros((40, 1, 16, 16), dtype=np.float32)
    stars[np.arange(40), 0, RNG.integers(0, 16, 40), RNG.integers(0, 16, 40)] = RNG.uniform(0.5, 1, 40)
    found = first(lambda pixels: pixels.float().flatten(2).sum(2), stars)
    assert found.content_free[0].kind == "constant"
    assert float(found.content_free[0].ratio) == pytest.approx(1, abs=1e-3)
