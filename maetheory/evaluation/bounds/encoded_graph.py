"""Run a masked autoencoder on every view and target of a mask graph: f, h and h_g of the theory.

In the theory, the decoder, the alignment and the uniformity term all use the same f. In the code, the decoder reads all
encoder tokens after the final norm, and the uniformity term uses one of them (or their mean), L2-normalised.
`EncodedGraph.description` states which vector was taken as f.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from maetheory.evaluation.bounds.autoencoding import autoencode_targets
from maetheory.evaluation.bounds.graph_contents import (
    check_model_fits,
    node_masks,
    render_views,
    scatter_patches,
    view_and_target_contents,
)
from maetheory.graph import MaskGraph
from maetheory.graph.functionals import mean_square
from maetheory.graph.node_contents import NodeContents
from maetheory.models import MAE, patch_mean, split_mask
from maetheory.models.losses import standardized_patches
from maetheory.theory.theorem_quantities import autoencoding_error, pair_lipschitz

Readout = Literal["cls", "mean"]  # one vector per view; `encode` has tokens too
CHUNK = 2048  # views that are encoded at once


@dataclass(frozen=True, eq=False)
class EncodedGraph:
    """Features and predictions of a model on every view and target of a mask graph, in float64.

    Attributes
    ----------
    graph : MaskGraph
        With positions kept, since a masked autoencoder knows its mask.
    features : ndarray, shape (N1, k)
        f of each view.
    h : ndarray, shape (N1, d)
        The decoder's prediction of the hidden patches, each at its position and 0 elsewhere.
    h_g : ndarray, shape (N2, d)
        The output of the same decoder on the tokens f_g that reconstruct each target best; see `autoencode_targets`.
    targets : ndarray, shape (N2, d)
        The hidden patches in the form that the model predicts, standardised pixels.
    weight : float or None
        λ of L_MAE + λ L_unif, where L_MAE is a sum over hidden values as in the theory.
    description : str
        Which vector is f, and how h_g was found.
    """

    graph: MaskGraph
    features: np.ndarray
    h: np.ndarray
    h_g: np.ndarray
    targets: np.ndarray
    weight: float | None
    description: str

    @cached_property
    def lipschitz(self) -> float:
        """Smallest L with ‖f − f⁺‖² ≤ L ‖h − h⁺‖² on all positive pairs; ∞ if h is equal and f differs on some pair."""
        return pair_lipschitz(self.graph, self.features, self.h)

    @property
    def epsilon(self) -> float:
        """ε = E‖h_g(x₂) − x₂‖², an upper bound of the smallest ε, since f_g was found by gradient descent."""
        return autoencoding_error(self.graph, self.h_g, self.targets)

    def with_unit_norms(self) -> EncodedGraph:
        """Return the same with the norms of the paper: rows of h and h_g of norm 1, targets of mean square 1.

        A prediction of zero stays zero. The scaled h differs from the trained one; `description` states it.
        """
        unit = np.sqrt(mean_square(self.graph.degrees[1], self.targets))
        return replace(
            self,
            h=_unit_rows(self.h),
            h_g=_unit_rows(self.h_g),
            targets=self.targets / unit,
            description=f"{self.description}; predictions scaled to norm 1, targets to mean square 1",
        )


def encode_graph(
    model: Any,
    graph: MaskGraph,
    *,
    readout: Readout = "cls",
    normalized: bool = True,
    weight: float | None = None,
    fit_steps: int = 100,
) -> EncodedGraph:
    """Run a model on every view of a graph, and fit its decoder's input to every target.

    Parameters
    ----------
    model : MAE
        Trained or not; a float64 copy runs in eval mode.
    graph : MaskGraph
        Enumerated from a world with positions kept; the symbols of the world are the patches of the model's images.
    readout : "cls" or "mean"
        The vector taken as f: the cls token or the mean of the visible patch tokens.
    normalized : bool, default True
        Whether f is L2-normalised, as in the uniformity term of U-MAE.
    weight : float, optional
        λ of the training run; None for a run without uniformity. It is multiplied by the expected number of hidden
        values of an image, since training takes their mean and the theory their sum.
    fit_steps : int, default 100
        Number of gradient steps that fit f_g.

    Raises
    ------
    InputError
        If the model is not an MAE, the graph has no contents of views or dropped their positions, patches do not fit,
        or the readout is unknown.
    """
    views, targets = view_and_target_contents(graph)
    check_model_fits(model, views, readout)
    double = copy.deepcopy(model).double().eval()
    latent, predicted, features = _encode_views(double, views, readout, normalized)
    hidden_targets = _hidden_target_patches(double, targets)
    start_view = _nearest_view(graph, predicted, hidden_targets)
    h_g = autoencode_targets(
        double, latent, start_view, torch.from_numpy(~node_masks(targets)), hidden_targets, steps=fit_steps
    )
    hidden = float(graph.degrees[0] @ (~node_masks(views)).sum(1)) * views.values.shape[1]
    norm = "L2-normalised" if normalized else "not normalised"
    description = (
        f"f is the {readout} readout, {norm}; the decoder reads all tokens, not normalised; h_g is the decoder on "
        f"tokens fitted to each target in {fit_steps} steps"
    )
    return EncodedGraph(
        graph,
        features,
        _flatten_patches(predicted),
        _flatten_patches(h_g),
        _flatten_patches(hidden_targets),
        None if not weight else weight * hidden,
        description,
    )


@torch.no_grad()
def _encode_views(
    model: MAE, views: NodeContents, readout: Readout, normalized: bool
) -> tuple[list[Tensor], np.ndarray, np.ndarray]:
    """Return the tokens of every view (1 + v, k), its prediction by position (N1, n, c), and f (N1, k)."""
    images = torch.from_numpy(render_views(views, model.config.encoder.patch))
    masks = torch.from_numpy(node_masks(views))
    latents: list[Tensor] = []
    predicted, features = np.zeros((*masks.shape, views.values.shape[1])), []
    for start in range(0, len(masks), CHUNK):
        rows = slice(start, start + CHUNK)
        out, valid = model(images[rows], masks[rows]), split_mask(masks[rows], masks.shape[1])[0].valid
        z = out.latent[:, 0] if readout == "cls" else patch_mean(out.latent, valid)
        features.append(_unit_rows(z.numpy()) if normalized else z.numpy())
        predicted[rows] = scatter_patches(out.prediction.numpy(), ~masks[rows].numpy())
        latents += [tokens[: 1 + int(count)] for tokens, count in zip(out.latent, masks[rows].sum(1), strict=True)]
    return latents, predicted, np.concatenate(features)


def _hidden_target_patches(model: MAE, targets: NodeContents) -> np.ndarray:
    """Return the targets of the model at each hidden position, shape (N2, n, c), 0 elsewhere."""
    config, hidden = model.config, node_masks(targets)
    patches = model.encoder.patchify(torch.from_numpy(render_views(targets, config.encoder.patch)))
    if config.norm_pixels:
        patches = standardized_patches(patches)
    return np.where(hidden[:, :, None], patches.numpy(), 0.0)


def _nearest_view(graph: MaskGraph, predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each target the nearest prediction among its positive views, as an index of a view; shape (N2,)."""
    pairs = graph.joint.tocoo()
    view, target = pairs.coords
    distances = ((predicted[view] - targets[target]) ** 2).sum((1, 2))  # (pairs,)
    order = np.lexsort((distances, target))
    first = np.unique(target[order], return_index=True)[1]
    return view[order][first]


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def _flatten_patches(patches: np.ndarray) -> np.ndarray:
    return patches.reshape(len(patches), -1)  # (N, n, c) -> (N, n c)
