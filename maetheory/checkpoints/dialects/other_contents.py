"""What a file holds that is no encoder here: adapters, flattened or quantised weights, optimisers, other networks.

Each kind is known by names or types of its tensors, and its sentence says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from maetheory.checkpoints.dialects.match import find_state_dicts
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError, printable

State = Mapping[str, Tensor]
OPTIMISER_KEYS = ({"state", "param_groups"}, {"optimizer_state_dict"}, {"base_optimizer_state"}, {"optimizer"})

FIRST_NORM = re.compile(
    r"((?:[a-z_]+\.)*?)(?:(?:stages|layers?|blocks?|levels)\.(?:\d+\.)+)+(?:norm1|ln1|layernorm_before)\.weight"
)


class ContentKind(NamedTuple):
    """What a state dict holds, what to do, and the test that tells it.

    `computes_unseen` says that the tensors would also make a whole encoder, which computes something else.
    """

    holds: str
    remedy: str
    fits: Callable[[State], Any]
    computes_unseen: bool = False


def _has_name_matching(pattern: str) -> Callable[[State], Any]:
    """Return a test of whether a name matches."""
    compiled = re.compile(pattern)
    return lambda state: any(compiled.fullmatch(name) for name in state)


def _widths_vary(state: State) -> bool:
    """Return whether the first norms of one stack of blocks have several widths, as in networks that merge patches."""
    widths: dict[str, set[torch.Size]] = {}
    for name, value in state.items():
        if found := FIRST_NORM.fullmatch(name):
            widths.setdefault(found[1], set()).add(value.shape)
    return any(len(shapes) > 1 for shapes in widths.values())


def _has_integer_matrices(state: State) -> bool:
    """Return whether matrices are stored as integers of eight bits."""
    return any(value.ndim == 2 and value.dtype in (torch.int8, torch.uint8) for value in state.values())


KINDS: tuple[ContentKind, ...] = (
    ContentKind(
        "weights without values, as DeepSpeed ZeRO-3 and FSDP leave them in the file of one process",
        "gather them first, with DeepSpeed by the zero_to_fp32.py beside the checkpoint",
        lambda state: len(state) > 3 and all(value.numel() == 0 for value in state.values()),
    ),
    ContentKind(
        "weights that FSDP has flattened into vectors",
        "save them with StateDictType.FULL_STATE_DICT",
        _has_name_matching(r"(?:.*\.)?_?flat_param(?:_\d+)?"),
    ),
    ContentKind(
        "adapters (LoRA or another of peft) that are not merged with the weights they change",
        "merge them with merge_and_unload() and save the model",
        _has_name_matching(
            r"(?:.*\.)?(?:lora_\w+|linear_[ab]_[qkv]|adapter_\w+|ia3_l|hada_\w+|lokr_\w+|oft_\w+)(?:\..*)?"
        ),
    ),
    ContentKind(
        "prompt tokens or bottlenecks that were trained beside an encoder",
        "they change what it computes, and no encoder here has them",
        _has_name_matching(
            r"(?:.*\.)?(?:(?:deep_)?prompt_(?:embeddings|tokens?)|\d+\.(?:.*\.)?adapt(?:er|mlp)\d?\..*)"
        ),
    ),
    ContentKind(
        "weights quantised to integers",
        "save the model in floating point",
        lambda state: (
            _has_integer_matrices(state)
            or _has_name_matching(r"(?:.*\.)?(?:SCB|qweight|qzeros|absmax|quant_map|_packed_params\..*|weight_scale)")(
                state
            )
        ),
    ),
    ContentKind(
        "weights of eight bits with factors of their own",
        "save the model in floating point of 16 or 32 bits",
        _has_name_matching(r"(?:.*\.)?(?:weight_scale_inv|scale_weight|input_scale)"),
    ),
    ContentKind(
        "fairseq's data2vec 2.0, with an encoder for each modality",
        "convert it to transformers' Data2VecVision, which is read",
        _has_name_matching(r"(?:.*\.)?modality_encoders\..*"),
    ),
    ContentKind(
        "a MultiMAE, with an adapter for each modality",
        "only encoders of one kind of image are read",
        _has_name_matching(r"(?:.*\.)?input_adapters\..*"),
    ),
    ContentKind(
        "a network of videos, whose patches have a length in time, or of volumes, whose patches have a depth",
        "only encoders of images are read",
        lambda state: any(value.ndim == 5 and "patch" in name for name, value in state.items()),
    ),
    ContentKind(
        "an encoder with a patch embedding for each group of channels (SatMAE)",
        "only encoders with one patch embedding are read",
        _has_name_matching(r"(?:.*\.)?(?:patch_embed\.\d+\.proj\..*|channel_embed)"),
    ),
    ContentKind(
        "a MAGE, whose encoder reads the tokens of a VQGAN",
        "only encoders of images are read",
        _has_name_matching(r"(?:.*\.)?token_emb\.word_embeddings\..*|(?:.*\.)?vqgan\..*"),
    ),
    ContentKind(
        "an encoder of images and texts with weights of their own for each (BEiT-3)",
        "only encoders of images are read",
        _has_name_matching(r"(?:.*\.)?self_attn\.q_proj\.[AB]\.weight"),
    ),
    ContentKind(
        "a Scale-MAE, whose positions depend on the ground that a pixel covers",
        "only positions of a fixed table are read",
        _has_name_matching(r"(?:.*\.)?fcn_(?:high|low)\..*"),
        computes_unseen=True,
    ),
    ContentKind(
        "an MAE whose fixed positions are no part of the file (VideoMAE's code, MAE-pytorch)",
        "add the table to the state dict as encoder.pos_embed, (1, patches, features)",
        lambda state: (
            _has_name_matching(r"(?:.*\.)?encoder_to_decoder\.weight")(state)
            and not _has_name_matching(r"(?:.*\.)?pos_embed")(state)
        ),
    ),
    ContentKind(
        "a CroCo, DUSt3R or MASt3R, whose positions are computed and no part of the file",
        "no encoder here computes them",
        _has_name_matching(r"(?:.*\.)?enc_blocks\.\d+\..*"),
    ),
    ContentKind(
        "a RADIO, whose patches and positions come from a generator of its own",
        "no encoder here computes them",
        _has_name_matching(r"(?:.*\.)?patch_generator\..*"),
    ),
    ContentKind(
        "a detector on a ViTDet, most of whose blocks attend within windows that no tensor shows",
        "pass the checkpoint that it was initialised from",
        _has_name_matching(r"(?:.*\.)?backbone\.simfp_\d\..*"),
        computes_unseen=True,
    ),
    ContentKind(
        "an Audio Spectrogram Transformer, whose patches overlap by a stride that no tensor shows",
        "no encoder here computes them",
        lambda state: (
            _has_name_matching(r"(?:.*\.)?v\.patch_embed\.proj\.weight")(state)
            and _has_name_matching(r"(?:.*\.)?(?:mlp_head\.\d+|p_input_fdim|cpredlayer.*)(?:\..*)?")(state)
        ),
        computes_unseen=True,
    ),
    ContentKind(
        "a hierarchical transformer with stages of several widths (ConvMAE, Hiera, MViT, Swin)",
        "only encoders of one width are read",
        lambda state: (
            _has_name_matching(r"(?:.*\.)?(?:patch_embed[1-4]\.proj|blocks[1-4]\.\d+)\..*")(state)
            or _widths_vary(state)
        ),
    ),
    ContentKind(
        "a hybrid, whose patches come from a convolutional network",
        "put timm's config.json with its architecture beside it and install timm (pip install maetheory[timm])",
        _has_name_matching(r"(?:.*\.)?patch_embed\.backbone\..*"),
    ),
    ContentKind(
        "a hybrid of JAX code, whose patches come from a convolutional network",
        "load it with timm (timm.create_model(NAME, checkpoint_path=FILE)), and pass that module to collapse_report",
        _has_name_matching(r"(?:.*\.)?conv_root\.kernel"),
    ),
    ContentKind(
        "an encoder such as Segment Anything's, with attention in windows and its own relative positions",
        "it computes something else than the encoders here",
        _has_name_matching(r"(?:.*\.)?attn\.rel_pos_[hw]"),
    ),
    ContentKind(
        "a transformer with differential attention",
        "it computes something else than the encoders here",
        _has_name_matching(r"(?:.*\.)?lambda_[qk]1"),
    ),
    ContentKind(
        "a transformer with several attentions side by side in a block",
        "it computes something else than the encoders here",
        _has_name_matching(r"(?:.*\.)?blocks\.\d+\.attns\.\d+\..*"),
    ),
)


def unseen_computation_error(contents: CheckpointContents) -> InputError | None:
    """Return an error if names show an encoder that computes what none of its tensors shows; None if none does."""
    kinds = [kind for kind in KINDS if kind.computes_unseen]
    return _first_kind_error(contents, [state for _, state in find_state_dicts(contents.tree)], kinds)


def other_contents_error(contents: CheckpointContents) -> InputError | None:
    """Return an error that names what a file holds instead of an encoder; None if it is of no known kind."""
    states = list(dict(find_state_dicts(contents.tree)).values())
    if known := _first_kind_error(contents, sorted(states, key=len, reverse=True), KINDS):
        return known
    keys = set(contents.tree) if isinstance(contents.tree, Mapping) else set()
    if "StructuredToParameterName@@" in keys:
        return InputError(
            f"{contents.path} holds weights of PaddlePaddle, whose linear maps are (inputs, outputs); transpose their "
            "matrices, and save a state dict by torch.save"
        )
    if not states and any(names <= keys for names in OPTIMISER_KEYS):
        return InputError(f"{contents.path} holds the state of an optimiser and no weights; pass the file of the model")
    if not states and "shadow_params" in keys:
        return InputError(
            f"{contents.path} holds averaged weights without names (torch-ema); copy them into the model and save its "
            "state_dict"
        )
    return None


def _first_kind_error(
    contents: CheckpointContents, states: Sequence[State], kinds: Sequence[ContentKind]
) -> InputError | None:
    """Return the error of the first state dict that is of one of the kinds."""
    kind = next((kind for state in states for kind in kinds if kind.fits(state)), None)
    return kind and InputError(f"{contents.path} holds {kind.holds}{_base_model(contents)}; {kind.remedy}")


def _base_model(contents: CheckpointContents) -> str:
    """Return the model that adapters belong to, where their configuration names it."""
    record = contents.sidecars.get("adapter_config.json")
    name = record.get("base_model_name_or_path") if isinstance(record, Mapping) else None
    return f", of {printable(name, 200)}" if isinstance(name, str) else ""
