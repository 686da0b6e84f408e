"""Certificates that are wrong in exactly one way, and values of single formulas: what a mistaken checker would pass."""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from maetheory.core.json_documents import strict_json
from maetheory.theory import THEOREMS, certify
from maetheory.theory.certified import check_certificate, check_counterexample
from maetheory.theory.certified.certificate_files import certificate_document
from maetheory.theory.certified.counterexample_files import _WORLDS, counterexample_document
from maetheory.theory.survey import BROKEN, STANDARD, survey_worlds

pytest.importorskip("flint")

PROVERS = {
    check_certificate: lambda file: check_certificate.Certificate(file).prove(),
    check_counterexample: lambda file: check_counterexample.Counterexample(file).refute(),
}
CHECKERS = pytest.mark.parametrize("checker", PROVERS, ids=lambda module: module.__name__.rpartition(".")[2])
WIDE = {"lhs": ["-1000", "1000"], "rhs": ["-1000", "1000"]}
TWO = [["1", "0"], ["0", "1"]]


def empty(checker: ModuleType, **world: Any) -> Any:
    """A world in a checker, without anything else."""
    made = checker.Certificate if checker is check_certificate else checker.Counterexample
    return made({"world": world})


def stated(statement: str, verdict: str, world: dict[str, Any], *without: str, **more: Any) -> dict[str, Any]:
    kind = "maetheory certificate" if statement in check_certificate.STATEMENTS else "maetheory counterexample"
    head = {"format": kind, "version": 1, "statement": statement, "verdict": verdict, "without": list(without)}
    return {**head, **WIDE, "world": world, **more}


def accepted(file: dict[str, Any]) -> bool:
    checker = check_certificate if file["format"] == "maetheory certificate" else check_counterexample
    try:
        PROVERS[checker](copy.deepcopy(file))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


@CHECKERS
def test_numbers_are_text_of_digits_and_not_too_long(checker: ModuleType):
    read = empty(checker).read
    assert read([["-3/4", "0" * 999 + "2"]]) == [[Fraction(-3, 4), 2]]
    for odd in (
        "1e5",
        "0.5",
        " 1",
        "1_0",
        "٣",
        "--1",
        "1/-2",
        "",
        "nan",
        "9" * 1001,
        "0" * 1001,
        5,
        0.5,
        None,
        ["1"],
        True,
    ):
        with pytest.raises((ArithmeticError, TypeError, ValueError)):
            read([[odd]])
    assert len(read([["1"] * 64] * 64)) == 64
    for shape in ([["1"] * 65], [["1"]] * 65, [["1"], ["1", "1"]], [["1", "1"], ["1"]], ["1"], [("1",)], [[]], []):
        with pytest.raises((ArithmeticError, LookupError)):
            read(shape)


@CHECKERS
def test_a_matrix_has_at_most_131072_bits(checker: ModuleType):
    """Bits of the common denominator, or of the largest numerator, times the number of entries."""
    read = empty(checker).read
    for text in ("1/{}", "{}", "-{}"):
        read([[text.format(2**31)] * 64] * 64)
        with pytest.raises(ArithmeticError, match="too large"):
            read([[text.format(2**32)] * 64] * 64)


@CHECKERS
def test_elimination_counts_negative_pivots_skips_zero_rows_and_refuses_zero_pivots(checker: ModuleType):
    one, half = Fraction(1), Fraction(1, 2)
    assert checker.eliminate([[one, half], [half, one]], 2) == (0, [])
    assert checker.eliminate([[-one, half], [half, one]], 2) == (1, [])
    assert checker.eliminate([[-one, half], [half, -one]], 2) == (2, [])
    assert checker.eliminate([[0 * one, 0 * one], [0 * one, -one]], 2) == (1, [])
    assert checker.eliminate([[2 * one, one], [one, one]], 1) == (0, [[half]])
    for signs in product((-1, 1), repeat=3):  # pivots of ±1, whose products are the next ones
        diagonal = [[(i == j) * sign * one for j in range(3)] for i, sign in enumerate(signs)]
        assert checker.eliminate(diagonal, 3) == (signs.count(-1), [])
    with pytest.raises(ArithmeticError, match="pivot is zero"):
        checker.eliminate([[0 * one, one], [one, 0 * one]], 2)


@CHECKERS
def test_files_of_four_mebibytes_are_read_and_every_status_is_the_worst(
    checker: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    slug = "full-collapse-costs-variance" + "-given-the-mask" * (checker is check_counterexample)
    (name, world), *_ = THEOREMS[slug].broken().items()
    make = certificate_document if checker is check_certificate else counterexample_document
    text = strict_json(make(THEOREMS[slug], name, world, certify(THEOREMS[slug], **world)))
    contents = {
        "good": text,
        "full": text.rjust(2**22),
        "wrong": text.replace("VIOLATED", "HOLDS"),
        "long": text.rjust(2**22 + 1),
        "twice": text[:-1] + ', "version": 1}',
        "list": "[]",
    }
    paths = {}
    for key, content in contents.items():
        paths[key] = str(tmp_path / f"{key}.json")
        Path(paths[key]).write_text(content)
    statuses = {"good": 0, "full": 0, "wrong": 1, "long": 2, "twice": 2, "list": 1}
    assert {key: checker.main([path]) for key, path in paths.items()} == statuses
    assert checker.main([]) == 0
    assert checker.main([paths["good"], paths["wrong"], paths["good"]]) == 1
    assert checker.main([paths["long"], paths["wrong"]]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 + 3 + 2
    assert [line.split(": ")[1] for line in lines[:4]] == ["accepted", "accepted", "refused", "no certificate"]


def small_documents(slug: str) -> list[dict[str, Any]]:
    found = []
    for world in survey_worlds(THEOREMS[slug], worlds=3, seed=5):
        graph = world.objects.get("graph")
        if world.kind != BROKEN and (graph is None or sum(graph.shape) <= 10):
            certificate = certify(THEOREMS[slug], **world.objects)
            try:
                found.append(certificate_document(THEOREMS[slug], world.name, world.objects, certificate))
            except ValueError:
                continue
    return found


@pytest.mark.parametrize("slug", check_certificate.STATEMENTS)
def test_a_verdict_is_not_exchanged_for_another(slug: str):
    """Sides that are clearly apart prove one verdict."""
    for document in small_documents(slug):
        (_, l1), (r0, _) = ([Fraction(end) for end in document[side]] for side in ("lhs", "rhs"))
        wrong = {"HOLDS", "VACUOUS", "TIGHT", "VIOLATED"} - {document["verdict"]}
        if document["verdict"] == "TIGHT" or abs(l1 - r0) < Fraction(1, 10**6):
            wrong = {"VIOLATED"}
        for verdict in wrong:
            assert not accepted({**document, "verdict": verdict}), (document["world_name"], verdict)


SCALES = {
    "alignment-split": 0,
    "reconstruction-bounds-alignment": 0,
    "reconstruction-bounds-asymmetric-alignment": 1,
    "full-collapse-costs-variance": 0,
    "umae-bounded-by-graph-tail": 0,
    "umae-downstream-bound-exceeds-six": 1,
    "spectral-features-bound-downstream-error": 1,
    "certificate-bounds-downstream-error": 1,
    "label-error-alone-is-not-enough": 1,
    "data-processing-shrinks-spectrum": 1,
    "data-processing-raises-pair-error": 1,
}


@pytest.mark.parametrize("slug", check_certificate.STATEMENTS)
def test_equality_is_up_to_a_tenth_of_a_thousand_millionth_of_the_scale(slug: str):
    """A small side is compared with 1 where the statement is about probabilities, and with itself where it is not."""
    claim = check_certificate.STATEMENTS[slug][0].split()
    for value, scale in ((Fraction(1, 1000), max(Fraction(SCALES[slug]), Fraction(1, 1000))), (Fraction(500), 500)):
        for part, tight in ((Fraction(9, 10), True), (Fraction(11, 10), False)):
            file = stated(slug, "TIGHT", {}, *check_certificate.STATEMENTS[slug][3:])
            for sign in (1, -1):
                world = check_certificate.Certificate(file)
                sides = {claim[0]: value, claim[2]: value + sign * part * scale / 10**10}
                vars(world).update(sides)
                if tight:
                    assert world.prove()
                else:
                    with pytest.raises(ArithmeticError, match="do not prove"):
                        world.prove()


NEAR = {"joint": [["1"], ["1"]], "other": [["1"], ["2"]], "features": [["1"], ["1"]], "labels": [0, 0]}
PAIR = [["1", "0"], ["1", "0"], ["0", "1"], ["0", "1"]]
CROSSED = [PAIR[0], PAIR[2], PAIR[1], PAIR[3]]
LABELS = {"labels": [0, 0, 1, 1]}
THREE = {
    "joint": [["1"], ["1"], ["1"]],
    "targets": [["0"]],
    "h_g": [["0"]],
    "h": [["0"], ["1"], ["3"]],
    "features": [["0"], ["1"], ["2"]],
    "weight": [["1/4"]],
    "lipschitz": [["1"]],
}
THREE_SPECTRUM = {"eigenvalues": [["9/10", "11/10"], ["-1/10", "1/10"], ["-1/10", "1/10"]]}
BLIND, SAME = "label-error-alone-is-not-enough", "same views"
TAIL, CHANNEL = "umae-bounded-by-graph-tail", "data-processing-raises-pair-error"


def mixing(share: Fraction) -> dict[str, Any]:
    return {"joint": TWO, "labels": [0, 1], "channel": [[str(1 - share), str(share)], [str(share), str(1 - share)]]}


PAIRS_OF_FILES = {
    "an identity that fails from above": (stated(BLIND, "VIOLATED", NEAR, SAME), stated(BLIND, "HOLDS", NEAR, SAME)),
    "the difference of the residuals has a sign": (
        stated(BLIND, "TIGHT", {"joint": PAIR, "features": PAIR, "other": CROSSED, **LABELS}),
        stated(BLIND, "TIGHT", {"joint": CROSSED, "features": CROSSED, "other": PAIR, **LABELS}, SAME),
    ),
    "one pair of views that a decoder brings too close": (
        stated(TAIL, "VACUOUS", THREE, **THREE_SPECTRUM),
        stated(TAIL, "VACUOUS", {**THREE, "h": [["0"], ["1"], ["1/2"]]}, **THREE_SPECTRUM),
    ),
    "a pair error that differs by more than a tenth of a thousand millionth": (
        stated(CHANNEL, "TIGHT", mixing(Fraction(4, 10**11))),
        stated(CHANNEL, "TIGHT", mixing(Fraction(75, 10**12))),
    ),
    "a target that is missing": (
        stated("alignment-split", "TIGHT", {"joint": TWO, "h": [["0"], ["1"]], "targets": [["0"], ["1"]]}),
        stated("alignment-split", "TIGHT", {"joint": TWO, "h": [["0"], ["1"]], "targets": [["0"]]}),
    ),
    "a prediction that is missing": (
        stated("reconstruction-bounds-alignment", "HOLDS", {**THREE, "targets": [["9"]], "h_g": [["9"]]}),
        stated("reconstruction-bounds-alignment", "HOLDS", {**THREE, "h": [["0"]], "targets": [["9"]], "h_g": [["9"]]}),
    ),
    "a column of predictions without a target": (
        stated("alignment-split", "TIGHT", {"joint": TWO, "h": TWO, "targets": TWO}),
        stated("alignment-split", "TIGHT", {"joint": TWO, "h": TWO, "targets": [["0"], ["1"]]}),
    ),
    "a weight that is slightly negative": (
        stated(
            "asymmetric-alignment-bounds-alignment",
            "VIOLATED",
            {"joint": [["2", "1/2"], ["1/2", "2"]], "h": [["1"], ["1"]], "h_g": [["2"], ["2"]]},
            "unit norms",
        ),
        stated(
            "asymmetric-alignment-bounds-alignment",
            "VIOLATED",
            {"joint": [["2", "-1/2"], ["-1/2", "2"]], "h": [["1"], ["1"]], "h_g": [["2"], ["2"]]},
            "unit norms",
        ),
    ),
    "a side that is on the right side of the other": (
        stated(
            "aligned-features-have-rank-of-components",
            "VIOLATED",
            {"joint": [["1"], ["1"]], "features": TWO},
            "features are aligned",
        ),
        stated(
            "aligned-features-have-rank-of-components",
            "VIOLATED",
            {"joint": TWO, "features": [["1"], ["1"]]},
            "features are aligned",
        ),
    ),
    "a left side that is larger where it may be": (
        stated(
            "linear-decoder-optimum-given-features",
            "VIOLATED",
            {"joint": TWO, "features": [["1"], ["-1"]], "h": TWO, "targets": TWO},
            "linear decoder",
        ),
        stated(
            "linear-decoder-optimum-given-features",
            "VIOLATED",
            {"joint": TWO, "features": TWO, "h": [["9", "0"], ["0", "9"]], "targets": TWO},
            "linear decoder",
        ),
    ),
    "a label too many": (
        stated(
            "votes-beat-views-when-errors-scatter",
            "VIOLATED",
            {"joint": TWO, "labels": [0, 1], "features": [["0"], ["0"]]},
            "views err less than half the time",
        ),
        stated(
            "votes-beat-views-when-errors-scatter",
            "VIOLATED",
            {"joint": TWO, "labels": [0, 1, 0], "features": [["0"], ["0"]]},
            "views err less than half the time",
        ),
    ),
    "a sample that is no law": (
        stated(
            "unseen-component-costs-one",
            "VIOLATED",
            {"joint": [["2", "0"], ["0", "1"]], "sampled": [["1/2", "0"], ["0", "1/2"]]},
            "a component was never seen",
        ),
        stated(
            "unseen-component-costs-one",
            "VIOLATED",
            {"joint": [["2", "0"], ["0", "1"]], "sampled": [["1", "0"], ["0", "1"]]},
            "a component was never seen",
        ),
    ),
}
"""A true certificate, and a false one that differs from it in one entry or two."""


@pytest.mark.parametrize("what", PAIRS_OF_FILES)
def test_the_true_one_is_accepted_and_the_false_one_refused(what: str):
    true, false = PAIRS_OF_FILES[what]
    assert accepted(true)
    assert not accepted(false)


def test_features_are_leading_eigenvectors_up_to_ten_to_the_minus_22():
    """What the features miss of the eigenvalues counts 10¹¹ times, so that a nudge of 1e-7 is too much."""
    tiny = Fraction(1, 10**40)
    bounds = [[str(value - tiny), str(value + tiny)] for value in (Fraction(1), Fraction(1, 4))]
    for nudge, fine in ((Fraction(0), True), (Fraction(1, 10**12), True), (Fraction(1, 10**7), False)):
        world = empty(check_certificate, joint=[["3", "1"], ["1", "3"]], features=[["1"], [str(1 + nudge)]])
        world.file["eigenvalues"] = bounds
        assert (getattr(world, "leading eigenvectors") >= -Fraction(1, 10**11)) == fine


def test_rounding_widens_the_bounds_of_eigenvalues_by_what_weyl_says():
    world = empty(check_certificate, joint=[["1", "0"], ["0", "3"]])
    bounds = [["9/10", "11/10"], ["9/10", "11/10"]]
    off = Fraction(2, 2**256) / Fraction(1, 4)
    assert world.eigenvalues(bounds, world.A, world.d1)[0] == (Fraction(9, 10) - off, Fraction(11, 10) + off)


def test_roots_are_enclosed():
    root, above = check_counterexample.root(Fraction(2, 9)), check_counterexample.above(Fraction(2, 9))
    assert root**2 < Fraction(2, 9) < above**2
    assert above - root == Fraction(1, 2**256)
    assert check_counterexample.root(Fraction(4, 9)) <= Fraction(2, 3) < check_counterexample.above(Fraction(4, 9))


@pytest.mark.parametrize("slug", check_counterexample.STATEMENTS)
def test_sides_of_worlds_where_the_claim_holds_are_those_of_the_package(slug: str):
    """Counterexamples alone leave parts of a formula at zero; in standard worlds votes tie up to rounding."""
    claim = check_counterexample.STATEMENTS[slug].split("; ")[0].split()
    compared = 0
    for world in survey_worlds(THEOREMS[slug], worlds=4, seed=2):
        graph = world.objects.get("graph")
        if world.kind == STANDARD or (graph is not None and sum(graph.shape) > 40):
            continue
        found, proof = (
            certify(THEOREMS[slug], **world.objects),
            empty(check_counterexample, **_WORLDS[slug](world.objects)),
        )
        for name, own in ((claim[0], found.lhs), (claim[2], found.rhs)):
            try:
                value = getattr(proof, name)
            except ArithmeticError:
                continue
            low, high = value if isinstance(value, list) else (value, value)
            assert float(low) <= own.high + 1e-9 * (1 + abs(own.high)), (world.name, name)
            assert own.low <= float(high) + 1e-9 * (1 + abs(own.low)), (world.name, name)
            compared += 1
    assert compared >= 2


def test_assumptions_of_samples_and_draws_hold_up_to_their_edge():
    law = {"joint": TWO}
    for excess, holds in ((0, True), (9, True), (-9, True), (11, False), (-11, False)):
        weight = str(Fraction(1, 2) + Fraction(excess, 2 * 10**10))
        sample = empty(check_counterexample, **law, sampled=[[weight, "0"], ["0", weight]])
        assert (getattr(sample, "the sample is a law") >= 0) == holds, excess
    for sampled, unseen in (
        ([["1", "0"], ["0", "0"]], 0),
        ([["1", "0"], ["0", "1"]], -1),
        ([["0", "1"], ["0", "0"]], -1),
    ):
        assert getattr(empty(check_counterexample, **law, sampled=sampled), "a component was never seen") == unseen
    three = [["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]]
    alone = empty(check_counterexample, joint=three, sampled=[["1", "0", "0"], ["0", "0", "0"], ["0", "0", "0"]])
    assert getattr(alone, "a component was never seen") == 1
    for draws, margin in ((1, -1), (2, 0), (3, 1)):
        assert getattr(empty(check_counterexample, draws=draws), "there are two draws or more") == margin
    for joint, margin in (([["1", "2"], ["2", "4"]], 0), ([["1", "2"], ["2", "3"]], -1)):
        assert getattr(empty(check_counterexample, joint=joint), "view and target are independent") == margin
    for labels, margin in (([0, 1], 0), ([0, 0], 0)):
        votes = empty(check_counterexample, joint=TWO, labels=labels, features=TWO)
        assert getattr(votes, "views err less than half the time") == margin
    tied = empty(
        check_counterexample, joint=[["1", "0"], ["0", "1"], ["0", "2"]], labels=[0, 1], features=[["1"], ["0"], ["0"]]
    )
    assert tied.e == Fraction(3, 4)
    assert getattr(tied, "views err less than half the time") == -1


def test_the_range_of_multipliers_is_the_one_of_the_page():
    page = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text(encoding="utf-8")
    assert "from 0 to 10²⁰" in page
    assert check_certificate.CAP == 10**20
    assert np.log2(check_certificate.MAX_BYTES) == np.log2(check_counterexample.MAX_BYTES) == 22
