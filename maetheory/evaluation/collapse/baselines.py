"""A number of features is read beside the same number of features that learned nothing.

Three kinds: the features of the same architecture before training (random twins), the features with each column
shuffled by itself (their marginals, and nothing shared between dimensions), and Gaussian noise of the same shape, whose
spectrum is the Marchenko–Pastur law.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student_t

from maetheory.checkpoints import Encoder
from maetheory.checkpoints.initialisations import Initialisation, apply_initialisation, initialisation_rules_of
from maetheory.checkpoints.resize_positions import is_sincos_embedding
from maetheory.core import generator
from maetheory.evaluation.collapse.metric_estimates import NO_ESTIMATE, MetricEstimate, MetricSpec
from maetheory.evaluation.features.feature_sets import MAX_ROWS_IN_MEMORY, FeatureSet
from maetheory.metrics import Moments, marchenko_pastur, shuffled_columns
from maetheory.models import MAE, SimMIM, ViT

PREDICTION_LEVEL = 0.95  # how often the band of untrained networks holds a further one
COSINE_ROUNDING_ERROR = 1e-9  # the rounding error of a mean cosine's distance from 1
NO_RANDOM_INIT = "there is no random twin of a callable, whose architecture is not known"


def random_init_models(
    encoder: Any, count: int, *, initialisation: Initialisation | None = None, seed: int = 0
) -> Iterator[torch.nn.Module]:
    """Yield `count` untrained networks, of `seed` and the seeds after it; none where the architecture is not known."""
    for number in range(count):
        twin = random_init_model(encoder, initialisation=initialisation, seed=seed + number)
        if twin is not None:
            yield twin


def random_init_model(
    encoder: Any, *, initialisation: Initialisation | None = None, seed: int = 0
) -> torch.nn.Module | None:
    """Return an untrained network of the same architecture; None where the architecture is not known.

    A position table that holds MAE's fixed sines and cosines is architecture, not training, and is kept.

    Parameters
    ----------
    encoder : Encoder, ViT, MAE or SimMIM
    initialisation : Initialisation, optional
        How its weights are drawn; by default as the code base of the checkpoint draws them, MAE's where none is known.
    seed : int
        Of the initial weights.
    """
    if not isinstance(encoder, Encoder | ViT | MAE | SimMIM):
        return None
    initialisation = initialisation or initialisation_rules(encoder)[0]
    device = next(encoder.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        twin = type(encoder)(encoder.config)  # type: ignore[arg-type]
        if isinstance(twin, Encoder) and isinstance(encoder, Encoder):
            twin.code_base = encoder.code_base
            fixed = _fixed_sincos_table(encoder)
            if fixed is not None:
                twin.pos_embed = torch.nn.Parameter(fixed.clone(), requires_grad=False)
        apply_initialisation(twin, initialisation)
    return twin.to(device).eval()


def initialisation_rules(encoder: Any) -> tuple[Initialisation, ...]:
    """Return the initialisation rule of a model's code base, then those that its weights may have been drawn from too.

    Parameters
    ----------
    encoder : Encoder, ViT, MAE or SimMIM
        Of any other model, whose architecture is not known, there is no rule.
    """
    if isinstance(encoder, Encoder):
        return initialisation_rules_of(
            encoder.code_base,
            fixed_positions=_fixed_sincos_table(encoder) is not None,
            layer_scale=encoder.config.layer_scale,
        )
    return initialisation_rules_of("maetheory") if isinstance(encoder, ViT | MAE | SimMIM) else ()


def combine_initialisations(
    found: Sequence[MetricEstimate], most: float | None = None, *, cosines: bool = False
) -> MetricEstimate:
    """Return the mean over untrained networks, with a band that holds a further one's limit 95 times in 100.

    ``t s √(1 + 1/k)`` of k networks with standard deviation s, Student's t of k − 1 degrees of freedom, beside the
    error over images, which all of them share. One network does not say how far others differ, and its band is
    everything.

    Parameters
    ----------
    found : sequence of Measured
    most : float, optional
        Of ranks, which lie between 1 and this: their spread is that of logarithms, and so is the band.
    cosines : bool, default False
        Of mean cosines, which end at 1: the spread and the band are those of the logarithm of their distance from 1.

    Examples
    --------
    >>> twins = [MetricEstimate(value, value - 0.1, value + 0.1, 0.1, "") for value in (9.0, 10.0, 11.0)]
    >>> mean, rank = combine_initialisations(twins), combine_initialisations(twins, most=64)
    >>> mean.value, round(mean.low, 2), round(rank.low, 2), round(rank.high, 2)
    (10.0, 5.03, 6.05, 16.41)
    """
    if not found:
        return NO_ESTIMATE
    value, own = (float(np.mean([getattr(one, name) for one in found])) for name in ("value", "error"))
    middles = np.array([(one.low + one.high) / 2 for one in found])
    if most is not None:
        low, high = _log_interval(middles, own)
        low, high = float(np.clip(low, 1, most)), float(np.clip(high, 1, most))
    elif cosines:
        low, high = (1 - end for end in reversed(_log_interval(np.maximum(1 - middles, COSINE_ROUNDING_ERROR), own)))
    else:
        error = float(np.hypot(_prediction_half_width(middles), own))
        low, high = float(middles.mean()) - error, float(middles.mean()) + error
    return MetricEstimate(value, low, high, (high - low) / 2, found[0].method, found[0].note)


def _prediction_half_width(values: np.ndarray) -> float:
    """Return how far from their mean a further value lies in 95 of 100 cases."""
    k = len(values)
    if k < 2:
        return np.inf
    return float(student_t.ppf((1 + PREDICTION_LEVEL) / 2, k - 1) * values.std(ddof=1) * np.sqrt(1 + 1 / k))


def _log_interval(values: np.ndarray, error: float) -> tuple[float, float]:
    """Return the band of a further positive value, found in logarithms."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        logs = np.log(values)
        centre = float(logs.mean())
        width = float(np.hypot(_prediction_half_width(logs), error / np.exp(centre)))
        return float(np.exp(centre - width)), float(np.exp(centre + width))


def _fixed_sincos_table(encoder: Encoder) -> torch.Tensor | None:
    """Return the position table of an encoder if it is the fixed one of MAE or MoCo-v3."""
    config, prefix = encoder.config, encoder.config.position_prefix
    if config.positions != "table":
        return None
    table = encoder.pos_embed.detach()
    if not any(is_sincos_embedding(table[0, prefix:], config.grid, swapped) for swapped in (False, True)):
        return None
    return table if prefix <= 1 and not table[:, :prefix].any() else None


def shuffled(feature_set: FeatureSet, *, seed: int = 0) -> FeatureSet:
    """Return the kept rows of a population with each column shuffled by itself."""
    rng = generator(seed, "collapse", "shuffled", feature_set.readout, str(feature_set.layer))
    rows = shuffled_columns(feature_set.rows, rng)
    return FeatureSet(feature_set.readout, feature_set.layer, feature_set.images, rows, feature_set.groups)


@lru_cache(maxsize=16)  # a value: the same for every metric of one shape
def noise_moments(n: int, d: int) -> Moments:
    """Return the expected moments of `n` rows of unit Gaussian noise in `d` dimensions.

    Singular values are those of the Marchenko–Pastur law, so that every metric of moments has its value for pure noise
    of this shape without drawing any; mean cosine is 0 and mean squared cosine 1/d.
    """
    squares = np.pad(marchenko_pastur(n, d) ** 2, (0, max(d - n, 0)))
    moments = Moments(d)
    moments.count = n
    moments.fourth = float(n * d * (d + 2))
    moments.second = np.diag(squares)
    moments.direction_sum = np.full(d, np.sqrt(n / d))
    moments.direction_second_moment = np.diag(squares / squares.sum() * n)
    return moments


def noise_baseline(measure: MetricSpec, shape: tuple[int, ...], *, seed: int = 0) -> float:
    """Return a metric of unit Gaussian noise of a shape: of its expected moments, or of rows or views once drawn."""
    n, d = shape[0], shape[-1]
    if measure.metric == "direction_std":
        return float(1 / np.sqrt(d))  # of the diagonal alone, which in expectation is even
    return float(measure(noise_moments(n, d) if measure.needs == "moments" else gaussian_noise(shape, seed=seed)))


def gaussian_noise(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Return unit Gaussian noise, for metrics that need rows."""
    return generator(seed, "collapse", "noise").standard_normal((min(shape[0], MAX_ROWS_IN_MEMORY), *shape[1:]))
