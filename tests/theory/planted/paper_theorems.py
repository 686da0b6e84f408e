"""False versions of the theorems of the paper."""

from __future__ import annotations

from maetheory.graph.functionals import positive_pair_distance, target_variance, uniformity_loss
from maetheory.theory import THEOREMS
from maetheory.theory.exact_probe import class_masses, probe_residual
from maetheory.theory.theorem_quantities import autoencoding_error, factorisation_error
from planted.changes import scaled, shifted, without_term

PAPER = (
    "reconstruction-bounds-asymmetric-alignment",
    "asymmetric-alignment-bounds-alignment",
    "reconstruction-bounds-alignment",
    "reconstruction-bounds-encoder-alignment",
    "full-collapse-costs-variance",
    "full-collapse-costs-variance-given-the-mask",
    "spectral-contrast-is-factorisation",
    "spectral-contrast-is-bounded-by-eigenvalues",
    "umae-bounds-spectral-contrast",
    "umae-bounded-by-graph-tail",
    "factorisation-bounds-probe-residual",
    "probe-residual-bounds-view-error",
    "probe-residual-bounds-image-error",
    "umae-bounds-downstream-error",
    "umae-downstream-bound-exceeds-six",
    "pair-error-bounded-by-label-errors",
)


def dropped_epsilon(graph, h_g, targets, **_):
    return autoencoding_error(graph, h_g, targets)


FALSE = {
    "3.2 without ε": (PAPER[0], shifted(PAPER[0], dropped_epsilon)),
    "3.2 with 1.05 for 1": (PAPER[0], shifted(PAPER[0], lambda **_: 0.05)),
    "3.3 with 0.475 for ½": (PAPER[1], shifted(PAPER[1], lambda **_: 0.025)),
    "3.4 five percent above the truth": (
        PAPER[2],
        lambda graph, h: 0.525 * positive_pair_distance(graph, h),
    ),
    "3.5 five percent above the truth": (
        PAPER[3],
        lambda graph, features, lipschitz: 0.525 * positive_pair_distance(graph, features) / lipschitz,
    ),
    "3.6 with 1.05 Var": (PAPER[4], scaled(PAPER[4], 1.05)),
    "3.6 printed, for a decoder that knows the mask": (
        PAPER[5],
        lambda graph, targets: target_variance(graph, targets),
    ),
    "3.6 given the mask with 1.05 Var": (PAPER[5], scaled(PAPER[5], 1.05)),
    "factorisation with 1.05 on the right": (PAPER[6], scaled(PAPER[6], 1.05)),
    "five percent below the least contrast": (PAPER[7], scaled(PAPER[7], 0.95)),
    "a dearer penalty": (PAPER[8], shifted(PAPER[8], lambda graph, features, **_: uniformity_loss(graph, features))),
    "4.2 by its tail alone": (PAPER[9], lambda **world: THEOREMS[PAPER[9]].check(**world).terms["printed tail"]),
    "probe residual with 0.95": (PAPER[10], scaled(PAPER[10], 0.95)),
    "probe residual with the mean class mass": (
        PAPER[10],
        lambda graph, features: (
            (graph.n_classes**-0.5 * factorisation_error(graph, features) ** 0.5 + graph.pair_label_error() ** 0.5) ** 2
        ),
    ),
    "probe residual as a sum of squares": (
        PAPER[10],
        lambda graph, features: (
            class_masses(graph).max() * factorisation_error(graph, features) + graph.pair_label_error()
        ),
    ),
    "probe residual without φ": (
        PAPER[10],
        lambda graph, **w: THEOREMS[PAPER[10]].check(graph, **w).rhs - graph.pair_label_error(),
    ),
    "view error with 0.95": (PAPER[11], scaled(PAPER[11], 0.95)),
    "image error with 0.95": (PAPER[12], scaled(PAPER[12], 0.95)),
    "image error with α for 2α": (
        PAPER[12],
        lambda graph, features: 4 * probe_residual(graph, features) + graph.label_error(),
    ),
    "image error with 2 for 4": (
        PAPER[12],
        lambda graph, features: 2 * probe_residual(graph, features) + 2 * graph.label_error(),
    ),
    "image error without α": (PAPER[12], lambda graph, features: 4 * probe_residual(graph, features)),
    "4.1 with c₄ = 0": (PAPER[13], without_term(PAPER[13], "graph")),
    "vacuity with 1.05": (PAPER[14], scaled(PAPER[14], 1.05)),
    "φ without α₂": (PAPER[15], lambda graph: 2 * graph.label_error()),
    "φ with 1.9 for 2": (PAPER[15], scaled(PAPER[15], 0.95)),
    "φ with α for 2α": (PAPER[15], lambda graph: graph.label_error() + 2 * graph.target_label_error()),
    "φ with α₂ for 2α₂": (PAPER[15], lambda graph: 2 * graph.label_error() + graph.target_label_error()),
    "φ with four times the larger for the sum, by a tenth": (
        PAPER[15],
        lambda graph: 3.6 * max(float(graph.label_error()), float(graph.target_label_error())),
    ),
}
