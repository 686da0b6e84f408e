"""A population of features is what one readout of one layer gives over all images; it is measured, never all held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maetheory.checkpoints import Encoder
from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.features.encode import Readout, encode_batches, encoder_depth
from maetheory.metrics import Moments

N_GROUPS = 20
MAX_ROWS_IN_MEMORY = 25_600  # images whose rows are kept whole: as many as RankMe's publication takes
SAMPLED_ROWS = 10_000  # rows kept of a population that is streamed
OUTPUT_READOUT = "output"
Layers = int | Literal["last", "all"] | Sequence[int | Literal["last"]]
Layer = int | Literal["last"]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class FeatureSet:
    """Features of one readout in one layer.

    Attributes
    ----------
    readout : str
        "cls", "mean", "tokens", or "output" of a callable that gives one vector per image.
    layer : int or "last"
    images : int
        How many images it is over.
    rows : ndarray (n, d)
        Every row, or, when `streamed_moments`, a random part of them.
    groups : ndarray (n,)
        To which random group of images each row belongs.
    streamed_moments : tuple of Moments, optional
        The moments of each group, when not every row is kept.
    """

    readout: str
    layer: Layer
    images: int
    rows: Floats
    groups: NDArray[np.intp]
    streamed_moments: tuple[Moments, ...] | None = None

    @property
    def parts(self) -> tuple[Moments, ...]:
        """Moments of each group of images, 2 D² numbers a group, so they are not kept; their merger sees every row."""
        if self.streamed_moments is not None:
            return self.streamed_moments
        names = np.unique(self.groups)
        return tuple(Moments(self.d).update(self.rows[self.groups == name]) for name in names)

    @property
    def merged(self) -> Moments:
        """Moments of every row, not kept either."""
        return Moments(self.d).update(self.rows) if self.streamed_moments is None else merged(self.streamed_moments)

    @property
    def n(self) -> int:
        """Rows in all."""
        return len(self.rows) if self.streamed_moments is None else sum(part.count for part in self.streamed_moments)

    @property
    def d(self) -> int:
        """Dimensions of a row."""
        return int(self.rows.shape[1])


def merged(parts: Sequence[Moments]) -> Moments:
    """Return the moments of all parts together."""
    whole = Moments(parts[0].d)
    for part in parts:
        whole.merge(part)
    return whole


def collect_features(
    encoder: Any,
    images: ImageSet | np.ndarray | Tensor,
    *,
    readouts: Sequence[Readout] | None = None,
    layers: Layers = "last",
    final_norm: bool = True,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> tuple[FeatureSet, ...]:
    """Return the features of images in every layer and readout, in one pass that holds no layer's tokens.

    What is held is a row of d numbers for each image, layer and readout.

    Parameters
    ----------
    encoder, images, final_norm, batch
        As for `encode`.
    readouts : sequence of "cls", "mean", "tokens", optional
        By default cls and mean, or mean only where there is no cls token.
    layers : "last", "all", int, or several
        "all" is every layer from 0, the embedding, to the depth.
    seed : int
        Decides which images go into which group, and which rows are kept.

    Raises
    ------
    InputError
        As `encode`, and if there are fewer than three images or features hold NaN or infinity (in how many rows).
    """
    n = len(images)
    if n < 3:
        raise InputError(
            f"collapse is a matter of how images differ, so at least 3 are needed, but there "
            f"{'is' if n == 1 else 'are'} {n}"
        )
    named = default_readouts(encoder) if readouts is None else tuple(dict.fromkeys(readouts))
    if not named:
        raise InputError(f"at least one readout is needed: {', '.join(get_args(Readout))}")
    chosen = resolve_layers(encoder, layers)
    group = generator(seed, "collapse", "groups").permutation(np.arange(n) % min(N_GROUPS, n))
    gathering = [_FeatureAccumulator(readout, layer, n, group, seed) for layer in chosen for readout in named]
    foreign, plain = encoder_depth(encoder) is None, False
    asked: tuple[Readout, ...] = (*named, "tokens") if foreign else named  # whether it has tokens is seen at the last
    for place, features in encode_batches(
        encoder, images, readouts=asked, layers=chosen, final_norm=final_norm, batch=batch, progress=progress
    ):
        plain = foreign and features[-1].ndim == 2
        for one, part in zip(gathering, features, strict=False):
            one.update(place, part)
    return tuple(one.done(OUTPUT_READOUT if plain else one.readout) for one in (gathering[:1] if plain else gathering))


def default_readouts(encoder: Any) -> tuple[Readout, ...]:
    """Return cls and mean, or mean only where there is no cls token."""
    return ("mean",) if isinstance(encoder, Encoder) and not encoder.has_cls else ("cls", "mean")


def resolve_layers(encoder: Any, layers: Layers) -> tuple[Layer, ...]:
    """Return the layers asked for one by one, without repetition."""
    if layers == "all":
        depth = encoder_depth(encoder)
        if depth is None:
            raise InputError("layers can be chosen for Vision Transformers only: a callable has the last one")
        return tuple(range(depth + 1))
    if isinstance(layers, int | str):
        return (layers,)  # type: ignore[return-value]
    return tuple(dict.fromkeys(layers))


class _FeatureAccumulator:
    """What becomes a population, batch by batch."""

    def __init__(self, readout: str, layer: Layer, n: int, group: NDArray[np.intp], seed: int) -> None:
        self.readout, self.layer, self.n, self.group = readout, layer, n, group
        self.rng = generator(seed, "collapse", "rows", readout)
        self.kept: list[Floats] = []
        self.places: list[NDArray[np.intp]] = []
        self.moments: list[Moments] | None = None
        self.bad = self.seen = 0

    def update(self, place: slice, features: Tensor) -> None:
        """Take the features (B, d) or (B, v, d) of the images at `place`."""
        tokens = features.shape[1] if features.ndim == 3 else 1
        rows = features.reshape(-1, features.shape[-1])
        self.seen += len(rows)
        bad = len(rows) - int(torch.isfinite(rows).all(1).sum())
        self.bad += bad
        if self.bad:
            return  # counted to the end, to say how many
        image_index = np.repeat(np.arange(place.start, place.stop), tokens)
        if tokens > 1 or self.n > MAX_ROWS_IN_MEMORY:
            self._stream(rows.numpy(), image_index)
            chosen = np.flatnonzero(self.rng.random(len(rows)) < SAMPLED_ROWS / (self.n * tokens))
            rows, image_index = rows[torch.from_numpy(chosen)], image_index[chosen]
        self.kept.append(rows.numpy())
        self.places.append(self.group[image_index])

    def _stream(self, rows: Floats, image_index: NDArray[np.intp]) -> None:
        if self.moments is None:
            self.moments = [Moments(rows.shape[1]) for _ in range(int(self.group.max()) + 1)]
        for number, moments in enumerate(self.moments):
            moments.update(rows[self.group[image_index] == number])

    def done(self, readout: str) -> FeatureSet:
        """Return the population under the name of its readout."""
        if self.bad:
            raise InputError(
                f"the features of readout {readout}, layer {self.layer}, hold NaN or infinity in "
                f"{self.bad} of {self.seen} rows; features are finite"
            )
        rows = np.concatenate(self.kept)
        streamed_moments = None if self.moments is None else tuple(self.moments)
        return FeatureSet(readout, self.layer, self.n, rows, np.concatenate(self.places), streamed_moments)
