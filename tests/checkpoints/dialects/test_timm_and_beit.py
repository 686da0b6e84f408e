"""Files of timm, BEiT and SimMIM are loaded as the encoders that their own code runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from maetheory.checkpoints import inspect_checkpoint, load_checkpoint
from maetheory.checkpoints.dialects.catalogue import TIMM_FAMILY_DIALECTS
from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD, INCEPTION_MEAN_STD
from maetheory.checkpoints.dialects.infer import infer_config
from maetheory.checkpoints.dialects.match import match_dialects, to_canonical_names
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD
from maetheory.checkpoints.dialects.timm import siglip2_activation
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

import timm
from beit_peers import BEiT
from mae_peers import randomized
from parity import FIVE, IMAGES, SIX, Scale, close, loaded, peer, same_states, standardized
from timm.layers import RmsNorm, SwiGLUPacked, resample_abs_pos_embed
from timm.layers.activations import QuickGELU
from timm.models.beit import Beit
from timm.models.convnext import ConvNeXt
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import ResPostBlock

TIMM: dict[str, tuple[dict[str, Any], Scale]] = {
    "plain": ({}, IMAGENET_MEAN_STD),
    "no query bias": ({"qkv_bias": False}, IMAGENET_MEAN_STD),
    "LayerScale": ({"init_values": 0.1}, IMAGENET_MEAN_STD),
    "registers with positions": ({"reg_tokens": 4}, IMAGENET_MEAN_STD),
    "registers without positions": ({"reg_tokens": 4, "no_embed_class": True, "init_values": 0.1}, IMAGENET_MEAN_STD),
    "cls without a position": ({"no_embed_class": True}, IMAGENET_MEAN_STD),
    "registers without cls": (
        {"reg_tokens": 4, "class_token": False, "global_pool": "avg", "no_embed_class": True, "init_values": 0.1},
        IMAGENET_MEAN_STD,
    ),
    "norms of queries and keys": ({"qk_norm": True}, IMAGENET_MEAN_STD),
    "SwiGLU": ({"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU, "mlp_ratio": 4.0}, IMAGENET_MEAN_STD),
    "CLIP": ({"pre_norm": True, "norm_layer": FIVE}, CLIP_MEAN_STD),
    "SigLIP": ({"class_token": False, "global_pool": "map"}, INCEPTION_MEAN_STD),
    "SigLIP, mean of patches": ({"class_token": False, "global_pool": "avg", "fc_norm": False}, IMAGENET_MEAN_STD),
    "smaller patches": ({"patch_size": 2}, IMAGENET_MEAN_STD),
}


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


@pytest.mark.parametrize(
    ("options", "readout"),
    [
        ({}, "cls"),
        ({"global_pool": "avg"}, "mean"),
        ({"class_token": False, "global_pool": "avg"}, "mean"),
        ({"class_token": False, "global_pool": "avg", "fc_norm": False, "reg_tokens": 2}, "mean"),
    ],
)
def test_timm_classifiers(options: dict[str, Any], readout: str, tmp_path: Path) -> None:
    model = peer(num_classes=7, norm_layer=SIX, **options)
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4)
    same_states(encoder, model)
    assert report.head is not None
    assert (report.head.classes, report.head.readout) == (7, readout)
    with torch.no_grad():
        close(encoder.logits(IMAGES), model(standardized(IMAGES, IMAGENET_MEAN_STD)))


def test_the_classifier_of_an_attention_pool_reads_no_token(tmp_path: Path) -> None:
    model = peer(num_classes=7, class_token=False, global_pool="map")
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4)
    assert report.head is None
    assert report.left["the classifier of the attention pool"] == 2
    same_states(encoder, model, INCEPTION_MEAN_STD)


def test_a_distilled_deit_keeps_its_second_token(tmp_path: Path) -> None:
    model = peer(cls=VisionTransformerDistilled, num_classes=7, norm_layer=SIX)
    encoder, report = loaded(tmp_path, {"model": model.state_dict()}, heads=4)
    assert (report.config.cls, report.config.registers, report.config.position_prefix) == (True, 1, 2)
    assert report.head is None
    same_states(encoder, model)


def test_config_json_beside_timm_weights(tmp_path: Path) -> None:
    """Activation, heads and scale of images come from config.json; the tensors do not show them."""
    from safetensors.torch import save_file

    scale = ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    model = peer(num_heads=12, pre_norm=True, norm_layer=FIVE, act_layer=QuickGELU)
    record = {
        "architecture": "vit_base_patch32_clip_quickgelu_224",
        "model_args": {"num_heads": 12},
        "pretrained_cfg": {"mean": scale[0], "std": scale[1]},
    }
    (tmp_path / "config.json").write_text(json.dumps(record))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    encoder, report = load_checkpoint(tmp_path)
    same_states(encoder, model, scale)
    assert report.sources["heads"] == report.sources["mean"] == "stated in the file: config.json"
    assert report.sources["activation"] == "stated in the file: config.json, vit_base_patch32_clip_quickgelu_224"
    (tmp_path / "config.json").unlink()
    encoder, report = load_checkpoint(tmp_path, heads=12, mean=scale[0], std=scale[1])
    with pytest.raises(AssertionError, match="not close"):
        same_states(encoder, model, scale)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("vit_small_patch16_224", INCEPTION_MEAN_STD),
        ("deit_small_patch16_224", IMAGENET_MEAN_STD),
        ("vit_small_patch14_dinov2", IMAGENET_MEAN_STD),
        ("vit_small_patch16_clip_224", CLIP_MEAN_STD),
        ("vit_small", IMAGENET_MEAN_STD),
    ],
)
def test_heads_and_scale_from_the_model_name(name: str, scale: Scale, tmp_path: Path) -> None:
    model = peer(embed_dim=384, num_heads=6, depth=1)
    encoder, report = loaded(tmp_path, {"state_dict": model.state_dict(), "arch": name})
    assert report.sources["heads"] == f"stated in the file: arch, {name}"
    same_states(encoder, model, scale)


@pytest.mark.parametrize(
    "name",
    [
        "vit_base_patch16_gap_224",
        "vit_base_patch32_siglip_256",
        "vit_base_patch16_siglip_256",
        "flexivit_small",
        "vit_base_patch32_clip_quickgelu_224",
        "vit_huge_patch14_gap_224",
        "vit_small_patch16_384",
        "vit_base_patch16_224_miil",
        "vit_gigantic_patch14_clip_224",
        "beitv2_base_patch16_224",
        "beit_base_patch16_224",
        "deit3_small_patch16_224",
        "vit_base_patch16_radio_v3",
        "eva_large_patch14_196",
    ],
)
def test_model_names_give_the_values_of_timm(name: str, tmp_path: Path) -> None:
    """Heads, activation, ε, mean and std equal those of timm's own models, built with one block on the meta device."""
    with torch.device("meta"):
        model = timm.create_model(name, depth=1)
    file = CheckpointContents(
        Path("model.pth"), "torch zip", "", (), {"arch": name, "state_dict": model.state_dict()}, {}, {}, {}
    )
    match = next(match_dialects(file, TIMM_FAMILY_DIALECTS))
    tensors, _ = to_canonical_names(match)
    config = infer_config(tensors, match.dialect.config_values(file, tensors), match.dialect.defaults).config
    block, act = model.blocks[0], {"GELUTanh": "gelu-tanh", "QuickGELU": "quick-gelu"}
    assert config.heads == block.attn.num_heads
    assert config.eps == block.norm1.eps
    assert config.activation == act.get(type(block.mlp.act).__name__, "gelu")
    assert (config.mean, config.std) == (model.pretrained_cfg["mean"], model.pretrained_cfg["std"])


def test_other_computations_under_timm_names_are_refused_or_named(tmp_path: Path) -> None:
    model = peer(norm_layer=RmsNorm)
    with pytest.raises(InputError, match="RMS norms"):
        loaded(tmp_path, model.state_dict(), heads=4)
    peers = peer(block_fn=ResPostBlock, norm_layer=SIX)
    encoder, report = loaded(
        tmp_path, {"state_dict": peers.state_dict(), "arch": "vit_base_patch16_rpn_224"}, heads=4, mean=0.5, std=0.5
    )
    same_states(encoder, peers, INCEPTION_MEAN_STD)
    assert (report.config.block, report.sources["block"]) == ("post-norm", "arch, vit_base_patch16_rpn_224")


def test_the_order_of_names_shows_timms_post_norm_and_a_note_says_that_it_is_assumed(tmp_path: Path) -> None:
    peers = randomized(peer(block_fn=ResPostBlock, norm_layer=SIX))
    encoder, report = loaded(tmp_path, peers.state_dict(), heads=4, mean=0.5, std=0.5)
    with torch.no_grad():
        close(encoder(IMAGES), peers.forward_features(standardized(IMAGES, INCEPTION_MEAN_STD)))
    assert report.config.block == "post-norm"
    assert report.sources["block"].startswith("assumed")
    assert [note for note in report.notes if "norm their inputs or their outputs" in note]
    for order in (sorted(peers.state_dict()), peer(norm_layer=SIX).state_dict()):  # show nothing, or pre-norm
        state = {name: peers.state_dict()[name] for name in order}
        other = loaded(tmp_path, state, heads=4)[1]
        assert other.config.block == "pre-norm"
        assert not [note for note in other.notes if "norm their inputs" in note]


@pytest.mark.parametrize(
    ("width", "patch", "rows", "pooled", "plain"),
    [
        (1152, 16, 256, True, True),
        (1536, 16, 256, True, True),
        (768, 32, 64, True, False),
        (1024, 16, 1024, True, False),
        (1152, 14, 256, False, False),
        (768, 16, 196, False, False),
        (1024, 16, 256, False, False),
    ],
)
def test_shapes_of_siglip_2_alone_have_its_activation(
    width: int, patch: int, rows: int, pooled: bool, plain: bool
) -> None:
    tensors = {
        "patch_embed.proj.weight": torch.zeros(()).expand(width, 3, patch, patch),
        "pos_embed": torch.zeros(()).expand(1, rows, width),
    }
    assert bool(siglip2_activation(tensors, pooled=True)) == pooled
    assert bool(siglip2_activation(tensors, pooled=False)) == plain
    assert all(one.assumed for one in siglip2_activation(tensors, pooled=True).values())


def test_blocks_with_the_further_norms_of_beit3_have_its_eps(tmp_path: Path) -> None:
    state = peer(norm_layer=FIVE, scale_attn_norm=True, scale_mlp_norm=True).state_dict()
    report = loaded(tmp_path, state, heads=4)[1]
    assert (report.config.eps, report.sources["eps"][:7]) == (1e-5, "assumed")
    assert loaded(tmp_path, state, heads=4, eps=1e-6)[1].config.eps == 1e-6
    assert loaded(tmp_path, peer().state_dict(), heads=4)[1].config.eps == 1e-6


@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        ({}, 1),
        ({"no_embed_class": True}, 0),
        ({"reg_tokens": 2}, 3),
        ({"class_token": False, "global_pool": "map"}, 0),
    ],
)
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
    same_states(encoder, larger, INCEPTION_MEAN_STD if "global_pool" in options else IMAGENET_MEAN_STD, images)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("pooled", [False, True])
def test_timm_beit(shared: bool, pooled: bool, tmp_path: Path) -> None:
    model = peer(
        cls=Beit,
        num_classes=7,
        init_values=0.1,
        use_abs_pos_emb=False,
        use_rel_pos_bias=not shared,
        use_shared_rel_pos_bias=shared,
        global_pool="avg" if pooled else "token",
    )
    for name, scale in (("", INCEPTION_MEAN_STD), ("beitv2_base_patch16_224", IMAGENET_MEAN_STD)):
        encoder, report = loaded(tmp_path, {"state_dict": model.state_dict(), "arch": name})
        same_states(encoder, model, scale)
        assert report.dialect == "BEiT"
        assert report.config.positions == ("shared relative" if shared else "relative")
        assert report.sources["heads"] == "inferred from shapes: columns of the relative table"
        assert report.head is not None
        assert report.head.readout == ("mean" if pooled else "cls")
        with torch.no_grad():
            close(encoder.logits(IMAGES), model(standardized(IMAGES, scale)))


@pytest.mark.parametrize("positions", ["relative", "shared relative", "table"])
def test_original_beit(positions: str, tmp_path: Path) -> None:
    """Softmax ignores a bias of the keys, so that its zeros are compared directly."""
    model = randomized(BEiT(positions))
    words = {"lm_head.weight": torch.zeros(9, 48), "lm_head.bias": torch.zeros(9)}
    encoder, report = loaded(tmp_path, {"model": {**model.state_dict(), **words}}, heads=4)
    same_states(encoder, model, INCEPTION_MEAN_STD)
    for block, own in zip(encoder.blocks, model.blocks):
        assert torch.equal(block.attn.qkv.bias, torch.cat([own.attn.q_bias, torch.zeros(48), own.attn.v_bias]))
    assert report.left == {"the mask token": 1, "the head over visual words": 2}
    assert (report.dialect, report.config.positions) == ("BEiT", positions)
    pooled = randomized(BEiT(positions, pooled=True))
    same_states(loaded(tmp_path, {"model": pooled.state_dict()}, heads=4)[0], pooled, INCEPTION_MEAN_STD)


def test_the_layers_beside_beit_v2_are_unused(tmp_path: Path) -> None:
    model = randomized(BEiT("shared relative"))
    extra = {f"cls_pt_layers.0.{name}": value for name, value in model.blocks[0].state_dict().items()}
    encoder, report = loaded(tmp_path, {"model": {**model.state_dict(), **extra}})
    same_states(encoder, model, IMAGENET_MEAN_STD)
    assert report.dialect == "BEiT v2"
    assert report.left["the layers beside the encoder"] == len(extra)


@pytest.mark.parametrize("positions", ["relative", "shared relative", "table"])
def test_simmim(positions: str, tmp_path: Path) -> None:
    model = randomized(BEiT(positions))
    state = {f"encoder.{name}": value for name, value in model.state_dict().items()}
    state |= {"decoder.0.weight": torch.zeros(48, 48, 1, 1), "decoder.0.bias": torch.zeros(48)}
    config = {"MODEL": {"TYPE": "vit", "VIT": {"NUM_HEADS": 4}}, "DATA": {"IMG_SIZE": 16}}
    encoder, report = loaded(tmp_path, {"model": state, "epoch": 99, "config": config})
    same_states(encoder, model)
    assert report.dialect == "SimMIM"
    assert report.left == {"the decoder, one linear map": 2, "the mask token": 1}
    expected = "config.MODEL.VIT.NUM_HEADS" if positions == "table" else "columns of the relative table"
    basis = "stated in the file" if positions == "table" else "inferred from shapes"
    assert report.sources["heads"] == f"{basis}: {expected}"


def test_swin_convolutions_and_rotary_positions_are_refused(tmp_path: Path) -> None:
    rotary = Eva(16, 4, embed_dim=48, depth=2, num_heads=4, use_abs_pos_emb=False, use_rot_pos_emb=True)
    swin = SwinTransformer(32, 4, embed_dim=12, depths=(1, 1), num_heads=(2, 2), window_size=2)
    convolutions = ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 8, 8))
    for model, words in ((rotary, "rotary"), (swin, "hierarchical"), (convolutions, "convolutional")):
        torch.save(model.state_dict(), tmp_path / "checkpoint.pth")
        with pytest.raises(InputError, match=words):
            inspect_checkpoint(tmp_path / "checkpoint.pth", heads=4)


def test_the_image_tower_of_open_clip(tmp_path: Path) -> None:
    """open_clip's names for the same network; its last norm is of the readout."""
    model = peer(pre_norm=True, norm_layer=FIVE)
    swaps = (("attn.qkv.", "attn.in_proj_"), ("attn.proj.", "attn.out_proj."), ("mlp.fc1", "mlp.c_fc"))
    swaps += (("mlp.fc2", "mlp.c_proj"), ("norm_pre", "ln_pre"), (".norm", ".ln_"), ("patch_embed.proj", "conv1"))
    state = {
        "visual.proj": torch.zeros(48, 8),
        "token_embedding.weight": torch.zeros(9, 8),
        "logit_scale": torch.ones(()),
    }
    for name, value in model.state_dict().items():
        for ours, theirs in swaps:
            name = name.replace(ours, theirs)
        name = name.replace("norm.", "ln_post.").replace("blocks.", "transformer.resblocks.")
        name = {"cls_token": "class_embedding", "pos_embed": "positional_embedding"}.get(name, name)
        state[f"visual.{name}"] = value.flatten(0, 1).squeeze(0) if name.endswith("_embedding") else value
    encoder, report = loaded(tmp_path, state, heads=4)
    assert (report.dialect, report.config.norm, report.config.mean) == ("open_clip", "pooled", CLIP_MEAN_STD[0])
    assert any("OpenAI's models have quick-gelu" in note for note in report.notes)
    with torch.no_grad():
        tokens = encoder(IMAGES)
        close(encoder.fc_norm(tokens), model.forward_features(standardized(IMAGES, CLIP_MEAN_STD)))
