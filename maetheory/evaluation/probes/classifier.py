"""An encoder with a head is a classifier; fine-tuning starts from a trained encoder and a head that says nothing."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from maetheory.checkpoints import Encoder
from maetheory.checkpoints.encoder import EncoderConfig
from maetheory.core import InputError, generator
from maetheory.models import MAE, SimMIM, ViT

INIT_STD = 2e-5  # of the head's first weights, as MAE's


class Classifier(nn.Module):
    """An encoder whose forward pass is what its head says.

    Parameters
    ----------
    encoder : Encoder
        With a head.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor, kept: Tensor | None = None) -> Tensor:
        """Map images (B, C, H, W) to logits (B, classes); `kept` as for `Encoder.states`."""
        return self.encoder.logits(images, kept)


def classifier_with_new_head(encoder: Encoder, classes: int, readout: Literal["mean", "cls"], seed: int) -> Classifier:
    """Return a copy of an encoder with a new head, weights N(0, 2e-5²), bias 0.

    A head that reads the mean has a new norm before it and the encoder's final norm is left out, as in MAE's code.

    Raises
    ------
    InputError
        If the readout is cls, and the encoder has no cls token or was itself fine-tuned on the mean.
    """
    config, trained = (
        encoder.config,
        {name: value for name, value in encoder.state_dict().items() if not name.startswith("head.")},
    )
    if readout == "cls" and not config.cls:
        raise InputError("this encoder has no cls token: fine-tune on the mean of its patches, readout 'mean'")
    if readout == "cls" and config.norm == "pooled":
        raise InputError(
            "this encoder's last norm is one of the mean of its patches: fine-tune it on the readout 'mean'"
        )
    if readout == "mean" and config.norm != "pooled":
        config = replace(config, norm="pooled")
        trained = {name: value for name, value in trained.items() if not name.startswith("norm.")}
    head = nn.Linear(config.width, classes)
    first = generator(seed, "fine-tuning", "head").normal(scale=INIT_STD, size=(classes, config.width))
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(first))
        head.bias.zero_()
    ours = Encoder(config, None, readout)
    missing = ours.load_state_dict(copy.deepcopy(trained), strict=False)
    if missing.unexpected_keys or any(not name.startswith("fc_norm.") for name in missing.missing_keys):
        raise ValueError(f"an encoder and its configuration disagree: {missing}")
    ours.head = head
    return Classifier(ours)


def as_encoder(model: Encoder | MAE | SimMIM | ViT) -> Encoder:
    """Return a model's encoder as a loaded checkpoint's; a ViT's weights are copied.

    Raises
    ------
    InputError
        If the model is of another kind.
    """
    if isinstance(model, Encoder):
        return model
    vit = model.encoder if isinstance(model, MAE | SimMIM) else model
    if not isinstance(vit, ViT):
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
    """Return a hash of an encoder's weights, which tells two starts apart."""
    found = hashlib.sha256()
    for name, value in encoder.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
