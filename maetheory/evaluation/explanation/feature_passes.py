"""Forward passes of an explanation: features of real images and of images without content, in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from maetheory.core import Progress, generator
from maetheory.data import ImageSet
from maetheory.evaluation.explanation.content_free_images import (
    CONTENT_FREE_KINDS,
    ChannelMoments,
    channel_moments,
    content_free_images,
    encoder_pixels,
    patch_shape,
)
from maetheory.evaluation.explanation.image_statistics import image_statistics
from maetheory.evaluation.features.feature_sets import collect_features

CHUNK = 128  # images whose pixels are held as floats at once
THUMBNAIL_SIDE = 96
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Passes:
    """How images are encoded.

    Attributes
    ----------
    images : ndarray or Tensor (N, C, H, W)
    readouts : sequence of str, optional
    layers : tuple of int, or "last"
        All layers of which real images have features; images without content have those of the last of them.
    options : mapping
        Further options of `collect_features`.
    seed : int
    progress : Progress
    """

    images: Any
    readouts: Sequence[Any] | None
    layers: Any
    options: Mapping[str, Any]
    seed: int
    progress: Progress = field(repr=False)

    @property
    def last_layer(self) -> Any:
        """The layer that is explained."""
        return self.layers if isinstance(self.layers, str) else self.layers[-1]

    def real_features(self, encoder: Any, indices: NDArray[np.intp], *, layers: bool) -> dict[str, list[Floats]]:
        """Return the features (n, d) of images by readout: of every layer in order, or of the last one alone."""
        chosen = self.layers if layers else self.last_layer
        return self._features(encoder, self.images[indices], chosen)

    def content_free_features(
        self, encoder: Any, indices: NDArray[np.intp], moments: ChannelMoments
    ) -> dict[str, dict[str, Floats]]:
        """Return the features (n, d) of images without content, by kind and readout, one for each of these images."""
        found: dict[str, dict[str, list[Floats]]] = {kind: {} for kind in CONTENT_FREE_KINDS}
        for number, pixels in enumerate(self.pixel_chunks(encoder, indices)):
            patch = patch_shape(encoder, *pixels.shape[2:])
            for kind in CONTENT_FREE_KINDS:
                rng = generator(self.seed, "explanation", kind, number)
                made = content_free_images(kind, pixels, moments, patch, rng).numpy()
                labels = np.zeros(len(made), dtype=int)
                for readout, (rows,) in self._features(encoder, ImageSet(made, labels, kind), self.last_layer).items():
                    found[kind].setdefault(readout, []).append(rows)
        return {
            kind: {readout: np.concatenate(parts) for readout, parts in by_readout.items()}
            for kind, by_readout in found.items()
        }

    def pixel_chunks(self, encoder: Any, indices: NDArray[np.intp]) -> Iterator[Tensor]:
        """Yield the pixels of these images as the encoder sees them, float in [0, 1], at least three at a time."""
        for part in np.array_split(indices, -(-len(indices) // CHUNK)):
            yield encoder_pixels(encoder, torch.as_tensor(self.images[part]))

    def statistics(self, encoder: Any, indices: NDArray[np.intp]) -> tuple[dict[str, Floats], ChannelMoments]:
        """Return the statistics (n,) of these images by name, and the moments of their channels."""
        parts, sums, squares, count = [], torch.zeros(1), torch.zeros(1), 0
        for pixels in self.pixel_chunks(encoder, indices):
            parts.append(image_statistics(pixels))
            values = pixels.double().transpose(0, 1).flatten(1)  # (n, C, H, W) -> (C, n H W)
            sums, squares, count = sums + values.sum(1), squares + values.square().sum(1), count + values.shape[1]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return found, channel_moments(sums, squares, count)

    def thumbnails(self, encoder: Any, indices: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return these images (r, C, h, w) as the encoder sees them, at most 96 pixels a side."""
        pixels = encoder_pixels(encoder, torch.as_tensor(self.images[indices]))
        longest = max(pixels.shape[2:])
        if longest > THUMBNAIL_SIDE:
            size = [max(1, side * THUMBNAIL_SIDE // longest) for side in pixels.shape[2:]]
            pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
        return (pixels.clamp(0, 1) * 255).round().to(torch.uint8).numpy()

    def _features(self, encoder: Any, images: Any, layers: Any) -> dict[str, list[Floats]]:
        found: dict[str, list[Floats]] = {}
        for one in collect_features(
            encoder,
            images,
            readouts=self.readouts,
            layers=layers,
            seed=self.seed,
            progress=self.progress,
            **self.options,
        ):
            found.setdefault(one.readout, []).append(one.rows)
        return found
