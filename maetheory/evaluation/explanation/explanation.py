"""Explanation of the leading directions of a model's features: the numbers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from maetheory.core import Estimate
from maetheory.core.json_documents import json_ready
from maetheory.core.summaries import summary_html, summary_text
from maetheory.evaluation.explanation.content_free_share import ContentFreeShare
from maetheory.evaluation.explanation.layer_of_origin import LayerOfOrigin, LayerShare
from maetheory.evaluation.explanation.removal import RemovalEffect
from maetheory.evaluation.rank_correlation import RankCorrelation

Content = Literal["content-free", "content", "undecided"]
Ratios = Mapping[str, tuple[float, ...]]
"""Kind of images without content -> their variance over that of real images, along each direction."""
EXPLANATION_COLUMNS = ("readout", "direction", "quantity", "of", "value", "low", "high")
"""Columns of `CollapseExplanation.to_frame`, whose rows `explanation_rows` returns."""


@dataclass(frozen=True, eq=False)
class ExplainedDirection:
    """One leading principal direction of the features.

    Attributes
    ----------
    number : int
        From 1, in the order of the variance.
    share : Estimate
        Share of the variance of the features of images not used to find it, 0 to 1.
    stability : float
        Mean absolute cosine with the directions found without a tenth of the images each, 0 to 1.
    content_free : tuple of ContentFreeShare
        For constant images, shuffled patches and noise.
    statistics : mapping from name to RankCorrelation
        Of the score with simple statistics of the images.
    layers : tuple of LayerShare
        Empty for models whose layers are not known.
    origin : LayerOfOrigin, optional
    removal : tuple of RemovalEffect
        Of this direction alone, one for each probe; empty without labels.
    lowest, highest : ndarray of int
        Positions of the images with the lowest scores, lowest first, and with the highest, highest first.
    lowest_pixels, highest_pixels : ndarray of uint8 (r, C, H, W)
        These images as the encoder sees them, at most 96 pixels a side.
    """

    number: int
    share: Estimate
    stability: float
    content_free: tuple[ContentFreeShare, ...]
    statistics: Mapping[str, RankCorrelation]
    layers: tuple[LayerShare, ...]
    origin: LayerOfOrigin | None
    removal: tuple[RemovalEffect, ...]
    lowest: NDArray[np.intp]
    highest: NDArray[np.intp]
    lowest_pixels: NDArray[np.uint8] = field(repr=False)
    highest_pixels: NDArray[np.uint8] = field(repr=False)

    @property
    def content(self) -> Content:
        """Whether images without content have the direction, as `ContentFreeShare.has_direction` says.

        "content-free" if one kind has that is made from the real images, so that scores can be compared; "content" if
        none has, noise included; else "undecided".
        """
        if any(one.has_direction and not np.isnan(one.explained) for one in self.content_free):
            return "content-free"
        return "content" if all(one.has_direction is False for one in self.content_free) else "undecided"

    @property
    def content_free_kinds(self) -> tuple[str, ...]:
        """Kinds of images without content that have the direction."""
        return tuple(one.kind for one in self.content_free if one.has_direction)

    @property
    def best_statistic(self) -> tuple[str, RankCorrelation] | None:
        """Statistic with the largest absolute correlation; None if none varies."""
        known = {name: one for name, one in self.statistics.items() if not np.isnan(one.value)}
        return max(known.items(), key=lambda pair: abs(pair[1].value)) if known else None


@dataclass(frozen=True, eq=False)
class ReadoutExplanation:
    """Leading directions of one readout.

    Attributes
    ----------
    readout : str
    layer : int or "last"
    n, d : int
        Images and dimensions.
    n_content_free, n_untrained_images : int
        Images without content of each kind, and images of each kind that untrained networks saw.
    mean_share : Estimate
        Share of the mean square of the features that is that of their mean, which is no direction of variance.
    share : Estimate
        Share of the variance that all directions together carry.
    directions : tuple of ExplainedDirection
    removal : tuple of RemovalEffect
        Of nothing, of all directions together ("first m") and of the content-free subspace; empty without labels.
    """

    readout: str
    layer: Any
    n: int
    d: int
    n_content_free: int
    n_untrained_images: int
    mean_share: Estimate
    share: Estimate
    directions: tuple[ExplainedDirection, ...]
    removal: tuple[RemovalEffect, ...]

    def effect(self, removed: str, probe: str) -> RemovalEffect | None:
        """Return the effect of a removal on a probe; None without labels."""
        everything = (*self.removal, *(one for direction in self.directions for one in direction.removal))
        return next((one for one in everything if (one.removed, one.probe) == (removed, probe)), None)


@dataclass(frozen=True, eq=False)
class CollapseExplanation:
    """What the leading directions of a model's features hold, for each readout.

    Attributes
    ----------
    readouts : tuple of ReadoutExplanation
    notes : tuple of str
    seed : int
    untrained : tuple of mappings from readout to Ratios
        Variance ratios of each untrained network, which hold for all models of one architecture on the same images.
    """

    readouts: tuple[ReadoutExplanation, ...]
    notes: tuple[str, ...]
    seed: int
    untrained: tuple[Mapping[str, Ratios], ...] = field(default=(), repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each number.

        Returns
        -------
        DataFrame
            readout, direction (from 1; 0 for numbers of all), quantity, of (kind of images, statistic, layer, probe or
            image), value, low, high. `low` and `high` are value ± two standard errors; of correlations the interval of
            that one; of changes of accuracy the interval that holds for all removals of the readout.
        """
        rows = [row for one in self.readouts for row in explanation_rows(one)]
        return pd.DataFrame(rows, columns=list(EXPLANATION_COLUMNS))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; of the images at the extremes only their positions."""
        return {"seed": self.seed, "notes": list(self.notes), "readouts": [_document(one) for one in self.readouts]}

    def _facts(self) -> tuple[str, dict[str, str]]:
        first = self.readouts[0]
        title = (
            f"CollapseExplanation: leading directions of {', '.join(one.readout for one in self.readouts)}, "
            f"{first.n:,} images"
        )
        parts = [
            f"{one.readout} "
            + (", ".join(f"{100 * k.share.value:.3g} % {k.content}" for k in one.directions) or "no direction")
            for one in self.readouts
        ]
        return title, {"directions": "; ".join(parts), "tables": f"to_frame(), to_dict(); notes ({len(self.notes)})"}

    def __repr__(self) -> str:
        return summary_text(*self._facts())

    def _repr_html_(self) -> str:
        return summary_html(*self._facts())


def explanation_rows(one: ReadoutExplanation) -> list[tuple[Any, ...]]:
    """Return all numbers of a readout as rows of `CollapseExplanation.to_frame`."""
    rows: list[tuple[Any, ...]] = []

    def add(direction: int, quantity: str, of: Any, value: float, low: float = np.nan, high: float = np.nan) -> None:
        rows.append((one.readout, direction, quantity, str(of), value, low, high))

    def add_effect(direction: int, effect: RemovalEffect) -> None:
        accuracy, removed = effect.accuracy, f"{effect.probe}, without {effect.removed}"
        add(direction, "accuracy", removed, accuracy.value, accuracy.low, accuracy.high)
        if effect.removed != "nothing":
            add(direction, "change of accuracy", removed, effect.change, effect.low, effect.high)

    add(0, "share of the mean square of the mean", "", one.mean_share.value, one.mean_share.low, one.mean_share.high)
    add(0, "share of the variance", "all", one.share.value, one.share.low, one.share.high)
    for effect in one.removal:
        add_effect(0, effect)
    for direction in one.directions:
        k = direction.number
        add(k, "share of the variance", "", direction.share.value, direction.share.low, direction.share.high)
        add(k, "stability", "", direction.stability)
        for part in direction.content_free:
            add(k, "variance ratio", part.kind, part.ratio.value, part.ratio.low, part.ratio.high)
            if not np.isnan(part.explained):
                add(k, "explained", part.kind, part.explained, part.explained_low, part.explained_high)
            for value in part.untrained:
                add(k, "variance ratio, untrained", part.kind, value)
        for name, found in direction.statistics.items():
            add(k, "rank correlation", name, found.value, found.low, found.high)
            add(k, "adjusted p of the correlation", name, found.p_adjusted)
        for layer in direction.layers:
            add(k, "readable", layer.layer, layer.readable.value, layer.readable.low, layer.readable.high)
            add(k, "share of the layer", layer.layer, layer.share.value, layer.share.low, layer.share.high)
        if direction.origin is not None:
            add(k, "layer of origin", "", *map(float, _origin(direction.origin)))
        for effect in direction.removal:
            add_effect(k, effect)
        for end, images in (("lowest", direction.lowest), ("highest", direction.highest)):
            for place, image in enumerate(images, 1):
                add(k, f"{end} image", place, float(image))
    return rows


def _origin(origin: LayerOfOrigin) -> tuple[int, int, int]:
    return origin.layer, origin.earliest, origin.latest


def _document(one: ReadoutExplanation) -> dict[str, Any]:
    """Return a readout as plain values, each estimate with its error."""
    return {
        "readout": one.readout,
        "layer": one.layer,
        "n": one.n,
        "d": one.d,
        "n_content_free": one.n_content_free,
        "n_untrained_images": one.n_untrained_images,
        "mean_share": _estimate(one.mean_share),
        "share": _estimate(one.share),
        "removal": [_effect(effect) for effect in one.removal],
        "directions": [
            {
                "number": k.number,
                "content": k.content,
                "content_free_kinds": list(k.content_free_kinds),
                "share": _estimate(k.share),
                "stability": k.stability,
                "content_free": [
                    {**json_ready(part), "ratio": _estimate(part.ratio), "has_direction": part.has_direction}
                    for part in k.content_free
                ],
                "statistics": json_ready(k.statistics),
                "layers": [
                    {"layer": part.layer, "readable": _estimate(part.readable), "share": _estimate(part.share)}
                    for part in k.layers
                ],
                "origin": json_ready(k.origin),
                "removal": [_effect(effect) for effect in k.removal],
                "lowest": k.lowest.tolist(),
                "highest": k.highest.tolist(),
            }
            for k in one.directions
        ],
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return json_ready({"value": one.value, "error": one.error})


def _effect(one: RemovalEffect) -> dict[str, Any]:
    return {**json_ready(one), "accuracy": _estimate(one.accuracy), "outcome": one.outcome}
