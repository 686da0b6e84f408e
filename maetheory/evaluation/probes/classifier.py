"""Classifiers for fine-tuning: a trained encoder with a new linear head."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from maetheory.checkpoints import Encoder
from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.core import InputError, generator
from maetheory.evaluation.features.backbone import vision_transformer
from maetheory.evaluation.probes.linear_head import initial_linear
from maetheory.models import MAE, SimMIM, ViT

INIT_STD = 2e-5  # of the head's initial weights, as in MAE's code


class Classifier(nn.Module):
    """An encoder whose forward pass returns the logits of its head.

    Parameters
    ----------
    encoder : Encoder
        It must have a head.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor, branch_factors: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W) to logits (B, classes); `branch_factors` as for `Encoder.iter_hidden_states`."""
        return self.encoder.logits(images, branch_factors)


def classifier_with_new_head(encoder: Encoder, classes: int, readout: Literal["mean", "cls"], seed: int) -> Classifier:
    """Return a copy of an encoder with a new head: weights N(0, 2e-5²), bias 0.

    A head on the mean of the patch tokens has a new norm, and the encoder's final norm is left out, as in MAE's code.

    Raises
    ------
    InputError
        If the readout is cls, and the encoder has no cls token or was itself fine-tuned on the mean.
    """
    config = encoder.config
    trained = {name: value for name, value in encoder.state_dict().items() if not name.startswith("head.")}
    if readout == "cls" and not config.cls:
        raise InputError("this encoder has no cls token: fine-tune on the mean of its patches, readout 'mean'")
    if readout == "cls" and config.norm == "pooled":
        raise InputError(
            "this encoder's last norm is one of the mean of its patches: fine-tune it on the readout 'mean'"
        )
    if readout == "mean" and config.norm != "pooled":
        config = replace(config, norm="pooled")
        trained = {name: value for name, value in trained.items() if not name.startswith("norm.")}
    head = initial_linear(config.width, classes, INIT_STD, generator(seed, "fine-tuning", "head"))
    new = Encoder(config, None, readout)
    missing = new.load_state_dict(copy.deepcopy(trained), strict=False)
    if missing.unexpected_keys or any(not name.startswith("fc_norm.") for name in missing.missing_keys):
        raise ValueError(f"an encoder and its configuration disagree: {missing}")
    new.head = head
    return Classifier(new)


def as_encoder(model: Encoder | MAE | SimMIM | ViT) -> Encoder:
    """Return the encoder of a model as an `Encoder`; the weights of a ViT are copied.

    Raises
    ------
    InputError
        If the model is of another kind.
    """
    vit = vision_transformer(model)
    if isinstance(vit, Encoder):
        return vit
    if vit is None:
        raise InputError(f"fine-tuning takes an Encoder, MAE, SimMIM or ViT, but this is a {type(model).__name__}")
    c = vit.config
    encoder = Encoder(
        EncoderConfig(
            c.image_size,
            c.patch,
            c.channels,
            c.width,
            c.depth,
            c.heads,
            inner=c.width,
            hidden=int(c.width * c.mlp_ratio),
            eps=c.eps,
            qkv_bias=c.qkv_bias,
            mean=(c.mean,) * c.channels,
            std=(c.std,) * c.channels,
        )
    )
    encoder.load_state_dict(vit.state_dict())
    return encoder.eval()


def hash_weights(encoder: Encoder) -> str:
    """Return the SHA-256 hash of an encoder's weights and their names."""
    digest = hashlib.sha256()
    for name, value in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
