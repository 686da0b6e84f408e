"""Files of seven libraries become the encoders that those libraries run, block for block."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maetheory.checkpoints import Encoder, LoadReport, load_checkpoint, load_contents
from maetheory.checkpoints.dialects.catalogue import FRAMEWORK_DIALECTS
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from framework_peers import OPENMMLAB, YEARS, OnTorch, ViT, renamed, torchvision_states
from mae_peers import facebook, facebook_decoder, scattered, timm_states
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer
from torchvision.models import vision_transformer as torchvision_vit

IMAGENET_MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
LIGHTNING = {"epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.4.0", "callbacks": {}, "loops": {}}


def seen(images: Any = IMAGENET_MEAN_STD) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in images)
    return (IMAGES - mean) / std


def states(peer: Any, images: Any = IMAGENET_MEAN_STD) -> tuple[list[Tensor], Tensor]:
    with torch.no_grad():
        if hasattr(peer, "states"):
            return peer.states(seen(images))
        if hasattr(peer, "conv_proj"):
            return torchvision_states(peer, seen(images))
        found = timm_states(peer, seen(images))
        return found, peer.norm(found[-1])


def same(encoder: Encoder, peer: Any, images: Any = IMAGENET_MEAN_STD) -> None:
    """Compare every token after every block and after the norm."""
    theirs, last = states(peer, images)
    with torch.no_grad():
        ours = encoder.hidden_states(IMAGES)
        assert len(ours) == len(theirs)
        for one, other in zip((*ours, encoder(IMAGES)), (*theirs, last)):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * max(1.0, float(other.abs().max())))


def saved(folder: Path, tree: Any) -> Path:
    torch.save(tree, folder / "last.ckpt")
    return folder / "last.ckpt"


def loaded(folder: Path, tree: Any, **options: Any) -> tuple[Encoder, LoadReport]:
    return load_checkpoint(saved(folder, tree), **options)


def decoder(before: str = "decoder.") -> dict[str, Tensor]:
    return renamed(facebook_decoder(), before=before)


def torchvision(**options: Any) -> Any:
    sizes = {"image_size": 16, "patch_size": 4, "num_layers": 3, "num_heads": 4, "hidden_dim": 48, "mlp_dim": 96}
    return scattered(torchvision_vit.VisionTransformer(**sizes, num_classes=7, **options))


# lightly, solo-learn and stable-pretraining: Lightning checkpoints


def test_lightly_on_timm(tmp_path: Path) -> None:
    peer = facebook(classes=5)
    state = renamed(peer.state_dict(), before="backbone.vit.") | decoder()
    state |= {"backbone.mask_token": torch.zeros(1, 1, 48), "criterion.center": torch.zeros(3)}
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert (report.dialect, report.prefix, report.decoder, report.head) == ("lightly", "backbone.vit.", "whole", None)
    assert report.left == {
        "the mask token": 1,
        "the decoder": len(decoder()),
        "outside backbone.vit: criterion": 1,
        "a classifier that lightly does not train": 2,
    }


@pytest.mark.parametrize("prefix", ["backbone.", "backbone.vit."])
def test_lightly_on_torchvision(prefix: str, tmp_path: Path) -> None:
    peer = torchvision()
    more = {
        "mask_token": torch.zeros(1, 1, 24),
        "decoder.decoder_embed.weight": torch.zeros(24, 48),
        "decoder.layers.encoder_layer_0.ln_1.weight": torch.ones(24),
        "decoder.prediction_head.weight": torch.zeros(48, 24),
    }
    tree = {"state_dict": renamed(peer.state_dict(), before=prefix) | more, **LIGHTNING}
    encoder, report = loaded(tmp_path, tree, heads=4)
    same(encoder, peer)
    assert (report.dialect, report.prefix, report.decoder) == ("lightly", prefix, "whole")
    assert report.head is None


ARGS: list[tuple[Any, int]] = [
    (None, 12),
    ({"method": "mae", "backbone": {"name": "vit_tiny", "kwargs": {}}, "data": {"dataset": "cifar10"}}, 12),
    ({"method": "mae", "encoder": "vit_tiny", "dataset": "cifar10"}, 12),
    ({"method": "mocov3", "backbone": "vit_tiny"}, 12),
    ({"method": "byol", "backbone": {"name": "vit_tiny"}}, 3),
    ({"pretrain_method": "mae", "method": None}, 12),
]


@pytest.mark.parametrize(("args", "heads"), ARGS)
@pytest.mark.parametrize("prefix", ["backbone.", "encoder."])
def test_solo_learn_counts_heads_by_method(prefix: str, args: Any, heads: int, tmp_path: Path) -> None:
    peer = facebook(width=192, heads=heads)
    head = {"classifier.weight": torch.randn(7, 192), "classifier.bias": torch.randn(7)}
    state = renamed(peer.state_dict(), before=prefix) | head | (decoder() if args is None else {})
    if args is not None:
        (tmp_path / "args.json").write_text(json.dumps(args))
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING})
    images = CIFAR10 if args is not None and "cifar10" in str(args) else IMAGENET_MEAN_STD
    same(encoder, peer, images)
    assert (report.dialect, report.config.heads) == ("solo-learn", heads)
    assert report.sources["heads"].startswith("its decoder" if args is None else "args.json")
    assert report.head is not None
    with torch.no_grad():
        expected = states(peer, images)[1][:, 0] @ head["classifier.weight"].T + head["classifier.bias"]
        torch.testing.assert_close(encoder.logits(IMAGES), expected, rtol=0, atol=1e-3)


def test_solo_learn_with_other_parts(tmp_path: Path) -> None:
    peer, momentum = facebook(), scattered(facebook(), 1)
    state = renamed(peer.state_dict(), before="backbone.") | renamed(momentum.state_dict(), before="momentum_backbone.")
    state |= {"classifier.weight": torch.zeros(7, 48), "projector.0.weight": torch.zeros(2, 2)}
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert report.left == {"the momentum encoder": len(momentum.state_dict()), "heads of pretraining": 1}
    encoder, report = loaded(tmp_path, {"state_dict": state | {"own.weight": torch.zeros(2)}, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert (report.prefix, report.left["outside backbone: own"]) == ("backbone.", 1)
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4, weights="momentum_backbone")
    same(encoder, momentum)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_stable_pretraining(prefix: str, tmp_path: Path) -> None:
    peer = facebook()
    twice = {f"encoder.{name}": value for name, value in peer.state_dict().items() if name.startswith("patch_embed.")}
    state = renamed(renamed(peer.state_dict(), before="encoder.vit.") | twice | decoder(), before=prefix)
    state |= {"callbacks_modules.probe.weight": torch.zeros(3, 48), "callbacks_metrics.knn.queue": torch.zeros(9, 48)}
    encoder, report = loaded(tmp_path, {"state_dict": state, **LIGHTNING}, heads=4)
    same(encoder, peer)
    assert (report.dialect, report.prefix, report.decoder) == ("stable-pretraining", prefix + "encoder.vit.", "whole")
    assert report.left == {"the patch map once more": 2, "the decoder": len(decoder()), "callbacks": 2}


# OpenMMLab


def openmmlab(peer: Any, **more: Tensor) -> dict[str, Tensor]:
    body = {name: value for name, value in peer.state_dict().items() if not name.startswith("head.")}
    return renamed(body, *OPENMMLAB, before="backbone.") | more


CONFIG = "model = dict(backbone=dict(arch=dict(num_layers=3, num_heads=4)), neck=dict(decoder_num_heads=16))"
CONFIG += "\ndata_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], fill_std=[1, 2, 3])"


def test_mmpretrain_mae(tmp_path: Path) -> None:
    peer = facebook()
    neck = renamed(facebook_decoder(), (r"^decoder_norm", "ln1"), before="neck.")
    tree = {"meta": {"cfg": CONFIG, "epoch": 300}, "state_dict": openmmlab(peer) | neck, "message_hub": {}}
    encoder, report = loaded(tmp_path, tree)
    same(encoder, peer)
    assert (report.dialect, report.config.heads, report.decoder) == ("mmpretrain", 4, "whole")
    assert report.sources["heads"] == report.sources["mean"] == report.sources["std"] == "meta.cfg"
    assert report.config.mean == pytest.approx(IMAGENET_MEAN_STD[0])
    assert report.config.std == pytest.approx(IMAGENET_MEAN_STD[1])
    assert report.left == {"the decoder": len(neck)}


@pytest.mark.parametrize(
    ("pool", "head"), [("token", "head.layers.head."), ("token", "head.head."), ("avg", "head.fc.")]
)
def test_mmpretrain_fine_tuned(pool: str, head: str, tmp_path: Path) -> None:
    peer = facebook(classes=7, pool=pool)
    named = {f"{head}weight": peer.head.weight.detach(), f"{head}bias": peer.head.bias.detach()}
    encoder, report = loaded(tmp_path, {"meta": {}, "state_dict": openmmlab(peer, **named)}, heads=4)
    same(encoder, peer)
    assert report.head is not None
    assert (report.head.classes, report.head.readout) == (7, "mean" if pool == "avg" else "cls")
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(IMAGES), peer(seen()), rtol=0, atol=1e-4)


@pytest.mark.parametrize("norm", ["neck.bn.", "head.bn."])
def test_mmpretrain_probed(norm: str, tmp_path: Path) -> None:
    peer = facebook()
    bn = nn.BatchNorm1d(48, affine=False, eps=1e-6)
    bn.running_mean, bn.running_var = torch.randn(48), torch.rand(48) + 0.5
    head = nn.Sequential(bn, nn.Linear(48, 7)).eval()
    named = {f"head.layers.head.{kind}": getattr(head[1], kind).detach() for kind in ("weight", "bias")}
    state = openmmlab(peer, **named) | renamed(bn.state_dict(), before=norm)
    encoder, _ = loaded(tmp_path, {"meta": {}, "state_dict": state}, heads=4)
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(IMAGES), head(states(peer)[1][:, 0]), rtol=0, atol=1e-4)


def test_mmpretrain_scales_gates_and_unknown_heads(tmp_path: Path) -> None:
    peer = scattered(
        VisionTransformer(
            16,
            4,
            embed_dim=48,
            depth=3,
            num_heads=4,
            num_classes=0,
            init_values=0.5,
            pre_norm=True,
            mlp_layer=SwiGLUPacked,
            act_layer=nn.SiLU,
        )
    )
    pairs = ((r"^norm_pre\.", "pre_norm."), (r"\.mlp\.fc1\.", ".ffn.w12."), (r"\.mlp\.fc2\.", ".ffn.w3."))
    state = renamed(renamed(peer.state_dict(), *pairs), *OPENMMLAB, before="backbone.")
    state |= {"head.predictor.fc0.weight": torch.zeros(3, 48)}
    encoder, report = loaded(tmp_path, {"meta": {}, "state_dict": state}, heads=4)
    same(encoder, peer)
    assert (report.config.activation, report.config.layer_scale, report.config.norm_pre) == ("swiglu", True, True)
    assert report.left == {"a head that reads no single token of the encoder": 1}
    encoder, report = loaded(tmp_path, {"meta": {}, "state_dict": state | {"own.weight": torch.zeros(2)}}, heads=4)
    same(encoder, peer)
    assert report.left == {"outside backbone: head": 1, "outside backbone: own": 1}


def test_small_of_mmpretrain_has_eight_heads() -> None:
    """Width 768 has 12 heads everywhere else."""
    peer = VisionTransformer(16, 4, embed_dim=768, depth=1, num_heads=8, mlp_ratio=3, num_classes=0)
    one = renamed(peer.state_dict(), *OPENMMLAB, before="backbone.")
    for depth, heads, source in ((8, 8, "mmpretrain's arch small"), (7, 12, "the table of widths")):
        state = one | {name.replace("s.0.", f"s.{i}.", 1): value for i in range(depth) for name, value in one.items()}
        contents = CheckpointContents(Path("file.pth"), "torch zip", "0" * 64, (), {"meta": {}, "state_dict": state})
        report = load_contents(contents)[1]
        assert (report.config.depth, report.config.heads, report.sources["heads"]) == (depth, heads, source)


# vit-pytorch


@pytest.mark.parametrize("year", YEARS)
def test_vit_pytorch_of_every_year(year: int, tmp_path: Path) -> None:
    peer = scattered(ViT(patch_norm=year > 2020))
    encoder, report = loaded(tmp_path, renamed(peer.state_dict(), *YEARS[year]))
    same(encoder, peer)
    assert (report.dialect, report.config.heads, report.config.inner) == ("vit-pytorch", 2, 128)
    heads, pooled = report.notes
    assert heads == "heads 2: assumed, 64 features a head; heads= (--heads) says otherwise"
    assert "pool='cls', its default, was assumed" in pooled
    assert report.config.patch_norm == (year > 2020)
    assert not report.config.qkv_bias
    with torch.no_grad():
        expected = peer.mlp_head(states(peer)[1][:, 0])
        torch.testing.assert_close(encoder.logits(IMAGES), expected, rtol=0, atol=1e-4)


def test_vit_pytorch_patches_of_one_channel(tmp_path: Path) -> None:
    peer = scattered(ViT(channels=1))
    encoder, report = loaded(tmp_path, peer.state_dict(), mean=0.4, std=0.3)
    images = IMAGES[:, :1]
    with torch.no_grad():
        for one, other in zip(encoder.hidden_states(images), peer.states((images - 0.4) / 0.3)[0]):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-4)
    assert (report.config.channels, report.config.patch) == (1, 4)
    wrong = {**peer.state_dict(), "to_patch_embedding.2.weight": torch.zeros(48, 23)}
    with pytest.raises(InputError, match="patches of 23 values are no square of 1, 2 or 3 channels"):
        loaded(tmp_path, wrong)


def test_vit_pytorch_without_dropout_with_one_head_and_without_cls(tmp_path: Path) -> None:
    peer = scattered(ViT(heads=1, dim_head=48, dropout=False))
    encoder, report = loaded(tmp_path, peer.state_dict())
    same(encoder, peer)
    assert (report.config.heads, report.sources["heads"]) == (1, "the missing map after the attention")
    peer = scattered(ViT(pool="mean"))
    encoder, report = loaded(tmp_path, peer.state_dict())
    same(encoder, peer)
    assert (report.config.cls, report.config.position_prefix, report.head) == (False, 0, None)


def test_vit_pytorch_pickled_whole_says_its_heads(tmp_path: Path) -> None:
    peer = scattered(ViT(heads=3, dim_head=16))
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    assert (report.config.heads, report.sources["heads"]) == (3, "the pickled module")
    assert not any("pool" in note for note in report.notes)
    with pytest.raises(InputError, match=r"pass heads= \(--heads\)"):
        loaded(tmp_path, peer.state_dict())
    peer.pool = "mean"
    with pytest.raises(InputError, match="averages all its tokens"):
        loaded(tmp_path, peer)


def test_vit_pytorch_mae(tmp_path: Path) -> None:
    peer = scattered(ViT())
    state = renamed(peer.state_dict(), before="encoder.")
    twice = {
        f"patch_to_emb.{i}.{kind}": state[f"encoder.to_patch_embedding.{i + 1}.{kind}"]
        for i in range(3)
        for kind in ("weight", "bias")
    }
    names = (
        "mask_token",
        "enc_to_dec.weight",
        "to_pixels.bias",
        "decoder_pos_emb.weight",
        "decoder.layers.0.0.norm.weight",
    )
    own = {name: torch.zeros(24) for name in names}
    encoder, report = loaded(tmp_path, state | twice | own)
    same(encoder, peer)
    assert (report.prefix, report.decoder) == ("encoder.", "whole")
    assert report.left == {"the patch map once more": 6, "the decoder": 5}


# torchvision and torch's own TransformerEncoder


@pytest.mark.parametrize("names", ["of today", "before 0.13"])
def test_torchvision(names: str, tmp_path: Path) -> None:
    peer = torchvision()
    old = ((r"\.mlp\.0\.", ".mlp.linear_1."), (r"\.mlp\.3\.", ".mlp.linear_2."))
    encoder, report = loaded(tmp_path, renamed(peer.state_dict(), *(old if names != "of today" else ())), heads=4)
    same(encoder, peer)
    assert (report.dialect, report.config.eps, report.config.mean) == ("torchvision", 1e-6, IMAGENET_MEAN_STD[0])
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(IMAGES), peer(seen()), rtol=0, atol=1e-4)


def test_torchvision_with_a_hidden_layer_in_its_head(tmp_path: Path) -> None:
    peer = torchvision(representation_size=48)
    encoder, report = loaded(tmp_path, peer.state_dict(), heads=4)
    same(encoder, peer)
    assert report.head is None
    assert report.left == {"a head that reads no single token of the encoder": 4}


def test_torchvision_pickled_whole_says_its_heads(tmp_path: Path) -> None:
    peer = torchvision(norm_layer=lambda width: nn.LayerNorm(width, eps=1e-3))
    peer.norm_layer = None  # a lambda is not pickled
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    assert (report.config.heads, report.config.eps, report.config.final_eps) == (4, 1e-3, 1e-3)
    assert report.sources["heads"] == report.sources["eps"] == "the pickled module"


@pytest.mark.parametrize(
    "names",
    [
        (),
        ((r"^encoder\.", "transformer."), (r"^pos_embed", "pos_embedding")),
        ((r"^encoder\.layers", "blocks"), (r"^patch_embed", "patch_embed.proj")),
    ],
)
def test_transformer_encoder_of_torch(names: Any, tmp_path: Path) -> None:
    peer = scattered(OnTorch())
    peer.norm.eps = 1e-5
    encoder, report = loaded(tmp_path, renamed(peer.state_dict(), *names), heads=4)
    same(encoder, peer)
    assert report.dialect == "torch.nn.TransformerEncoder"
    assert report.notes == (
        "activation gelu: assumed, with norm_first=True: a state dict of torch.nn.TransformerEncoder says neither",
    )
    with torch.no_grad():
        expected = peer.head(states(peer)[1][:, 0])
        torch.testing.assert_close(encoder.logits(IMAGES), expected, rtol=0, atol=1e-4)


def test_transformer_encoder_pickled_whole_says_what_it_is(tmp_path: Path) -> None:
    peer = scattered(OnTorch(heads=3, layer_norm_eps=1e-4))
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    config = report.config
    assert (config.heads, config.eps, config.final_eps, config.activation) == (3, 1e-4, 1e-3, "gelu")
    assert not report.notes
    peer = scattered(OnTorch(heads=3, activation=nn.GELU(approximate="tanh")))
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    assert report.config.activation == "gelu-tanh"


def test_a_transformer_encoder_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="normalises after each sum"):
        loaded(tmp_path, OnTorch(norm_first=False))
    with pytest.raises(InputError, match=r"activation must be one of .*, but the pickled module says 'relu'"):
        loaded(tmp_path, OnTorch(activation="relu"))
    state = {name: value for name, value in OnTorch().state_dict().items() if not name.startswith("norm.")}
    with pytest.raises(InputError, match="no Vision Transformer of a known dialect"):
        loaded(tmp_path, state, heads=4)  # without a last norm it most likely normalises after


def test_other_networks_are_refused_for_what_they_are(tmp_path: Path) -> None:
    resnet = {f"backbone.layer{i}.0.conv1.weight": torch.zeros(4, 4, 3, 3) for i in range(4)}
    resnet |= {"classifier.weight": torch.zeros(7, 4)}
    with pytest.raises(InputError, match="a convolutional network"):
        loaded(tmp_path, {"state_dict": resnet, **LIGHTNING})
    text = {"encoder.layers.0.self_attn.in_proj_weight": torch.zeros(9, 3), "token_embedding.weight": torch.zeros(9, 3)}
    with pytest.raises(InputError, match="a text model"):
        loaded(tmp_path, text)


@pytest.mark.parametrize("swap", [("norm1", "norm2"), ("mlp.fc1.", "mlp.fc2.")])
def test_a_table_with_two_lines_exchanged_is_seen(swap: tuple[str, str], tmp_path: Path) -> None:
    """The comparisons above fail on the mistakes that tables make; of shapes, the reader sees them itself."""
    one, other = swap

    def wrong(target: str) -> str:
        return target.replace(one, "?").replace(other, one).replace("?", other)

    tables = [
        replace(dialect, rename=tuple((pattern, wrong(target)) for pattern, target in dialect.rename))
        for dialect in FRAMEWORK_DIALECTS
    ]
    peer = scattered(ViT())
    with pytest.raises(AssertionError if one == "norm1" else InputError):
        same(load_contents(read_checkpoint(saved(tmp_path, peer.state_dict())), dialects=tables)[0], peer)
