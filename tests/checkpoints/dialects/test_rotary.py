"""Encoders with rotary positions compute what timm computes; what only a name tells is assumed or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints import load_checkpoint, load_contents
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError
from maetheory.masks import UniformMasks

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

import timm
from mae_peers import randomized
from parity import FIVE, close, loaded, peer, same_states
from timm.models.eva import Eva

from maetheory.checkpoints.dialects.dialect import IMAGENET_MEAN_STD
from maetheory.checkpoints.dialects.model_names import CLIP_MEAN_STD
from maetheory.checkpoints.rotary_positions import RotaryPositions, rotation_of_patches

SCALE: dict[str, Any] = {"mean": IMAGENET_MEAN_STD[0], "std": IMAGENET_MEAN_STD[1]}
EVA02 = {"swiglu_mlp": True, "use_rot_pos_emb": True, "ref_feat_shape": (16, 16)}
DINOV3 = {
    "use_rot_pos_emb": True,
    "use_abs_pos_emb": False,
    "rope_type": "dinov3",
    "rope_temperature": 100.0,
    "rope_rotate_half": True,
    "num_reg_tokens": 4,
    "init_values": 0.1,
    "use_fc_norm": False,
    "norm_layer": FIVE,
}
ROPE_VIT = {
    "attn_type": "rope",
    "init_values": 0.1,
    "global_pool": "token",
    "use_abs_pos_emb": False,
    "use_rot_pos_emb": True,
    "rope_grid_indexing": "xy",
    "rope_temperature": 100.0,
}
PERCEPTION = {
    "attn_type": "rope",
    "use_pre_transformer_norm": True,
    "use_rot_pos_emb": True,
    "ref_feat_shape": (4, 8),
    "rope_grid_offset": 1.0,
    "rope_grid_indexing": "xy",
    "use_post_transformer_norm": False,
    "use_fc_norm": False,
    "norm_layer": FIVE,
}
MODELS = {
    "EVA-02": EVA02,
    "EVA-02 with separate maps": {**EVA02, "qkv_fused": False, "scale_mlp": True, "scale_attn_inner": True},
    "DINOv3": DINOV3,
    "DINOv3 without biases": {**DINOV3, "qkv_bias": False, "swiglu_mlp": True, "swiglu_align_to": 8},
    "RoPE-ViT": ROPE_VIT,
    "RoPE-ViT mixed": {**ROPE_VIT, "rope_type": "mixed", "rope_temperature": 10.0},
    "RoPE-ViT mixed beside a table": {
        **ROPE_VIT,
        "rope_type": "mixed",
        "rope_temperature": 10.0,
        "use_abs_pos_emb": True,
        "no_embed_class": True,
    },
    "Perception Encoder": PERCEPTION,
}


def eva(options: dict[str, Any], size: tuple[int, int] = (16, 32)) -> Any:
    model = Eva(size, 4, embed_dim=48, depth=2, num_heads=3, num_classes=0, **options)
    if getattr(model, "rope_mixed", False):
        return randomized(model)
    return randomized(model)


@pytest.mark.parametrize("kind", MODELS)
def test_rotary_encoders_compute_what_timm_computes(kind: str, tmp_path: Path) -> None:
    model = eva(MODELS[kind])
    images = torch.rand(2, 3, 16, 32)
    encoder, report = loaded(tmp_path, model.state_dict(), heads=3, image_size=(16, 32), **SCALE)
    assert report.dialect == kind.split(" with")[0].split(" mixed")[0]
    same_states(encoder, model, images=images)
    if "mixed" not in kind:
        assert report.sources["rotary"].startswith("assumed")
        assert any("no tensor shows rotary positions" in note for note in report.notes)
    torch.save(model, tmp_path / "checkpoint.pth")  # a pickled module states its rotary positions itself
    encoder, report = load_checkpoint(tmp_path / "checkpoint.pth", **SCALE)
    assert report.sources["rotary"] == report.sources["heads"] == "stated in the file: the pickled module"
    assert report.config.image_size == (16, 32)
    same_states(encoder, model, images=images)


@pytest.mark.parametrize("kind", ["EVA-02", "RoPE-ViT mixed", "DINOv3"])
def test_visible_patches_keep_their_rotary_positions(kind: str, tmp_path: Path) -> None:
    """With all patches visible a mask changes nothing; with some, each visible patch rotates by its own angle."""
    encoder = loaded(tmp_path, eva(MODELS[kind]).state_dict(), heads=3, image_size=(16, 32), **SCALE)[0]
    images = torch.rand(3, 3, 16, 32)
    mask = torch.from_numpy(UniformMasks(32, 12).sample(torch_rng(), 3))
    with torch.no_grad():
        close(encoder(images, torch.ones(3, 32, dtype=torch.bool)), encoder(images))
        visible = encoder(images, mask)
        n = encoder.n_prefix_tokens
        x = encoder.hidden_states(images)[0]
        kept = torch.cat([torch.ones(3, n, dtype=torch.bool), mask], 1)
        close(encoder.hidden_states(images, mask)[0], x[kept].view(3, n + 12, -1))
        # The oracle hides keys of hidden patches from attention over all tokens, whose rotations are whole.
        bias = torch.zeros(3, 1, 1, n + 32).masked_fill(~kept[:, None, None, :], float("-inf"))
        for block, rotation in zip(encoder.blocks, encoder._rotations(None)):
            x = block(x, bias, None, rotation)
        close(visible, encoder.norm(x)[kept].view(3, n + 12, -1))


def torch_rng() -> Any:
    import numpy as np

    return np.random.default_rng(0)


def test_another_image_size_changes_the_rotation(tmp_path: Path) -> None:
    """DINOv3's coordinates follow the grid, so that its features at another size are timm's at that size."""
    model = eva({**DINOV3, "dynamic_img_size": True})
    encoder = loaded(tmp_path, model.state_dict(), heads=3, image_size=(24, 8), **SCALE)[0]
    same_states(encoder, model, images=torch.rand(2, 3, 24, 8))
    assert loaded(tmp_path, model.state_dict(), heads=3)[1].config.image_size == 224


def test_a_name_states_the_rotary_positions(tmp_path: Path) -> None:
    model = timm.create_model("vit_small_patch16_rope_ape_224", img_size=32, depth=1).eval()
    torch.save(model.state_dict(), tmp_path / "checkpoint.pth")
    with pytest.raises(InputError, match=r"DeiT III and of RoPE-ViT .*pass dialect='DeiT III' or 'RoPE-ViT'"):
        load_checkpoint(tmp_path)
    record = {"architecture": "vit_small_patch16_rope_ape_224", "pretrained_cfg": model.pretrained_cfg}
    (tmp_path / "config.json").write_text(json.dumps(record))
    encoder, report = load_checkpoint(tmp_path)
    assert report.sources["rotary"].startswith("stated in the file: config.json, ")
    same_states(encoder, model, (report.config.mean, report.config.std), torch.rand(2, 3, 32, 32))
    (tmp_path / "config.json").unlink()
    encoder = load_checkpoint(tmp_path, dialect="RoPE-ViT", **SCALE)[0]
    same_states(encoder, model, images=torch.rand(2, 3, 32, 32))


def test_shared_keys_and_values_are_repeated(tmp_path: Path) -> None:
    """Sapiens2's grouped queries, RMS norms and LayerScale of attention alone."""
    from timm.layers import RmsNorm, SwiGLU

    model = randomized(
        Eva(
            (16, 32),
            4,
            embed_dim=48,
            depth=2,
            num_heads=6,
            num_kv_heads=3,
            num_classes=0,
            attn_type="rope",
            qkv_fused=False,
            qk_norm=True,
            attn_only_layer_scale=True,
            swiglu_mlp=True,
            **{**DINOV3, "norm_layer": RmsNorm},
        )
    )
    assert SwiGLU is not None
    encoder, report = loaded(tmp_path, model.state_dict(), image_size=(16, 32), **SCALE)
    assert (report.config.heads, report.config.norm_kind) == (6, "rms")
    same_states(encoder, model, images=torch.rand(2, 3, 16, 32))


def test_published_names_of_dinov3_and_eva02(tmp_path: Path) -> None:
    """The names of the authors' own repositories, as timm's conversion reads them."""
    model = eva({**DINOV3, "qkv_bias": True})
    state = {}
    for name, value in model.state_dict().items():
        name = (
            name.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma").replace("reg_token", "storage_tokens")
        )
        if name.endswith("q_bias"):
            stem = name.removesuffix("q_bias")
            noise = torch.full_like(value, 7.0)  # what the mask hides
            state[f"{stem}qkv.bias"] = torch.cat([value, noise, model.state_dict()[f"{stem}v_bias"]])
            state[f"{stem}qkv.bias_mask"] = torch.cat([torch.ones(48), torch.zeros(48), torch.ones(48)])
        elif not name.endswith("v_bias"):
            state[name] = value
    periods = 100.0 ** (torch.arange(4) / 4)
    state |= {"rope_embed.periods": periods, "mask_token": torch.zeros(1, 48)}
    for tree in (state, {"teacher": {f"backbone.{name}": value for name, value in state.items()}}):
        encoder, report = loaded(tmp_path, tree, heads=3, image_size=(16, 32), **SCALE)
        assert report.dialect == "DINOv3"
        same_states(encoder, model, images=torch.rand(2, 3, 16, 32))

    model = eva(MODELS["EVA-02 with separate maps"])
    swaps = (("mlp.fc1_g", "mlp.w1"), ("mlp.fc1_x", "mlp.w2"), ("mlp.fc2", "mlp.w3"), ("mlp.norm", "mlp.ffn_ln"))
    swaps += (("attn.norm", "attn.inner_attn_ln"), ("q_proj.bias", "q_bias"), ("v_proj.bias", "v_bias"))
    state = {}
    for name, value in model.state_dict().items():
        for ours, theirs in swaps:
            name = name.replace(ours, theirs)
        state[f"visual.{name}"] = value
    state |= {"visual.rope.freqs_cos": torch.zeros(4, 4), "text.token_embedding.weight": torch.zeros(9, 8)}
    encoder, report = loaded(tmp_path, state, heads=3, image_size=(16, 32), **SCALE)
    assert report.dialect == "EVA-02"
    same_states(encoder, model, images=torch.rand(2, 3, 16, 32))


def test_unknown_rotary_modules_are_refused(tmp_path: Path) -> None:
    model = eva(EVA02)
    model.rope.__class__ = type("LiteRotaryEmbedding", (torch.nn.Module,), {"__module__": __name__})
    globals()["LiteRotaryEmbedding"] = type(model.rope)
    with pytest.raises(InputError, match="is a LiteRotaryEmbedding, rotary positions of a form that no encoder"):
        loaded(tmp_path, model)


def test_angles_grow_with_row_and_column() -> None:
    """The first half of a head's features turns with the row, the second with the column; neighbours form pairs."""
    rotation = rotation_of_patches(RotaryPositions("axial", 100.0), (2, 3), 8)
    angles = torch.tensor([[y, y, y / 10, y / 10, x, x, x / 10, x / 10] for y in (0, 1) for x in (0, 1, 2)])
    torch.testing.assert_close(rotation.cos, angles.cos())
    torch.testing.assert_close(rotation.sin, angles.sin())


def test_eva_without_rotary_positions_is_loaded(tmp_path: Path) -> None:
    model = randomized(Eva(16, 4, embed_dim=48, depth=2, num_heads=4, num_classes=0, use_rot_pos_emb=False))
    encoder, report = loaded(tmp_path, model.state_dict(), heads=4, mean=0.5, std=0.5)
    assert report.config.rotary is None
    same_states(encoder, model, ((0.5,) * 3, (0.5,) * 3))


def test_a_norm_before_and_after_the_blocks_is_clip(tmp_path: Path) -> None:
    model = peer(pre_norm=True, norm_layer=FIVE)
    same_states(loaded(tmp_path, model.state_dict(), heads=4)[0], model, CLIP_MEAN_STD)


@pytest.mark.parametrize(("width", "heads"), [(1280, 20), (4096, 32), (768, 12)])
def test_dinov3s_of_some_widths_have_other_heads_than_the_table_of_widths(width: int, heads: int) -> None:
    with torch.device("meta"):
        model = Eva(**{**DINOV3, "patch_size": 16, "embed_dim": width, "depth": 1, "num_heads": heads, "img_size": 224})
    report = meta_report(model)
    assert (report.config.heads, report.sources["heads"][:7]) == (heads, "assumed")


def test_the_giant_perception_encoder_has_other_heads_than_the_table_of_widths() -> None:
    options = {"embed_dim": 1536, "depth": 1, "num_heads": 16, "img_size": 56, "patch_size": 14, "init_values": 0.1}
    with torch.device("meta"):
        model = Eva(**{**PERCEPTION, **options, "num_classes": 0})
    assert meta_report(model).config.heads == 16


def meta_report(model: torch.nn.Module) -> Any:
    """Return the report of the shapes of a model; each tensor is one zero in memory."""
    state = {name: torch.zeros(()).expand(value.shape) for name, value in model.state_dict().items()}
    return load_contents(CheckpointContents(Path("a.pth"), "torch zip", "", tree=state))[1]


def test_the_vision_encoder_of_qwen3_vl_is_refused_unless_the_dialect_is_given(tmp_path: Path) -> None:
    model = peer(class_token=False, global_pool="avg", fc_norm=False, final_norm=False, img_size=48 * 4, num_classes=0)
    with pytest.raises(InputError, match="Qwen3-VL's vision encoder"):
        loaded(tmp_path, model.state_dict(), heads=4)
    with pytest.raises(InputError, match="Qwen3-VL's vision encoder"):
        loaded(tmp_path, {"state_dict": model.state_dict(), "arch": "qwen3_vit_88m"}, heads=4)
    assert loaded(tmp_path, model.state_dict(), heads=4, dialect="timm")[1].config.norm == "none"
    smaller = peer(class_token=False, global_pool="avg", fc_norm=False, final_norm=False, num_classes=0)
    assert loaded(tmp_path, smaller.state_dict(), heads=4)[1].config.norm == "none"
