"""Refuse encoders whose positions are rotary although their files hold a position table.

Rotary positions (Su et al. 2021) are computed, not stored, so that no tensor shows them. EVA-02, RoPE-ViT and the
Perception Encoder add them to a table, and without them a file of theirs would load and compute something else.
"""

from __future__ import annotations

import re

from maetheory.checkpoints.dialects.dialect import Tensors
from maetheory.core import InputError

ROTARY_NAME = re.compile(r".*(eva02(?!_enormous)|rope|vit_pe_|dinov3|rotary).*")
TABLE = "pos_embed"
CLAIM = "their positions may be rotary, which the names and shapes of tensors do not show"


def refuse_rotary_name(name: str, place: str) -> None:
    """Raise an error if a stated model name is that of an encoder with rotary positions."""
    if ROTARY_NAME.fullmatch(name):
        raise InputError(f"by {place} this is {name}, whose positions are rotary, and it cannot be loaded")


def refuse_possible_rotary(raw: Tensors, path: str, dialect_given: bool) -> tuple[str, ...]:
    """Raise an error for tensors of an encoder that may have rotary positions; return a note where it is unlikely.

    Parameters
    ----------
    raw : mapping from name to Tensor
        Under the names of the file, without prefix.
    path : str
        Of the state dict in the file's tree.
    dialect_given : bool
        Whether the caller names the code base, which settles the doubt.
    """
    if TABLE not in raw or any("relative_position" in name for name in raw) or dialect_given:
        return ()
    fc1, fc2 = raw.get("blocks.0.mlp.fc1.weight"), raw.get("blocks.0.mlp.fc2.weight")
    gated = fc1 is not None and fc2 is not None and fc1.ndim == fc2.ndim == 2 and fc1.shape[0] == 2 * fc2.shape[1]
    if "blocks.0.attn.q_bias" in raw and gated:
        raise InputError(f"these are the tensors of EVA-02: {CLAIM}; pass dialect='BEiT' (--dialect) if not")
    if "norm_pre.weight" in raw and "norm.weight" not in raw:
        raise InputError(
            f"these are the tensors of a Perception Encoder, with a norm before the blocks and none after: {CLAIM}; "
            "pass dialect='timm' (--dialect) if not"
        )
    if "blocks.0.gamma_1" in raw and "blocks.0.attn.qkv.bias" in raw:
        if path.rpartition(".")[2] != "model":
            raise InputError(
                f"these are the tensors of DeiT III and of RoPE-ViT with a position table: {CLAIM}; "
                "pass dialect='DeiT III' (--dialect) if not"
            )
        return ("DeiT III was assumed: RoPE-ViT with a position table has the same names, and is not loaded",)
    return ()
