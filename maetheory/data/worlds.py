"""Constructors of finite worlds, most of them with closed-form spectra or label errors.

The patches of a world are independent given a class (`mixture`), independent, a Markov chain, copies of one another,
or quantised Gaussians; `from_images` makes a world of a small set of images, and `random` draws states, probabilities
and labels at random. Each docstring states what is known in closed form.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from maetheory.core import InputError, generator
from maetheory.data.finite_world import FiniteWorld
from maetheory.data.images import ImageSet
from maetheory.masks import patchify

__all__ = [
    "FiniteWorld",
    "all_states",
    "duplicates",
    "from_images",
    "gaussian",
    "independent",
    "markov",
    "mixture",
    "random",
]

MAX_STATES = 4_000_000
_TIE_TOLERANCE = 1e-12


def mixture(n_patches: int, alphabet: int, n_classes: int, noise: float, seed: int | None = None) -> FiniteWorld:
    """World with patches that are independent given the class; each class has a prototype with symbol noise.

    Classes are balanced. Each symbol of the prototype is replaced by a uniformly chosen other one with probability
    `noise`. The label of a state is its Bayes label, ties within 1e-12 to the lowest class.

    Known in closed form: with positions kept, Ā_M has rank ≤ `n_classes` in each mask block. For two classes of a
    binary alphabet without `seed`, positions dropped and v of n patches visible, λ₂ = χ_v χ_{n−v} and λ_i = 0 beyond,
    where χ_v = E(2η_v − 1)² for the posterior η_v of the class given v patches; the mask graph's Bayes labels then
    disagree on a positive pair with probability φ = ½(1 − (1 − 2e_v)² χ_{n−v}), e_v the Bayes error from v patches
    (for odd v, where no tie occurs).

    Parameters
    ----------
    n_patches, alphabet, n_classes : int
        alphabet ≥ 2; alphabet ** n_patches states are listed. Pixel value of symbol a: a / (alphabet − 1).
    noise : float
        Probability in [0, 1] that a symbol is replaced.
    seed : int, optional
        None: the prototype of class c is symbol c everywhere (needs n_classes ≤ alphabet). A seed draws distinct
        prototypes.

    Raises
    ------
    InputError
        If a count is too small, there are too many states, or there are not enough distinct prototypes.

    Examples
    --------
    >>> world = mixture(2, 2, 2, 0.25)
    >>> world.states.tolist(), world.probability.tolist(), world.labels.tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0.3125, 0.1875, 0.1875, 0.3125], [0, 0, 0, 1])
    """
    if not 0.0 <= noise <= 1.0:
        raise InputError(f"noise must lie between 0 and 1, but it is {noise}")
    states = all_states(n_patches, alphabet)
    prototypes = _prototypes(n_patches, alphabet, n_classes, seed)  # (r, n)
    likelihood = np.empty((len(states), n_classes))
    for c, prototype in enumerate(prototypes):
        flips = (states != prototype).sum(1)
        likelihood[:, c] = (1.0 - noise) ** (n_patches - flips) * (noise / (alphabet - 1)) ** flips
    return FiniteWorld(states, likelihood.mean(1), _bayes_labels(likelihood), _evenly_spaced_values(alphabet))


def independent(n_patches: int, alphabet: int, seed: int | None = None) -> FiniteWorld:
    """World with independent patches; the label is the symbol of the first patch.

    Known in closed form, positions kept: in every mask block σ = 1, 0, 0, …; the best prediction is the mean. With q
    the distribution of the first patch, hidden with probability ρ, α = ρ (1 − max q) and φ = (1 − ρ)(1 − Σ q²).

    Parameters
    ----------
    n_patches, alphabet : int
        alphabet ** n_patches states are listed.
    seed : int, optional
        None: every symbol is equally likely. A seed draws one distribution per patch, uniformly from the simplex.

    Raises
    ------
    InputError
        If a count is too small or there are too many states.

    Examples
    --------
    >>> independent(2, 2).probability.tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    states = all_states(n_patches, alphabet)
    laws = np.full((n_patches, alphabet), 1.0 / alphabet)
    if seed is not None:
        laws = generator(seed, "independent").dirichlet(np.ones(alphabet), n_patches)
    probability = laws[np.arange(n_patches), states].prod(1)  # (S, n) -> (S,)
    return FiniteWorld(states, probability, states[:, 0], _evenly_spaced_values(alphabet))


def markov(n_patches: int, alphabet: int, stay_probability: float) -> FiniteWorld:
    """World whose patches are a stationary Markov chain; the label is the symbol of the first patch.

    With s = `stay_probability`, the next patch repeats the symbol with probability s and is otherwise one of the
    others, uniformly: the transition matrix has the eigenvalue μ = (alphabet·s − 1) / (alphabet − 1), alphabet − 1
    times.

    Known in closed form, positions kept: if the visible patches are the first or the last ones, the mask block has
    σ = 1, |μ| (alphabet − 1 times), 0, …, whatever their number, because by the Markov property only the patches at
    the border matter. The Bayes error of the label from patch j alone is 1 − (1 + (alphabet − 1) μʲ) / alphabet when
    μ ≥ 0.

    Parameters
    ----------
    n_patches, alphabet : int
        alphabet ** n_patches states are listed.
    stay_probability : float
        Probability in [0, 1] that a patch repeats the symbol of the patch before it.

    Raises
    ------
    InputError
        If a count is too small, there are too many states, or `stay_probability` is not in [0, 1].

    Examples
    --------
    >>> markov(2, 2, 0.75).probability.tolist()
    [0.375, 0.125, 0.125, 0.375]
    """
    if not 0.0 <= stay_probability <= 1.0:
        raise InputError(f"stay_probability must lie between 0 and 1, but it is {stay_probability}")
    states = all_states(n_patches, alphabet)
    n_changes = (np.diff(states, axis=1) != 0).sum(1)  # (S, n) -> (S,)
    change_probability = (1.0 - stay_probability) / (alphabet - 1)
    probability = stay_probability ** (n_patches - 1 - n_changes) * change_probability**n_changes / alphabet
    return FiniteWorld(states, probability, states[:, 0], _evenly_spaced_values(alphabet))


def duplicates(n_patches: int, alphabet: int) -> FiniteWorld:
    """World with identical patches, all symbols equally likely; the label is the symbol.

    Known in closed form: every σ is 1, since a view and a target determine each other; α = α₂ = φ = 0; the best
    prediction is perfect. With positions kept there are `alphabet` components per mask.

    Raises
    ------
    InputError
        If there is no patch or fewer than two symbols.

    Examples
    --------
    >>> duplicates(3, 2).states.tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    _check_counts(n_patches, alphabet)
    symbols = np.arange(alphabet)
    states = np.repeat(symbols[:, None], n_patches, axis=1)  # (S, n)
    return FiniteWorld(states, np.full(alphabet, 1.0 / alphabet), symbols, _evenly_spaced_values(alphabet))


def gaussian(n_patches: int, alphabet: int, correlation: float) -> FiniteWorld:
    """World with equicorrelated standard Gaussian patches, each quantised to equally likely bins.

    Patches are √r z + √(1 − r) e with a common z; the class is the sign of z and the label of a state its Bayes label,
    ties to 0. A symbol's value is the mean of its bin. The integral over z is a Gauss–Hermite sum of 100 nodes,
    with an error below 1e-9 for r ≤ 0.8.

    Known in closed form: with two patches and two symbols σ₂ = (2/π) arcsin r. For v visible patches, positions kept,
    quantising lowers every σ, so σ₂ within a mask is at most the canonical correlation
    ρ = r √(v(n−v) / ((1+(v−1)r)(1+(n−v−1)r))), and tends to it as the alphabet grows.

    Parameters
    ----------
    n_patches, alphabet : int
        alphabet ** n_patches states are listed.
    correlation : float
        r, in [0, 0.8].

    Raises
    ------
    InputError
        If a count is too small, there are too many states, or r is out of range.

    Examples
    --------
    >>> gaussian(2, 2, 0.5).probability.round(6).tolist()  # 1/4 + arcsin(1/2) / 2π = 1/3
    [0.333333, 0.166667, 0.166667, 0.333333]
    """
    if not 0.0 <= correlation <= 0.8:
        raise InputError(f"correlation must lie between 0 and 0.8, but it is {correlation}")
    states = all_states(n_patches, alphabet)
    edges = norm.ppf(np.linspace(0.0, 1.0, alphabet + 1))
    factor, weight = np.polynomial.hermite_e.hermegauss(100)
    cut = (edges - np.sqrt(correlation) * factor[:, None]) / np.sqrt(1.0 - correlation)  # (z, alphabet + 1)
    bins = np.diff(norm.cdf(cut), axis=1)  # (z, alphabet + 1) -> (z, alphabet)
    class_mass = np.zeros((len(states), 2))
    for z, mass, law in zip(factor, weight / weight.sum(), bins, strict=True):
        class_mass[:, int(z > 0)] += mass * law[states].prod(1)  # (S, n) -> (S,)
    values = alphabet * -np.diff(norm.pdf(edges))[:, None]  # (alphabet, 1)
    return FiniteWorld(states, class_mass.sum(1), _bayes_labels(class_mass), values)


def from_images(images: ImageSet, patch: int, alphabet: int, seed: int = 0) -> FiniteWorld:
    """World of a small set of equally likely images, their patches quantised by k-means.

    Equal quantised images of one class are one state; of two classes, two states. The value of a symbol is the mean of
    its patches. If there are no more distinct patches than symbols, quantisation is exact: the world is the image set
    itself. Nothing else is known in closed form.

    Parameters
    ----------
    images : ImageSet
    patch : int
        Side of a patch in pixels; the image must have at least two patches.
    alphabet : int
        Largest number of symbols; at least 2.
    seed : int, default 0
        Seed of k-means.

    Raises
    ------
    InputError
        If `patch` does not divide the image or `alphabet` is too small.

    Examples
    --------
    >>> pixels = np.array([0, 255], np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 4), np.uint8)
    >>> world = from_images(ImageSet(pixels, [0, 1], "black and white"), 2, 2)
    >>> world.states.tolist(), world.labels.tolist()
    ([[0, 0], [1, 1]], [0, 1])
    """
    pixels = images.images / 255.0 if images.images.dtype == np.uint8 else images.images.astype(float)
    patches = patchify(pixels, patch)  # (N, C, H, W) -> (N, n, s)
    _check_counts(patches.shape[1], alphabet)
    symbols, values = _quantise_patches(patches.reshape(-1, patches.shape[2]), alphabet, seed)
    rows = np.column_stack([symbols.reshape(patches.shape[:2]), images.labels])  # (N, n + 1)
    distinct, count = np.unique(rows, axis=0, return_counts=True)
    return FiniteWorld(distinct[:, :-1], count / len(rows), distinct[:, -1], values)


def random(n_patches: int, alphabet: int, n_classes: int, seed: int, n_states: int | None = None) -> FiniteWorld:
    """World with random states, probabilities and labels, for sweeps; nothing is known in closed form.

    Parameters
    ----------
    n_patches, alphabet, n_classes : int
    seed : int
        Draws distinct states, their probabilities (uniformly from the simplex), labels and pixel values in [0, 1].
    n_states : int, optional
        Number of states, of alphabet ** n_patches, with positive probability; all by default.

    Raises
    ------
    InputError
        If a count is too small or too large.

    Examples
    --------
    >>> random(3, 2, 2, seed=0, n_states=5).states.shape
    (5, 3)
    """
    states = all_states(n_patches, alphabet)
    n_states = len(states) if n_states is None else n_states
    if not 1 <= n_states <= len(states):
        raise InputError(f"n_states must lie between 1 and the {len(states)} states there are, but it is {n_states}")
    if n_classes < 1:
        raise InputError(f"n_classes must be at least 1, but it is {n_classes}")
    rng = generator(seed, "random")
    chosen = np.sort(rng.choice(len(states), n_states, replace=False))
    labels = rng.integers(n_classes, size=n_states)
    return FiniteWorld(states[chosen], rng.dirichlet(np.ones(n_states)), labels, rng.random((alphabet, 1)))


def all_states(n_patches: int, alphabet: int) -> np.ndarray:
    """Return every sequence of `n_patches` symbols in lexicographic order, shape (alphabet ** n_patches, n_patches).

    Raises
    ------
    InputError
        If there is no patch, fewer than two symbols, or more than four million sequences.
    """
    _check_counts(n_patches, alphabet)
    if alphabet**n_patches > MAX_STATES:
        raise InputError(
            f"{alphabet} symbols on {n_patches} patches make {alphabet**n_patches:,} states, more than "
            f"the {MAX_STATES:,} that can be listed: take fewer patches or symbols"
        )
    codes = np.arange(alphabet**n_patches)
    return codes[:, None] // alphabet ** np.arange(n_patches)[::-1] % alphabet  # (S, n)


def _check_counts(n_patches: int, alphabet: int) -> None:
    if n_patches < 2:
        raise InputError(f"n_patches must be at least 2, one to see and one to hide, but it is {n_patches}")
    if alphabet < 2:
        raise InputError(f"alphabet must be at least 2, but it is {alphabet}")


def _quantise_patches(patches: np.ndarray, alphabet: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbol of each patch, shape (patches,), and the mean patch of each symbol, shape (symbols, s)."""
    distinct, symbol = np.unique(patches, axis=0, return_inverse=True)
    if len(distinct) <= alphabet:
        return symbol.ravel(), distinct
    from sklearn.cluster import KMeans

    found = KMeans(alphabet, n_init=4, random_state=seed).fit_predict(patches)
    used, symbol = np.unique(found, return_inverse=True)
    return symbol, np.stack([patches[symbol == a].mean(0) for a in range(len(used))])


def _prototypes(n_patches: int, alphabet: int, n_classes: int, seed: int | None) -> np.ndarray:
    most = alphabet if seed is None else alphabet**n_patches
    if not 1 <= n_classes <= most:
        raise InputError(f"n_classes must lie between 1 and the {most} prototypes there are, but it is {n_classes}")
    if seed is None:
        return np.repeat(np.arange(n_classes)[:, None], n_patches, axis=1)
    drawn = generator(seed, "prototypes").choice(most, n_classes, replace=False)
    return all_states(n_patches, alphabet)[drawn]


def _bayes_labels(weight: np.ndarray) -> np.ndarray:
    """Return the argmax of each row, ties within 1e-12 of the sum of the row to the lowest class."""
    total = weight.sum(1, keepdims=True)
    return np.argmax(weight >= weight.max(1, keepdims=True) - _TIE_TOLERANCE * total, axis=1)


def _evenly_spaced_values(alphabet: int) -> np.ndarray:
    """Return pixel values from 0 to 1 in equal steps, shape (alphabet, 1)."""
    return np.linspace(0.0, 1.0, alphabet)[:, None]
