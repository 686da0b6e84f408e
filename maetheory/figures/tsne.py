"""t-SNE embedding of features, coloured by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from maetheory.core import InputError
from maetheory.data.wordnet_names import class_title
from maetheory.figures.style import plain_label

MARKERS = "o^sDv"  # of classes with neighbouring hues, where there are more than ten


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

    Raises
    ------
    InputError
        If the features of an objective are no matrix with a row for each label.
    """
    parts, labels = [], np.asarray(labels)
    n = len(labels)
    for objective, z in features.items():
        if np.shape(z)[:1] != (n,) or np.ndim(z) != 2:
            raise InputError(
                f"the features of {objective!r} must have shape (images, dimensions) with {n} images, as there are "
                f"{n} labels, but their shape is {np.shape(z)}"
            )
    shown = np.arange(n) if n <= max_images else np.arange(max_images) * n // max_images
    for objective, z in features.items():
        rows = StandardScaler().fit_transform(np.asarray(z, np.float64)[shown])
        embedding = TSNE(2, perplexity=min(30.0, (len(rows) - 1) / 3), init="pca", random_state=seed).fit_transform(
            rows
        )
        parts.append(
            pd.DataFrame({"objective": objective, "x": embedding[:, 0], "y": embedding[:, 1], "label": labels[shown]})
        )
    return pd.concat(parts, ignore_index=True)


def class_separation(frame: pd.DataFrame) -> dict[str, float]:
    """Return the silhouette (Rousseeuw 1987) of the classes in the plane of each objective: 1 apart, 0 or less mixed.

    Parameters
    ----------
    frame : DataFrame
        As `tsne_embedding` returns it.

    Returns
    -------
    dict from objective to silhouette, in [-1, 1]
        NaN where there are fewer than two classes, or as many as images.
    """
    return {
        str(objective): float(silhouette_score(part[["x", "y"]], part.label))
        if 2 <= part.label.nunique() < len(part)
        else float("nan")
        for objective, part in frame.groupby("objective", sort=False)
    }


def draw_tsne(
    axes: Mapping[str, Axes], frame: pd.DataFrame, accuracy: Mapping[str, str], names: Sequence[str] = ()
) -> None:
    """Draw the embedding of each objective with its linear-probe accuracy, and one legend of classes.

    Up to ten classes have the ten colours of Matplotlib, more have evenly spaced hues (HUSL, from seaborn) and markers
    that differ between neighbours.
    """
    from seaborn import husl_palette  # takes a second to import

    classes = sorted(frame.label.unique())
    few = len(classes) <= 10
    colours = [f"C{position}" for position in range(10)] if few else husl_palette(len(classes), s=0.85, l=0.55)
    for objective, ax in axes.items():
        part = frame[frame.objective == objective]
        for position, label in enumerate(classes):
            here = part[part.label == label]
            ax.scatter(
                here.x,
                here.y,
                color=colours[position],
                marker="o" if few else MARKERS[position % len(MARKERS)],
                s=6 if few else 10,
                lw=0,
                label=plain_label(class_title(names[label])) if names else str(label),
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
