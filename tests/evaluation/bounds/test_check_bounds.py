"""Theorem checks on trained models agree with direct computation, and no theorem is violated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from maetheory.core import InputError
from maetheory.data import sample_images, worlds
from maetheory.evaluation import EncodedGraph, check_bounds, encode_graph
from maetheory.evaluation.bounds.callback import BoundsCallback
from maetheory.evaluation.bounds.check_bounds import LABEL_THEOREMS, UNIT_NORM_THEOREMS
from maetheory.graph import MaskGraph
from maetheory.masks import BernoulliMasks, ListedMasks, UniformMasks
from maetheory.models import MAE, MAEConfig, SimMIM, ViTConfig
from maetheory.theory import Verdict, check
from maetheory.training import TrainConfig, TrainStep, load_run, train
from maetheory.training.checkpointing import build_model

MODEL = MAEConfig(ViTConfig(2, 1, 1, width=8, depth=1, heads=2, positions="learned"), 8, 1, 2)
TOY_CONFIG = TrainConfig(
    MODEL, mask_ratio=0.5, epochs=3, batch=64, base_lr=2e-2, warmup_epochs=1, uniformity_weight=0.1
)
IDENTITIES = ("alignment-split", "irreducible-split", "linear-decoder-loss")


@pytest.fixture(scope="module")
def world() -> worlds.FiniteWorld:
    return worlds.mixture(4, 3, 2, 0.15)


@pytest.fixture(scope="module")
def graph(world: worlds.FiniteWorld) -> MaskGraph:
    return MaskGraph.enumerate(world, UniformMasks(4, 2))


@pytest.fixture(scope="module")
def run(world: worlds.FiniteWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "u-mae"
    train(TOY_CONFIG, sample_images(world, 1024, np.random.default_rng(0)), out=out)
    return out


@pytest.fixture(scope="module")
def encoded(run: Path, graph: MaskGraph) -> EncodedGraph:
    return encode_graph(load_run(run)[0], graph, weight=0.1, fit_steps=30)


def by_slug(encoded: EncodedGraph, **options: bool) -> dict[str, Verdict]:
    return {found.slug: found.verdict for found in check_bounds(encoded, **options)}


@pytest.mark.parametrize("readout", ["cls", "mean"])
@pytest.mark.parametrize("normalized", [True, False])
def test_f_and_h_of_a_view_are_those_of_one_image_that_shows_it(
    run: Path, world: worlds.FiniteWorld, readout: str, normalized: bool
) -> None:
    """One view at a time from a state of the world, with a mask law of unequal counts."""
    model, law = load_run(run)[0].double(), BernoulliMasks(4, 0.5)
    graph = MaskGraph.enumerate(world, law)
    encoded = encode_graph(model, graph, readout=readout, normalized=normalized, fit_steps=0)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    for view in rng.choice(graph.shape[0], 6, replace=False):
        mask, shown = graph.view_contents.masks[view], graph.view_contents.symbols[view]  # type: ignore[union-attr,index]
        places = np.flatnonzero(mask)
        fitting = [s for s in world.states if all(s[p] == a for p, a in zip(places, shown, strict=False))]
        state = fitting[rng.integers(len(fitting))]
        image = torch.tensor([[[[0.5 * state[2 * r + c] for c in range(2)] for r in range(2)]]], dtype=torch.float64)
        with torch.no_grad():
            out = model(image, torch.from_numpy(mask)[None])
        f = out.latent[0, 0] if readout == "cls" else sum(out.latent[0, 1:]) / len(places)
        f = f / (sum(x * x for x in f) ** 0.5 if normalized else 1)
        np.testing.assert_allclose(encoded.features[view], f, atol=1e-12)
        h = np.zeros(4)
        for i, place in enumerate(np.flatnonzero(~mask)):
            h[place] = out.prediction[0, i, 0]
        np.testing.assert_allclose(encoded.h[view], h, atol=1e-12)
        for target in graph.joint[[view]].indices:
            hidden = graph.target_contents.symbols[target]  # type: ignore[union-attr]
            asked = [0.0 if mask[p] else hidden[sum(~mask[:p])] - 1.0 for p in range(4)]  # symbols 0, 1, 2 are −1, 0, 1
            np.testing.assert_allclose(encoded.targets[target], asked, atol=1e-15)


def test_larger_patches_in_colour_are_predicted_where_they_lie() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((2, 12))
    world = worlds.FiniteWorld(worlds.all_states(4, 2), np.full(16, 1 / 16), None, values)
    model = MAE(MAEConfig(ViTConfig(4, 2, 3, width=8, depth=1, heads=2), 8, 1, 2)).double().eval()
    graph = MaskGraph.enumerate(world, UniformMasks(4, 3))
    encoded = encode_graph(model, graph, fit_steps=0)
    images = sample_images(world, 5, rng, patch=2)
    for image, label in zip(images.images, images.labels, strict=True):
        assert label == 0
        patches = model.encoder.patchify(torch.from_numpy(image[None]))[0].numpy()
        nearest = [int(np.abs((patch + 1) / 2 - values).sum(1).argmin()) for patch in patches]
        for place in range(4):
            hidden = np.arange(4) == place
            target = np.flatnonzero(
                (graph.target_contents.masks == hidden).all(1)  # type: ignore[union-attr]
                & (graph.target_contents.symbols[:, 0] == nearest[place])
            )[0]  # type: ignore[union-attr]
            np.testing.assert_allclose(encoded.targets[target].reshape(4, 12)[place], patches[place], atol=1e-6)


def test_the_population_loss_is_the_training_loss_times_the_hidden_values(
    run: Path, graph: MaskGraph, world: worlds.FiniteWorld, encoded: EncodedGraph
) -> None:
    """Every state under every mask, weighted: the loop's loss is a mean over two hidden pixels, the theory's a sum."""
    model, (masks, law) = load_run(run)[0].double(), UniformMasks(4, 2).support()
    total = 0.0
    for state, p in zip(world.states, world.probability, strict=True):
        for mask, q in zip(masks, law, strict=True):
            image = torch.from_numpy(state.reshape(1, 1, 2, 2) / 2)
            total += p * q * model(image, torch.from_numpy(mask)[None]).loss.item()
    split = check_bounds(encoded, ["alignment-split"])[0]
    assert float(split.lhs) == pytest.approx(2 * total, rel=1e-12)
    assert encoded.weight == pytest.approx(0.2, rel=1e-15)


def test_identities_are_tight_and_nothing_is_violated(encoded: EncodedGraph) -> None:
    verdicts = by_slug(encoded)
    assert Verdict.VIOLATED not in verdicts.values()
    for slug in (*IDENTITIES, "spectral-contrast-is-factorisation"):
        assert verdicts[slug] is Verdict.TIGHT
    for slug in (
        *UNIT_NORM_THEOREMS,
        "reconstruction-bounds-encoder-alignment-sharply",
        "umae-bounds-spectral-contrast",
    ):
        assert verdicts[slug] in (Verdict.HOLDS, Verdict.VACUOUS)
    assert verdicts["umae-bounded-by-graph-tail"] is Verdict.VACUOUS
    split = check_bounds(encoded, ["alignment-split"])[0]
    assert abs(float(split.lhs) - float(split.rhs)) <= 1e-10 * float(split.lhs)
    assert set(LABEL_THEOREMS) < set(verdicts)


def test_shuffled_targets_raise_the_loss_and_the_bias_alone(encoded: EncodedGraph) -> None:
    """The identity holds for any targets; what the model learned shows in the bias, and ε of the old h_g with it."""
    order = np.random.default_rng(0).permutation(len(encoded.targets))
    wrong = replace(encoded, targets=encoded.targets[order])
    before, after = (check_bounds(one, ["alignment-split", "irreducible-split"]) for one in (encoded, wrong))
    assert after[0].verdict is Verdict.TIGHT
    assert after[0].terms["alignment"] == before[0].terms["alignment"]
    assert after[0].terms["bias"] > 2 * before[0].terms["bias"]
    assert after[1].terms["irreducible"] > before[1].terms["irreducible"]
    assert wrong.epsilon > 10 * encoded.epsilon
    broken = replace(encoded, h=np.where(np.arange(len(encoded.h))[:, None] == 0, np.nan, encoded.h))
    assert check_bounds(broken, ["alignment-split"])[0].verdict is Verdict.VIOLATED


def test_the_least_constant_serves_and_nothing_less_does(encoded: EncodedGraph) -> None:
    joint, f, h = encoded.graph.joint.toarray(), encoded.features, encoded.h
    ratios = [
        ((f[i] - f[j]) ** 2).sum() / ((h[i] - h[j]) ** 2).sum()
        for i in range(len(f))
        for j in range(i)
        if (joint[i] * joint[j]).any()
    ]
    assert encoded.lipschitz == pytest.approx(max(ratios), rel=1e-12)
    slug = "reconstruction-bounds-encoder-alignment-sharply"
    less = check(slug, encoded.graph, features=f, h=h, targets=encoded.targets, lipschitz=0.999 * encoded.lipschitz)
    assert less.verdict is Verdict.INAPPLICABLE
    merged = replace(encoded, h=np.zeros_like(h))
    assert np.isinf(merged.lipschitz)
    assert check_bounds(merged, [slug])[0].verdict is Verdict.INAPPLICABLE


def test_fitting_lowers_epsilon_and_leaves_the_model_alone(run: Path, graph: MaskGraph) -> None:
    model = load_run(run)[0]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = [encode_graph(model, graph, fit_steps=steps) for steps in (0, 5, 30)]
    assert found[0].epsilon > found[1].epsilon > found[2].epsilon > 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    near = ((found[0].h[:, None] - found[0].targets) ** 2).sum(2)
    shared = graph.joint.toarray() > 0
    least = np.where(shared, near, np.inf).min(0)
    assert found[0].epsilon == pytest.approx(graph.degrees[1] @ least, rel=1e-12)


def test_the_note_states_which_f_was_used(encoded: EncodedGraph, run: Path, graph: MaskGraph) -> None:
    assert "cls readout, L2-normalised" in check_bounds(encoded, ["certificate-bounds-downstream-error"])[0].note
    raw = encode_graph(load_run(run)[0], graph, readout="mean", normalized=False, fit_steps=0)
    assert "mean readout, not normalised" in check_bounds(raw, ["alignment-split"])[0].note
    assert "scaled to norm 1" in check_bounds(raw, UNIT_NORM_THEOREMS)[0].note
    long = replace(raw, h_g=4 * raw.h_g)
    assert by_slug(long, unit_norms=False)[UNIT_NORM_THEOREMS[1]] is Verdict.INAPPLICABLE
    assert by_slug(long)[UNIT_NORM_THEOREMS[1]] is not Verdict.INAPPLICABLE


def test_a_sampled_graph_of_tokens_is_encoded_too(run: Path, world: worlds.FiniteWorld) -> None:
    images = sample_images(world, 40, np.random.default_rng(1))
    law = ListedMasks(UniformMasks(4, 2).sample(np.random.default_rng(2), 3))
    graph = MaskGraph.enumerate(worlds.from_images(images, 1, 3), law)
    assert Verdict.VIOLATED not in by_slug(encode_graph(load_run(run)[0], graph, fit_steps=2)).values()


def test_theorems_of_labels_are_left_out_without_labels(run: Path, world: worlds.FiniteWorld) -> None:
    unlabelled = replace(world, labels=None)
    encoded = encode_graph(load_run(run)[0], MaskGraph.enumerate(unlabelled, UniformMasks(4, 2)), fit_steps=0)
    assert not set(LABEL_THEOREMS) & set(by_slug(encoded))


def test_errors_are_one_sentence(run: Path, graph: MaskGraph, encoded: EncodedGraph) -> None:
    model = load_run(run)[0]
    nine = MaskGraph.enumerate(worlds.mixture(9, 2, 2, 0.1), UniformMasks(9, 1))
    with pytest.raises(InputError, match="sees 4 patches of 1x1 pixels, but an image of this world has 9"):
        encode_graph(model, nine)
    with pytest.raises(InputError, match="in 3 channels, 3 values, but a symbol of this world has 1"):
        encode_graph(MAE(replace(MODEL, encoder=replace(MODEL.encoder, channels=3))), graph)
    with pytest.raises(InputError, match="patch of one value"):
        encode_graph(MAE(replace(MODEL, norm_pixels=True)), graph)
    with pytest.raises(InputError, match="SimMIM"):
        encode_graph(SimMIM(MODEL), graph)
    with pytest.raises(InputError, match='positions must be "kept"'):
        encode_graph(model, MaskGraph.enumerate(worlds.mixture(4, 3, 2, 0.15), UniformMasks(4, 2), "dropped"))
    with pytest.raises(InputError, match="joint law"):
        encode_graph(model, MaskGraph.from_joint([[1.0]]))
    with pytest.raises(InputError, match="readout"):
        encode_graph(model, graph, readout="sum")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="fit_steps"):
        encode_graph(model, graph, fit_steps=-1)
    with pytest.raises(InputError, match="no theorem 'nope'"):
        check_bounds(encoded, ["nope"])
    with pytest.raises(InputError, match="needs weight"):
        check_bounds(replace(encoded, weight=None), ["effective-rank-grows-with-uniformity"])
    with pytest.raises(InputError, match="needs images"):
        check_bounds(encoded, ["linear-mae-optimum"])


def test_the_callback_does_not_change_the_run_and_measures_it(
    run: Path, graph: MaskGraph, world: worlds.FiniteWorld, tmp_path: Path
) -> None:
    callback = BoundsCallback(
        graph, [2, 16], 0.1, ("alignment-split", "certificate-bounds-downstream-error"), fit_steps=3
    )
    callback.measure(build_model(TOY_CONFIG))
    logged: list[dict[str, float]] = []

    def recorded(train_step: TrainStep) -> dict[str, float] | None:
        found = callback(train_step)
        logged.extend([found] if found else [])
        return found

    result = train(
        TOY_CONFIG,
        sample_images(world, 1024, np.random.default_rng(0)),
        out=tmp_path / "measured",
        callbacks=[recorded],
    )
    alone = load_run(run)[0].state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in result.model.state_dict().items())
    table = callback.table
    assert table.step.unique().tolist() == [0, 2, 16, 48]
    assert set(table.verdict) <= {"TIGHT", "HOLDS", "VACUOUS"}
    np.testing.assert_allclose(table.lhs[::2], table.alignment[::2] + table.bias[::2], rtol=1e-12)
    assert [found["population_loss"] for found in logged] == table.lhs[2::2].tolist()
    assert not any(found["violated"] for found in logged)
    assert table.lhs.iloc[-2] < table.lhs.iloc[0]
