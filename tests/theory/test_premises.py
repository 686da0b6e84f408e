"""Every premise with a tolerance holds at nine tenths of it and fails at eleven tenths, in floats and in balls."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import SquaresOverflowError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, certify, check
from maetheory.theory.exact_probe import predicted_labels
from maetheory.theory.theorem_quantities import pair_lipschitz

GRAPH = MaskGraph.from_joint([[0.3, 0.2], [0.1, 0.4]], labels=[0, 1])
ONE = np.ones((2, 1))
COLUMN = np.array([[1.0], [2.0]])
MASKS = np.array([[True, False, False], [False, True, False]])


def gap_world(gap):
    """Two views and targets with λ₂ = (1 − gap / 2)²: each view sees its own target but for a mass of gap / 8."""
    return MaskGraph.from_joint(np.array([[0.5 - gap / 8, gap / 8], [gap / 8, 0.5 - gap / 8]]), labels=[0, 1])


def votes_world(mean):
    """Four images of one view each of class 0 or 1, features that find no class: shares of error ½ on the mean."""
    law = np.array([[1 - mean, 0.0], [0.0, mean]])
    views = sparse.csr_array(law)
    return MaskGraph(sparse.csr_array(np.diag(law.sum(0))), views, views, np.array([0, 1]))


def turned(off):
    """Feature that is the leading eigenvector up to a part of the second of norm `off` after Ā."""
    graph = MaskGraph.from_joint([[0.35, 0.15], [0.15, 0.35]], labels=[0, 1])
    second = 0.16  # λ₂ = 0.4²
    lean = off / (1 - second)
    return {"graph": graph, "features": np.array([[1.0 + lean], [1.0 - lean]])}


# Theorem, premise, tolerance, and the world in which the premise is missed by `off`.
PREMISES = {
    "norms of one below": (
        "reconstruction-bounds-asymmetric-alignment",
        "unit norms",
        1e-12,
        lambda off: {"graph": GRAPH, "h": ONE * (1 - off), "h_g": ONE, "targets": ONE},
    ),
    "norms of one above": (
        "asymmetric-alignment-bounds-alignment",
        "unit norms",
        1e-12,
        lambda off: {"graph": GRAPH, "h": ONE, "h_g": ONE * (1 + off / 2)},
    ),
    **{
        f"Lipschitz constant of {slug}": (
            slug,
            "bi-Lipschitz decoder",
            1e-12,
            lambda off, slug=slug: {
                "graph": GRAPH,
                "features": 2 * COLUMN,
                "h": COLUMN,
                "h_g": ONE,
                "targets": ONE,
                "lipschitz": 4.0 / (1 + off),
                "weight": 1.0,
            },
        )
        for slug, theorem in THEOREMS.items()
        if "bi-Lipschitz decoder" in theorem.assumptions
    },
    "collapsed features": (
        "full-collapse-costs-variance",
        "features are collapsed",
        1e-12,
        lambda off: {"graph": GRAPH, "features": 8 * ONE * [[1.0], [1 + off]], "h": ONE, "targets": COLUMN},
    ),
    "position-blind decoder": (
        "full-collapse-costs-variance",
        "position-blind decoder",
        1e-12,
        lambda off: {"graph": GRAPH, "features": ONE, "h": 8 * ONE * [[1.0], [1 + off]], "targets": COLUMN},
    ),
    "decoder of the mask alone": (
        "full-collapse-costs-variance-given-the-mask",
        "decoder sees the mask alone",
        1e-12,
        lambda off: {
            "graph": GRAPH,
            "features": ONE,
            "h": 8 * ONE * [[1.0], [1 + off]],
            "targets": COLUMN,
            "masks": np.array([0, 0]),
        },
    ),
    "aligned features": (
        "aligned-features-have-rank-of-components",
        "features are aligned",
        1e-12,
        lambda off: {"graph": GRAPH, "features": 8 * ONE * [[1.0], [1 - off]]},
    ),
    "leading eigenvectors": (
        "spectral-features-bound-downstream-error",
        "leading eigenvectors",
        1e-11,
        lambda off: turned(off),
    ),
    **{
        f"rows of a channel of {slug}": (
            slug,
            "targets are sent by a law",
            1e-12,
            lambda off: {
                "graph": GRAPH,
                "channel": np.array([[0.5, 0.5 + off], [1.0, 0.0]]),
                "view_channel": np.eye(2),
            },
        )
        for slug in (
            "data-processing-shrinks-spectrum",
            "channels-on-both-sides-shrink-singular-values",
            "data-processing-raises-pair-error",
        )
    },
    "rows of a channel of views": (
        "channels-on-both-sides-shrink-singular-values",
        "views are sent by a law",
        1e-12,
        lambda off: {"graph": GRAPH, "channel": np.eye(2), "view_channel": np.array([[0.5, 0.5 - off], [0.0, 1.0]])},
    ),
    "linear decoder": (
        "linear-decoder-optimum",
        "linear decoder",
        1e-12,
        lambda off: {
            "graph": MaskGraph.from_joint(np.full((2, 2), 0.25)),
            "features": ONE,
            "h": 8 * ONE * [[1 + off], [1 - off]],
            "targets": COLUMN,
        },
    ),
    **{
        f"law of masks of {slug}": (
            slug,
            "mask_law is a law",
            2e-12,  # 1e-12 for each mask
            lambda off: {
                "images": np.array([[1.0, 2.0, 0.5], [0.5, -1.0, 3.0]]),
                "visible": MASKS,
                "mask_law": np.array([0.5, 0.5 + off]),
                "weights": np.eye(3),
                "encoder": np.eye(3),
                "decoder": np.eye(3),
            },
        )
        for slug in ("shared-linear-mae-optimum", "shared-linear-mae-bounded-mask-by-mask")
    },
    "sampled law": (
        "sampled-spectrum-concentrates",
        "the sample is a law",
        1e-9,
        lambda off: {"graph": GRAPH, "sampled": np.array([[0.3, 0.2], [0.1, 0.4 + off]])},
    ),
    "independent views and targets": (
        "sampled-spectrum-is-biased-upward",
        "view and target are independent",
        1e-12,
        lambda off: {"graph": MaskGraph.from_joint(0.25 + off / 2 * np.array([[1.0, -1.0], [-1.0, 1.0]])), "draws": 3},
    ),
}


def world_of(name, off):
    slug, premise, _, make = PREMISES[name]
    theorem, made = THEOREMS[slug], make(off)
    wanted = ("graph", *theorem.objects, *theorem.optional)
    return slug, premise, {key: value for key, value in made.items() if key in wanted}


@pytest.mark.parametrize(("share", "holds"), [(0.0, True), (0.9, True), (1.1, False)])
@pytest.mark.parametrize("name", PREMISES)
def test_a_premise_holds_within_its_tolerance_and_fails_beyond_it(name, share, holds):
    slug, premise, world = world_of(name, share * PREMISES[name][2])
    found = check(slug, **world)
    assert {a.name: a.holds for a in found.assumptions}[premise] is holds
    assert (found.verdict is Verdict.INAPPLICABLE) is not holds


@pytest.mark.parametrize(("share", "holds"), [(0.0, True), (0.9, True), (1.1, False)])
@pytest.mark.parametrize("name", PREMISES)
def test_a_premise_is_verified_in_balls_within_the_same_tolerance(name, share, holds):
    slug, premise, world = world_of(name, share * PREMISES[name][2])
    found = certify(slug, **world)
    assert {a.name: a.holds for a in found.assumptions}[premise] is holds
    assert (found.verdict is Verdict.INAPPLICABLE) is not holds


# Premises without a tolerance: the last world in which they hold, and the first in which they do not.
EDGES = {
    "weights": (
        "effective-rank-of-the-minimiser-grows",
        lambda ok: {
            "graph": GRAPH,
            "features": COLUMN,
            "weight": 1.0,
            "heavier": 1.0 if ok else math.nextafter(1.0, 0.0),
        },
    ),
    "draws": (
        "sampled-spectrum-is-biased-upward",
        lambda ok: {"graph": MaskGraph.from_joint(np.full((2, 2), 0.25)), "draws": 2 if ok else 1},
    ),
    "spectral gap": (
        "spectral-features-bound-downstream-error",
        lambda ok: {"graph": gap_world(1.01e-11 if ok else 0.99e-11), "features": ONE},
    ),
    "admissible split": (
        "excess-loss-bounds-downstream-error",
        lambda ok: {"graph": gap_world(1.01e-11 if ok else 0.99e-11), "features": ONE},
    ),
    "the leading eigenvector and not another": (
        "spectral-features-bound-downstream-error",
        lambda ok: {"graph": gap_world(0.5), "features": ONE * [[1.0], [1.0 if ok else -1.0]]},
    ),
    "errors below half": (
        "votes-beat-views-when-errors-scatter",
        lambda ok: {"graph": votes_world(0.5 - (1.1e-9 if ok else 0.9e-9)), "features": ONE},
    ),
    "entries of a channel": (
        "data-processing-shrinks-spectrum",
        lambda ok: {"graph": GRAPH, "channel": np.array([[0.0 if ok else -1e-300, 1.0], [1.0, 0.0]])},
    ),
    "entries of a sample": (
        "sampled-spectrum-concentrates",
        lambda ok: {"graph": GRAPH, "sampled": np.array([[0.5, 0.0 if ok else -1e-300], [0.1, 0.4]])},
    ),
    "a component that was seen": (
        "unseen-component-costs-one",
        lambda ok: {
            "graph": MaskGraph.from_joint(np.diag([0.5, 0.5])),
            "sampled": np.diag([1.0, 0.0]) if ok else np.diag([1 - 1e-13, 1e-13]),
        },
    ),
}


@pytest.mark.parametrize("ok", [True, False])
@pytest.mark.parametrize("name", EDGES)
def test_a_premise_without_tolerance_decides_at_its_edge(name, ok):
    slug, make = EDGES[name]
    for found in (check(slug, **make(ok)), certify(slug, **make(ok))):
        assert (found.verdict is not Verdict.INAPPLICABLE) is ok, found


@pytest.mark.parametrize(("apart", "predicted"), [(0.9e-12, -1), (1.1e-12, 0)])
def test_scores_within_a_tolerance_are_tied(apart, predicted):
    """One view of two classes: its scores are its shares ½ ± apart / 2, but for the rounding error of ½."""
    labels = np.array([0, 1])
    shares = np.array([0.5 + apart / 2, 0.5 - apart / 2])
    graph = MaskGraph.from_joint(np.diag(shares), labels=labels)
    assert predicted_labels(graph, ONE).tolist() == [predicted, predicted]


@pytest.mark.parametrize(("off", "least"), [(0.9e-12, 1.0), (1.1e-12, math.inf)])
def test_features_that_differ_by_rounding_alone_are_equal_to_a_decoder(off, least):
    graph = MaskGraph.from_joint(np.full((4, 1), 0.25))
    rows, merged = (8 * np.array([[-1.0], [-1.0], [1.0], [1 - part]]) for part in (off, 0.0))
    assert pair_lipschitz(graph, rows, merged) == pytest.approx(least)


@pytest.mark.parametrize("offset", [1e11, 1e13, 1e15])
def test_rounding_of_features_is_measured_from_the_mean_of_their_component(offset):
    graph = MaskGraph.from_joint([[0.25, 0.0], [0.25, 0.0], [0.0, 0.5]])
    rows = np.array([[0.0], [1.0], [-5.0]])
    assert pair_lipschitz(graph, offset + rows, rows / 1000) == pytest.approx(1e6)
    assert pair_lipschitz(graph, rows, offset + 4 * rows) == pytest.approx(1 / 16)


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e160])
def test_the_constant_of_a_decoder_does_not_underflow_or_overflow(size):
    graph = MaskGraph.from_joint([[0.5], [0.5]])
    assert pair_lipschitz(graph, size * COLUMN, 2 * size * COLUMN) == pytest.approx(0.25)
    assert pair_lipschitz(graph, size * COLUMN, 0 * COLUMN) == math.inf
    with pytest.raises(SquaresOverflowError, match="Lipschitz"):
        pair_lipschitz(graph, 1e160 * COLUMN, 1e-160 * COLUMN)
