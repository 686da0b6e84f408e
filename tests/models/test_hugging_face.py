"""With the same weights and masks, Hugging Face's masked autoencoder and ours compute the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maetheory.masks import UniformMasks, patchify
from maetheory.models import MAE, MAEConfig, ViTConfig, sample_masks
from maetheory.models.vit import Block

transformers = pytest.importorskip("transformers", "5.23", reason="needs transformers 5.23: pip install maetheory[hf]")

CONFIG = MAEConfig(
    ViTConfig(12, 3, 3, width=32, depth=3, heads=4, eps=1e-12, positions="learned"),
    decoder_width=24,
    decoder_depth=2,
    decoder_heads=3,
)
VISIBLE = 4
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def hugging_face(config: MAEConfig) -> Any:
    vit = config.encoder
    return transformers.ViTMAEForPreTraining(
        transformers.ViTMAEConfig(
            hidden_size=vit.width,
            num_hidden_layers=vit.depth,
            num_attention_heads=vit.heads,
            intermediate_size=int(vit.width * vit.mlp_ratio),
            layer_norm_eps=vit.eps,
            image_size=vit.image_size,
            patch_size=vit.patch,
            num_channels=vit.channels,
            decoder_hidden_size=config.decoder_width,
            decoder_num_hidden_layers=config.decoder_depth,
            decoder_num_attention_heads=config.decoder_heads,
            decoder_intermediate_size=int(config.decoder_width * vit.mlp_ratio),
            mask_ratio=1 - VISIBLE / vit.n_patches,
            norm_pix_loss=config.norm_pixels,
        )
    ).eval()


def block_pairs(ours: Block, theirs: Any) -> Iterator[tuple[Tensor, Tensor]]:
    attention = theirs.attention
    for kind in ("weight", "bias"):
        thirds = getattr(ours.attn.qkv, kind).chunk(3)
        yield from zip(thirds, (getattr(p, kind) for p in (attention.q_proj, attention.k_proj, attention.v_proj)))
    whole = [
        (ours.attn.proj, attention.o_proj),
        (ours.mlp.fc1, theirs.mlp.fc1),
        (ours.mlp.fc2, theirs.mlp.fc2),
        (ours.norm1, theirs.layernorm_before),
        (ours.norm2, theirs.layernorm_after),
    ]
    for one, other in whole:
        yield from zip(one.parameters(), other.parameters(), strict=True)


def pairs(ours: MAE, theirs: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield every parameter of ours with the corresponding one of theirs."""
    encoder, embeddings, decoder = ours.encoder, theirs.vit.embeddings, theirs.decoder
    yield encoder.cls_token, embeddings.cls_token
    yield encoder.pos_embed, embeddings.position_embeddings
    yield ours.mask_token, decoder.mask_token
    yield ours.decoder_pos_embed, decoder.decoder_pos_embed
    whole: list[tuple[nn.Module, nn.Module]] = [
        (encoder.patch_embed.proj, embeddings.patch_embeddings.projection),
        (encoder.norm, theirs.vit.layernorm),
        (ours.decoder_embed, decoder.decoder_embed),
        (ours.decoder_norm, decoder.decoder_norm),
        (ours.decoder_pred, decoder.decoder_pred),
    ]
    for one, other in whole:
        yield from zip(one.parameters(), other.parameters(), strict=True)
    for blocks, layers in ((encoder.blocks, theirs.vit.layers), (ours.decoder_blocks, decoder.decoder_layers)):
        for block, layer in zip(blocks, layers, strict=True):
            yield from block_pairs(block, layer)  # type: ignore[arg-type]  # ModuleList yields Module


def same_weights(config: MAEConfig, dtype: torch.dtype) -> tuple[MAE, Any]:
    """Return both models with the same random weights; no bias is zero and no norm is the identity."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = MAE(config).to(dtype).eval(), hugging_face(config).to(dtype)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        for one, other in pairs(ours, theirs):
            other.copy_(one)
    return ours, theirs


def noise_of(mask: Tensor) -> Tensor:
    """Return scores that sort visible patches first and keep the raster order within."""
    return (~mask).double() + torch.arange(mask.shape[1]) / (2 * mask.shape[1])


def example(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(5, 3, 12, 12, generator=generator, dtype=dtype)
    return images, sample_masks(UniformMasks(16, VISIBLE), 5, generator)


@pytest.mark.parametrize("norm_pixels", [False, True], ids=["pixels", "normalised pixels"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_tokens_prediction_and_loss(dtype: torch.dtype, norm_pixels: bool) -> None:
    ours, theirs = same_weights(replace(CONFIG, norm_pixels=norm_pixels), dtype)
    images, mask = example(dtype)
    with torch.no_grad():
        out = ours(images, mask, VISIBLE)
        tokens = ours.encoder.hidden_states(images, mask)
        expected = theirs(2 * images - 1, noise=noise_of(mask), output_hidden_states=True)
    assert torch.equal(expected.mask == 0, mask)
    near = {"atol": TOLERANCE[dtype], "rtol": 0.0}
    assert len(tokens) == len(expected.hidden_states) == 1 + CONFIG.encoder.depth
    for depth, (one, other) in enumerate(zip(tokens, expected.hidden_states)):
        torch.testing.assert_close(one, other, **near, msg=lambda text, depth=depth: f"after block {depth}: {text}")
    torch.testing.assert_close(out.latent, theirs.vit.layernorm(expected.hidden_states[-1]), **near)
    hidden = expected.logits[~mask].view_as(out.prediction)  # (B, p, c) -> (B, hidden, c)
    torch.testing.assert_close(out.prediction, hidden, **near)
    torch.testing.assert_close(out.loss, expected.loss, **near)


def test_every_parameter_corresponds() -> None:
    ours, theirs = same_weights(CONFIG, torch.float64)
    given = list(pairs(ours, theirs))
    assert len({id(other) for _, other in given}) == len(list(theirs.parameters()))
    assert sum(one.numel() for one, _ in given) == sum(parameter.numel() for parameter in ours.parameters())


def test_patches_are_cut_alike_and_embedded_alike() -> None:
    """Targets run rows, columns, channels; the weights of the patch convolution run channels, rows, columns."""
    ours, theirs = same_weights(CONFIG, torch.float64)
    images, _ = example(torch.float64)
    patches = ours.encoder.patchify(images)
    torch.testing.assert_close(patches, theirs.patchify(2 * images - 1), atol=0, rtol=0)
    assert torch.equal(patches, torch.from_numpy(patchify((2 * images - 1).numpy(), 3)))
    embedded = theirs.vit.embeddings.patch_embeddings(2 * images - 1)
    torch.testing.assert_close(ours.encoder.patch_embed(patches), embedded, atol=1e-13, rtol=0)


def test_fixed_positions_are_the_same_table() -> None:
    config = MAEConfig(ViTConfig(12, 3, 3, width=32, depth=1, heads=4), decoder_width=24, decoder_depth=1)
    ours, theirs = MAE(config), hugging_face(config)
    theirs.decoder.initialize_weights(config.encoder.n_patches)  # a fresh model of theirs leaves its tables zero
    eps = torch.finfo(torch.float32).eps  # sines and cosines are rounded once on either side
    torch.testing.assert_close(ours.decoder_pos_embed, theirs.decoder.decoder_pos_embed, atol=eps, rtol=0)
