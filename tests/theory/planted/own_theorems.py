"""False versions of the theorems about ranks, labels, channels and sampled graphs."""

from __future__ import annotations

import numpy as np

from maetheory.theory import THEOREMS
from maetheory.theory.exact_probe import class_masses, probe_residual
from maetheory.theory.statements.certificate_bounds_downstream_error import bound_at_multiplier
from maetheory.theory.statements.downstream_error_averages_over_components import component_graphs, componentwise_bound
from maetheory.theory.statements.spectral_features_bound_downstream_error import spectral_bound
from maetheory.theory.theorem_quantities import eigenvalues
from planted.changes import scaled

SPECTRAL, EXCESS, CERTIFICATE = (
    f"{name}-bound{s}-downstream-error"
    for name, s in (("spectral-features", ""), ("excess-loss", "s"), ("certificate", "s"))
)
ALONE, LOWER, VOTES = (
    "label-error-alone-is-not-enough",
    "pair-error-lower-bound",
    "votes-beat-views-when-errors-scatter",
)
BOUND = "effective-rank-grows-with-uniformity"
GROWTH = tuple(f"{name}-of-the-minimiser-grows" for name in ("effective-rank", "participation-ratio", "stable-rank"))
DUAL, GROWS = "mask-ratio-duality", "label-error-grows-with-mask-ratio"
LOEWNER = "data-processing-shrinks-spectrum"
SIDES = "channels-on-both-sides-shrink-singular-values"
ERROR = "data-processing-raises-pair-error"
AVERAGE = "downstream-error-averages-over-components"
GAUSSIAN, CORRELATED = (
    "gaussian-components-are-independent",
    "correlated-coefficients-of-gaussians-are-predictable",
)
WEYL, UNSEEN, BIAS = "sampled-spectrum-concentrates", "unseen-component-costs-one", "sampled-spectrum-is-biased-upward"


def equal_masses(graph):
    number = int((class_masses(graph) > 0).sum())
    return 1 - float(eigenvalues(graph, number).mean())


def one_direction_only(graph, features, weight):
    return weight * float(graph.degrees[0] @ (features**2).sum(1)) ** 2  # as if a minimum were a maximum


def every_node_seen(graph, draws):
    return (graph.shape[0] - 1) * (graph.shape[1] - 1) / (draws - 1)


def equally_likely_components(graph, features):
    parts = component_graphs(graph)
    own = (componentwise_bound(part, features[views]) for _, views, part in parts)
    return sum(float(bound) for bound in own) / len(parts)


def visible_pairs_too(factor, basis, visible):
    pairs = np.corrcoef((factor @ basis.T).T, rowvar=True) if len(factor) > 1 else np.eye(len(basis))
    r = np.abs(np.nan_to_num(pairs) - np.eye(len(basis))).max(initial=0.0)
    return r**2 / (1 - min(r, 0.99) ** 2)


FALSE = {
    "spectral with 0.95": (SPECTRAL, scaled(SPECTRAL, 0.95)),
    "spectral without the gap": (SPECTRAL, lambda graph: float(graph.pair_label_error())),
    "excess with 0.95": (EXCESS, scaled(EXCESS, 0.95)),
    "excess without Δ″": (EXCESS, lambda graph, features: float(spectral_bound(graph, features.shape[1]))),
    "certificate with 0.95": (CERTIFICATE, scaled(CERTIFICATE, 0.95)),
    "certificate without φ": (
        CERTIFICATE,
        lambda graph, features: bound_at_multiplier(graph, features, 1.0) - float(graph.pair_label_error()),
    ),
    "half for every number of classes": (ALONE, lambda: 0.5),
    "lower bound with 1.05": (LOWER, scaled(LOWER, 1.05)),
    "lower bound with equal masses": (LOWER, equal_masses),
    "lower bound with one class": (LOWER, lambda graph: 1 - float(eigenvalues(graph, 1)[0]) * 0.5),
    "votes with 0.95": (VOTES, scaled(VOTES, 0.95)),
    "votes by twice the residual": (VOTES, lambda graph, features: 2 * probe_residual(graph, features)),
    "votes without the variance": (VOTES, lambda: 0.0),
    "ranks bound with 1.05": (BOUND, scaled(BOUND, 1.05)),
    "ranks bound with one direction only": (BOUND, one_direction_only),
    **{f"{slug} by five percent": (slug, scaled(slug, 1.05)) for slug in GROWTH},
    **{f"{slug}: falls": (slug, {"direction": "<="}) for slug in GROWTH},
    "α is its own dual": (DUAL, {"lhs": lambda graph, complement: abs(graph.label_error() - complement.label_error())}),
    "duality off by a hundredth": (DUAL, {"rhs": lambda: 0.01}),
    "α falls": (GROWS, {"direction": ">="}),
    "α grows by five percent": (GROWS, {"lhs": lambda graph: 1.05 * graph.label_error()}),
    "Loewner order the wrong way round": (LOEWNER, {"direction": "<="}),
    "every eigenvalue falls by a hundredth": (LOEWNER, {"rhs": lambda: 0.01}),
    "singular values rise": (SIDES, {"direction": ">="}),
    "singular values fall by a hundredth": (SIDES, {"rhs": lambda: -0.01}),
    "φ falls": (ERROR, {"direction": ">="}),
    "φ rises by five percent": (ERROR, {"lhs": lambda graph: 1.05 * graph.pair_label_error()}),
    "Weyl five percent too strong": (WEYL, scaled(WEYL, 0.95)),
    "Weyl the wrong way round": (WEYL, {"direction": ">="}),
    "an unseen component costs 1.05": (UNSEEN, lambda: 1.05),
    "an unseen component costs one at most": (UNSEEN, {"direction": "<="}),
    "the bias with every node seen": (BIAS, every_node_seen),
    "the bias over n": (BIAS, lambda draws, **w: THEOREMS[BIAS].check(draws=draws, **w).rhs * (1 - 1 / draws)),
    "no bias": (BIAS, lambda: 0.0),
    "averages with 0.95": (AVERAGE, scaled(AVERAGE, 0.95)),
    "averages without gaps": (AVERAGE, lambda graph: float(graph.pair_label_error())),
    "components equally likely": (AVERAGE, equally_likely_components),
    "components depend by a hundredth": (GAUSSIAN, lambda: 0.01),
    "any basis is independent": (GAUSSIAN, {"assumptions": {}, "conform": None}),
    "a twentieth more of a pair": (CORRELATED, scaled(CORRELATED, 1.05)),
    "r²/(1 - r²) of all pairs": (CORRELATED, visible_pairs_too),
}
