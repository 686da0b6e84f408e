"""Laws of transformed images: tokenizers, rotated bases and pairs of augmentations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.prediction import UNSEEN, Outcome, PredictionLaw, check_weights

Augmentation = Callable[[np.ndarray], np.ndarray]


class _TransformedLaw(PredictionLaw):
    """Another law, `law`, on transformed images or with transformed views and targets."""

    law: PredictionLaw

    @property
    def n_patches(self) -> int:  # type: ignore[override]  # read-only here; a dataclass field in other laws
        """Number of patches of an image."""
        return self.law.n_patches

    @property
    def n_outcomes(self) -> int:
        """Number of random choices of the law."""
        return self.law.n_outcomes

    @property
    def shows_patches(self) -> bool:
        """False: symbols stand for tokens, coefficients or changed patches."""
        return False


@final
@dataclass(frozen=True, eq=False)
class TokenizedLaw(_TransformedLaw):
    """Another law after tokenizers: patches of one token cannot be told apart (Du, Wang and Wang 2024).

    Parameters
    ----------
    law : PredictionLaw
    view_tokens, target_tokens : sequence of int, optional
        Token ≥ 0 of each symbol, in views and in targets; by default each symbol is its own.

    Raises
    ------
    InputError
        If a token is negative. `outcomes` raises it for a symbol without a token.
    """

    _why_no_masks: ClassVar[str] = (
        "its symbols are tokens; give the law that it tokenizes, and let the codebook of the graph be the tokenizer"
    )

    law: PredictionLaw
    view_tokens: Sequence[int] | None = None
    target_tokens: Sequence[int] | None = None

    def __post_init__(self) -> None:
        for tokens in (self.view_tokens, self.target_tokens):
            if tokens is not None and (not len(tokens) or min(tokens) < 0):
                raise InputError("tokens must be integers from 0 on, one for each symbol")

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield the outcomes of the law with tokens for symbols."""
        for probability, view, target in self.law.outcomes(states):
            yield Outcome(probability, _tokens(view, self.view_tokens), _tokens(target, self.target_tokens))


def _tokens(rows: np.ndarray, tokens: Sequence[int] | None) -> np.ndarray:
    if tokens is None:
        return rows
    if rows.max(initial=0) >= len(tokens):
        raise InputError(f"there are {len(tokens)} tokens, but an image has the symbol {int(rows.max())}")
    return np.append(np.asarray(tokens, np.int64), UNSEEN)[rows]  # the last entry stands for index −1


@final
@dataclass(frozen=True, eq=False)
class RotatedLaw(_TransformedLaw):
    """Another law on the coefficients of images in a basis, as PMAE hides principal components (Bizeul et al. 2025).

    Parameters
    ----------
    law : PredictionLaw
        Over as many coefficients as the image has patches.
    basis : ndarray, shape (n, n)
        Rows are the vectors; they must be orthogonal. Integers, such as a Hadamard matrix, keep coefficients exact.
    values : ndarray, shape (alphabet,)
        Pixel of each symbol; patches are single pixels.

    Raises
    ------
    InputError
        If the basis is not square and orthogonal, or of another size than the law.
    """

    _why_no_masks: ClassVar[str] = (
        "it shows coefficients in a basis; rotate the images, and give the law that it rotates"
    )

    law: PredictionLaw
    basis: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        basis = np.asarray(self.basis, float)
        gram = basis @ basis.T if basis.ndim == 2 else np.zeros((0, 0))
        size = np.abs(gram).max(initial=0.0)
        if basis.shape != (self.law.n_patches,) * 2 or np.abs(gram - np.diag(np.diag(gram))).max() > 1e-9 * size:
            raise InputError(
                f"the basis must be {self.law.n_patches} orthogonal vectors of that length, as rows of a matrix"
            )

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield the outcomes of the law on coefficients, whose symbols number their values."""
        pixels = np.asarray(self.values, float).reshape(-1)[states]  # (S, n)
        coefficients = np.round(pixels @ np.asarray(self.basis, float).T, 9) + 0.0  # no negative zero
        yield from self.law.outcomes(np.unique(coefficients, return_inverse=True)[1].reshape(states.shape))


@final
@dataclass(frozen=True, eq=False)
class AugmentationPairs(PredictionLaw):
    """View and target are two augmentations of an image, drawn apart, as in contrastive learning (HaoChen et al. 2021).

    Parameters
    ----------
    n_patches : int
    augmentations : sequence of callable
        Each maps symbols (S, n_patches) to symbols (S, w), `UNSEEN` for what it hides.
    weights : sequence of float, optional
        Positive, of sum one; all equal by default.

    Raises
    ------
    InputError
        If there is no augmentation, or the weights are no distribution.
    """

    _why_no_masks: ClassVar[str] = "an augmentation may change or move patches"

    n_patches: int
    augmentations: Sequence[Augmentation]
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if not len(self.augmentations):
            raise InputError("pairs of augmentations need at least one augmentation")
        check_weights(self.weights, len(self.augmentations), "each augmentation")

    @property
    def n_outcomes(self) -> int:
        """Number of ordered pairs of augmentations."""
        return len(self.augmentations) ** 2

    @property
    def shows_patches(self) -> bool:
        """False: symbols stand for tokens, coefficients or changed patches."""
        return False

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield every ordered pair of augmented images."""
        weights = check_weights(self.weights, len(self.augmentations), "each augmentation")
        augmented = [np.asarray(one(states.copy()), np.int64) for one in self.augmentations]
        width = max(rows.shape[1] for rows in augmented)
        augmented = [np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=UNSEEN) for rows in augmented]
        for i, view in enumerate(augmented):
            for j, target in enumerate(augmented):
                yield Outcome(float(weights[i] * weights[j]), view, target)
