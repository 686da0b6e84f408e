"""Masked autoencoder of He et al. (2022); the mask is an argument of `forward`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.models.losses import reconstruction_loss, standardized_patches
from maetheory.models.patch_subset import PatchSubset, gather_tokens, prepend_cls_validity, split_mask
from maetheory.models.positions import sincos_positions
from maetheory.models.vit import Block, ViT, ViTConfig, initialize_weights


@dataclass(frozen=True)
class MAEConfig:
    """Architecture of a masked autoencoder.

    Attributes
    ----------
    encoder : ViTConfig
    decoder_width, decoder_depth, decoder_heads : int
        Architecture of the decoder; SimMIM has a linear head and ignores them.
    norm_pixels : bool
        Whether each target patch is standardised by its own mean and variance.
    """

    encoder: ViTConfig = field(default_factory=ViTConfig)
    decoder_width: int = 192
    decoder_depth: int = 4
    decoder_heads: int = 3
    norm_pixels: bool = False

    def __post_init__(self) -> None:
        if self.decoder_width % self.decoder_heads:
            raise InputError(
                f"decoder heads must divide its width, but {self.decoder_heads} does not divide {self.decoder_width}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as nested plain values, ready for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(record: dict[str, Any]) -> MAEConfig:
        """Return the configuration from the values of `to_dict`."""
        return MAEConfig(**{**record, "encoder": ViTConfig(**record["encoder"])})


class MAEOutput(NamedTuple):
    """Loss, prediction and latent tokens of one forward pass.

    Attributes
    ----------
    loss : Tensor, scalar
        Mean squared error on hidden patches.
    prediction : Tensor, shape (B, hidden, c)
        Predicted hidden patches in raster order, padded where images have fewer.
    latent : Tensor, shape (B, 1 + visible, d)
        Encoder tokens after the final norm, cls first.
    """

    loss: Tensor
    prediction: Tensor
    latent: Tensor


class MAE(nn.Module):
    """Masked autoencoder (He et al. 2022): a ViT encodes visible patches, a light decoder predicts hidden ones.

    Parameters
    ----------
    config : MAEConfig

    Examples
    --------
    >>> from maetheory.models.presets import PRESETS
    >>> model = MAE(PRESETS["digits"])
    >>> mask = torch.zeros(2, 16, dtype=torch.bool)
    >>> mask[:, :4] = True
    >>> out = model(torch.rand(2, 1, 8, 8), mask)
    >>> tuple(out.prediction.shape), tuple(out.latent.shape)
    ((2, 12, 4), (2, 5, 64))
    """

    def __init__(self, config: MAEConfig) -> None:
        super().__init__()
        self.config = config
        vit = config.encoder
        self.encoder = ViT(vit)
        self.decoder_embed = nn.Linear(vit.width, config.decoder_width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.decoder_width))
        learned = vit.positions == "learned"
        table = (
            torch.zeros(1, 1 + vit.n_patches, config.decoder_width)
            if learned
            else sincos_positions(config.decoder_width, vit.grid, vit.grid)
        )
        self.decoder_pos_embed = nn.Parameter(table, requires_grad=learned)
        self.decoder_blocks = nn.ModuleList(
            Block(config.decoder_width, config.decoder_heads, vit.mlp_ratio, vit.eps)
            for _ in range(config.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(config.decoder_width, vit.eps)
        self.decoder_pred = nn.Linear(config.decoder_width, vit.patch_dim)
        initialize_weights(self)

    def forward(self, images: Tensor, mask: Tensor, n_visible: int | None = None) -> MAEOutput:
        """Encode the visible patches and predict the hidden ones.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
            uint8 0..255 or float in [0, 1].
        mask : Tensor of bool, shape (B, p)
            True = visible.
        n_visible : int, optional
            Number of visible patches, if known to be the same for every row; avoids a device synchronisation.

        Raises
        ------
        InputError
            If shapes do not fit, or the mask has a row without visible patches, or no hidden patch at all.
        """
        visible, hidden = split_mask(mask, self.config.encoder.n_patches, n_visible, require_hidden=True)
        patches = self.encoder.patchify(images)
        latent = self._encode(patches, visible)
        prediction = self._decode(latent, visible, hidden)
        target = reconstruction_target(patches, hidden, self.config.norm_pixels)
        return MAEOutput(reconstruction_loss(prediction, target, hidden.valid), prediction, latent)

    def encode(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return encoder tokens (B, 1 + v, d) after the final norm; without a mask every patch is visible."""
        return self.encoder(images, mask)

    def decode(self, latent: Tensor, mask: Tensor) -> Tensor:
        """Predict the hidden patches, (B, hidden, c) as in `MAEOutput`, from latent tokens (B, 1 + visible, d)."""
        return self._decode(latent, *split_mask(mask, self.config.encoder.n_patches))

    def _encode(self, patches: Tensor, visible: PatchSubset) -> Tensor:
        tokens = self.encoder.embed(patches, visible)
        key_mask = None if visible.valid is None else prepend_cls_validity(visible.valid)
        for block in self.encoder.blocks:
            tokens = block(tokens, key_mask)
        return self.encoder.norm(tokens)

    def _decode(self, latent: Tensor, visible: PatchSubset, hidden: PatchSubset) -> Tensor:
        """Predict the hidden patches from latent tokens (B, 1 + v, d), giving (B, hidden, c)."""
        embedded = self.decoder_embed(latent)  # (B, 1 + v, d) -> (B, 1 + v, e)
        position = self.decoder_pos_embed[0]
        visible_tokens = embedded[:, 1:] + position[1:][visible.indices]
        cls = embedded[:, :1] + position[:1]
        mask_tokens = self.mask_token + position[1:][hidden.indices]  # (B, hidden, e)
        # attention is permutation-equivariant, so the tokens need not be in raster order
        tokens = torch.cat([cls, visible_tokens.to(mask_tokens.dtype), mask_tokens], dim=1)
        key_mask = None
        if visible.valid is not None and hidden.valid is not None:
            key_mask = torch.cat([prepend_cls_validity(visible.valid), hidden.valid], dim=1)
        first_hidden = tokens.shape[1] - mask_tokens.shape[1]
        for i, block in enumerate(self.decoder_blocks, 1):  # the last block skips visible tokens: the loss ignores them
            tokens = block(tokens, key_mask, first_hidden if i == len(self.decoder_blocks) else 0)
        return self.decoder_pred(self.decoder_norm(tokens[:, -mask_tokens.shape[1] :]))


def reconstruction_target(patches: Tensor, hidden: PatchSubset, norm_pixels: bool) -> Tensor:
    """Return the hidden ones of patches (B, p, c), shape (B, hidden, c), standardised if `norm_pixels`."""
    target = gather_tokens(patches, hidden.indices)  # (B, p, c) -> (B, hidden, c)
    return standardized_patches(target) if norm_pixels else target
