"""General Vision Transformer encoder with timm's parameter names, into which every dialect is translated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.encoder_layers import (
    Block,
    RotaryFrequencies,
    SharedRelativePositionBias,
    norm_layer,
    patch_embedding,
    relative_position_index,
)
from maetheory.checkpoints.rotary_positions import Rotation, rotation_of_patches, select_patches
from maetheory.core import InputError
from maetheory.models.patch_subset import gather_tokens, split_mask
from maetheory.models.vit import last_hidden_state


class Encoder(nn.Module):
    """Vision Transformer with timm's parameter names, which computes what the checkpoint's own code does in eval mode.

    Parameters
    ----------
    config : EncoderConfig
    head : Module, optional
        The file's own classifier, which `logits` applies.
    head_readout : "cls" or "mean"
        The readout that the classifier was trained on.
    """

    def __init__(
        self, config: EncoderConfig, head: nn.Module | None = None, head_readout: Literal["cls", "mean"] = "cls"
    ) -> None:
        super().__init__()
        self.config = config
        self.code_base = ""  # name of the dialect; the random-initialisation baseline follows its rule
        self.patch_embed = patch_embedding(config)
        if config.cls:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        if config.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, config.registers, config.width))
        if config.positions == "table":
            self.pos_embed = nn.Parameter(torch.zeros(1, config.position_prefix + config.n_patches, config.width))
        if config.positions == "shared relative":
            self.rel_pos_bias = SharedRelativePositionBias(config)
        if config.rotary is not None and config.rotary.kind == "mixed":
            self.rope = RotaryFrequencies(config)
        self.norm_pre = norm_layer(config, config.width) if config.norm_pre else nn.Identity()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        eps = config.eps if config.final_eps is None else config.final_eps
        self.norm = norm_layer(config, config.width, eps) if config.norm == "final" else nn.Identity()
        self.fc_norm = norm_layer(config, config.width, eps) if config.norm == "pooled" else nn.Identity()
        self.head = head
        self.head_readout = head_readout

    @property
    def n_prefix_tokens(self) -> int:
        """Tokens before the patches."""
        return self.config.n_prefix_tokens

    @property
    def _any_weight(self) -> Tensor:
        """A weight, whose type and device are those of the encoder."""
        return next(self.blocks.parameters())

    @property
    def has_cls(self) -> bool:
        """Whether the first token is a cls token."""
        return self.config.cls

    def iter_hidden_states(
        self, images: Tensor, mask: Tensor | None = None, branch_factors: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Iterate over the tokens after the embedding and after each block, before the final norm.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W)
            uint8 0..255 or float in [0, 1], of the size the encoder takes.
        mask : Tensor of bool, shape (B, p), optional
            True = visible; hidden patches are left out. None shows everything.
        branch_factors : Tensor, shape (B, depth, 2), optional
            Factors of the outputs of attention and MLP of each block: stochastic depth (Huang et al. 2016) draws 0 or
            1/(1 - rate). None is 1.

        Yields
        ------
        Tensor, shape (B, prefix + v, d)
            depth + 1 times; as for `models.ViT`, rows with fewer visible patches than others are padded, and attention
            ignores the padding.
        """
        tokens = self.patch_embed(self._normalize(images))  # (B, C, H, W) -> (B, p, d)
        prefix = self._prefix_tokens(len(tokens))
        if self.config.positions == "table":
            n = self.config.position_prefix
            tokens = tokens + self.pos_embed[:, n:]
            prefix = torch.cat([prefix[:, :n] + self.pos_embed[:, :n], prefix[:, n:]], 1) if n else prefix
        indices, valid = None, None
        if mask is not None and self.config.stem:
            raise InputError("patches of a convolutional stem overlap, so that none can be hidden from this encoder")
        if mask is not None:
            indices, valid = split_mask(mask, self.config.n_patches)[0]
            tokens = gather_tokens(tokens, indices)
        x = self.norm_pre(torch.cat([prefix, tokens], 1))
        yield x
        rotations = self._rotations(indices)
        for i, block in enumerate(self.blocks):
            scale = None if branch_factors is None else branch_factors[:, i]
            x = block(x, self._attention_bias(block, indices, valid), scale, next(rotations))
            yield x

    def hidden_states(self, images: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Return the tokens of every layer at once; see `iter_hidden_states`."""
        return list(self.iter_hidden_states(images, mask))

    def forward(self, images: Tensor, mask: Tensor | None = None, branch_factors: Tensor | None = None) -> Tensor:
        """Return the tokens (B, prefix + v, d) after the final norm; arguments as for `iter_hidden_states`."""
        return self.norm(last_hidden_state(self.iter_hidden_states(images, mask, branch_factors)))

    def logits(self, images: Tensor, branch_factors: Tensor | None = None) -> Tensor:
        """Return the logits (B, classes) of the file's own classifier.

        Raises
        ------
        InputError
            If the file holds no classifier.
        """
        if self.head is None:
            raise InputError("this checkpoint holds no classifier, so there are no logits; its features can be encoded")
        tokens = self(images, branch_factors=branch_factors)
        readout = tokens[:, 0] if self.head_readout == "cls" else tokens[:, self.n_prefix_tokens :].mean(1)
        return self.head(self.fc_norm(readout))

    def _normalize(self, images: Tensor) -> Tensor:
        """Standardise images of the encoder's size by channel."""
        c = self.config
        height, width = c.image_shape
        if images.ndim != 4 or images.shape[1:] != (c.channels, height, width):
            raise InputError(
                f"images must have shape (B, {c.channels}, {height}, {width}), but theirs is {tuple(images.shape)}"
            )
        dtype = self._any_weight.dtype
        images = images.to(dtype) / 255 if images.dtype == torch.uint8 else images.to(dtype)
        mean, std = (torch.tensor(v, dtype=dtype, device=images.device).view(1, -1, 1, 1) for v in (c.mean, c.std))
        return (images - mean) / std

    def _prefix_tokens(self, b: int) -> Tensor:
        """Return cls and register tokens (b, prefix, d)."""
        parts = [getattr(self, name) for name in ("cls_token", "reg_token") if hasattr(self, name)]
        empty = self._any_weight.new_zeros(1, 0, self.config.width)
        return torch.cat([empty, *parts], 1).expand(b, -1, -1)

    def _rotations(self, indices: Tensor | None) -> Iterator[Rotation | None]:
        """Iterate over the rotation of the visible patches in each block, None without rotary positions."""
        config = self.config
        frequencies = self.rope.freqs if hasattr(self, "rope") else None
        whole = None
        if config.rotary is not None:
            whole = rotation_of_patches(config.rotary, config.grid, config.inner // config.heads, frequencies)
            device = self._any_weight.device
            whole = whole._replace(cos=whole.cos.to(device), sin=whole.sin.to(device))
        for i in range(config.depth):
            rotation = whole
            if whole is not None and whole.cos.ndim > 2:
                rotation = whole._replace(cos=whole.cos[i], sin=whole.sin[i])
            yield rotation if rotation is None or indices is None else select_patches(rotation, indices)

    def _attention_bias(self, block: nn.Module, indices: Tensor | None, valid: Tensor | None) -> Tensor | None:
        """Return the biases of a block's attention logits: relative positions, and -∞ at padding."""
        relative = self._relative_position_bias(block, indices)
        if valid is None:
            return relative
        keys = F.pad(valid, (self.n_prefix_tokens, 0), value=True)[:, None, None, :]  # (B, v) -> (B, 1, 1, t)
        padding = torch.zeros(keys.shape, dtype=self._any_weight.dtype, device=keys.device)
        padding = padding.masked_fill(~keys, float("-inf"))
        return padding if relative is None else relative + padding

    def _relative_position_bias(self, block: nn.Module, indices: Tensor | None) -> Tensor | None:
        """Return the biases (B or 1, heads, t, t) of the visible tokens; None without relative positions."""
        if self.config.positions not in ("relative", "shared relative"):
            return None
        module: Any = block.attn if self.config.positions == "relative" else self.rel_pos_bias
        table: Tensor = module.relative_position_bias_table
        index = relative_position_index(self.config.grid, self.config.cls).to(table.device)
        if indices is None:
            return table[index].permute(2, 0, 1)[None]  # (t, t, h) -> (1, h, t, t)
        n = self.n_prefix_tokens
        tokens = F.pad(indices + n, (n, 0))
        tokens[:, :n] = torch.arange(n, device=tokens.device)
        pairs = index[tokens[:, :, None], tokens[:, None, :]]  # (B, t) -> (B, t, t)
        return table[pairs].permute(0, 3, 1, 2)  # (B, t, t, h) -> (B, h, t, t)
