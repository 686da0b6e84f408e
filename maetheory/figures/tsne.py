"""t-SNE embedding of features, coloured by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

MARKERS = "o^sDvP*X<>"  # one marker per ten classes, which ten colours distinguish


def tsne_embedding(
    features: Mapping[str, np.ndarray], labels: np.ndarray, *, max_images: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Compute a two-dimensional t-SNE embedding of the features of each objective.

    Parameters
    ----------
    features : mapping from objective to (N, d)
    labels : ndarray of int, shape (N,)
    max_images : int
        Maximum number of images, evenly spaced because folders are sorted by class.
    seed : int

    Returns
    -------
    DataFrame
        objective, x, y, label.
    """
    parts, n = [], len(labels)
    shown = np.arange(n) if n <= max_images else np.arange(max_images) * n // max_images
    for objective, z in features.items():
        rows = StandardScaler().fit_transform(np.asarray(z[shown], np.float64))
        embedding = TSNE(2, perplexity=min(30.0, (len(rows) - 1) / 3), init="pca", random_state=seed).fit_transform(
            rows
        )
        parts.append(
            pd.DataFrame({"objective": objective, "x": embedding[:, 0], "y": embedding[:, 1], "label": labels[shown]})
        )
    return pd.concat(parts, ignore_index=True)


def draw_tsne(
    axes: Mapping[str, Axes], frame: pd.DataFrame, accuracy: Mapping[str, str], names: Sequence[str] = ()
) -> None:
    """Draw the embedding of each objective with its linear-probe accuracy, and one legend of classes."""
    classes = sorted(frame.label.unique())
    for objective, ax in axes.items():
        part = frame[frame.objective == objective]
        for position, label in enumerate(classes):
            here = part[part.label == label]
            name = names[label] if names else str(label)
            marker = MARKERS[position // 10 % len(MARKERS)]
            ax.scatter(
                here.x, here.y, color=f"C{position % 10}", marker=marker, s=6 if position < 10 else 11, lw=0, label=name
            )
        ax.set(xticks=[], yticks=[], title=objective, xlabel=f"linear probe {accuracy[objective]}")
        ax.grid(visible=False)
    ax.legend(
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        markerscale=2,
        handletextpad=0.1,
        fontsize=7,
        ncols=-(-len(classes) // 25),
    )
