"""Every scale and size is the sum of what cancels, written out: each term is there, with its factor and sign."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS
from maetheory.theory.certified.balls import precision
from maetheory.theory.certified.certificate import _to_balls
from maetheory.theory.certified.sides_by_slug import CERTIFIED_SIDES
from maetheory.theory.statements.spectral_contrast_is_factorisation import minimiser
from maetheory.theory.theorem_objects import call_with_named_objects

LIPSCHITZ, WEIGHT, DISTORTION = 1.7, 0.6, 0.35


def world():
    """Objects of a graph of two components, four views and three targets, each with a size of its own."""
    rng = np.random.default_rng(4)
    joint = np.array([[0.2, 0.05, 0.0], [0.1, 0.15, 0.0], [0.0, 0.0, 0.3], [0.0, 0.0, 0.2]])
    images = rng.normal(size=(6, 3)) + 1
    return {
        "graph": MaskGraph.from_joint(joint, [0, 1, 0, 1]),
        "features": 3 * rng.normal(size=(4, 2)) + 0.3,
        "h": 0.7 * rng.normal(size=(4, 2)) + 1,
        "h_g": 5 * rng.normal(size=(3, 2)),
        "targets": 11 * rng.normal(size=(3, 2)),
        "images": images,
        "visible": np.array([True, False, True]),
        "encoder": rng.normal(size=(2, 3)),
        "decoder": rng.normal(size=(3, 2)),
        "weights": rng.normal(size=(3, 3)),
        "mask_law": np.array([0.3, 0.7]),
        "patches": np.array([0, 1, 0]),
        "mask_probability": 0.6,
        "lipschitz": LIPSCHITZ,
        "weight": WEIGHT,
        "distortion": DISTORTION,
        "classes": 3,
    }


def energies(w):
    """Mean squares and losses by loops over views, targets and pairs."""
    joint = w["graph"].joint.toarray()
    d1, d2 = joint.sum(1), joint.sum(0)
    pairs = joint @ np.diag(1 / d2) @ joint.T
    n1, n2 = range(len(d1)), range(len(d2))
    f, h, g, x = w["features"], w["h"], w["h_g"], w["targets"]
    images, masks = w["images"], np.array([[True, False, True], [False, True, True]])
    parts = [([0, 1], [0, 1]), ([2, 3], [2])]  # views and targets of each component
    means = [np.average(x[targets], axis=0, weights=d2[targets]) for _, targets in parts]
    own_means = [np.average(f[views], axis=0, weights=d1[views]) for views, _ in parts]
    return SimpleNamespace(
        near_h=sum(d1[i] * ((h[i] - mean) ** 2).sum() for (views, _), mean in zip(parts, means) for i in views),
        near_x=sum(d2[j] * ((x[j] - mean) ** 2).sum() for (_, targets), mean in zip(parts, means) for j in targets),
        near_g=sum(d2[j] * ((g[j] - mean) ** 2).sum() for (_, targets), mean in zip(parts, means) for j in targets),
        near_f=sum(d1[i] * ((f[i] - mean) ** 2).sum() for (views, _), mean in zip(parts, own_means) for i in views),
        f=sum(d1[i] * (f[i] ** 2).sum() for i in n1),
        h=sum(d1[i] * (h[i] ** 2).sum() for i in n1),
        g=sum(d2[j] * (g[j] ** 2).sum() for j in n2),
        x=sum(d2[j] * (x[j] ** 2).sum() for j in n2),
        pull=sum(pairs[i, k] * ((f[i] - f[k]) ** 2).sum() for i in n1 for k in n1),
        push=sum(pairs[i, k] * ((h[i] - h[k]) ** 2).sum() for i in n1 for k in n1),
        agree=sum(pairs[i, k] * h[i] @ h[k] for i in n1 for k in n1),
        miss=sum(d2[j] * ((g[j] - x[j]) ** 2).sum() for j in n2),
        loss=sum(joint[i, j] * ((h[i] - x[j]) ** 2).sum() for i in n1 for j in n2),
        spread=sum(d1[i] * d1[k] * (f[i] @ f[k]) ** 2 for i in n1 for k in n1),
        frobenius=sum(pairs[i, k] ** 2 / (d1[i] * d1[k]) for i in n1 for k in n1),
        images=(images**2).sum() / len(images),
        rebuilt=sum(((w["decoder"] @ (w["encoder"] @ (image * w["visible"]))) ** 2).sum() for image in images) / 6,
        shared=[
            sum(q * ((w_ @ (image * m)) ** 2).sum() for q, m in zip(w["mask_law"], masks) for image in images) / 6
            for w_ in (w["weights"], w["decoder"] @ w["encoder"])
        ],
        all_pixels=[
            sum(
                (0.6 if hides[0] else 0.4)
                * (0.6 if hides[1] else 0.4)
                * ((w_ @ (image * ~hides[[0, 1, 0]])) ** 2).sum()
                for hides in np.array([[False, False], [False, True], [True, False], [True, True]])
                for image in images
            )
            / 6
            for w_ in (w["weights"], w["decoder"] @ w["encoder"])
        ],
    )


STRETCH = 2 * LIPSCHITZ * WEIGHT
ONE = (lambda e: 1.0, None, None)
PROBE = (None, lambda e: 1.0, None)
REBUILT = (None, lambda e: e.h + e.x, None)
NOTHING = (None, None, None)
CONTRAST = (lambda e: e.frobenius + e.f**2, None, None)
RATE = (lambda e: e.f / DISTORTION, None, None)

# Scale, size and common term of each theorem, by its slug.
EXPECTED = {
    "reconstruction-bounds-asymmetric-alignment": (lambda e: 1 + e.h + e.g + e.x, None, None),
    "asymmetric-alignment-bounds-alignment": (lambda e: 1 + e.agree + e.g, lambda e: 1 + e.h + e.g, None),
    "reconstruction-bounds-alignment": (lambda e: e.push / 4 + e.miss, lambda e: e.h + e.g + e.x, None),
    "reconstruction-bounds-encoder-alignment": (
        lambda e: e.pull / (4 * LIPSCHITZ) + e.miss,
        lambda e: e.h + e.g + e.x + e.f / LIPSCHITZ,
        None,
    ),
    "full-collapse-costs-variance": REBUILT,
    "full-collapse-costs-variance-given-the-mask": REBUILT,
    "spectral-contrast-is-factorisation": CONTRAST,
    "spectral-contrast-is-bounded-by-eigenvalues": CONTRAST,
    "umae-bounds-spectral-contrast": (
        lambda e: e.pull / (4 * LIPSCHITZ) + e.miss,
        lambda e: e.h + e.g + e.x + e.f / (2 * LIPSCHITZ),
        lambda e: WEIGHT * e.spread,
    ),
    "umae-bounded-by-graph-tail": NOTHING,
    "factorisation-bounds-probe-residual": PROBE,
    "probe-residual-bounds-view-error": PROBE,
    "probe-residual-bounds-image-error": PROBE,
    "umae-bounds-downstream-error": NOTHING,
    "umae-downstream-bound-exceeds-six": NOTHING,
    "pair-error-bounded-by-label-errors": NOTHING,
    "alignment-split": REBUILT,
    "reconstruction-bounds-encoder-alignment-sharply": (None, lambda e: e.h + e.x + e.f / LIPSCHITZ, None),
    "excess-factorisation-bounded-by-umae": (
        lambda e: e.frobenius + 2 * LIPSCHITZ * STRETCH * e.loss + 2 * STRETCH * e.f + (STRETCH * e.f) ** 2,
        None,
        None,
    ),
    "irreducible-split": REBUILT,
    "perfect-alignment-is-constant-on-components": (None, lambda e: e.h, None),
    "constant-on-components-is-perfect-alignment": (None, lambda e: e.h, None),
    "aligned-features-have-rank-of-components": NOTHING,
    "effective-rank-of-the-minimiser-grows": NOTHING,
    "participation-ratio-of-the-minimiser-grows": NOTHING,
    "stable-rank-of-the-minimiser-grows": NOTHING,
    "spectral-features-bound-downstream-error": PROBE,
    "excess-loss-bounds-downstream-error": PROBE,
    "certificate-bounds-downstream-error": PROBE,
    "votes-beat-views-when-errors-scatter": NOTHING,
    "label-error-alone-is-not-enough": ONE,
    "pair-error-lower-bound": NOTHING,
    "data-processing-shrinks-spectrum": ONE,
    "channels-on-both-sides-shrink-singular-values": ONE,
    "data-processing-raises-pair-error": NOTHING,
    "linear-decoder-optimum": REBUILT,
    "linear-decoder-optimum-given-features": REBUILT,
    "linear-decoder-loss": (lambda e: e.h + e.x, None, None),
    "linear-mae-optimum": (None, lambda e: e.images + e.rebuilt, None),
    "shared-linear-mae-optimum": (None, lambda e: e.images + e.shared[0], None),
    "shared-linear-mae-bounded-mask-by-mask": (None, lambda e: e.images + e.shared[1], None),
    "all-pixel-linear-mae-loss": (None, lambda e: e.images + e.all_pixels[0], None),
    "all-pixel-linear-mae-optimum": (None, lambda e: e.images + e.all_pixels[1], None),
    "uniformity-approximates-coding-rate": RATE,
    "uniformity-approximates-coding-rate-from-above": RATE,
    "mask-ratio-duality": ONE,
    "label-error-grows-with-mask-ratio": NOTHING,
    "sampled-spectrum-concentrates": ONE,
    "unseen-component-costs-one": NOTHING,
    "sampled-spectrum-is-biased-upward": ONE,
    "downstream-error-averages-over-components": PROBE,
    "gaussian-components-are-independent": ONE,
    "correlated-coefficients-of-gaussians-are-predictable": NOTHING,
}


RATE_OF_BALLS = (lambda e: e.f / DISTORTION, None)
SPLIT = (lambda e: e.near_h + e.near_x, lambda e: e.h + e.x)
SPLIT_BY_FEATURES = (
    lambda e: e.near_h + e.near_x + e.near_f / LIPSCHITZ,
    lambda e: e.h + e.x + e.f / LIPSCHITZ,
)
UMAE = (
    lambda e: e.near_h + e.near_x + e.near_g + e.near_f / (2 * LIPSCHITZ),
    lambda e: e.h + e.x + e.g + e.f / LIPSCHITZ,
)


def excess(e):
    """Terms of the excess, rebuilt from predictions without their offsets."""
    rebuilt = 2 * LIPSCHITZ * STRETCH * (e.near_h + e.near_x)
    return e.frobenius + rebuilt + 2 * STRETCH * e.f + (STRETCH * e.f) ** 2


SHARE, PART = (None, lambda e: 1.0), (lambda e: 1.0, None)

# Scale and size of each theorem in balls: equality is relative to the one, the cost of an assumption to the other.
OF_BALLS = {
    "reconstruction-bounds-asymmetric-alignment": (lambda e: 1 + e.h + e.x + e.g, None),
    "asymmetric-alignment-bounds-alignment": (lambda e: 1 + e.h + e.g, None),
    "reconstruction-bounds-alignment": (
        lambda e: e.near_h + e.near_x + e.near_g,
        lambda e: e.h + e.x + e.g,
    ),
    "reconstruction-bounds-encoder-alignment": (
        lambda e: e.near_h + e.near_x + e.near_g + e.near_f / LIPSCHITZ,
        UMAE[1],
    ),
    "full-collapse-costs-variance": (None, lambda e: e.h + e.x),
    "full-collapse-costs-variance-given-the-mask": (None, lambda e: e.h + e.x),
    "spectral-contrast-is-factorisation": CONTRAST[:2],
    "spectral-contrast-is-bounded-by-eigenvalues": CONTRAST[:2],
    "umae-bounds-spectral-contrast": UMAE,
    "umae-bounded-by-graph-tail": UMAE,
    "umae-bounds-downstream-error": (None, None),
    "umae-downstream-bound-exceeds-six": (None, None),
    "factorisation-bounds-probe-residual": SHARE,
    "probe-residual-bounds-view-error": SHARE,
    "probe-residual-bounds-image-error": SHARE,
    "pair-error-bounded-by-label-errors": SHARE,
    "alignment-split": SPLIT,
    "irreducible-split": SPLIT,
    "reconstruction-bounds-encoder-alignment-sharply": SPLIT_BY_FEATURES,
    "effective-rank-grows-with-uniformity": SPLIT_BY_FEATURES,
    "excess-factorisation-bounded-by-umae": (
        excess,
        lambda e: excess(e) + 4 * LIPSCHITZ**2 * WEIGHT * (e.h + e.x),
    ),
    "perfect-alignment-is-constant-on-components": (None, lambda e: e.h),
    "constant-on-components-is-perfect-alignment": (None, lambda e: e.h),
    "aligned-features-have-rank-of-components": (None, None),
    "spectral-features-bound-downstream-error": SHARE,
    "excess-loss-bounds-downstream-error": SHARE,
    "certificate-bounds-downstream-error": SHARE,
    "votes-beat-views-when-errors-scatter": SHARE,
    "label-error-alone-is-not-enough": PART,
    "pair-error-lower-bound": PART,
    "data-processing-shrinks-spectrum": PART,
    "channels-on-both-sides-shrink-singular-values": PART,
    "data-processing-raises-pair-error": SHARE,
    "linear-decoder-optimum": (None, lambda e: e.h + e.x),
    "linear-decoder-optimum-given-features": (None, lambda e: e.h + e.x),
    "linear-decoder-loss": (lambda e: e.h + e.x, None),
    "linear-mae-optimum": (lambda e: e.images + e.rebuilt, None),
    "shared-linear-mae-optimum": (lambda e: e.images + e.shared[0], None),
    "shared-linear-mae-bounded-mask-by-mask": (lambda e: e.images + e.shared[1], None),
    "all-pixel-linear-mae-loss": (lambda e: e.images + e.all_pixels[0], None),
    "all-pixel-linear-mae-optimum": (lambda e: e.images + e.all_pixels[1], None),
    "uniformity-approximates-coding-rate": RATE_OF_BALLS,
    "uniformity-approximates-coding-rate-from-above": RATE_OF_BALLS,
    "mask-ratio-duality": PART,
    "label-error-grows-with-mask-ratio": SHARE,
    "sampled-spectrum-concentrates": PART,
    "unseen-component-costs-one": PART,
    "sampled-spectrum-is-biased-upward": PART,
    "downstream-error-averages-over-components": SHARE,
    "gaussian-components-are-independent": PART,
}


def objects_of(slug):
    """Objects that the theorem takes, with its two masks where it takes a law of masks."""
    theorem, objects = THEOREMS[slug], world()
    if "mask_law" in theorem.objects:
        objects["visible"] = np.array([[True, False, True], [False, True, True]])
    taken = ("graph", *theorem.objects, *theorem.optional)
    return {name: value for name, value in objects.items() if name in taken}


@pytest.mark.parametrize("slug", OF_BALLS)
def test_what_cancels_is_measured_by_its_terms_in_balls(slug):
    objects, terms, sides = objects_of(slug), energies(world()), CERTIFIED_SIDES[slug]
    with precision(106):
        balls = _to_balls(objects, objects, {})
        if "weights" not in balls and "encoder" in balls:
            balls["weights"] = balls["decoder"] * balls["encoder"]
        for function, expected in zip((sides.scale, sides.size), OF_BALLS[slug], strict=True):
            assert (function is None) == (expected is None)
            if function is not None:
                assert float(call_with_named_objects(function, balls)) == pytest.approx(expected(terms), rel=1e-12)


def test_every_theorem_with_a_scale_is_in_a_table():
    assert {slug for slug, theorem in THEOREMS.items() if theorem.scale or theorem.size} <= set(EXPECTED) | {
        "effective-rank-grows-with-uniformity"
    }
    assert {slug for slug, sides in CERTIFIED_SIDES.items() if sides.scale or sides.size} <= set(OF_BALLS)


@pytest.mark.parametrize("slug", EXPECTED)
def test_what_cancels_is_measured_by_its_terms(slug):
    theorem, objects, terms = THEOREMS[slug], objects_of(slug), energies(world())
    for function, expected in zip((theorem.scale, theorem.size, theorem.common), EXPECTED[slug], strict=True):
        assert (function is None) == (expected is None)
        if function is not None:
            found = abs(float(call_with_named_objects(function, objects)))
            assert found == pytest.approx(expected(terms), rel=1e-12)


@pytest.mark.parametrize("slug", [s for s, t in THEOREMS.items() if isinstance(t.trivial, float)])
def test_a_trivial_bound_that_is_a_number_is_that_of_a_loss_or_of_a_share(slug):
    """Losses and errors are not negative; shares, label errors and differences of singular values are at most one."""
    assert THEOREMS[slug].trivial == {">=": 0.0, "<=": 1.0}[THEOREMS[slug].direction]


def labelled():
    """Graph of three images of two classes that share views and targets, so that no label error is zero."""
    rng = np.random.default_rng(8)
    law = rng.random((3, 4, 3)) ** 2 + 1e-3
    law /= law.sum()
    return MaskGraph(*(sparse.csr_array(law.sum(axis)) for axis in (0, 2, 1)), np.array([0, 1, 1])), law


def test_bounds_on_errors_are_two_and_four_times_that_on_the_residual():
    graph, law = labelled()
    views = law.sum(2)
    mislabelled = sum(min(views[0, i], views[1:, i].sum()) for i in range(4))
    for slug in ("spectral-features", "excess-loss", "certificate"):
        theorem = next(t for name, t in THEOREMS.items() if name.startswith(f"{slug}-bound"))
        features = minimiser(graph, 2) if slug == "spectral-features" else world()["features"]
        found = theorem.check(graph, features=features)
        terms = {name: value for name, value in found.terms.items() if name != "excess"}
        bound = float(found.rhs)
        assert terms == pytest.approx(
            {
                "residual bound": bound,
                "view error bound": 2 * bound,
                "image error bound": 4 * bound + 2 * mislabelled,
            }
        )


def test_terms_of_label_errors_are_those_of_the_law():
    graph, law = labelled()
    views, targets = law.sum(2), law.sum(1)
    alpha, alpha2 = (sum(min(side[0, i], side[1:, i].sum()) for i in range(side.shape[1])) for side in (views, targets))
    labels, joint = (views[1:].sum(0) > views[0]).astype(int), law.sum(0)
    phi = sum(
        joint[i, j] * joint[k, j] / joint[:, j].sum()
        for i in range(4)
        for k in range(4)
        for j in range(3)
        if labels[i] != labels[k]
    )
    found = THEOREMS["pair-error-bounded-by-label-errors"].check(graph)
    assert found.terms == pytest.approx({"phi": phi, "alpha": alpha, "alpha2": alpha2})
    assert float(found.rhs) == pytest.approx(2 * alpha + 2 * alpha2)


def test_terms_of_the_tail_are_parts_of_its_two_sides():
    graph, objects = world()["graph"], objects_of("umae-bounded-by-graph-tail")
    found = THEOREMS["umae-bounded-by-graph-tail"].check(**objects)
    e, per_square = energies(world()), 1 / (16 * LIPSCHITZ**2 * WEIGHT)
    head = (np.linalg.eigvalsh(graph.augmentation.toarray())[::-1][:2] ** 2).sum()
    assert found.terms == pytest.approx(
        {
            "printed tail": per_square * (e.frobenius - head),
            "constant": -per_square * e.frobenius,
            "epsilon": e.miss,
            "head": per_square * head,
        }
    )
    assert float(found.rhs) == pytest.approx(-per_square * head - e.miss)
