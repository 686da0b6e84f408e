"""SimMIM shows the encoder every place, with a mask token where a patch is hidden, and predicts by one linear map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maetheory.core import InputError
from maetheory.models.losses import reconstruction_loss, standardized_patches
from maetheory.models.mae import MAEConfig, MAEOutput
from maetheory.models.vit import ViT, gather_tokens, initialize_weights, split_mask


class SimMIM(nn.Module):
    """Simple masked image modelling (Xie et al. 2022): mask tokens in the encoder, linear head, L1 loss.

    Parameters
    ----------
    config : MAEConfig
        Its decoder fields are not used.
    """

    def __init__(self, config: MAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ViT(config.encoder)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.encoder.width))
        self.head = nn.Linear(config.encoder.width, config.encoder.patch_dim)
        initialize_weights(self)

    def forward(self, images: Tensor, mask: Tensor, n_visible: int | None = None) -> MAEOutput:
        """Predict the hidden patches; as in `MAE.forward`, but `latent` holds every place, (B, 1 + p, d)."""
        _, hidden = split_mask(mask, self.config.encoder.n_patches, n_visible)
        if hidden.indices.shape[1] == 0:
            raise InputError("every row of the mask must hide at least one patch")
        patches = self.encoder.patches(images)
        latent = self._tokens(patches, mask)
        prediction = self.head(gather_tokens(latent[:, 1:], hidden.indices))  # (B, p, d) -> (B, hidden, c)
        target = gather_tokens(patches, hidden.indices)  # (B, p, c) -> (B, hidden, c)
        if self.config.norm_pixels:
            target = standardized_patches(target)
        return MAEOutput(reconstruction_loss(prediction, target, hidden.valid, power=1), prediction, latent)

    def encode(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return encoder tokens (B, 1 + p, d) after the final norm; hidden places hold mask tokens."""
        if mask is None:
            return self.encoder(images)
        return self._tokens(self.encoder.patches(images), mask)

    def _tokens(self, patches: Tensor, mask: Tensor) -> Tensor:
        encoder = self.encoder
        if len(mask) != len(patches):
            raise InputError(
                f"the mask must have one row for each of the {len(patches)} images, but it has {len(mask)}"
            )
        shown = torch.where(mask[..., None], encoder.patch_embed(patches), self.mask_token)  # (B, p, d)
        cls = encoder.cls_token.expand(len(patches), -1, -1)
        tokens = torch.cat([cls, shown], dim=1) + encoder.pos_embed
        for block in encoder.blocks:
            tokens = block(tokens)
        return encoder.norm(tokens)
