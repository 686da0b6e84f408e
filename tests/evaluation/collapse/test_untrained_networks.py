"""Untrained networks of any code base are not called collapsed, and collapsed ones are never called sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from maetheory.checkpoints import Encoder, EncoderConfig, load_checkpoint
from maetheory.checkpoints.initialisations import (
    BEIT,
    HUGGING_FACE,
    HUGGING_FACE_MAE,
    MAE,
    PYTORCH,
    RULES_BY_DIALECT,
    TIMM,
    apply_initialisation,
    initialisation_rules_of,
)
from maetheory.data import load_images
from maetheory.evaluation import collapse_report, random_init_model
from maetheory.evaluation.collapse.metric_specs import MetricEstimate
from maetheory.evaluation.collapse.prediction_interval import combine_initialisations
from maetheory.evaluation.collapse.random_initialisation import initialisation_rules
from maetheory.evaluation.collapse.verdict import Answer, Finding, assess_collapse
from maetheory.models import MAE as MAEModel
from maetheory.models import MAEConfig, ViTConfig
from maetheory.models.positions import sincos_positions
from maetheory.reports.collapse_plan import MIN_COMPARED_IMAGES, QUICK_INITIALISATIONS

SIDE, PATCH, WIDTH, MAX_DEPTH, HEADS = 16, 4, 48, 2, 4
NAMES = ("effective_rank", "mean_cosine", "direction_std")


def natural(n: int) -> np.ndarray:
    """Return images whose amplitudes fall as one over the frequency, as those of photographs do."""
    rng = np.random.default_rng(0)
    one = np.fft.fftfreq(SIDE)
    frequency = np.hypot(one[:, None], one)
    frequency[0, 0] = 1 / SIDE
    images = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, 3, SIDE, SIDE))) / frequency).real
    images = np.einsum("cd,ndij->ncij", 0.7 + 0.3 * np.eye(3), images)  # channels of photographs agree
    images = 0.2 * images / images.std((1, 2, 3), keepdims=True) + 0.5
    return np.clip(images + 0.15 * rng.normal(size=(n, 1, 1, 1)), 0, 1).astype(np.float32)


def digits(n: int) -> np.ndarray:
    found = torch.as_tensor(load_images("digits", split="train", limit=n).images).float()
    return nn.functional.interpolate(found, size=SIDE).expand(-1, 3, -1, -1).numpy().copy()


IMAGES: dict[str, Callable[[int], np.ndarray]] = {"natural": natural, "digits": digits}


def saved(folder: Path, model: nn.Module) -> Encoder:
    torch.save(model.state_dict(), folder / "untrained.pth")
    return load_checkpoint(folder / "untrained.pth", heads=HEADS, mean=0.5, std=0.5)[0]


def ours(folder: Path) -> nn.Module:
    return MAEModel(MAEConfig(ViTConfig(SIDE, PATCH, 3, width=WIDTH, depth=MAX_DEPTH, heads=HEADS), 32, 1, 2))


def ours_normal(folder: Path) -> nn.Module:
    model = ours(folder)
    for child in model.modules():
        if isinstance(child, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(child.weight, std=0.02)
    return model


def hugging_face(kind: str, config: str, **options: Any) -> Callable[[Path], nn.Module]:
    def build(folder: Path) -> nn.Module:
        transformers = pytest.importorskip("transformers", reason="needs transformers: pip install maetheory[hf]")
        transformers.utils.logging.disable_progress_bar()
        sizes = {
            "hidden_size": WIDTH,
            "num_hidden_layers": MAX_DEPTH,
            "num_attention_heads": HEADS,
            "intermediate_size": 4 * WIDTH,
            "image_size": SIDE,
            "patch_size": PATCH,
        }
        getattr(transformers, kind)(getattr(transformers, config)(**sizes, **options)).save_pretrained(folder)
        return load_checkpoint(folder)[0]

    return build


def timm_model(kind: str, **options: Any) -> Callable[[Path], nn.Module]:
    def build(folder: Path) -> nn.Module:
        pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")
        from timm.models.beit import Beit
        from timm.models.vision_transformer import VisionTransformer

        of = {"Beit": Beit, "VisionTransformer": VisionTransformer}[kind]
        return saved(
            folder,
            of(
                img_size=SIDE,
                patch_size=PATCH,
                embed_dim=WIDTH,
                depth=MAX_DEPTH,
                num_heads=HEADS,
                num_classes=10,
                **options,
            ),
        )

    return build


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.to_qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.0))


class _FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, 4 * WIDTH),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Linear(4 * WIDTH, WIDTH),
            nn.Dropout(0.0),
        )


class VitPytorch(nn.Module):
    """The parameters of vit-pytorch's ViT as its own code draws them: torch.nn's defaults, and tokens N(0, 1)."""

    def __init__(self) -> None:
        super().__init__()
        values = 3 * PATCH**2
        self.to_patch_embedding = nn.Sequential(
            nn.Identity(), nn.LayerNorm(values), nn.Linear(values, WIDTH), nn.LayerNorm(WIDTH)
        )
        self.pos_embedding = nn.Parameter(torch.randn(1, (SIDE // PATCH) ** 2 + 1, WIDTH))
        self.cls_token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(nn.ModuleList([_Attention(), _FeedForward()]) for _ in range(MAX_DEPTH))
        self.transformer.norm = nn.LayerNorm(WIDTH)
        self.mlp_head = nn.Linear(WIDTH, 10)


UNTRAINED: dict[str, Callable[[Path], nn.Module]] = {
    "MAE, Xavier": ours,
    "MAE, normal": ours_normal,
    "Hugging Face ViTMAE": hugging_face(
        "ViTMAEForPreTraining",
        "ViTMAEConfig",
        decoder_hidden_size=32,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=64,
    ),
    "Hugging Face ViT": hugging_face("ViTModel", "ViTConfig"),
    "Hugging Face DeiT": hugging_face("DeiTModel", "DeiTConfig"),
    "timm ViT": timm_model("VisionTransformer"),
    "timm ViT, LayerScale": timm_model("VisionTransformer", init_values=1e-5),
    "timm ViT, JAX": timm_model("VisionTransformer", weight_init="jax"),
    "timm BEiT": timm_model("Beit", init_values=0.1, use_abs_pos_emb=False, use_rel_pos_bias=True),
    "vit-pytorch": lambda folder: saved(folder, VitPytorch()),
}
FAST = ("MAE, normal", "Hugging Face ViTMAE", "timm ViT", "vit-pytorch")


def findings(model: Any, images: np.ndarray, seed: int = 0, **options: Any) -> tuple[Finding, ...]:
    return assess_collapse(collapse_report(model.eval(), images, full=True, metrics=NAMES, seed=seed, **options))


QUICK = {"untrained_images": MIN_COMPARED_IMAGES, "n_initialisations": QUICK_INITIALISATIONS}


def built(name: str, folder: Path, seed: int) -> Any:
    torch.manual_seed(100 + seed)
    return UNTRAINED[name](folder)


@pytest.mark.parametrize("name", FAST)
def test_an_untrained_network_has_not_collapsed(name: str, tmp_path: Path) -> None:
    for finding in findings(built(name, tmp_path, 0), digits(100)):
        assert finding.answer is not Answer.YES, str(finding)


@pytest.mark.slow
@pytest.mark.parametrize("data", IMAGES)
@pytest.mark.parametrize("name", UNTRAINED)
def test_untrained_networks_of_five_seeds_have_not_collapsed(name: str, data: str, tmp_path: Path) -> None:
    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        for finding in findings(built(name, tmp_path / str(seed), seed), IMAGES[data](160), seed):
            assert finding.answer is not Answer.YES, f"seed {seed}: {finding}"


@pytest.mark.slow
@pytest.mark.parametrize("data", IMAGES)
@pytest.mark.parametrize("name", UNTRAINED)
def test_a_quick_report_calls_no_untrained_network_collapsed(name: str, data: str, tmp_path: Path) -> None:
    """With the fewest images and networks that the command line compares with by default."""
    for seed in range(5):
        (tmp_path / str(seed)).mkdir()
        for finding in findings(built(name, tmp_path / str(seed), seed), IMAGES[data](160), seed, **QUICK):
            assert finding.answer is not Answer.YES, f"seed {seed}: {finding}"


def _few_dimensions(kept: int) -> Callable[[Any], None]:
    def collapse(encoder: Any) -> None:
        norm = encoder.norm if isinstance(encoder.norm, nn.LayerNorm) else encoder.fc_norm
        norm.weight[kept:] = 0
        norm.bias[kept:] = 0

    return collapse


def _weights_decayed(encoder: Any) -> None:
    for name, parameter in encoder.named_parameters():
        if name.endswith("weight") and parameter.ndim > 1:
            parameter *= 0.01


COLLAPSED: dict[str, Callable[[Any], None]] = {
    "one dimension": _few_dimensions(1),
    "two dimensions": _few_dimensions(2),
    "no dimension": _few_dimensions(0),
    "weights decayed": _weights_decayed,
}


def moved(name: str, folder: Path, how: str, seed: int = 0) -> Any:
    """Return a network that training has moved and then collapsed."""
    model = built(name, folder, seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
        COLLAPSED[how](getattr(model, "encoder", model))
    return model


@pytest.mark.parametrize("options", [{}, QUICK], ids=["full", "quick"])
@pytest.mark.parametrize("how", COLLAPSED)
@pytest.mark.parametrize("name", ["MAE, Xavier", "timm ViT"])
def test_a_collapsed_network_is_not_called_sound(name: str, how: str, options: Any, tmp_path: Path) -> None:
    report = findings(moved(name, tmp_path, how), natural(100), **options)
    found = [one for one in report if one.question.startswith("dim")]
    for one in found:
        assert one.answer is not Answer.NO, str(one)
        assert one.answer is Answer.YES or any(
            word in one.sentence for word in ("initialisations", "untrained", "not differ", "marginals")
        )
    assert found


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in UNTRAINED if name not in ("timm BEiT", "timm ViT, LayerScale")])
def test_collapsed_networks_of_every_code_base_are_not_called_sound(name: str, tmp_path: Path) -> None:
    for number, how in enumerate(COLLAPSED):
        (tmp_path / str(number)).mkdir()
        for data in IMAGES:
            for one in findings(moved(name, tmp_path / str(number), how, number), IMAGES[data](160)):
                assert one.answer is not Answer.NO or one.question == "complete collapse", f"{how}, {data}: {one}"


@pytest.fixture
def encoders() -> Iterator[Callable[..., Encoder]]:
    def make(code_base: str, **options: Any) -> Encoder:
        encoder = Encoder(EncoderConfig(SIDE, PATCH, 3, 192, 2, HEADS, 192, 768, **options))
        encoder.code_base = code_base
        return encoder

    return make


def test_the_baseline_follows_the_rule_of_the_code_base(encoders: Any) -> None:
    names = ("facebookresearch/mae", "timm", "Hugging Face ViT", "SimMIM", "vit-pytorch", "")
    standard = {name: random_init_model(encoders(name)).blocks[0].mlp.fc1.weight.std().item() for name in names}
    xavier, pytorch = np.sqrt(2 / (192 + 768)), 1 / np.sqrt(3 * 192)
    expected = {
        "facebookresearch/mae": xavier,
        "timm": 0.02,
        "Hugging Face ViT": 0.02,
        "SimMIM": 0.0108,
        "vit-pytorch": pytorch,
        "": xavier,
    }
    assert standard == pytest.approx(expected, rel=0.02)  # of a normal cut at one deviation 0.54 remains
    assert random_init_model(encoders("timm")).cls_token.abs().max() < 1e-5
    assert random_init_model(encoders("vit-pytorch")).pos_embed.std().item() == pytest.approx(1, rel=0.05)
    assert random_init_model(encoders("timm")).patch_embed.proj.weight.std().item() == pytest.approx(1 / 12, rel=0.02)


def test_residual_maps_are_rescaled_by_depth_and_layer_scale_starts_small(encoders: Any) -> None:
    beit = random_init_model(encoders("SimMIM", layer_scale=True))
    first, second = (beit.blocks[i].attn.proj.weight.std().item() for i in (0, 1))
    assert first == pytest.approx(0.0108 / np.sqrt(2), rel=0.02)
    assert first / second == pytest.approx(np.sqrt(2), rel=0.02)
    assert (beit.blocks[0].ls1.gamma == 0.1).all()
    assert (random_init_model(encoders("timm", layer_scale=True)).blocks[1].ls2.gamma == 1e-5).all()


def test_a_fixed_table_of_hugging_face_is_that_of_a_vitmae(encoders: Any) -> None:
    encoder = encoders("Hugging Face ViT")
    assert initialisation_rules(encoder)[0] == HUGGING_FACE
    with torch.no_grad():
        encoder.pos_embed.copy_(sincos_positions(192, 4, 4))
    assert initialisation_rules(encoder)[0] == HUGGING_FACE_MAE
    for rule in initialisation_rules(encoder):
        assert torch.equal(random_init_model(encoder, initialisation=rule).pos_embed, encoder.pos_embed)


def test_the_usual_rules_stand_beside_the_own_one() -> None:
    for code_base in RULES_BY_DIALECT:
        rules = initialisation_rules_of(code_base)
        assert rules[0] == RULES_BY_DIALECT[code_base][0]
        assert {MAE, HUGGING_FACE, PYTORCH} <= set(rules)
        assert len({rule.name for rule in rules}) == len(rules)
    assert initialisation_rules_of("somebody's own")[0] == MAE
    assert [rule.layer_scale for rule in initialisation_rules_of("BEiT v2", layer_scale=True)][:2] == [0.1, 1e-5]
    assert BEIT in initialisation_rules_of("BEiT")
    assert TIMM not in initialisation_rules_of("BEiT")


def test_drawing_is_of_the_generator(encoders: Any) -> None:
    one, other = encoders("timm"), encoders("timm")
    for encoder in (one, other):
        torch.manual_seed(5)
        apply_initialisation(encoder, PYTORCH)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one.blocks[0].mlp.fc1.bias.std() > 0.01


def test_the_span_encloses_the_baseline_and_names_its_ends(tmp_path: Path) -> None:
    table = collapse_report(ours(tmp_path), natural(60), full=True, metrics=(*NAMES, "rankme"), n_initialisations=3)
    decisive = table.metric.isin(("effective_rank", "mean_cosine"))
    assert (table.random_rule == MAE.name).all()
    assert (table.random_span_low <= table.random_init_low)[decisive].all()
    assert (table.random_span_high >= table.random_init_high)[decisive].all()
    assert table.random_span_low[~decisive].isna().all()
    assert set(table.random_lowest[decisive]) <= {MAE.name, HUGGING_FACE.name, PYTORCH.name}
    bare = collapse_report(ours(tmp_path), natural(60), metrics=NAMES)
    assert bare.random_span_low.isna().all()


def record(rank: float, random_init: float, low: float, high: float) -> dict[str, Any]:
    return {
        "readout": "cls",
        "layer": "last",
        "metric": "effective_rank",
        "value": rank,
        "low": rank - 1,
        "high": rank + 1,
        "d": 64,
        "note": "",
        "random_init": random_init,
        "random_init_low": random_init - 1,
        "random_init_high": random_init + 1,
        "shuffled": 60,
        "shuffled_low": 59,
        "shuffled_high": 61,
        "random_span_low": low,
        "random_span_high": high,
        "random_lowest": "the lowest rule",
        "random_highest": "the highest rule",
    }


@pytest.mark.parametrize(
    ("rank", "random_init", "low", "high", "answer", "words"),
    [
        (10, 30, 14, 40, Answer.YES, "is below"),  # 11 < 0.8 · 14 = 11.2
        (10, 30, 13.7, 40, Answer.UNDECIDED, "similarly low ranks: the lowest rule gives down to 13.7"),  # 11 > 10.96
        (10, 5, 4, 40, Answer.UNDECIDED, "far higher ranks: the highest rule gives up to 40"),  # 11 < √160 = 12.6
        (12, 5, 4, 40, Answer.NO, "is above"),
        (10, 11, 4, 40, Answer.UNDECIDED, "does not differ significantly"),
    ],
)
def test_the_span_decides(rank: float, random_init: float, low: float, high: float, answer: Answer, words: str) -> None:
    (found,) = assess_collapse(pd.DataFrame([record(rank, random_init, low, high)]))
    assert found.answer is answer
    assert words in found.sentence


@pytest.mark.parametrize(
    ("value", "reached", "answer"),
    [(0.999, 0.997, Answer.YES), (0.999, 0.999, Answer.UNDECIDED), (1.0, 1 - 5e-7, Answer.UNDECIDED)],
)
def test_complete_collapse_is_nearer_to_1_than_untrained_networks(value: float, reached: float, answer: Answer) -> None:
    ends = {"random_span_low": 0.5, "random_span_high": reached, "random_highest": "the highest rule"}
    row = {**record(1, 1, 1, 1), "metric": "mean_cosine", "value": value, "low": value, "high": value, **ends}
    (found,) = assess_collapse(pd.DataFrame([row]))
    assert found.answer is answer
    assert ("the highest rule" in found.sentence) == (answer is Answer.UNDECIDED)


@pytest.mark.parametrize("values", [(0.2,), (0.9, -0.8), (-0.99, 0.0, 0.99)])
def test_the_interval_of_a_mean_cosine_stays_where_cosines_are(values: tuple[float, ...]) -> None:
    estimates = [MetricEstimate(value, value, value, 0.0, "") for value in values]
    found = combine_initialisations(estimates, cosines=True)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert combine_initialisations(estimates).low < -1 or len(values) == 1  # other metrics have no such limits
