"""`MaskGraph`: bipartite graph of views and targets with its joint law, spectrum, components and label errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from maetheory.core import Estimate, InputError
from maetheory.core.summaries import summary_html, summary_text
from maetheory.data.finite_world import FiniteWorld
from maetheory.graph.enumerate import enumerate_pairs
from maetheory.graph.joint_law import check_joint, check_laws
from maetheory.graph.labels import bayes_labels, check_labels, class_law, label_disagreement, pair_label_disagreement
from maetheory.graph.node_contents import NodeContents
from maetheory.masks import PredictionLaw
from maetheory.spectra import Spectrum, spectrum

MAX_PAIR_ENTRIES = 50_000_000


@final
@dataclass(frozen=True, eq=False)
class MaskGraph:
    """Joint law M of the visible view x₁ and the hidden target x₂ of an image, with the labels of the images.

    Build it with `MaskGraph.enumerate` or `MaskGraph.from_joint`; `check_parts` says whether one that was built from
    its parts is a graph of images.

    Attributes
    ----------
    joint : csr_array, shape (N1, N2)
        M(x₁, x₂), sums to one; no row or column is zero.
    image_views, image_targets : csr_array, shapes (S, N1) and (S, N2)
        Joint laws of the image x̄ and its view, and of x̄ and its target.
    image_labels : ndarray of int, shape (S,), or None
        y(x̄); None without labels.
    view_contents, target_contents : NodeContents or None
        Patches of views and targets; None unless the graph was enumerated from a world.
    n_pairs : int or None
        Number of pairs of image and mask summed into the joint laws, which bounds their rounding error; None if each
        entry of a joint law is one number.

    Notes
    -----
    Zhang, Wang and Wang 2022, section 3. With positions kept a target determines its mask, so there are at least as
    many components as masks.

    Examples
    --------
    >>> graph = MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]], labels=[0, 1])
    >>> graph.n_components, graph.label_error(), graph.target_label_error()
    (1, 0, 0.25 ± 1.67e-16)
    """

    joint: sparse.csr_array
    image_views: sparse.csr_array
    image_targets: sparse.csr_array
    image_labels: np.ndarray | None = None
    view_contents: NodeContents | None = None
    target_contents: NodeContents | None = None
    n_pairs: int | None = None

    def _facts(self) -> tuple[str, dict[str, str]]:
        views, targets = self.joint.shape
        title = f"MaskGraph: {views:,} views, {targets:,} targets, {self.joint.nnz:,} edges"
        labels = self.image_labels
        classes = "no labels" if labels is None else f"labels of {int(labels.max()) + 1} classes"
        images = f"{self.image_views.shape[0]:,}, {classes}"
        methods = "spectrum(k), n_components, label_error(), target_label_error(), pair_label_error()"
        return title, {"images": images, "gives": methods}

    def __repr__(self) -> str:
        return summary_text(*self._facts())

    def _repr_html_(self) -> str:
        return summary_html(*self._facts())

    def check_parts(self) -> None:
        """Raise InputError unless the parts are laws that agree, which a graph built by hand need not be.

        They are finite, non-negative and sum to one; views and targets have mass, the same in all laws up to 1e-9; and
        labels are classes counted from 0.
        """
        check_laws(self.joint, self.image_views, self.image_targets)
        check_labels(self.image_labels, self.image_views.shape[0], "image")

    @classmethod
    def enumerate(cls, world: FiniteWorld, law: PredictionLaw, positions: str = "kept") -> MaskGraph:
        """Build the exact graph of a finite world under a mask law, or another law of what predicts what.

        Parameters
        ----------
        world : FiniteWorld
        law : PredictionLaw
            A law over as many patches as the world has: a `MaskLaw`, prefixes, tokens, pairs of augmentations, ….
        positions : {"kept", "dropped"}
            "kept": a view is (mask, values), as for a transformer with position embeddings. "dropped": it is the
            sequence of its values in patch order.

        Raises
        ------
        InputError
            If world and law differ in the number of patches, or there are more than twenty million pairs of state and
            mask.
        """
        found = enumerate_pairs(world, law, positions)
        return cls(
            found.joint,
            found.image_views,
            found.image_targets,
            found.image_labels,
            found.views,
            found.targets,
            found.n_pairs,
        )

    @classmethod
    def from_joint(cls, joint: Any, labels: Sequence[int] | np.ndarray | None = None) -> MaskGraph:
        """Build a graph from its joint law; each view is its own image, so α = 0 when labels are given.

        Parameters
        ----------
        joint : array or sparse array, shape (N1, N2)
            Finite, non-negative, sums to one within 1e-9 (and is then divided by its sum); no zero row or column.
        labels : ndarray of int, shape (N1,), optional
            Class of each view, from 0.

        Raises
        ------
        InputError
            If `joint` or `labels` is not as above; the message says where.
        """
        law = check_joint(joint)
        image_views = sparse.csr_array(sparse.diags_array(law.sum(1)))
        return cls(law, image_views, law, check_labels(labels, law.shape[0]))

    def transpose(self) -> MaskGraph:
        """Return the graph with views and targets exchanged, that of the complementary masks, M_{1−ρ} = M_ρᵀ."""
        return MaskGraph(
            sparse.csr_array(self.joint.T),
            self.image_targets,
            self.image_views,
            self.image_labels,
            self.target_contents,
            self.view_contents,
            self.n_pairs,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of views N1 and number of targets N2."""
        return self.joint.shape

    @cached_property
    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Marginals d₁ of the views, shape (N1,), and d₂ of the targets, shape (N2,)."""
        return np.asarray(self.joint.sum(1)), np.asarray(self.joint.sum(0))

    @cached_property
    def normalized_matrix(self) -> sparse.csr_array:
        """Ā_M = D₁^-½ M D₂^-½ as a sparse matrix, shape (N1, N2)."""
        d1, d2 = self.degrees
        return sparse.csr_array(sparse.diags_array(d1**-0.5) @ self.joint @ sparse.diags_array(d2**-0.5))

    @property
    def normalized(self) -> LinearOperator:
        """Ā_M as a LinearOperator; its largest singular value is 1, once per component."""
        return aslinearoperator(self.normalized_matrix)

    def spectrum(self, k: int, *, seed: int = 0) -> Spectrum:
        """Return the k largest singular values σ of Ā_M in descending order, with vectors and certificate.

        The eigenvalues of the augmentation graph are λ = σ². The spectrum is computed component by component, so the
        multiplicity of the value 1 is exact.

        Parameters
        ----------
        k : int
            From 1 to min(N1, N2).
        seed : int, default 0
            Seed of the start vectors of large components and of the probe vectors of their certificate.

        Raises
        ------
        InputError
            If k is out of range.

        Examples
        --------
        >>> MaskGraph.from_joint([[0.5, 0.0], [0.0, 0.5]]).spectrum(2).values.round(12)
        array([1., 1.])
        """
        return spectrum(self.normalized_matrix, k, seed=seed)

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Component of each view, shape (N1,), and of each target, shape (N2,), numbered from 0."""
        both: Any = sparse.block_array([[None, self.joint], [self.joint.T, None]], format="csr")
        _, member = connected_components(both, directed=False)
        return member[: self.shape[0]], member[self.shape[0] :]

    @property
    def n_components(self) -> int:
        """Number of connected components, which is the multiplicity of the singular value 1."""
        return int(self.components[0].max()) + 1

    @cached_property
    def pair_law(self) -> sparse.csr_array:
        """A = M D₂^-1 Mᵀ: joint law of two views that share a target, shape (N1, N1), with marginals d₁.

        Raises
        ------
        InputError
            If it could have more than fifty million entries.
        """
        scale = sparse.diags_array(self.degrees[0] ** 0.5)
        return sparse.csr_array(scale @ self.augmentation @ scale)

    @cached_property
    def augmentation(self) -> sparse.csr_array:
        """Ā = D₁^-½ A D₁^-½ = Ā_M Ā_Mᵀ, the normalised augmentation graph, shape (N1, N1); raises as `pair_law`."""
        entries = int((np.bincount(self.joint.indices).astype(np.int64) ** 2).sum())
        if min(entries, self.shape[0] ** 2) > MAX_PAIR_ENTRIES:
            raise InputError(
                f"the pair law of {self.shape[0]:,} views would take up to {entries:,} entries, more than "
                f"{MAX_PAIR_ENTRIES:,}: use `normalized`, whose square it is"
            )
        return sparse.csr_array(self.normalized_matrix @ self.normalized_matrix.T)

    @cached_property
    def class_law(self) -> np.ndarray:
        """Joint law of the view and the label of its image, shape (N1, r); InputError without labels."""
        return class_law(self.image_views, self._require_labels())

    @cached_property
    def target_class_law(self) -> np.ndarray:
        """Joint law of the target and the label of its image, shape (N2, r); InputError without labels."""
        return class_law(self.image_targets, self._require_labels())

    @property
    def n_classes(self) -> int:
        """Largest image label plus one; InputError without labels."""
        return int(self._require_labels().max()) + 1

    @cached_property
    def view_labels(self) -> np.ndarray:
        """Bayes label y(x₁) of each view, shape (N1,), ties within 1e-12 to the lowest class."""
        return bayes_labels(self.class_law)

    @cached_property
    def target_labels(self) -> np.ndarray:
        """Bayes label y(x₂) of each target, shape (N2,), ties within 1e-12 to the lowest class."""
        return bayes_labels(self.target_class_law)

    def label_error(self) -> Estimate:
        """α = Pr[y(x₁) ≠ y(x̄)], in [0, 1 − 1/r], lower is better; InputError without labels."""
        return label_disagreement(self.class_law, self.view_labels, self.n_pairs or self.image_views.nnz)

    def target_label_error(self) -> Estimate:
        """α₂ = Pr[y(x₂) ≠ y(x̄)], in [0, 1 − 1/r], lower is better; InputError without labels."""
        return label_disagreement(self.target_class_law, self.target_labels, self.n_pairs or self.image_targets.nnz)

    def pair_label_error(self) -> Estimate:
        """φ = Pr[y(x₁) ≠ y(x₁⁺)] of two views sharing a target, lower is better; InputError without labels."""
        most_per_entry = (self.n_pairs or self.joint.nnz) - self.joint.nnz + 1
        return pair_label_disagreement(self.joint, self.view_labels, most_per_entry)

    def targets(self, embedding: str = "zero") -> np.ndarray:
        """Pixels x₂ of every target, shape (N2, n·s) for "zero" and (N2, w·s) for "packed".

        Parameters
        ----------
        embedding : {"zero", "packed"}
            "zero": the whole image, zero-filled (only with positions kept). "packed": hidden patches in patch order
            (only if all masks hide equally many).

        Raises
        ------
        InputError
            If the graph was not enumerated from a world, or the embedding does not fit it.
        """
        return _require_contents(self.target_contents, "targets in pixels").to_pixels(embedding)

    def view_features(self, embedding: str = "zero") -> np.ndarray:
        """Pixels of every view, embedded as in `targets`, shape (N1, n·s) or (N1, w·s)."""
        return _require_contents(self.view_contents, "views in pixels").to_pixels(embedding)

    @cached_property
    def target_masks(self) -> np.ndarray:
        """Index of the mask of each target, shape (N2,), from 0; InputError if positions were dropped."""
        masks = _require_contents(self.target_contents, "masks").masks
        if masks is None:
            raise InputError("the mask of a target is known only with positions kept, but they were dropped")
        return np.unique(masks, axis=0, return_inverse=True)[1].ravel()

    def _require_labels(self) -> np.ndarray:
        if self.image_labels is None:
            raise InputError("this needs the labels of the images, but the graph was built without labels")
        return self.image_labels


def _require_contents(contents: NodeContents | None, what: str) -> NodeContents:
    if contents is None:
        raise InputError(
            f"{what} need a graph enumerated from a world, but this one came from a joint law, or shows no patches"
        )
    return contents
