"""Feature sets: the features of all images for one readout and layer, as rows or as streamed moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maetheory.checkpoints import Encoder
from maetheory.core import InputError, Progress, generator, no_progress
from maetheory.data import ImageSet
from maetheory.evaluation.features.backbone import encoder_depth
from maetheory.evaluation.features.encode import (
    Readout,
    check_no_vision_transformer_options,
    encode_batches,
    encode_foreign_batches,
    foreign_reader,
)
from maetheory.evaluation.features.evaluation_mode import without_wrappers
from maetheory.evaluation.features.foreign_model import ChannelValues
from maetheory.evaluation.features.foreign_output import OutputPart
from maetheory.evaluation.features.given_features import FEATURES_READOUT
from maetheory.metrics import Moments
from maetheory.metrics.moments import merge_moments

N_GROUPS = 20
MAX_ROWS_IN_MEMORY = 25_600  # images whose rows are all kept: as many as RankMe's publication uses
ROWS_AT_ONCE = 8192  # of features that are given
SAMPLED_ROWS = 10_000  # rows kept of a feature set whose moments are streamed
Layers = int | Literal["last", "all"] | Sequence[int | Literal["last"]]
Layer = int | Literal["last"]
Floats = NDArray[np.floating[Any]]
Passes = Iterator[tuple[slice, dict[tuple[Layer, str], Tensor]]]


@dataclass(frozen=True)
class FeatureSet:
    """Features of one readout in one layer.

    Attributes
    ----------
    readout : str
        "cls", "mean", "tokens", or "output" for a callable that returns one vector per image.
    layer : int or "last"
    n_images : int
    rows : ndarray (n, d)
        All rows, or a random sample of them if `streamed_moments` is given.
    groups : ndarray (n,)
        The random group of images to which each row belongs.
    streamed_moments : tuple of Moments, optional
        The moments of each group over all rows; given if not all rows are kept.
    """

    readout: str
    layer: Layer
    n_images: int
    rows: Floats
    groups: NDArray[np.intp]
    streamed_moments: tuple[Moments, ...] | None = None

    @property
    def group_moments(self) -> tuple[Moments, ...]:
        """Moments of each group of images over all rows; computed on demand, since each takes 2 D² numbers."""
        if self.streamed_moments is not None:
            return self.streamed_moments
        names = np.unique(self.groups)
        return tuple(Moments(self.d).update(self.rows[self.groups == name]) for name in names)

    @property
    def moments(self) -> Moments:
        """Moments of all rows, computed on demand."""
        if self.streamed_moments is not None:
            return merge_moments(self.streamed_moments)
        return Moments(self.d).update(self.rows)

    @property
    def n(self) -> int:
        """Number of rows, including those that are not kept."""
        return len(self.rows) if self.streamed_moments is None else sum(part.count for part in self.streamed_moments)

    @property
    def d(self) -> int:
        """Number of dimensions."""
        return int(self.rows.shape[1])


@dataclass(frozen=True, eq=False)
class GivenFeatures:
    """Features that came without their network, in place of an encoder.

    Attributes
    ----------
    rows : ndarray (n, d)
        As `check_features` returns them.
    notes : tuple of str
    """

    rows: Floats
    notes: tuple[str, ...] = ()


def collect_features(
    encoder: Any,
    images: ImageSet | np.ndarray | Tensor,
    *,
    readouts: Sequence[Readout] | None = None,
    layers: Layers = "last",
    final_norm: bool = True,
    part: OutputPart | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
) -> tuple[FeatureSet, ...]:
    """Return the features of images in every layer and readout, computed in one pass over the images.

    The result holds d numbers for each image, layer and readout; tokens are never all in memory.

    Parameters
    ----------
    encoder : anything `encode` takes, or GivenFeatures
    images, final_norm, prefix_tokens, mean, std, batch
        As for `encode`.
    part : key, index or callable, optional
        Chooses a part of the output of another library's model.
    readouts : sequence of "cls", "mean", "tokens", optional
        By default cls and mean, or mean only for an encoder without a cls token.
    layers : "last", "all", int, or several
        "all" is every layer from 0, the embedding, to the depth.
    seed : int
        Seed of the random groups of images, and of the sample of rows.

    Raises
    ------
    InputError
        As `encode`, and if there are fewer than three images or features hold NaN or infinity (in how many rows).
    """
    if isinstance(encoder, GivenFeatures):
        if layers != "last" or not final_norm:
            raise InputError("features that came without their network have no layers and no final norm to choose")
        return (_given_feature_set(encoder.rows, seed),)
    n = len(images)
    if n < 3:
        raise InputError(
            f"collapse is a matter of how images differ, so at least 3 are needed, but there "
            f"{'is' if n == 1 else 'are'} {n}"
        )
    named = default_readouts(encoder) if readouts is None else tuple(dict.fromkeys(readouts))
    if not named:
        raise InputError(f"at least one readout is needed: {', '.join(get_args(Readout))}")
    chosen = expand_layers(encoder, layers)
    group_of_image = generator(seed, "collapse", "groups").permutation(np.arange(n) % min(N_GROUPS, n))
    accumulators: dict[tuple[Layer, str], _FeatureAccumulator] = {}
    reader = foreign_reader(without_wrappers(encoder), part, prefix_tokens, mean, std)
    if reader is not None:
        check_no_vision_transformer_options(chosen, final_norm)
        of_output = encode_foreign_batches(
            encoder, images, reader, None if readouts is None else named, batch=batch, progress=progress
        )
        passes: Passes = ((rows, {("last", name): one for name, one in found.items()}) for rows, found in of_output)
    else:
        of_layers = encode_batches(
            encoder, images, readouts=named, layers=chosen, final_norm=final_norm, batch=batch, progress=progress
        )
        names: list[tuple[Layer, str]] = [(layer, readout) for layer in chosen for readout in named]
        passes = ((rows, dict(zip(names, found, strict=True))) for rows, found in of_layers)
    for rows, features in passes:
        for (layer, readout), one in features.items():
            if (layer, readout) not in accumulators:
                accumulators[layer, readout] = _FeatureAccumulator(readout, layer, n, group_of_image, seed)
            accumulators[layer, readout].update(rows, one)
    return tuple(accumulator.finalize(accumulator.readout) for accumulator in accumulators.values())


def features_of_images(
    feature_sets: Sequence[FeatureSet], indices: NDArray[np.intp], seed: int
) -> tuple[FeatureSet, ...] | None:
    """Return the features of some of the images, as `collect_features` of these alone; None if not all rows are kept.

    Parameters
    ----------
    feature_sets : sequence of FeatureSet
    indices : ndarray of int (n,)
        Positions of the images, ascending.
    seed : int
        Seed of the random groups of images.
    """
    if any(one.streamed_moments is not None or one.n != one.n_images for one in feature_sets):
        return None
    groups = generator(seed, "collapse", "groups").permutation(np.arange(len(indices)) % min(N_GROUPS, len(indices)))
    return tuple(FeatureSet(one.readout, one.layer, len(indices), one.rows[indices], groups) for one in feature_sets)


def _given_feature_set(rows: Floats, seed: int) -> FeatureSet:
    """Return the rows of given features as a feature set."""
    n = len(rows)
    group_of_row = generator(seed, "collapse", "groups").permutation(np.arange(n) % min(N_GROUPS, n))
    accumulator = _FeatureAccumulator(FEATURES_READOUT, "last", n, group_of_row, seed)
    for start in range(0, n, ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        accumulator.update(slice(start, start + len(part)), torch.from_numpy(part))
    return accumulator.finalize(FEATURES_READOUT)


def default_readouts(encoder: Any) -> tuple[Readout, ...]:
    """Return cls and mean, or mean only for an encoder without a cls token."""
    return ("mean",) if isinstance(encoder, Encoder) and not encoder.has_cls else ("cls", "mean")


def expand_layers(encoder: Any, layers: Layers) -> tuple[Layer, ...]:
    """Return the requested layers one by one, without repetition."""
    if layers == "all":
        depth = encoder_depth(encoder)
        if depth is None:
            raise InputError("layers can be chosen for Vision Transformers only: a callable has the last one")
        return tuple(range(depth + 1))
    if isinstance(layers, int | str):
        return (layers,)  # type: ignore[return-value]  # a str that is not "all" is "last"
    return tuple(dict.fromkeys(layers))


class _FeatureAccumulator:
    """Collects the features of one readout and layer, batch by batch."""

    def __init__(self, readout: str, layer: Layer, n: int, group_of_image: NDArray[np.intp], seed: int) -> None:
        self.readout, self.layer, self.n, self.group_of_image = readout, layer, n, group_of_image
        self.rng = generator(seed, "collapse", "rows", readout)
        self.kept: list[Floats] = []
        self.row_groups: list[NDArray[np.intp]] = []
        self.moments: list[Moments] | None = None
        self.n_not_finite = self.n_rows = 0

    def update(self, image_slice: slice, features: Tensor) -> None:
        """Add the features (B, d) or (B, v, d) of the images in `image_slice`."""
        tokens = features.shape[1] if features.ndim == 3 else 1
        rows = features.reshape(-1, features.shape[-1])
        self.n_rows += len(rows)
        self.n_not_finite += len(rows) - int(torch.isfinite(rows).all(1).sum())
        if self.n_not_finite:
            return  # rows are still counted to the end, for the error message
        image_index = np.repeat(np.arange(image_slice.start, image_slice.stop), tokens)
        if tokens > 1 or self.n > MAX_ROWS_IN_MEMORY:
            self._stream(rows.numpy(), image_index)
            chosen = np.flatnonzero(self.rng.random(len(rows)) < SAMPLED_ROWS / (self.n * tokens))
            rows, image_index = rows[torch.from_numpy(chosen)], image_index[chosen]
        self.kept.append(rows.numpy())
        self.row_groups.append(self.group_of_image[image_index])

    def _stream(self, rows: Floats, image_index: NDArray[np.intp]) -> None:
        if self.moments is None:
            self.moments = [Moments(rows.shape[1]) for _ in range(int(self.group_of_image.max()) + 1)]
        for group, moments in enumerate(self.moments):
            moments.update(rows[self.group_of_image[image_index] == group])

    def finalize(self, readout: str) -> FeatureSet:
        """Return the feature set, under the given name of its readout."""
        if self.n_not_finite:
            raise InputError(
                f"the features of readout {readout}, layer {self.layer}, hold NaN or infinity in "
                f"{self.n_not_finite} of {self.n_rows} rows; features are finite"
            )
        rows = np.concatenate(self.kept)
        streamed_moments = None if self.moments is None else tuple(self.moments)
        return FeatureSet(readout, self.layer, self.n, rows, np.concatenate(self.row_groups), streamed_moments)
