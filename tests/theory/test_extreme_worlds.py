"""Verdicts at the edges of float64: offsets, tiny masses, near ties, extreme weights, odd number types."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import Estimate, InputError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Theorem, Verdict, certify, check
from maetheory.theory.exact_probe import measured_residual
from maetheory.theory.statements import votes_beat_views_when_errors_scatter as votes
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser

PAIR = MaskGraph.from_joint([[0.5], [0.5]], labels=[0, 1])
APART = MaskGraph.from_joint(np.diag([0.5, 0.5]), labels=[0, 1])
CONNECTED = MaskGraph.from_joint(np.full((2, 2), 0.25), labels=[0, 1])
BI_LIPSCHITZ = [slug for slug, theorem in THEOREMS.items() if "bi-Lipschitz decoder" in theorem.assumptions]


def column(*numbers):
    return np.array(numbers, dtype=float)[:, None]


def objects_of(slug, **values):
    theorem = THEOREMS[slug]
    return {name: value for name, value in values.items() if name in theorem.objects + theorem.optional}


@pytest.mark.parametrize("slug", BI_LIPSCHITZ)
@pytest.mark.parametrize("offset", [0.0, 1e11, 1e13])
def test_a_common_offset_of_the_features_does_not_hide_that_the_decoder_shrinks_them(slug, offset):
    """L is a million: f differs by 1 and h by a thousandth."""
    values = {"h": column(0.0, 1e-3), "h_g": column(5e-4), "targets": column(5e-4), "weight": 1e-9}
    world = objects_of(slug, features=column(offset, offset + 1), **values)
    found, proved = check(slug, PAIR, **world), certify(slug, PAIR, **world)
    assert found.verdict is not Verdict.VIOLATED
    assert proved.verdict is not Verdict.VIOLATED
    assert all("L = 1e+06" in one.assumptions[0].measured for one in (found, proved))


@pytest.mark.parametrize("offset", [1e11, 1e13])
def test_a_common_offset_of_the_predictions_does_not_make_the_decoder_merge_them(offset):
    world = {"features": column(0.0, 1.0), "h": column(offset, offset + 1), "targets": column(offset + 0.5)}
    for judge in (check, certify):
        assert judge("reconstruction-bounds-encoder-alignment-sharply", PAIR, **world).verdict is Verdict.TIGHT


def test_ignored_pairs_leave_the_decoder_unverified_however_large_the_constant():
    """The third view differs from the second by 1e-13 of the spread, and h merges the two."""
    graph = MaskGraph.from_joint(np.full((3, 1), 1 / 3))
    features, h = column(-1.0, 1.0, 1.0 + 2e-13), column(-1.0, 1.0, 1.0)
    world = {"features": features, "h": h, "targets": h.mean(keepdims=True), "lipschitz": 10.0}
    found = certify("reconstruction-bounds-encoder-alignment-sharply", graph, **world)
    assert found.verdict is Verdict.HOLDS  # the slack exceeds the cost
    tight = certify("reconstruction-bounds-encoder-alignment-sharply", graph, **{**world, "lipschitz": 1.0})
    assert tight.verdict in {Verdict.TIGHT, Verdict.HOLDS}
    assert abs(tight.slack.mid) <= 1e-10 * tight.scale.high


NEARLY_MET = {
    "full-collapse-costs-variance": "position-blind decoder",
    "full-collapse-costs-variance-given-the-mask": "decoder sees the mask alone",
    "linear-decoder-optimum-given-features": "linear decoder",
}


@pytest.mark.parametrize("slug", NEARLY_MET)
def test_an_assumption_met_up_to_the_rounding_of_an_offset_decides_nothing_smaller(slug):
    """Predictions differ by 0.9, which is rounding error of 1e12 but not of the loss."""
    far = column(1e12, 1e12 + 0.9)
    world = {"features": np.ones((2, 1)), "h": far, "targets": far}
    world |= {"masks": np.zeros(2, int)} if "mask" in slug else {}
    for judge in (check, certify):
        found = judge(slug, APART, **world)
        assert found.verdict is Verdict.UNDECIDED
    assert NEARLY_MET[slug] in found.note
    exact = {**world, "h": np.full((2, 1), 1e12)}
    assert check(slug, APART, **exact).verdict is not Verdict.UNDECIDED


@pytest.mark.parametrize(
    "labels", [np.array([0.2, 0.7]), np.array([2**53, 2**53 + 1]), np.array([2**53, 2**53 + 1], object)]
)
def test_labels_that_differ_are_different_classes(labels):
    for judge in (check, certify):
        found = judge("pair-error-lower-bound", CONNECTED, view_labels=labels)
        assert found.verdict is Verdict.TIGHT
        assert float(getattr(found.lhs, "mid", found.lhs)) == pytest.approx(0.5)


def test_labels_beyond_64_bits_are_refused():
    with pytest.raises(InputError, match="64 bits"):
        check("pair-error-lower-bound", CONNECTED, view_labels=np.array([1, 2**70], object))


@pytest.mark.parametrize("mass", [1e-150, 3e-162, 1e-200, 1e-290])
def test_the_label_error_of_a_rare_target_is_not_lost(mass):
    graph = MaskGraph.from_joint([[mass / 2, 0.5], [mass / 2, 0.0], [0.0, 0.5]], labels=[0, 1, 0])
    assert graph.pair_label_error().value == pytest.approx(mass / 2, rel=1e-14)
    found = check("data-processing-raises-pair-error", graph, channel=np.array([[0.3, 0.7, 0], [0, 0, 1.0]]))
    assert found.verdict in {Verdict.TIGHT, Verdict.INAPPLICABLE}
    check("certificate-bounds-downstream-error", graph, features=np.ones((3, 1)))


def shared_view(halves, others):
    """Graph of four images: two with this share of a view without features, two with another."""
    share = np.array([halves, halves, others, others])
    own = np.tile(np.eye(2), (2, 1)) * (1 - share)[:, None]
    of_images = 0.25 * np.column_stack([own, share])
    return votes._graph(np.diag(of_images.sum(0)), of_images)


@pytest.mark.parametrize(("short", "verdict"), [(0.0, Verdict.TIGHT), (4e-13, Verdict.UNDECIDED), (1e-11, None)])
def test_a_vote_that_is_tied_only_nearly_decides_nothing(short, verdict):
    """The bound is 2 short / apart below the mass of the two images, whose votes are no ties."""
    apart = 4e-9 if short else 0.25
    graph = shared_view(0.5 - short, 0.5 - apart)
    features = np.vstack([np.eye(2), np.zeros((1, 2))])
    found = check("votes-beat-views-when-errors-scatter", graph, features=features)
    assert found.verdict is verdict or (verdict is None and found.verdict is Verdict.HOLDS)
    assert found.lhs.error == (0.5 if short == 4e-13 else 0.0)


WITH_CONSTANTS = [s for s, t in THEOREMS.items() if {"lipschitz", "weight"} & {*t.objects, *t.optional}]


@pytest.mark.parametrize("slug", WITH_CONSTANTS)
@pytest.mark.parametrize(
    ("lipschitz", "weight"), [(1e-300, 1e-300), (1e200, 1e200), (1e308, 1e-308), (1e-310, 1.0), (1e308, 1e308)]
)
def test_constants_at_the_edge_of_float64_prove_nothing_false(slug, lipschitz, weight):
    values = {"features": column(1.0, -1.0), "h": column(1.0, -1.0), "targets": column(0.0, 0.0)}
    constants = {"lipschitz": lipschitz, "weight": weight, "heavier": weight}
    world = objects_of(slug, h_g=column(0.0, 0.0), **values, **constants)
    found = check(slug, CONNECTED, **world)
    assert found.verdict is not Verdict.VIOLATED
    assert found.verdict is Verdict.INAPPLICABLE or math.isfinite(found.slack)


@pytest.mark.parametrize("size", [1e-10, 1e-20, 1e-160])
def test_a_feature_of_any_size_counts(size):
    features = np.array([[1.0, size], [1.0, -size]])
    found = measured_residual(CONNECTED, features)
    assert abs(found.value) <= found.error + 1e-30


def test_leading_eigenvectors_of_tiny_eigenvalues_count():
    """λ₂ is 1e-18, so that the second column of the minimiser is a billionth of the first."""
    even = np.outer([0.5, 0.5], [0.5, 0.5])
    joint = even + 0.25e-9 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    graph = MaskGraph.from_joint(joint, labels=[0, 1])
    for shrink in (1.0, 1e-12):
        features = minimiser(graph, 2) * [1.0, shrink]
        assert measured_residual(graph, features) <= 1e-12


RANKS = [slug for slug in THEOREMS if slug.endswith("of-the-minimiser-grows")]


@pytest.mark.parametrize("slug", RANKS)
@pytest.mark.parametrize("weight", [1e-20, 1e-17, 1e-16, 1e-13, 1e-3])
def test_the_error_of_a_rank_covers_its_proved_value_at_a_light_weight(slug, weight):
    """Two components: λ₁ = λ₂ = 1 exactly, so that the rank is 2 at every weight."""
    joint = np.zeros((5, 3))
    joint[:3, :2] = [[0.183, 0.117], [0.158, 0.064], [0.041, 0.139]]
    joint[3:, 2] = [0.084, 0.214]
    graph = MaskGraph.from_joint(joint)
    world = {"features": np.eye(5)[:, :3], "weight": weight, "heavier": 10 * weight}
    found, proved = check(slug, graph, **world), certify(slug, graph, **world)
    for mine, true in ((found.lhs, proved.lhs), (found.rhs, proved.rhs)):
        assert mine.low - 1e-12 <= true.high
        assert true.low <= mine.high + 1e-12


def test_a_large_bound_of_the_encoder_does_not_make_the_optimal_rank_tight():
    """E‖f‖²/L is 1e13 times the loss, but cancels in nothing: λ₁ = 1 exactly."""
    graph = MaskGraph.from_joint(np.full((4, 1), 0.25))
    features = np.array([[1.0, 0.0], [1.0 + 1e-7, 0.0], [1.0 - 1e-7, 0.0], [1.0, 0.0]])
    world = {"features": features, "h": column(1e-3, 0.5, -0.5, 0.0), "targets": column(0.0), "weight": 1e5}
    found = check("effective-rank-grows-with-uniformity", graph, **world)
    assert found.slack > 1e-7 * found.rhs
    assert found.verdict is Verdict.HOLDS


def test_fractions_are_read_as_they_are():
    third = np.array([[Fraction(1, 3)], [Fraction(0)]], object)
    found = certify("alignment-split", PAIR, h=third, targets=column(0.0))
    assert found.verdict is Verdict.TIGHT
    assert 1 / 18 in found.lhs
    certify("reconstruction-bounds-encoder-alignment-sharply", PAIR, features=third, h=third, targets=column(0.0))


@pytest.mark.parametrize("judge", [check, certify])
def test_what_is_no_number_is_refused_and_what_is_not_finite_is_never_passed(judge):
    for wrong in (None, "a"):
        with pytest.raises(InputError, match="array of numbers"):
            judge("alignment-split", PAIR, h=np.array([[wrong], [1]], object), targets=column(0.0))
    for wrong in (math.nan, math.inf):
        for dtype in (object, np.longdouble, float):
            found = judge("alignment-split", PAIR, h=np.array([[wrong], [1]], dtype), targets=column(0.0))
            assert found.verdict is Verdict.VIOLATED
            assert "finite" in found.note


JOINT = np.array([[0.3, 0.2], [0.1, 0.4]])
BY_HAND = {
    "joint": (3 * JOINT, np.diag([0.5, 0.5]), JOINT, [0, 1]),
    "image_views": (JOINT, np.diag([1.0, 1.0]), JOINT, [0, 1]),
    "least entry": (np.array([[0.7, -0.2], [0.1, 0.4]]), np.diag([0.5, 0.5]), JOINT, [0, 1]),
    "nan": (np.array([[math.nan, 0.2], [0.1, 0.4]]), np.diag([0.5, 0.5]), JOINT, [0, 1]),
    "masses of views": (JOINT, np.diag([0.6, 0.4]), JOINT, [0, 1]),
    "masses of targets": (JOINT, np.diag([0.5, 0.5]), JOINT[:, ::-1], [0, 1]),
    "must have mass": (np.array([[0, 0], [0.4, 0.6]]), np.diag([0.0, 1.0]), np.array([[0, 0], [0.4, 0.6]]), [0, 1]),
    "integers from 0": (JOINT, np.diag([0.5, 0.5]), JOINT, [-1, 1]),
    "2 integers": (JOINT, np.diag([0.5, 0.5]), JOINT, [0]),
}


@pytest.mark.parametrize("words", BY_HAND)
def test_a_graph_built_by_hand_must_be_one_of_images(words):
    *laws, labels = BY_HAND[words]
    graph = MaskGraph(*map(sparse.csr_array, laws), np.array(labels))
    for judge in (check, certify):
        with pytest.raises(InputError, match=words):
            judge("pair-error-lower-bound", graph)
    with pytest.raises(InputError, match="sparse array"):
        check("pair-error-lower-bound", MaskGraph(JOINT, np.diag([0.5, 0.5]), JOINT, np.array([0, 1])))


def claim(**functions):
    """Claim 1 ≥ 2, with other functions on request."""
    sides = {"lhs": lambda h: 1.0, "rhs": lambda h: 2.0}
    return Theorem("own", "a >= b", "nobody", ("h",), **{**sides, **functions})


@pytest.mark.parametrize(
    "functions",
    [
        {"lhs": lambda h: Estimate(3.0, math.nan)},
        {"lhs": lambda h: Estimate(3.0, math.inf)},
        {"size": lambda h: math.inf},
        {"size": lambda h: math.nan},
        {"common": lambda h: math.inf},
    ],
)
def test_an_error_that_is_unknown_decides_nothing(functions):
    found = claim(**functions).check(PAIR, h=column(1.0, 2.0))
    assert found.verdict in {Verdict.UNDECIDED, Verdict.INAPPLICABLE}


@pytest.mark.parametrize(
    "functions", [{"lhs": lambda h: "3"}, {"assumptions": {"met": lambda h: ("no", "not met at all")}}]
)
def test_text_is_neither_a_number_nor_a_truth_value(functions):
    with pytest.raises(TypeError, match=r"must be a number|as a boolean"):
        claim(**functions).check(PAIR, h=column(1.0, 2.0))


def test_a_projection_on_nearly_dependent_features_has_an_error():
    """Both features are one up to 1e-10, so that what of h lies outside of them is known to 1e-6 only."""
    rng = np.random.default_rng(0)
    joint = rng.random((5, 4))
    graph = MaskGraph.from_joint(joint / joint.sum())
    base, tilt = rng.normal(size=(2, 5, 1))
    features = np.hstack([base, base + 1e-10 * tilt])
    theorem = THEOREMS["linear-decoder-optimum-given-features"]
    world = theorem.conform({"graph": graph, "features": features, "h": tilt})
    objects = {"features": features, "h": world["h"], "targets": rng.normal(size=(4, 1))}
    found, proved = theorem.check(graph, **objects), certify(theorem, graph, **objects)
    assert 0 < found.rhs.error < 1e-3
    assert found.rhs.low <= proved.rhs.high
    assert proved.rhs.low <= found.rhs.high
