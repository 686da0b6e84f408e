"""Dialect of MONAI's Vision Transformer for images of two dimensions, alone or in a UNETR or an autoencoder.

Its patches are a convolution, or a linear map of pixels in row-major order with channels last; the cls token, which
only classifiers have, has no position.
"""

from __future__ import annotations

from math import isqrt

from torch import Tensor

from maetheory.checkpoints.dialects.dialect import WEIGHT_OR_BIAS, Dialect, Tensors
from maetheory.checkpoints.dialects.match import find_state_dicts
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

BLOCK = r"blocks\.(\d+)\."
LINEAR_PATCHES = "patch_embeddings.1.weight"
CHANNELS = (3, 1, 2)  # s² values are taken for one channel, not for four of s/2 by s/2
RENAME = (
    (r"patch_embedding\.patch_embeddings\.(?:1\.)?" + WEIGHT_OR_BIAS, r"patch_embed.proj.\1"),
    (r"patch_embedding\.position_embeddings", "pos_embed"),
    (r"patch_embedding\.cls_token", "cls_token"),
    (BLOCK + r"attn\.out_proj\." + WEIGHT_OR_BIAS, r"blocks.\1.attn.proj.\2"),
    (BLOCK + r"mlp\.linear([12])\." + WEIGHT_OR_BIAS, r"blocks.\1.mlp.fc\2.\3"),
)


def _patch_convolution(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with the convolution that is equal to a linear map of patches (s s C)."""
    weight = tensors["patch_embed.proj.weight"]
    if weight.ndim != 2:
        return tensors
    width, values = weight.shape
    channels = next((c for c in CHANNELS if values % c == 0 and isqrt(values // c) ** 2 == values // c), None)
    if channels is None:
        raise InputError(
            f"patches of {values} values are no square of {', '.join(map(str, sorted(CHANNELS)))} channels"
        )
    side = isqrt(values // channels)
    kernel = weight.view(width, side, side, channels).permute(0, 3, 1, 2).contiguous()  # (d, s, s, C) -> (d, C, s, s)
    return {**tensors, "patch_embed.proj.weight": kernel}


def _channel_notes(contents: CheckpointContents, tensors: Tensors) -> tuple[str, ...]:
    """Return a note where a linear map of patches may be of one channel or of four."""
    channels, side, _ = tensors["patch_embed.proj.weight"].shape[1:]
    linear = any(name.endswith(LINEAR_PATCHES) for _, state in find_state_dicts(contents.tree) for name in state)
    if not linear or channels != 1 or side % 2:
        return ()
    return (
        f"the file does not state that patches have one channel of {side} x {side} pixels, as assumed: four of "
        f"{side // 2} x {side // 2} have as many values",
    )


MONAI_DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "MONAI",
        "MONAI's Vision Transformer of two dimensions, alone, in a UNETR or in an autoencoder",
        required=(
            r"patch_embedding\.patch_embeddings\.(?:1\.)?weight",
            r"patch_embedding\.position_embeddings",
            BLOCK + r"attn\.out_proj\.weight",
            BLOCK + r"mlp\.linear1\.weight",
        ),
        state_dict_paths=("", "state_dict", "model", "model_state_dict", "network_weights"),
        prefixes=("", "vit."),
        rename=RENAME,
        unused=(
            (r"classification_head\..*", "the classifier, which ends in a tanh"),
            (BLOCK + r"(?:norm_cross_attn|cross_attn)\..*", "attention to another input, which is not computed"),
            (r"(?:conv3d_transpose|encoder\d|decoder\d|out)\w*\..*", "the decoder"),
        ),
        convert=_patch_convolution,
        notes=_channel_notes,
        defaults={"eps": 1e-5, "activation": "gelu", "position_prefix": 0},
    ),
)
