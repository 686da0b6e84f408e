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
from maetheory.core import generator
from maetheory.evaluation.measures import NOTHING, Measure, Measured
from maetheory.evaluation.populations import HELD, Population
from maetheory.metrics import Moments, marchenko_pastur, shuffled_columns
from maetheory.models import MAE, SimMIM, ViT
from maetheory.models.positions import sincos_positions
from maetheory.models.vit import initialize

FURTHER = 0.95  # how often the band of random twins holds a further one
NO_TWIN = "there is no random twin of a callable, whose architecture is not known"


def random_twins(encoder: Any, count: int, *, seed: int = 0) -> Iterator[torch.nn.Module]:
    """Yield `count` random twins, of `seed` and the seeds after it; none where the architecture is not known."""
    for number in range(count):
        twin = random_twin(encoder, seed=seed + number)
        if twin is not None:
            yield twin


def random_twin(encoder: Any, *, seed: int = 0) -> torch.nn.Module | None:
    """Return the same architecture, initialised as MAE does and not trained; None where it is not known.

    Linear maps are Xavier-uniform, biases zero, tokens and learned position tables N(0, 0.02²). A table that holds
    MAE's fixed sines and cosines is architecture, not training, and is kept.

    Parameters
    ----------
    encoder : Encoder, ViT, MAE or SimMIM
    seed : int
        What the initial weights are drawn from.
    """
    if not isinstance(encoder, Encoder | ViT | MAE | SimMIM):
        return None
    device = next(encoder.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        twin = type(encoder)(encoder.config)  # type: ignore[arg-type]
        if isinstance(twin, Encoder) and isinstance(encoder, Encoder):
            _start(twin, encoder)
    return twin.to(device).eval()


def of_initialisations(found: Sequence[Measured], most: float | None = None) -> Measured:
    """Return the mean over random twins, with a band that holds a further twin's limit 95 times in 100.

    ``t s √(1 + 1/k)`` of k twins with standard deviation s, Student's t of k − 1 degrees of freedom, beside the error
    over images, which all twins share. One twin does not say how far twins differ, and its band is everything.

    Parameters
    ----------
    found : sequence of Measured
    most : float, optional
        Of ranks, which lie between 1 and this: their spread is that of logarithms, and so is the band.

    Examples
    --------
    >>> twins = [Measured(value, value - 0.1, value + 0.1, 0.1, "") for value in (9.0, 10.0, 11.0)]
    >>> mean, rank = of_initialisations(twins), of_initialisations(twins, most=64)
    >>> mean.value, round(mean.low, 2), round(rank.low, 2), round(rank.high, 2)
    (10.0, 5.03, 6.05, 16.41)
    """
    if not found:
        return NOTHING
    k, ranks = len(found), most is not None
    value, own = (float(np.mean([getattr(one, name) for one in found])) for name in ("value", "error"))
    with np.errstate(invalid="ignore", divide="ignore"):
        middles = np.array([(one.low + one.high) / 2 for one in found])
        centres = np.log(middles) if ranks else middles
        centre, further = float(centres.mean()), np.inf
        if k > 1:
            further = student_t.ppf((1 + FURTHER) / 2, k - 1) * float(centres.std(ddof=1)) * np.sqrt(1 + 1 / k)
        error = float(np.hypot(further, own / np.exp(centre) if ranks else own))
        low, high = centre - error, centre + error
        if most is not None:
            low, high = float(np.clip(np.exp(low), 1, most)), float(np.clip(np.exp(high), 1, most))
    return Measured(value, low, high, (high - low) / 2, found[0].method, found[0].note)


@torch.no_grad()
def _start(twin: Encoder, trained: Encoder) -> None:
    initialize(twin)
    if hasattr(twin, "reg_token"):
        torch.nn.init.normal_(twin.reg_token, std=0.02)
    if hasattr(twin, "pos_embed"):
        fixed = _sines(trained)
        if fixed is not None:
            twin.pos_embed.copy_(fixed)


def _sines(encoder: Encoder) -> torch.Tensor | None:
    """Return the position table of an encoder if it is MAE's fixed one."""
    config = encoder.config
    if config.width % 4 or config.position_prefix > 1:
        return None
    fixed = sincos_positions(config.width, config.grid, config.grid)[:, 1 - config.position_prefix :]
    table = encoder.pos_embed.detach().cpu()
    return fixed if torch.allclose(table, fixed, atol=1e-3) else None


def shuffled(population: Population, *, seed: int = 0) -> Population:
    """Return the kept rows of a population with each column shuffled by itself."""
    rng = generator(seed, "collapse", "shuffled", population.readout, str(population.layer))
    rows = shuffled_columns(population.rows, rng)
    return Population(population.readout, population.layer, population.images, rows, population.groups)


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
    moments.direction_second = np.diag(squares / squares.sum() * n)
    return moments


def noise_value(measure: Measure, shape: tuple[int, ...], *, seed: int = 0) -> float:
    """Return a metric of unit Gaussian noise of a shape: of its expected moments, or of rows or views once drawn."""
    n, d = shape[0], shape[-1]
    if measure.metric == "direction_std":
        return float(1 / np.sqrt(d))  # of the diagonal alone, which in expectation is even
    return float(measure(noise_moments(n, d) if measure.needs == "moments" else noise_rows(shape, seed=seed)))


def noise_rows(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Return unit Gaussian noise, for metrics that need rows."""
    return generator(seed, "collapse", "noise").standard_normal((min(shape[0], HELD), *shape[1:]))
