"""Mask graph in ball arithmetic: joint law, marginals, spectrum and losses.

A joint law in floats sums to one only up to rounding error. Here the stored weights are divided by their exact sum, so
that the law is exactly a law, and all other quantities are computed from it. The law of images given a node is
normalised in the same way and weighted by the node's degree, so that all marginals agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.theory.certified.balls import (
    Ball,
    BallMatrix,
    ball,
    ball_max,
    ball_sum,
    from_rows,
    inner,
    power,
    rescale,
    squared_norm,
)
from maetheory.theory.certified.spectrum import eigenvalues


@dataclass(frozen=True, eq=False)
class BallGraph:
    """Mask graph whose quantities are balls, at the precision of their first evaluation.

    Attributes
    ----------
    float_graph : MaskGraph
        The graph in floats, which also gives the Bayes labels.
    start_vectors : dict
        Eigenvectors found at a lower precision, by the name of their matrix.
    """

    float_graph: MaskGraph
    start_vectors: dict[str, BallMatrix] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of views and of targets."""
        return self.float_graph.shape

    @cached_property
    def pairs(self) -> list[tuple[int, int, Ball]]:
        """View, target and probability of every pair that occurs."""
        coordinates = sparse.coo_array(self.float_graph.joint)
        weights = [ball(w) for w in coordinates.data]
        mass = ball_sum(weights)
        x1, x2 = coordinates.coords
        return [(int(i), int(j), w / mass) for i, j, w in zip(x1, x2, weights)]

    @cached_property
    def joint(self) -> BallMatrix:
        """Joint law M, shape (N1, N2)."""
        n1, n2 = self.shape
        rows = [[ball(0)] * n2 for _ in range(n1)]
        for i, j, w in self.pairs:
            rows[i][j] += w
        return from_rows(rows, n1, n2)

    @cached_property
    def degrees(self) -> tuple[list[Ball], list[Ball]]:
        """Marginals d₁ and d₂."""
        d1, d2 = ([ball(0)] * n for n in self.shape)
        for i, j, w in self.pairs:
            d1[i] += w
            d2[j] += w
        return d1, d2

    @cached_property
    def pair_law(self) -> BallMatrix:
        """Law of positive pairs A = M D₂⁻¹ Mᵀ, shape (N1, N1)."""
        return rescale(self.joint, columns=[1 / d for d in self.degrees[1]]) * self.joint.transpose()

    @cached_property
    def gram(self) -> BallMatrix:
        """Gram matrix Ā_M Ā_Mᵀ or Ā_MᵀĀ_M, whichever is smaller; the non-zero eigenvalues are the same."""
        return gram(self.joint, *self.degrees)

    @cached_property
    def eigenvalues(self) -> list[Ball]:
        """Eigenvalues λ_i, descending, one per node of the smaller side of the graph; all others are 0."""
        return self.spectrum("gram", self.gram)

    def spectrum(self, name: str, symmetric: BallMatrix) -> list[Ball]:
        """Eigenvalues of a symmetric matrix, descending; stores eigenvectors under `name` for a higher precision."""
        values, self.start_vectors[name] = eigenvalues(symmetric, self.start_vectors.get(name))
        return values

    def leading_square_sum(self, k: int) -> Ball:
        """Sum of the k leading squared eigenvalues, Σ_{i≤k} λ_i²."""
        return ball_sum(value * value for value in self.eigenvalues[:k])

    def eigenvalue(self, index: int) -> Ball:
        """Eigenvalue λ_{index+1}; 0 beyond the smaller side of the graph."""
        return self.eigenvalues[index] if index < len(self.eigenvalues) else ball(0)

    def frobenius_square(self) -> Ball:
        """Squared Frobenius norm ‖Ā‖_F², without square roots."""
        inverse = [1 / d for d in self.degrees[0]]
        return inner(rescale(self.pair_law, inverse, inverse), self.pair_law)

    def factorisation_error(self, features: BallMatrix) -> Ball:
        """Factorisation error ‖Ā − FFᵀ‖_F² = Σ_ij (A_ij − d_i d_j f_iᵀf_j)² / d_i d_j, without square roots."""
        d1 = self.degrees[0]
        inverse = [1 / d for d in d1]
        gap = self.pair_law - rescale(features * features.transpose(), d1, d1)  # (N1, N1)
        return inner(rescale(gap, inverse, inverse), gap)

    @cached_property
    def class_law(self) -> list[list[Ball]]:
        """Joint law of the view and the label of its image, as N1 lists of length r."""
        return self._class_law(self.float_graph.image_views, self.degrees[0])

    @cached_property
    def target_class_law(self) -> list[list[Ball]]:
        """Joint law of the target and the label of its image, as N2 lists of length r."""
        return self._class_law(self.float_graph.image_targets, self.degrees[1])

    def _class_law(self, images: sparse.csr_array, degrees: list[Ball]) -> list[list[Ball]]:
        labels, n_classes = self._image_labels, self.float_graph.n_classes
        law = [[ball(0)] * n_classes for _ in degrees]
        for image, node, w in _image_node_law(images, degrees):
            law[node][labels[image]] += w
        return law

    @property
    def _image_labels(self) -> np.ndarray:
        labels = self.float_graph.image_labels
        assert labels is not None, "n_classes raises first if there are no labels"
        return labels

    def image_views(self) -> list[tuple[int, int, Ball]]:
        """Image, view and probability of every pair that occurs."""
        return _image_node_law(self.float_graph.image_views, self.degrees[0])

    def label_error(self, labels: np.ndarray | None = None) -> Ball:
        """View label error α, of the Bayes labels or of given labels."""
        return mislabelled_mass(self.class_law, self.float_graph.view_labels if labels is None else labels)

    def target_label_error(self, labels: np.ndarray | None = None) -> Ball:
        """Target label error α₂, of the Bayes labels or of given labels."""
        return mislabelled_mass(self.target_class_law, self.float_graph.target_labels if labels is None else labels)

    def pair_label_error(self, labels: np.ndarray | None = None) -> Ball:
        """Pair label error φ, of the Bayes labels or of given labels: probability that a positive pair disagrees."""
        names = self.float_graph.view_labels if labels is None else number_labels(labels)
        masses: list[dict[int, Ball]] = [{} for _ in range(self.shape[1])]
        for i, j, w in self.pairs:
            label = int(names[i])
            masses[j][label] = masses[j].get(label, ball(0)) + w
        return ball_sum(
            mine * ball_sum(mass for other, mass in at.items() if other != label) / d2
            for at, d2 in zip(masses, self.degrees[1])
            for label, mine in at.items()
        )

    def largest_class_mass(self) -> Ball:
        """Largest class mass p_max."""
        return ball_max(self.class_masses())

    def class_masses(self, labels: np.ndarray | None = None) -> list[Ball]:
        """Mass of the views of each label, for the Bayes labels or for given labels."""
        names = self.float_graph.view_labels if labels is None else number_labels(labels)
        masses = [ball(0)] * (int(names.max()) + 1)
        for label, d in zip(names, self.degrees[0]):
            masses[int(label)] += d
        return masses


def number_labels(labels: np.ndarray) -> np.ndarray:
    """Number the distinct labels from 0; two labels are the same only if they are equal as given."""
    return np.unique(labels, return_inverse=True)[1].ravel()


def gram(law: BallMatrix, d1: list[Ball], d2: list[Ball]) -> BallMatrix:
    """Gram matrix BBᵀ or BᵀB, whichever is smaller, for B = D₁^-½ M D₂^-½ with 0^-½ := 0."""
    between = normalised(law, d1, d2)
    transposed = between.transpose()
    return between * transposed if law.nrows() <= law.ncols() else transposed * between


def normalised(law: BallMatrix, d1: list[Ball], d2: list[Ball]) -> BallMatrix:
    """Normalised matrix D₁^-½ M D₂^-½ with 0^-½ := 0."""
    return rescale(law, *([ball(0) if d.is_zero() else d.rsqrt() for d in side] for side in (d1, d2)))


def mislabelled_mass(law: list[list[Ball]], labels: np.ndarray) -> Ball:
    """Mass of a law of node and class outside the label of each node."""
    return ball_sum(mass for row, label in zip(law, labels) for c, mass in enumerate(row) if c != label)


def _image_node_law(images: sparse.csr_array, degrees: list[Ball]) -> list[tuple[int, int, Ball]]:
    """Image, node and probability of every pair that occurs, scaled so that each node has exactly its degree."""
    coordinates = sparse.coo_array(images)
    image, node = coordinates.coords
    weights = [ball(w) for w in coordinates.data]
    mass = [ball(0)] * len(degrees)
    for j, w in zip(node, weights):
        mass[j] += w
    return [(int(i), int(j), w / mass[j] * degrees[j]) for i, j, w in zip(image, node, weights)]


def mean_square(degrees: list[Ball], rows: BallMatrix) -> Ball:
    """Mean squared norm E‖f‖² of rows under a marginal."""
    return ball_sum(d * ball_sum(x * x for x in row) for d, row in zip(degrees, rows.tolist()))


def mean_squared_difference(graph: BallGraph, a: BallMatrix, b: BallMatrix) -> Ball:
    """Mean squared difference E‖a(x₁) − b(x₂)‖² over pairs of view and target."""
    return _weighted_squared_difference(graph.pairs, a, b)


def pair_distance(graph: BallGraph, h: BallMatrix) -> Ball:
    """Positive-pair distance E‖h(x₁) − h(x₁⁺)‖², summed over the pairs."""
    pairs = [(i, j, w) for i, row in enumerate(graph.pair_law.tolist()) for j, w in enumerate(row) if not w.is_zero()]
    return _weighted_squared_difference(pairs, h, h)


def _weighted_squared_difference(pairs: list[tuple[int, int, Ball]], a: BallMatrix, b: BallMatrix) -> Ball:
    """Weighted sum Σ w ‖a_i − b_j‖², with the square expanded so that one matrix product gives all terms."""
    of_a, of_b = _squared_row_norms(a), _squared_row_norms(b)
    products = (a * b.transpose()).tolist()
    return ball_sum(w * (of_a[i] + of_b[j] - 2 * products[i][j]) for i, j, w in pairs)


def _squared_row_norms(rows: BallMatrix) -> list[Ball]:
    return [ball_sum(x * x for x in row) for row in rows.tolist()]


def asymmetric_alignment(graph: BallGraph, h: BallMatrix, h_g: BallMatrix) -> Ball:
    """Asymmetric alignment L_asym = −E h(x₁)ᵀ h_g(x₂)."""
    return -inner(h, graph.joint * h_g)


def alignment_loss(graph: BallGraph, h: BallMatrix) -> Ball:
    """Alignment loss L_align = −E h(x₁)ᵀ h(x₁⁺)."""
    return -inner(h, graph.pair_law * h)


def uniformity_loss(graph: BallGraph, features: BallMatrix) -> Ball:
    """Uniformity loss L_unif = E (f(x₁)ᵀ f(x₁⁻))²."""
    return squared_norm(features.transpose() * rescale(features, graph.degrees[0]))


def spectral_loss(graph: BallGraph, features: BallMatrix) -> Ball:
    """Spectral contrastive loss L_spec = 2 L_align + L_unif."""
    return 2 * alignment_loss(graph, features) + uniformity_loss(graph, features)


def conditional_mean(graph: BallGraph, h: BallMatrix) -> BallMatrix:
    """Conditional mean E[h(x₁) | x₂], shape (N2, d)."""
    return rescale(graph.joint.transpose() * h, [1 / d for d in graph.degrees[1]])


def best_prediction(graph: BallGraph, targets: BallMatrix) -> BallMatrix:
    """Best prediction E[x₂ | x₁], shape (N1, d)."""
    return rescale(graph.joint * targets, [1 / d for d in graph.degrees[0]])


def target_variance(graph: BallGraph, targets: BallMatrix, masks: np.ndarray | None = None) -> Ball:
    """Variance Var(x₂) of the targets, or its mean given the mask if masks are given."""
    d2 = graph.degrees[1]
    groups = np.zeros(len(d2), int) if masks is None else number_labels(masks)
    rows = targets.tolist()
    spread = ball(0)
    for group in range(int(groups.max()) + 1):
        members = np.flatnonzero(groups == group)
        mass = ball_sum(d2[j] for j in members)
        mean = [ball_sum(d2[j] * rows[j][c] for j in members) / mass for c in range(targets.ncols())]
        spread += ball_sum(d2[j] * ball_sum(power(x - m, 2) for x, m in zip(rows[j], mean)) for j in members)
    return spread


def component_means(graph: BallGraph, h: BallMatrix) -> BallMatrix:
    """Mean of h over the connected component of each view, shape (N1, d)."""
    means = _means_by_component(graph, h, 0)
    return from_rows([means[c] for c in graph.float_graph.components[0]], graph.shape[0], h.ncols())


def component_means_of_targets(graph: BallGraph, targets: BallMatrix) -> tuple[BallMatrix, BallMatrix]:
    """Mean target of the component of each view, shape (N1, d), and of each target, shape (N2, d)."""
    means, (views, others) = _means_by_component(graph, targets, 1), graph.float_graph.components
    n1, n2 = graph.shape
    return (
        from_rows([means[c] for c in views], n1, targets.ncols()),
        from_rows([means[c] for c in others], n2, targets.ncols()),
    )


def _means_by_component(graph: BallGraph, rows: BallMatrix, side: int) -> list[list[Ball]]:
    """Mean of rows of views (side 0) or targets (side 1) over each component."""
    member, degrees, values = graph.float_graph.components[side], graph.degrees[side], rows.tolist()
    means = []
    for component in range(graph.float_graph.n_components):
        inside = np.flatnonzero(member == component)
        mass = ball_sum(degrees[i] for i in inside)
        means.append([ball_sum(degrees[i] * values[i][c] for i in inside) / mass for c in range(rows.ncols())])
    return means
