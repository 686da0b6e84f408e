"""Which level of a tree of latents the leading singular functions of its mask graphs follow.

The images are those of `worlds.hierarchy`. Under one mask a singular function is a function u(x₁) of the view. The
latents z_l of level l, the root being level 0, form a Markov chain z_0, z_1, …, z_depth = the image. So the explained
share R_l = Var E[u | z_l] / Var u grows with the level, to 1 at the leaves, and R_l − R_{l−1} is the share that level l
adds (R_{−1} = 0). The mean level is Σ_l l (R_l − R_{l−1}): 0 if the function is one of the root, and the depth of the
tree if it is known only at the leaves. A simple singular value is not needed: where it is repeated, the mean over an
orthonormal basis is taken, which does not depend on the basis.

This measure is ours. It tests the claim of Kong et al. 2023 that extreme mask ratios, at both ends, give low-level
latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.data.worlds.tree_of_latents import leaf_likelihood, node_law

_TIE = 1e-9
_MAX_MASKS = 1_000
COLUMNS = ("stay", "patch", "mask_ratio", "function", "sigma", "level", "share", "mean_level", "n_masks")


def explained_shares(functions: np.ndarray, depth: int, alphabet: int, stay_probability: float) -> np.ndarray:
    """Share of the variance of functions of the image that each level of the tree adds, shape (depth + 1, m).

    Parameters
    ----------
    functions : ndarray, shape (alphabet ** 2**depth, m)
        Values on all states, in the order of `worlds.hierarchy`.
    depth, alphabet, stay_probability
        As for `worlds.hierarchy`.

    Returns
    -------
    ndarray
        Rows from the root to the leaves; columns sum to one, 0 for a function that is constant but for rounding error.

    Examples
    --------
    >>> pixels = np.indices((2, 2)).reshape(2, -1).T.astype(float)  # two leaves of one root
    >>> explained_shares(pixels, 1, 2, 0.9).round(3).tolist()  # (2·0.9 − 1)² of a leaf is the root's
    [[0.64, 0.64], [0.36, 0.36]]
    """
    levels = _levels(depth, alphabet, stay_probability)
    law = node_law(depth, alphabet, stay_probability, depth)
    centred = functions - law @ functions  # (S, m)
    explained = [nodes @ (likelihood @ centred) ** 2 for nodes, likelihood in levels]  # (nodes, S) @ (S, m)
    variance = law @ centred**2
    shares = np.diff(np.array([*explained, variance]), axis=0, prepend=0.0)
    varies = variance > (len(law) * np.finfo(float).eps) ** 2 * (law @ functions**2)
    return np.divide(shares, variance, out=np.zeros_like(shares), where=varies)


@lru_cache(maxsize=4)
def _levels(depth: int, alphabet: int, stay: float) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Law of the nodes of each level, and the law of the leaves given them, from the root to those above the leaves."""
    return tuple(
        (node_law(depth, alphabet, stay, level), leaf_likelihood(depth, alphabet, stay, level))
        for level in range(depth)
    )


def latent_level_table(
    depth: int = 3,
    alphabet: int = 2,
    stay_probabilities: Sequence[float] = (0.8, 0.9),
    patches: Sequence[int] = (1, 2),
    n_functions: int = 1,
) -> pd.DataFrame:
    """Return the shares of the levels in the leading singular functions, at every mask ratio, averaged over all masks.

    Parameters
    ----------
    depth, alphabet : int
        Of the tree.
    stay_probabilities : sequence of float
        Worlds.
    patches : sequence of int
        Pixels of a patch.
    n_functions : int, default 1
        Number of singular functions after the constant one.

    Returns
    -------
    DataFrame
        One row for each level of each function: `COLUMNS`; function 2 is the first after the constant one, and masks
        under which it has σ = 0 are left out of its mean.

    Raises
    ------
    InputError
        If an argument is out of its range, or there are more than a thousand masks at a ratio.
    """
    if n_functions < 1:
        raise InputError(f"n_functions must be at least 1, but it is {n_functions}")
    for n_patches in (2**depth // patch for patch in patches if patch > 0):
        most = comb(n_patches, n_patches // 2)
        if most > _MAX_MASKS:
            raise InputError(
                f"there are {most:,} masks of {n_patches // 2} of {n_patches} patches, more than {_MAX_MASKS:,}: take "
                "larger patches or a smaller tree"
            )
    rows = []
    for stay in stay_probabilities:
        for patch in patches:
            world = worlds.hierarchy(depth, alphabet, stay, patch)
            for visible in range(1, world.n_patches):
                masks = _masks(world.n_patches, visible)
                measured = [_leading_shares(world, mask, n_functions, depth, alphabet, stay) for mask in masks]
                for number in range(n_functions):
                    there = [(sigmas[number], shares[:, number]) for sigmas, shares in measured if len(sigmas) > number]
                    if not there:
                        continue
                    shares = np.mean([share for _, share in there], axis=0)
                    rows += [
                        {
                            "stay": stay,
                            "patch": patch,
                            "mask_ratio": 1 - visible / world.n_patches,
                            "function": number + 2,
                            "sigma": float(np.mean([sigma for sigma, _ in there])),
                            "level": level,
                            "share": float(share),
                            "mean_level": float(shares @ np.arange(depth + 1)),
                            "n_masks": len(there),
                        }
                        for level, share in enumerate(shares)
                    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _masks(n_patches: int, visible: int) -> np.ndarray:
    chosen = list(combinations(range(n_patches), visible))
    masks = np.zeros((len(chosen), n_patches), bool)
    for mask, places in zip(masks, chosen, strict=True):
        mask[list(places)] = True
    return masks


def functions_under_mask(world: worlds.FiniteWorld, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values of the graph of one mask after the first, (m,), and their functions of images, (S, m).

    Parameters
    ----------
    world : FiniteWorld
        With every sequence of symbols as a state, in lexicographic order.
    mask : ndarray of bool, shape (n,)
        True = visible.
    """
    n, symbols = world.n_patches, world.alphabet
    seen, hidden = np.flatnonzero(mask), np.flatnonzero(~mask)
    law = world.probability.reshape((symbols,) * n).transpose(*seen, *hidden)
    joint = law.reshape(symbols ** len(seen), -1)  # (N1, N2)
    inverse = [np.divide(1, np.sqrt(d), out=np.zeros_like(d), where=d > 0) for d in (joint.sum(1), joint.sum(0))]
    left, sigmas, _ = np.linalg.svd(inverse[0][:, None] * joint * inverse[1], full_matrices=False)
    functions = inverse[0][:, None] * left[:, 1:]  # of views, (N1, m)
    places = symbols ** np.arange(len(seen))[::-1]
    return sigmas[1:], functions[world.states[:, seen] @ places]


def _leading_shares(
    world: worlds.FiniteWorld, mask: np.ndarray, n_functions: int, depth: int, alphabet: int, stay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Leading singular values after the first, (m,), and the shares of the levels in their functions, (depth + 1, m).

    Where singular values are repeated, each of them gets the mean of their shares.
    """
    sigmas, functions = functions_under_mask(world, mask)
    needed = sigmas >= sigmas[min(n_functions, len(sigmas)) - 1] - _TIE
    sigmas, functions = sigmas[needed], functions[:, needed]
    shares = explained_shares(functions, depth, alphabet, stay)
    same = np.abs(sigmas[:, None] - sigmas) <= _TIE  # (m, m)
    shares = shares @ same.T / same.sum(1)
    kept = sigmas > _TIE
    return sigmas[kept][:n_functions], shares[:, kept][:, :n_functions]
