"""SimMIM (Xie et al. 2022): mask tokens in the encoder, linear prediction head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.models.losses import reconstruction_loss
from maetheory.models.mae import MAEConfig, MAEOutput, reconstruction_target
from maetheory.models.patch_subset import gather_tokens, split_mask
from maetheory.models.vit import ViT, initialize_weights


class SimMIM(nn.Module):
    """Simple masked image modelling (Xie et al. 2022): mask tokens in the encoder, linear head, L1 loss.

    Parameters
    ----------
    config : MAEConfig
        Architecture; its decoder fields are ignored.
    """

    def __init__(self, config: MAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ViT(config.encoder)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.encoder.width))
        self.head = nn.Linear(config.encoder.width, config.encoder.patch_dim)
        initialize_weights(self)

    def forward(self, images: Tensor, mask: Tensor, n_visible: int | None = None) -> MAEOutput:
        """Predict the hidden patches, as `MAE.forward`; `latent` has a token for every patch, (B, 1 + p, d)."""
        _, hidden = split_mask(mask, self.config.encoder.n_patches, n_visible, require_hidden=True)
        patches = self.encoder.patchify(images)
        latent = self._encode(patches, mask)
        prediction = self.head(gather_tokens(latent[:, 1:], hidden.indices))  # (B, p, d) -> (B, hidden, c)
        target = reconstruction_target(patches, hidden, self.config.norm_pixels)
        return MAEOutput(reconstruction_loss(prediction, target, hidden.valid, power=1), prediction, latent)

    def encode(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return encoder tokens (B, 1 + p, d) after the final norm; mask tokens replace hidden patches."""
        if mask is None:
            return self.encoder(images)
        return self._encode(self.encoder.patchify(images), mask)

    def _encode(self, patches: Tensor, mask: Tensor) -> Tensor:
        encoder = self.encoder
        if len(mask) != len(patches):
            raise InputError(
                f"the mask must have one row for each of the {len(patches)} images, but it has {len(mask)}"
            )
        embedded = torch.where(mask[..., None], encoder.patch_embed(patches), self.mask_token)  # (B, p, d)
        cls = encoder.cls_token.expand(len(patches), -1, -1)
        tokens = torch.cat([cls, embedded], dim=1) + encoder.pos_embed
        for block in encoder.blocks:
            tokens = block(tokens)
        return encoder.norm(tokens)
