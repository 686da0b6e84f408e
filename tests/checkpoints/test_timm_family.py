"""Files of timm, BEiT, SimMIM, DINO, DINOv2, MoCo-v3, MSN and I-JEPA give what their own code computes."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maetheory.checkpoints import Encoder, LoadReport, inspect_checkpoint, load_checkpoint
from maetheory.checkpoints.dialect import HALVES, IMAGENET
from maetheory.checkpoints.infer import infer
from maetheory.checkpoints.match import matches, translated
from maetheory.checkpoints.model_names import CLIP
from maetheory.checkpoints.read import Contents
from maetheory.checkpoints.timm_dialects import TIMM_DIALECTS
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

import timm
from beit_peers import BEiT
from mae_peers import scattered
from timm.layers import RmsNorm, SwiGLUPacked, resample_abs_pos_embed
from timm.layers.activations import QuickGELU
from timm.models.beit import Beit
from timm.models.convnext import ConvNeXt
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer

Scale = tuple[tuple[float, ...], tuple[float, ...]]
IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
SIX = partial(nn.LayerNorm, eps=1e-6)
FIVE = partial(nn.LayerNorm, eps=1e-5)


def peer(**options: Any) -> Any:
    """Return a timm model of three blocks, patches of 4 pixels, every parameter random."""
    cls = options.pop("cls", VisionTransformer)
    usual = {"img_size": 16, "patch_size": 4, "embed_dim": 48, "depth": 3, "num_heads": 4, "num_classes": 0}
    return scattered(cls(**{**usual, **options}))


def seen(images: Tensor, scale: Scale) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in scale)
    return (images - mean) / std


def close(ours: Tensor, theirs: Tensor) -> None:
    """Compare tokens: float32's ε, a few hundred terms a sum, some dozen sums one after the other."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * max(1.0, float(theirs.abs().max())))


def same_states(encoder: Encoder, model: Any, scale: Scale = IMAGENET, images: Tensor = IMAGES) -> None:
    """Compare what enters the first block, what leaves each, and the last norm, where the peer's own forward has it."""
    theirs: list[Tensor] = []
    hooks = [model.blocks[0].register_forward_pre_hook(lambda module, inputs: theirs.append(inputs[0]))]
    hooks += [block.register_forward_hook(lambda module, inputs, out: theirs.append(out)) for block in model.blocks]
    with torch.no_grad():
        last = model.forward_features(seen(images, scale))
        ours = encoder.hidden_states(images)
        close(encoder(images), last)
    for hook in hooks:
        hook.remove()
    assert len(ours) == len(theirs) == len(model.blocks) + 1
    for one, other in zip(ours, theirs):
        close(one, other)


def loaded(tmp_path: Path, tree: Any, **options: Any) -> tuple[Encoder, LoadReport]:
    torch.save(tree, tmp_path / "checkpoint.pth")
    encoder, report = load_checkpoint(tmp_path / "checkpoint.pth", **options)
    json.dumps(report.to_dict())
    return encoder, report


TIMM: dict[str, tuple[dict[str, Any], Scale]] = {
    "plain": ({}, IMAGENET),
    "no query bias": ({"qkv_bias": False}, IMAGENET),
    "LayerScale": ({"init_values": 0.1}, IMAGENET),
    "registers with positions": ({"reg_tokens": 4}, IMAGENET),
    "registers without positions": ({"reg_tokens": 4, "no_embed_class": True, "init_values": 0.1}, IMAGENET),
    "cls without a position": ({"no_embed_class": True}, IMAGENET),
    "registers without cls": ({"reg_tokens": 4, "class_token": False, "global_pool": "avg", "no_embed_class": True,
                               "init_values": 0.1}, IMAGENET),
    "norms of queries and keys": ({"qk_norm": True}, IMAGENET),
    "SwiGLU": ({"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU, "mlp_ratio": 4.0}, IMAGENET),
    "CLIP": ({"pre_norm": True, "norm_layer": FIVE}, CLIP),
    "SigLIP": ({"class_token": False, "global_pool": "map"}, HALVES),
    "SigLIP, mean of patches": ({"class_token": False, "global_pool": "avg", "fc_norm": False}, IMAGENET),
    "smaller patches": ({"patch_size": 2}, IMAGENET),
}  # fmt: skip


@pytest.mark.parametrize("kind", TIMM)
def test_timm_at_every_block(kind: str, tmp_path: Path) -> None:
    options, scale = TIMM[kind]
    model = peer(**{"norm_layer": SIX, **options})
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4)
    assert report.dialect == "timm"
    assert report.config.eps == (1e-5 if kind == "CLIP" else 1e-6)
    pool = sum(name.startswith("attn_pool.") for name in model.state_dict())
    assert report.left == ({"the attention pool": pool} if pool else {})
    assert pool > 0 or kind != "SigLIP"
    same_states(encoder, model, scale)


@pytest.mark.parametrize("place", ["state_dict", "state_dict_ema", "model_ema", "module", "model"])
def test_the_averaged_weights_come_first(place: str, tmp_path: Path) -> None:
    model, other = peer(reg_tokens=1), peer()
    tree: dict[str, Any] = {"epoch": 3, "arch": "vit_tiny_patch4_16", place: model.state_dict()}
    if "ema" in place:
        tree["state_dict"] = other.state_dict()
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, model)
    assert report.weights == place + (", a running average of the trained weights" if "ema" in place else "")
    if "ema" in place:
        same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="state_dict")[0], other)


@pytest.mark.parametrize(("options", "readout"), [
    ({}, "cls"), ({"global_pool": "avg"}, "mean"), ({"class_token": False, "global_pool": "avg"}, "mean"),
    ({"class_token": False, "global_pool": "avg", "fc_norm": False, "reg_tokens": 2}, "mean"),
])  # fmt: skip
def test_timm_classifiers(options: dict[str, Any], readout: str, tmp_path: Path) -> None:
    model = peer(num_classes=7, norm_layer=SIX, **options)
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4)
    same_states(encoder, model)
    assert report.head is not None
    assert (report.head.classes, report.head.readout) == (7, readout)
    with torch.no_grad():
        close(encoder.logits(IMAGES), model(seen(IMAGES, IMAGENET)))


def test_the_classifier_of_an_attention_pool_reads_no_token(tmp_path: Path) -> None:
    model = peer(num_classes=7, class_token=False, global_pool="map")
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4)
    assert report.head is None
    assert report.left["the classifier of the attention pool"] == 2
    same_states(encoder, model, HALVES)


def test_a_distilled_deit_keeps_its_second_token(tmp_path: Path) -> None:
    model = peer(cls=VisionTransformerDistilled, num_classes=7, norm_layer=SIX)
    encoder, report = loaded(tmp_path, {"model": model.state_dict()}, heads=4)
    assert (report.config.cls, report.config.registers, report.config.position_prefix) == (True, 1, 2)
    assert report.head is None
    same_states(encoder, model)


def test_config_json_beside_timm_weights(tmp_path: Path) -> None:
    """Nothing in the tensors tells quick GELU from GELU, twelve heads from four, or how images are scaled."""
    from safetensors.torch import save_file

    scale = ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    model = peer(num_heads=12, pre_norm=True, norm_layer=FIVE, act_layer=QuickGELU)
    record = {"architecture": "vit_base_patch32_clip_quickgelu_224", "model_args": {"num_heads": 12},
              "pretrained_cfg": {"mean": scale[0], "std": scale[1]}}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(record))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    encoder, report = load_checkpoint(tmp_path)
    same_states(encoder, model, scale)
    assert report.sources["heads"] == report.sources["mean"] == "config.json"
    assert report.sources["activation"] == "config.json, vit_base_patch32_clip_quickgelu_224"
    (tmp_path / "config.json").unlink()
    encoder, report = load_checkpoint(tmp_path, heads=12, mean=scale[0], std=scale[1])
    with pytest.raises(AssertionError, match="not close"):
        same_states(encoder, model, scale)


@pytest.mark.parametrize(("name", "scale"), [
    ("vit_small_patch16_224", HALVES), ("deit_small_patch16_224", IMAGENET), ("vit_small_patch14_dinov2", IMAGENET),
    ("vit_small_patch16_clip_224", CLIP), ("vit_small", IMAGENET),
])  # fmt: skip
def test_the_name_tells_heads_and_scale(name: str, scale: Scale, tmp_path: Path) -> None:
    model = peer(embed_dim=384, num_heads=6, depth=1)
    encoder, report = loaded(tmp_path, {"state_dict": model.state_dict(), "arch": name})
    assert report.sources["heads"] == f"arch, {name}"
    same_states(encoder, model, scale)


@pytest.mark.parametrize("name", [
    "vit_base_patch16_gap_224", "vit_base_patch32_siglip_256", "vit_base_patch16_siglip_256", "flexivit_small",
    "vit_base_patch32_clip_quickgelu_224", "vit_huge_patch14_gap_224", "vit_small_patch16_384",
    "vit_base_patch16_224_miil", "vit_gigantic_patch14_clip_224", "beitv2_base_patch16_224", "beit_base_patch16_224",
    "deit3_small_patch16_224",
])  # fmt: skip
def test_names_mean_what_they_mean_to_timm(name: str, tmp_path: Path) -> None:
    """Heads, activation, ε and the scale of images, from timm's own models, one block of each and without values."""
    with torch.device("meta"):
        model = timm.create_model(name, depth=1)
    file = Contents(
        Path("model.pth"), "torch zip", "", (), {"arch": name, "state_dict": model.state_dict()}, {}, {}, {}
    )
    match = next(matches(file, TIMM_DIALECTS))
    tensors, _ = translated(match)
    config = infer(tensors, match.dialect.facts(file, tensors), match.dialect.defaults).config
    block, act = model.blocks[0], {"GELUTanh": "gelu-tanh", "QuickGELU": "quick-gelu"}
    assert config.heads == block.attn.num_heads
    assert config.eps == block.norm1.eps
    assert config.activation == act.get(type(block.mlp.act).__name__, "gelu")
    assert (config.mean, config.std) == (model.pretrained_cfg["mean"], model.pretrained_cfg["std"])


def test_what_has_the_names_but_not_the_sums_is_refused(tmp_path: Path) -> None:
    model = peer(norm_layer=RmsNorm)
    with pytest.raises(InputError, match="RMS norms"):
        loaded(tmp_path, model.state_dict(), heads=4)
    with pytest.raises(InputError, match="norms after each block's maps"):
        loaded(tmp_path, {"state_dict": peer().state_dict(), "arch": "vit_base_patch16_rpn_224"}, heads=4)


@pytest.mark.parametrize(("options", "prefix"), [
    ({}, 1), ({"no_embed_class": True}, 0), ({"reg_tokens": 2}, 3), ({"class_token": False, "global_pool": "map"}, 0),
])  # fmt: skip
@pytest.mark.parametrize("size", [8, 24])
def test_learned_positions_are_resized_as_timm_does(
    options: dict[str, Any], prefix: int, size: int, tmp_path: Path
) -> None:
    model = peer(**options)
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4, image_size=size)
    table = resample_abs_pos_embed(model.pos_embed.detach(), new_size=[size // 4] * 2, num_prefix_tokens=prefix)
    close(encoder.pos_embed.detach(), table)
    assert any("bicubic interpolation with antialiasing" in note for note in report.notes)
    larger = peer(**options, img_size=size)
    larger.load_state_dict(model.state_dict() | {"pos_embed": table})
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(2))
    same_states(encoder, larger, HALVES if "global_pool" in options else IMAGENET, images)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("pooled", [False, True])
def test_timm_beit(shared: bool, pooled: bool, tmp_path: Path) -> None:
    model = peer(cls=Beit, num_classes=7, init_values=0.1, use_abs_pos_emb=False, use_rel_pos_bias=not shared,
                 use_shared_rel_pos_bias=shared, global_pool="avg" if pooled else "token")  # fmt: skip
    for name, scale in (("", HALVES), ("beitv2_base_patch16_224", IMAGENET)):
        encoder, report = loaded(tmp_path, {"state_dict": model.state_dict(), "arch": name})
        same_states(encoder, model, scale)
        assert report.dialect == "BEiT"
        assert report.config.positions == ("shared relative" if shared else "relative")
        assert report.sources["heads"] == "columns of the relative table"
        assert report.head is not None
        assert report.head.readout == ("mean" if pooled else "cls")
        with torch.no_grad():
            close(encoder.logits(IMAGES), model(seen(IMAGES, scale)))


@pytest.mark.parametrize("positions", ["relative", "shared relative", "table"])
def test_original_beit(positions: str, tmp_path: Path) -> None:
    """A softmax does not see a bias of all keys, so that it is zero must be looked at."""
    model = scattered(BEiT(positions))
    words = {"lm_head.weight": torch.zeros(9, 48), "lm_head.bias": torch.zeros(9)}
    encoder, report = loaded(tmp_path, {"model": {**model.state_dict(), **words}}, heads=4)
    same_states(encoder, model, HALVES)
    for block, own in zip(encoder.blocks, model.blocks):
        assert torch.equal(block.attn.qkv.bias, torch.cat([own.attn.q_bias, torch.zeros(48), own.attn.v_bias]))
    assert report.left == {"the mask token": 1, "the head over visual words": 2}
    assert (report.dialect, report.config.positions) == ("BEiT", positions)
    pooled = scattered(BEiT(positions, pooled=True))
    same_states(loaded(tmp_path, {"model": pooled.state_dict()}, heads=4)[0], pooled, HALVES)


def test_the_layers_beside_beit_v2_are_left(tmp_path: Path) -> None:
    model = scattered(BEiT("shared relative"))
    extra = {f"cls_pt_layers.0.{name}": value for name, value in model.blocks[0].state_dict().items()}
    encoder, report = loaded(tmp_path, {"model": {**model.state_dict(), **extra}})
    same_states(encoder, model, IMAGENET)
    assert report.dialect == "BEiT v2"
    assert report.left["the layers beside the encoder"] == len(extra)


@pytest.mark.parametrize("positions", ["relative", "shared relative", "table"])
def test_simmim(positions: str, tmp_path: Path) -> None:
    model = scattered(BEiT(positions))
    state = {f"encoder.{name}": value for name, value in model.state_dict().items()}
    state |= {"decoder.0.weight": torch.zeros(48, 48, 1, 1), "decoder.0.bias": torch.zeros(48)}
    config = {"MODEL": {"TYPE": "vit", "VIT": {"NUM_HEADS": 4}}, "DATA": {"IMG_SIZE": 16}}
    encoder, report = loaded(tmp_path, {"model": state, "epoch": 99, "config": config})
    same_states(encoder, model)
    assert report.dialect == "SimMIM"
    assert report.left == {"the decoder, one linear map": 2, "the mask token": 1}
    expected = "config.MODEL.VIT.NUM_HEADS" if positions == "table" else "columns of the relative table"
    assert report.sources["heads"] == expected


def of_facebook(model: Any, chunk: int = 0) -> dict[str, Tensor]:
    """Write a timm model's weights as DINOv2's own code names them; registers come with a position row of cls."""
    written = {"mask_token": torch.zeros(1, 48)}
    for name, value in model.state_dict().items():
        parts = name.split(".")
        if "w12" not in parts and hasattr(model.blocks[0].mlp, "gate_last"):
            parts = [{"fc1": "w12", "fc2": "w3"}.get(part, part) for part in parts]
        if parts[0] == "blocks" and chunk:
            parts.insert(1, str(int(parts[1]) // chunk))
        written[".".join(parts)] = value
    if "reg_token" in written:
        row = torch.randn(1, 1, 48, generator=torch.Generator().manual_seed(3))
        written["register_tokens"] = written.pop("reg_token")
        written["cls_token"] = written["cls_token"] - row
        written["pos_embed"] = torch.cat([row, written["pos_embed"]], 1)
    return written


GIANT = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}


@pytest.mark.parametrize("chunk", [0, 2])
@pytest.mark.parametrize("around", ["flat", "teacher", "trainer"])
@pytest.mark.parametrize("options", [{}, {"reg_tokens": 4, "no_embed_class": True}, GIANT])
def test_facebook_dinov2(options: dict[str, Any], around: str, chunk: int, tmp_path: Path) -> None:
    model = peer(init_values=0.1, norm_layer=SIX, **options)
    state = of_facebook(model, chunk)
    tree: Any = state
    if around == "teacher":
        heads = {"dino_head.mlp.0.weight": torch.zeros(2, 48), "ibot_head.last_layer.weight": torch.zeros(2, 2)}
        tree = {"teacher": {f"backbone.{name}": value for name, value in state.items()} | heads}
    if around == "trainer":
        tree = {"model": {f"{who}.backbone.{name}": value + (who == "student") for name, value in state.items()
                          for who in ("student", "teacher")}, "iteration": 9}  # fmt: skip
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, model)
    assert report.dialect == "facebookresearch/dinov2"
    assert report.left["the mask token"] >= 1
    assert report.config.registers == options.get("reg_tokens", 0)
    assert report.config.activation == ("swiglu" if options is GIANT else "gelu")


def test_dinov2_as_timm_saves_it(tmp_path: Path) -> None:
    model = peer(init_values=0.1, norm_layer=SIX, reg_tokens=4, no_embed_class=True, **GIANT)
    same_states(loaded(tmp_path, model.state_dict(), heads=4)[0], model)


def prefixed(model: Any, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in model.state_dict().items()}


def mlp_head(prefix: str) -> dict[str, Tensor]:
    layers = nn.Sequential(nn.Linear(48, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8, bias=False),
                           nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4, bias=False))  # fmt: skip
    return {prefix + name: value for name, value in layers.state_dict().items()}


def test_moco_v3(tmp_path: Path) -> None:
    model, slow = peer(norm_layer=SIX), peer(reg_tokens=0, norm_layer=SIX, mlp_ratio=2)
    state = prefixed(model, "module.base_encoder.") | mlp_head("module.base_encoder.head.")
    state |= prefixed(slow, "module.momentum_encoder.") | mlp_head("module.momentum_encoder.head.")
    state |= mlp_head("module.predictor.")
    encoder, report = loaded(tmp_path, {"epoch": 300, "arch": "vit_base", "state_dict": state}, heads=4)
    same_states(encoder, model)
    assert (report.dialect, report.weights) == ("MoCo-v3", "state_dict.base_encoder")
    assert report.head is None
    assert report.left["the projection head"] == len(mlp_head(""))
    other, report = load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="module.momentum_encoder")
    same_states(other, slow)
    assert "running average" in report.weights


def test_the_small_moco_v3_has_twelve_heads(tmp_path: Path) -> None:
    """Pretrained, and as its linear probing saves it, without its prefix."""
    model = peer(embed_dim=384, num_heads=12, depth=1, num_classes=7, norm_layer=SIX)
    tree = {"epoch": 9, "arch": "vit_small", "state_dict": prefixed(model, "module."), "best_acc1": torch.tensor(7.0)}
    same_states(loaded(tmp_path, tree)[0], model)
    state = prefixed(model, "module.base_encoder.") | mlp_head("module.predictor.")
    encoder, report = loaded(tmp_path, {"arch": "vit_small", "state_dict": state})
    assert report.sources["heads"] == "MoCo-v3's table of widths"
    same_states(encoder, model)


def test_dino(tmp_path: Path) -> None:
    teacher, student = peer(embed_dim=192, num_heads=3, norm_layer=SIX), peer()
    head = {"head.mlp.0.weight": torch.zeros(8, 192), "head.last_layer.weight_g": torch.ones(4, 1)}
    tree = {"teacher": prefixed(teacher, "backbone.") | head,
            "student": prefixed(student, "module.backbone.") | {f"module.{k}": v for k, v in head.items()},
            "dino_loss": {"center": torch.zeros(1, 4)}, "epoch": 99,
            "args": argparse.Namespace(arch="vit_tiny")}  # fmt: skip
    encoder, report = loaded(tmp_path, tree)
    same_states(encoder, teacher)
    assert (report.dialect, report.sources["heads"]) == ("DINO", "args.arch, vit_tiny")
    assert report.weights.startswith("teacher.backbone, a running average")
    assert report.left == {"the projection head": 2}
    same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="student")[0], student)


@pytest.mark.parametrize(("name", "options"), [
    ("MSN", {}), ("I-JEPA", {"class_token": False, "global_pool": "avg", "fc_norm": False}),
])  # fmt: skip
def test_msn_and_ijepa(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    target, trained = peer(norm_layer=SIX, **options), peer(norm_layer=SIX, mlp_ratio=2, **options)
    head = mlp_head("module.fc.") if name == "MSN" else {}
    tree = {"encoder": prefixed(trained, "module.") | head, "target_encoder": prefixed(target, "module.") | head,
            "opt": {}, "epoch": 9, "prototypes": torch.zeros(4, 4)}  # fmt: skip
    if name == "I-JEPA":
        tree |= {"predictor": {"module.predictor_embed.weight": torch.zeros(8, 48)}}
    encoder, report = loaded(tmp_path, tree, heads=4)
    same_states(encoder, target)
    assert report.dialect == name
    assert report.weights == "target_encoder, a running average of the trained weights"
    same_states(load_checkpoint(tmp_path / "checkpoint.pth", heads=4, weights="encoder")[0], trained)


def test_swin_convolutions_and_rotary_positions_are_refused(tmp_path: Path) -> None:
    rotary = Eva(16, 4, embed_dim=48, depth=2, num_heads=4, use_abs_pos_emb=False, use_rot_pos_emb=True)
    swin = SwinTransformer(32, 4, embed_dim=12, depths=(1, 1), num_heads=(2, 2), window_size=2)
    convolutions = ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 8, 8))
    for model, words in ((rotary, "rotary"), (swin, "hierarchical"), (convolutions, "convolutional")):
        torch.save(model.state_dict(), tmp_path / "checkpoint.pth")
        with pytest.raises(InputError, match=words):
            inspect_checkpoint(tmp_path / "checkpoint.pth", heads=4)
