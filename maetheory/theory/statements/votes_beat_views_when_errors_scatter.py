"""The vote of an image's views errs less than twice as often as a view if errors are spread over the images.

Setting
-------
W(x̄) is the share of the views of x̄ whose predicted class is not y(x̄), for the least-squares head on ``features``;
e = E W = Pr[prediction ≠ y(x̄)] ≤ view error + α, and e₂ = E W² is the probability that two independent views of one
image both err. An image is assigned the class of most of its views; ties are errors.

Assumptions
-----------
``views err less than half the time``: e < ½.

Claim
-----
Pr[vote ≠ y(x̄)] ≤ (e₂ − e²)/(e₂ − e + ¼), which is below 2e iff e₂ < e/2. Proof: where W < ½ the true class has more
than half the votes, so the vote errs only where W ≥ ½. Let V = e₂ − e², the variance of W, and t = V/(½ − e). At W ≥ ½,
W − e + t ≥ ½ − e + t > 0, so by Markov Pr[W ≥ ½] ≤ E(W − e + t)²/(½ − e + t)² = (V + t²)/(½ − e + t)² =
V/(V + (½ − e)²), and V + (½ − e)² = e₂ − e + ¼. Finally V/(V + (½ − e)²) < 2e iff V(1 − 2e) < 2e(½ − e)², that is
V < e(½ − e), that is e₂ < e/2.

Slack
-----
Slack of Markov's inequality, plus the mass of images with W ≥ ½ whose vote is correct.

Tight when
----------
W takes two values, one of them ½, and the vote errs wherever W = ½. If the other value is not 0 the bound is then below
2e.

Reference
---------
Ours; sharpens a step of Zhang, Wang and Wang 2022, theorem 4.1, by Cantelli's inequality.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from maetheory.core import Estimate
from maetheory.graph import MaskGraph
from maetheory.theory.exact_probe import measured_image_error, predicted_labels
from maetheory.theory.propagated_errors import apply_increasing, quotient, square_error, square_root
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects


def error_shares(graph: MaskGraph, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mass of each image, and the share W of its views that are misclassified, shapes (S,)."""
    law = graph.image_views.tocoo()
    image, view = law.coords
    wrong = predicted_labels(graph, features)[view] != np.asarray(graph.image_labels)[image]
    mass = np.bincount(image, law.data, law.shape[0])
    return mass, np.bincount(image, law.data * wrong, law.shape[0]) / mass


def _error_share_moments(graph: MaskGraph, features: np.ndarray) -> tuple[float, float]:
    mass, share = error_shares(graph, features)
    mean = float(mass @ share)
    return mean, float(mass @ (share - mean) ** 2)


def _rhs(graph: MaskGraph, features: np.ndarray) -> Estimate:
    mean, variance = _error_share_moments(graph, features)
    if mean >= 0.5:
        return Estimate(1.0)
    rounding = 4 * float(np.finfo(float).eps) * graph.image_views.nnz
    odds = quotient(square_root(Estimate(variance, square_error(variance, rounding))), Estimate(0.5 - mean, rounding))
    return apply_increasing(lambda t: max(t, 0.0) ** 2 / (1 + max(t, 0.0) ** 2), odds)  # V / (V + (½ - e)²)


def _markov_bound(graph: MaskGraph, features: np.ndarray) -> float:
    """Markov's bound, min(1, 2e)."""
    return min(1.0, 2 * _error_share_moments(graph, features)[0])


def _terms(graph: MaskGraph, features: np.ndarray) -> dict[str, float]:
    mean, variance = _error_share_moments(graph, features)
    return {"e": mean, "e2": variance + mean**2, "twice e": 2 * mean}


def _fewer_than_half(graph: MaskGraph, features: np.ndarray) -> tuple[bool, str]:
    mean = _error_share_moments(graph, features)[0]
    return mean < 0.5 - 1e-9, f"e = {mean:.6g}"


def _graph(law: np.ndarray, view_of: np.ndarray) -> MaskGraph:
    views = sparse.csr_array(view_of)
    return MaskGraph(sparse.csr_array(law), views, views, np.array([0, 1, 0, 1]))


def tight() -> Objects:
    """Return four images of two classes that share a view of zero features, with share ½ in two images, ¼ in two."""
    view_of = np.array([[0.125, 0, 0.125], [0, 0.125, 0.125], [0.1875, 0, 0.0625], [0, 0.1875, 0.0625]])
    law = np.diag(view_of.sum(0))
    graph = _graph(law, view_of)
    return {"graph": graph, "features": np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])}


def _sample(rng: np.random.Generator) -> Objects:
    """Draw the tight world with other shares, or random features and shares."""
    half = rng.dirichlet(np.ones(2)) / 2
    blank = np.where(rng.random(2) < 0.5, 0.5, rng.random(2) / 2)
    share, mass = np.repeat(blank, 2), np.repeat(half, 2)
    own = np.tile(np.eye(2), (2, 1)) * (1 - share)[:, None]
    view_of = mass[:, None] * np.column_stack([own, share])  # (images, views)
    features = np.vstack([np.eye(2), np.zeros((1, 2))])
    if rng.random() < 0.5:
        view_of, features = rng.dirichlet(np.full(12, 0.3)).reshape(4, 3) + 1e-6, rng.normal(size=(3, 2))
    view_of = view_of / view_of.sum()
    law = np.diag(view_of.sum(0))
    graph = _graph(law, view_of)
    return {"graph": graph, "features": features}


def broken() -> dict[str, Objects]:
    """Return the same images with all features 0, so that every view errs."""
    return {"views err less than half the time": {**tight(), "features": np.zeros((3, 2))}}


THEOREM = Theorem(
    slug="votes-beat-views-when-errors-scatter",
    statement="Pr[vote != y(x̄)] <= (e₂ - e²) / (e₂ - e + ¼)",
    reference="Ours, by Cantelli's inequality",
    objects=("features",),
    lhs=measured_image_error,
    rhs=_rhs,
    direction="<=",
    assumptions={"views err less than half the time": _fewer_than_half},
    trivial=_markov_bound,
    terms=_terms,
    tight=tight,
    broken=broken,
    sample=_sample,
)
