"""Views and targets of a mask graph as images and masks that a masked autoencoder takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.data import images_from_patches
from maetheory.graph import MaskGraph
from maetheory.graph.node_contents import NodeContents
from maetheory.models import MAE


def view_and_target_contents(graph: MaskGraph) -> tuple[NodeContents, NodeContents]:
    """Return the contents of the views and of the targets of a graph.

    Raises
    ------
    InputError
        If the graph was not enumerated from a world, or its positions were dropped.
    """
    views, targets = graph.view_contents, graph.target_contents
    if views is None or targets is None:
        raise InputError(
            "a model can be shown the views of a graph enumerated from a world, but this one came from a joint law, or "
            "shows no patches"
        )
    if views.masks is None or targets.masks is None:
        raise InputError('a masked autoencoder knows its mask, so positions must be "kept", but they were dropped')
    return views, targets


def node_masks(contents: NodeContents) -> np.ndarray:
    """Return the masks of nodes with positions kept, True at the patches of the node."""
    assert contents.masks is not None
    return contents.masks


def check_model_fits(model: Any, views: NodeContents, readout: str) -> None:
    """Raise `InputError` if a model is not an MAE, its patches do not fit the views, or the readout is unknown."""
    if not isinstance(model, MAE):
        raise InputError(
            f"the bounds need a masked autoencoder with a decoder, MAE, but this is a {type(model).__name__}"
        )
    if readout not in ("cls", "mean"):
        raise InputError(f"the readout must be 'cls' or 'mean', but it is {readout!r}")
    vit, (n, s) = model.config.encoder, (node_masks(views).shape[1], views.values.shape[1])
    if vit.n_patches != n:
        raise InputError(
            f"the model sees {vit.n_patches} patches of {vit.patch}x{vit.patch} pixels, but an image of "
            f"this world has {n} patches"
        )
    if vit.patch_dim != s:
        raise InputError(
            f"a patch of the model has {vit.patch}x{vit.patch} pixels in {vit.channels} channels, "
            f"{vit.patch_dim} values, but a symbol of this world has {s}"
        )
    if model.config.norm_pixels and s == 1:
        raise InputError("the model standardises each target patch, which a patch of one value cannot be")


def render_views(contents: NodeContents, patch: int) -> np.ndarray:
    """Return an image for each view, shape (N, C, H, H), black at hidden positions."""
    pixels = contents.to_pixels("zero").reshape(len(contents.symbols), -1, contents.values.shape[1])  # (N, n, s)
    return images_from_patches(pixels, patch)


def scatter_patches(rows: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return hidden patches (B, h, c), given in raster order and padded, at their positions (B, n, c), 0 elsewhere."""
    scattered = np.zeros((*hidden.shape, rows.shape[2]))
    image, place = np.nonzero(hidden)
    scattered[image, place] = rows[image, (hidden.cumsum(1) - 1)[image, place]]
    return scattered
