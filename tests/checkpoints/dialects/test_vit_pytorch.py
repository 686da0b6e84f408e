"""Files of vit-pytorch of any year are loaded as the encoders that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from exchanged_tables import exchange_targets

from maetheory.checkpoints import load_contents
from maetheory.checkpoints.dialects.catalogue import FRAMEWORK_DIALECTS
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError

pytest.importorskip("timm", reason="needs timm: pip install maetheory[timm]")

from framework_parity import IMAGES, loaded, same, saved, states
from framework_peers import YEARS, ViT, renamed
from mae_peers import randomized


@pytest.mark.parametrize("year", YEARS)
def test_vit_pytorch_of_every_year(year: int, tmp_path: Path) -> None:
    peer = randomized(ViT(patch_norm=year > 2020))
    encoder, report = loaded(tmp_path, renamed(peer.state_dict(), *YEARS[year]))
    same(encoder, peer)
    assert (report.dialect, report.config.heads, report.config.inner) == ("vit-pytorch", 2, 128)
    sentence = "the file does not state the number of heads: 2 assumed (64 features a head, its default); set heads="
    assert any(note.startswith(sentence) for note in report.notes)
    assert "pool='cls', its default, was assumed" in report.notes[-1]
    assert report.config.patch_norm == (year > 2020)
    assert not report.config.qkv_bias
    with torch.no_grad():
        expected = peer.mlp_head(states(peer)[1][:, 0])
        torch.testing.assert_close(encoder.logits(IMAGES), expected, rtol=0, atol=1e-4)


def test_vit_pytorch_patches_of_one_channel(tmp_path: Path) -> None:
    peer = randomized(ViT(channels=1))
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
    peer = randomized(ViT(heads=1, dim_head=48, dropout=False))
    encoder, report = loaded(tmp_path, peer.state_dict())
    same(encoder, peer)
    assert (report.config.heads, report.sources["heads"]) == (
        1,
        "inferred from shapes: the missing map after the attention",
    )
    peer = randomized(ViT(pool="mean"))
    encoder, report = loaded(tmp_path, peer.state_dict())
    same(encoder, peer)
    assert (report.config.cls, report.config.position_prefix, report.head) == (False, 0, None)


def test_pickled_vit_pytorch_states_its_heads(tmp_path: Path) -> None:
    peer = randomized(ViT(heads=3, dim_head=16))
    encoder, report = loaded(tmp_path, peer)
    same(encoder, peer)
    assert (report.config.heads, report.sources["heads"]) == (3, "stated in the file: the pickled module")
    assert not any("pool" in note for note in report.notes)
    with pytest.raises(InputError, match=r"pass heads= \(--heads\)"):
        loaded(tmp_path, peer.state_dict())
    peer.pool = "mean"
    with pytest.raises(InputError, match="averages all its tokens"):
        loaded(tmp_path, peer)


def test_vit_pytorch_mae(tmp_path: Path) -> None:
    peer = randomized(ViT())
    state = renamed(peer.state_dict(), prefix="encoder.")
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


@pytest.mark.parametrize("swap", [("norm1", "norm2"), ("mlp.fc1.", "mlp.fc2.")])
def test_exchanged_table_lines_are_detected(swap: tuple[str, str], tmp_path: Path) -> None:
    """The comparisons above fail if a table exchanges two tensors; of other shapes, the loader refuses them."""
    tables = exchange_targets(FRAMEWORK_DIALECTS, *swap)
    peer = randomized(ViT())
    with pytest.raises(AssertionError if "norm1" in swap else InputError):
        same(load_contents(read_checkpoint(saved(tmp_path, peer.state_dict())), dialects=tables)[0], peer)
