"""What `check --certify --out` writes is accepted by the checker alone; what is damaged is refused, or still true."""

from __future__ import annotations

import ast
import json
import random
import re
import subprocess
import sys
import time
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificate_mutations import damage, still_true

from maetheory.core.json_documents import strict_json
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Verdict, certify
from maetheory.theory.certified import check_certificate as checker
from maetheory.theory.certified.certificate_files import (
    PORTABLE_STATEMENTS,
    CertificateFiles,
    NotPortableError,
    certificate_document,
)
from maetheory.theory.survey import BROKEN, survey_worlds

pytest.importorskip("flint")

CHECKER = Path(checker.__file__)
FORMULAS_OF = {slug: row[0].split()[::2] for slug, row in checker.STATEMENTS.items()}


@cache
def documents(slug: str, worlds: int, most_nodes: int = 12) -> tuple[dict[str, Any], ...]:
    """Certificates of a statement on its own worlds, on small standard ones and on some that are drawn."""
    theorem, found = THEOREMS[slug], []
    for world in survey_worlds(theorem, worlds=worlds, seed=3):
        graph = world.objects.get("graph")
        if graph is None or sum(graph.shape) <= most_nodes:
            try:
                certificate = certify(theorem, **world.objects)
                found.append(certificate_document(theorem, world.name, world.objects, certificate))
            except NotPortableError:
                continue
    return tuple(found)


def every_document(worlds: int) -> list[dict[str, Any]]:
    return [one for slug in PORTABLE_STATEMENTS for one in documents(slug, worlds)]


def run_checker(*paths: Path, script: Path = CHECKER) -> tuple[int, list[str]]:
    """Run the checker without site packages, so that it can import nothing but the standard library."""
    command = [sys.executable, "-I", "-S", str(script), *map(str, paths)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert not found.stderr
    return found.returncode, found.stdout.splitlines()


def refused(document: dict[str, Any]) -> str:
    with pytest.raises((ArithmeticError, LookupError, TypeError, ValueError)) as caught:
        checker.Certificate(document).prove()
    return str(caught.value)


def write(folder: Path, *found: dict[str, Any]) -> list[Path]:
    paths = [folder / f"{i}.json" for i in range(len(found))]
    for path, document in zip(paths, found):
        path.write_text(strict_json(document))
    return paths


def test_the_checker_is_short_and_needs_the_standard_library_only():
    text = CHECKER.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 200
    assert max(map(len, text.splitlines())) <= 120
    nodes = list(ast.walk(ast.parse(text)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported == {"fractions", "json", "math", "sys"}
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__", "float"}
    assert not any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in nodes)


def test_statements_are_those_of_the_package():
    assert set(PORTABLE_STATEMENTS) == set(checker.STATEMENTS)
    for slug, (claim, trivial, _, *assumed) in checker.STATEMENTS.items():
        theorem = THEOREMS[slug]
        assert claim.split()[1] == theorem.direction
        assert set(assumed) <= {*theorem.assumptions, "same views"}
        assert set(theorem.assumptions) - set(assumed) <= {"spectral gap"}  # without a gap its formula has no value
        assert trivial == theorem.trivial


def test_the_page_names_every_statement_and_every_key():
    page = (Path(__file__).parents[3] / "docs" / "certificates.md").read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"`([a-z0-9-]+)`(?: \([^)]*\))?[,.]",
            page.partition("The statements that it knows:")[2].partition("Of ten more")[0],
        )
    )
    assert {name for name in named if name in THEOREMS} == set(PORTABLE_STATEMENTS)
    keys = {key for document in every_document(2) for key in (*document, *document["world"])}
    for key in keys - {"world"}:
        assert re.search(rf"`(world\.)?{key}`", page), key


def test_the_checker_copied_alone_accepts_what_is_written(tmp_path: Path):
    copied = tmp_path / "check_certificate.py"
    copied.write_bytes(CHECKER.read_bytes())
    found = every_document(worlds=2)
    code, lines = run_checker(*write(tmp_path, *found), script=copied)
    assert code == 0
    assert len(lines) == len(found)
    for line, document in zip(lines, found):
        assert f"accepted: {document['statement']} {document['verdict']}" in line
    seen = {(document["statement"], document["verdict"]) for document in found}
    assert {slug for slug, _ in seen} == set(PORTABLE_STATEMENTS)
    assert {verdict for _, verdict in seen} == {"HOLDS", "TIGHT", "VACUOUS", "VIOLATED"}


@pytest.mark.slow
def test_larger_worlds_are_accepted_too():
    found = [one for slug in PORTABLE_STATEMENTS for one in documents(slug, 6, 24)]
    for document in found:
        assert checker.Certificate(document).prove().startswith(f"{document['statement']} {document['verdict']}")
        assert still_true(document), (document["statement"], document["world_name"])
    assert len(found) > 150
    assert max(len(document["world"]["joint"]) for document in found) > 12


@pytest.mark.parametrize("slug", PORTABLE_STATEMENTS)
def test_certificates_say_what_check_says(slug: str):
    found = documents(slug, 2)
    assert found
    for document in found:
        assert still_true(document), document["world_name"]


@pytest.mark.parametrize(
    ("slug", "assumption"),
    [
        ("full-collapse-costs-variance", "position-blind decoder"),
        ("full-collapse-costs-variance", "features are collapsed"),
        ("reconstruction-bounds-asymmetric-alignment", "unit norms"),
    ],
)
def test_a_claim_without_an_assumption_that_it_needs_is_violated(slug: str, assumption: str):
    (document,) = [one for one in documents(slug, 0) if one["without"] == [assumption]]
    assert document["verdict"] == "VIOLATED"
    assert "not met" in refused({**document, "without": []})
    assert "do not prove" in refused({**document, "verdict": "HOLDS"})


def test_the_blind_pair_is_written_view_by_view():
    pair = next(one for one in documents("label-error-alone-is-not-enough", 0))
    assert pair["world"]["joint"] == [["1", "0"], ["1", "0"], ["0", "1"], ["0", "1"]]
    assert pair["world"]["other"] == [["1", "0"], ["0", "1"], ["1", "0"], ["0", "1"]]
    assert pair["lhs"] == ["1/2", "1/2"]
    changed = {**pair["world"], "other": [["1", "0"], ["1", "0"], ["1", "0"], ["0", "1"]]}
    assert refused({**pair, "world": changed})


def formula_changes() -> list[tuple[str, str]]:
    return [(slug, side) for slug, sides in FORMULAS_OF.items() for side in sides if side != "zero"]


@pytest.mark.parametrize(("slug", "side"), formula_changes())
def test_a_formula_that_is_wrong_by_a_thousandth_is_noticed(slug: str, side: str, monkeypatch: pytest.MonkeyPatch):
    """The checker's formulas are an implementation of their own, compared with the package's at each certificate."""
    theorem, right = THEOREMS[slug], checker.FORMULAS[side]

    def wrong(world: Any) -> Any:
        value = right(world)
        return value + Fraction(1, 1000) if isinstance(value, Fraction) else [x + Fraction(1, 1000) for x in value]

    monkeypatch.setitem(checker.FORMULAS, side, wrong)
    worlds = [world for world in survey_worlds(theorem, worlds=2, seed=3) if world.kind != BROKEN]
    world = next(world for world in worlds if "graph" not in world.objects or sum(world.objects["graph"].shape) <= 12)
    with pytest.raises(NotPortableError, match="in ball arithmetic"):
        certificate_document(theorem, world.name, world.objects, certify(theorem, **world.objects))


def random_law(rng: np.random.Generator, n1: int, n2: int) -> np.ndarray:
    joint = rng.random((n1, n2)) * (rng.random((n1, n2)) < 0.7)
    joint[:, 0] += 0.1
    joint[0] += 0.1
    return joint


def as_text(rows: Any) -> list[list[str]]:
    return [[str(Fraction(float(x))) for x in row] for row in np.asarray(rows)]


def test_bounds_of_eigenvalues_are_accepted_only_around_them():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        joint = random_law(rng, n, 4)
        world = checker.Certificate({"world": {"joint": as_text(joint)}})
        law = joint / joint.sum()
        d1, d2 = law.sum(1), law.sum(0)
        values = np.linalg.svd(law / np.sqrt(np.outer(d1, d2)), compute_uv=False) ** 2
        values = np.pad(values, (0, max(0, n - 4)))
        bounds = as_text([[x - 1e-9, x + 1e-9] for x in values])
        found = world.eigenvalues(bounds, world.A, world.d1)
        assert all(low < x < high for (low, high), x in zip(found, values))
        for i in range(len(values)):
            for shift in (-1e-8, 1e-8):
                moved = as_text(
                    [[x + shift * (j == i) - 1e-9, x + shift * (j == i) + 1e-9] for j, x in enumerate(values)]
                )
                with pytest.raises(ArithmeticError, match="do not hold"):
                    world.eigenvalues(moved, world.A, world.d1)
        with pytest.raises(ArithmeticError, match="do not hold"):
            world.eigenvalues([*bounds, bounds[-1]], world.A, world.d1)


def test_the_complement_is_the_projector_beside_the_features():
    rng = np.random.default_rng(1)
    joint, features = random_law(rng, 6, 4), rng.normal(size=(6, 3))
    world = checker.Certificate({"world": {"joint": as_text(joint), "features": as_text(features)}})
    root = np.sqrt((joint / joint.sum()).sum(1))
    basis = np.linalg.qr(root[:, None] * features)[0]
    expected = root[:, None] * (np.eye(6) - basis @ basis.T) * root
    np.testing.assert_allclose(np.array(world.K, float), expected, atol=1e-12)
    dependent = np.column_stack([np.zeros(6), features[:, 0], 2 * features[:, 0], features])
    again = checker.Certificate({"world": {"joint": as_text(joint), "features": as_text(dependent)}})
    assert again.K == world.K


class ConvexFunction(checker.Certificate):
    """A certificate whose bound at a multiplier is a given convex function of it."""

    def __init__(self, function: Any, mu: Fraction, step: Fraction) -> None:
        super().__init__({"world": {}, "multiplier": [[str(mu), str(step)]], "bounds": [None] * 3})
        vars(self).update(function=function, K=[[0]], A=[[0]], d1=[1], p=[Fraction(1)], phi=Fraction(0))

    def eigenvalues(self, bounds: Any, symmetric: Any, scale: Any, first: int = 0) -> Any:
        value = self.function(-symmetric[0][0])
        return [(value - Fraction(1, 10**30), value + Fraction(1, 10**30))]


@pytest.mark.parametrize("minimiser", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("kink", [0.0, 2.0])
def test_the_least_value_of_a_convex_function_is_enclosed_whatever_the_multiplier(minimiser: float, kink: float):
    """Any multiplier and step give a lower bound, and a value, of the function over 0 to a thousand million."""

    def function(mu: Fraction) -> Fraction:
        x = mu - Fraction(minimiser)
        return x * x + Fraction(kink) * abs(x) + 1

    rng, decided = random.Random(0), 0
    for _ in range(200):
        mu = Fraction(max(minimiser + rng.choice((0, 1e-9, 1e-3, 1)) * rng.uniform(-1, 1), 0.0))
        step = Fraction(rng.choice((1e-12, 1e-6, 1e-2, 1)) * rng.uniform(0.1, 1))
        low, high = ConvexFunction(function, mu, step).least()
        assert low <= 1 <= high
        decided += high - low < 0.01
    assert decided > 20


def test_a_multiplier_beyond_the_range_of_the_minimum_is_cut_to_it():
    end = checker.CAP
    low, high = ConvexFunction(lambda mu: -mu, Fraction(2 * end), Fraction(1)).least()
    assert low <= -end <= high
    assert ConvexFunction(lambda mu: -mu, Fraction(0), Fraction(1)).least()[0] <= -end


@pytest.mark.parametrize(
    ("features", "labels", "verdict", "bound"),
    [
        (np.zeros((4, 1)), [0, 0, 1, 1], "TIGHT", 1.0),
        ([[1.0], [1.0], [2.0], [2.0]], [0, 0, 1, 1], "HOLDS", 0.6),
        ([[1.0], [2.0], [0.0], [0.0]], [0, 0, 0, 0], "VACUOUS", 1.0),
    ],
)
def test_where_no_pair_disagrees_the_bound_is_its_limit(features: Any, labels: list[int], verdict: str, bound: float):
    """With φ = 0 the bound falls in the multiplier without end; features of zeros span nothing."""
    theorem = THEOREMS["certificate-bounds-downstream-error"]
    joint = [[0.1, 0.1, 0.0], [0.3, 0.1, 0.0], [0.0, 0.0, 0.1], [0.0, 0.0, 0.3]]
    world = {"graph": MaskGraph.from_joint(joint, labels), "features": np.array(features)}
    certificate = certify(theorem, **world)
    document = certificate_document(theorem, "no pair disagrees", world, certificate)
    assert document["verdict"] == certificate.verdict.value == verdict
    low, high = (Fraction(end) for end in document["rhs"])
    assert high - low < Fraction(1, 10**15)
    assert abs(float(high) - bound) < 1e-15


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "other"}, "format"),
        ({"version": 2}, "format"),
        ({"statement": "fermat"}, "fermat"),
        ({"verdict": "TRUE"}, "TRUE"),
        ({"without": ["nothing"]}, "unknown"),
        ({"lhs": ["2", "1"]}, "side"),
        ({"rhs": ["1000", "1001"]}, "side"),
        ({"lhs": ["0"]}, ""),
        ({"world": {}}, "joint"),
        ({"world": None}, ""),
    ],
)
def test_a_changed_entry_is_refused(change: dict[str, Any], reason: str):
    (document, *_) = documents("reconstruction-bounds-alignment", 0)
    assert reason in refused({**document, **change})


def test_numbers_that_are_too_long_are_refused_before_work():
    """Whole numbers of a thousand digits have no denominator, and an elimination would multiply their digits."""
    (document, *_) = documents("certificate-bounds-downstream-error", 0)
    views = len(document["world"]["joint"])
    long = [["9" * 900 + str(100 + i * 12 + j) for j in range(64)] for i in range(views)]
    began = time.process_time()
    assert "the numbers are too large" in refused({**document, "world": {**document["world"], "features": long}})
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "joint",
    [
        [["1", "-1/2"], ["1", "1"]],
        [["0", "0"], ["0", "0"]],
        [["1"], ["1", "1"]],
        ["12", "34"],
        [[1, 1], [1, 1]],
        [["1e9", "1"]],
        [["1"] * 65],
        [["1"]] * 65,
        [["9" * 1001]],
        [["1/" + "9" * 999, "1/" + "7" * 999] * 30],
        [[]],
        [],
    ],
)
def test_a_joint_law_that_is_none_is_refused(joint: Any):
    (document, *_) = documents("umae-downstream-bound-exceeds-six", 0)
    refused({**document, "world": {**document["world"], "joint": joint}})


WIDE = {"lhs": ["-1000", "1000"], "rhs": ["-1000", "1000"]}
ZERO = {name: [["0"]] for name in ("h", "h_g", "targets")}


def forged(statement: str, verdict: str, world: dict[str, Any], **witnesses: Any) -> dict[str, Any]:
    head = {"format": "maetheory certificate", "version": 1, "statement": statement, "verdict": verdict, "without": []}
    return {**head, **WIDE, "world": world, **witnesses}


def test_equal_sides_neither_hold_with_slack_nor_fail():
    equal = forged("reconstruction-bounds-alignment", "TIGHT", {"joint": [["1"]], **ZERO})
    assert checker.Certificate(equal).prove().endswith("TIGHT")
    assert "do not prove" in refused({**equal, "verdict": "HOLDS"})
    assert "do not prove" in refused({**equal, "verdict": "VIOLATED"})


def test_what_is_vacuous_does_not_hold():
    vacuous = [one for one in every_document(2) if one["verdict"] == "VACUOUS"]
    assert {one["statement"] for one in vacuous} >= {"umae-bounded-by-graph-tail", "reconstruction-bounds-alignment"}
    for document in vacuous:
        assert "do not prove" in refused({**document, "verdict": "HOLDS"})


PAIR = [["1", "0"], ["1", "0"], ["0", "1"], ["0", "1"]]
SKEW = [["2", "0"], ["1", "0"], ["0", "2"], ["0", "1"]]
MIXED = {"joint": [["3", "1"], ["1", "3"]], "features": [["1"], ["1"]], "labels": [0, 1]}
SPLIT = {"h": [["1"], ["0"]], "targets": [["0"], ["1"]]}
FORGERIES = {
    "a negative weight": forged("alignment-split", "TIGHT", {"joint": [["2", "-1"], ["1", "1"]], **SPLIT}),
    "rows that are text": forged("alignment-split", "TIGHT", {"joint": ["12", "34"], **SPLIT}),
    "a view without mass": forged("alignment-split", "TIGHT", {"joint": [["0", "0"], ["1", "1"]], **SPLIT}),
    "a negative penalty": forged(
        "umae-bounded-by-graph-tail",
        "VIOLATED",
        {"joint": [["1"]], **ZERO, "features": [["1"]], "lipschitz": [["1"]], "weight": [["-1/16"]]},
        eigenvalues=[["1/2", "3/2"]],
    ),
    "an eigenvalue left out": {
        **forged("spectral-features-bound-downstream-error", "VIOLATED", MIXED, eigenvalues=[["9/10", "11/10"]]),
        "without": ["leading eigenvectors"],
    },
    "views of unequal mass": forged(
        "label-error-alone-is-not-enough",
        "VIOLATED",
        {"joint": SKEW, "features": SKEW, "other": [SKEW[0], SKEW[3], SKEW[1], SKEW[2]], "labels": [0, 0, 1, 1]},
    ),
    "other views": forged(
        "label-error-alone-is-not-enough",
        "VIOLATED",
        {"joint": PAIR, "features": PAIR, "other": [PAIR[0], PAIR[1], PAIR[0], PAIR[2]], "labels": [0, 0, 1, 1]},
    ),
    "a negative channel": forged(
        "data-processing-raises-pair-error",
        "VIOLATED",
        {"joint": PAIR, "labels": [0, 1, 0, 1], "channel": [["3/2", "-1/2"], ["1/2", "1/2"]]},
    ),
    "a channel without a row": forged(
        "data-processing-raises-pair-error",
        "TIGHT",
        {"joint": [["1", "1"], ["1", "1"]], "labels": [0, 1], "channel": [["1"]]},
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_is_refused_though_its_sides_are_stated_widely(what: str):
    refused(FORGERIES[what])


def test_a_repeated_key_is_no_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text = strict_json(documents("alignment-split", 0)[0])
    path = tmp_path / "repeated.json"
    assert check_damaged(path, text.encode(), capsys)[0] == 0
    assert check_damaged(path, (text[:-1] + ', "verdict": "TIGHT"}').encode(), capsys)[0] == 2


def test_exit_status_and_one_line_a_file(tmp_path: Path):
    (document, *_) = documents("alignment-split", 0)
    good, bad = write(tmp_path, document, {**document, "verdict": "HOLDS"})
    text = tmp_path / "text.json"
    text.write_text("no JSON")
    assert run_checker(good)[0] == 0
    assert run_checker(good, bad)[0] == 1
    code, lines = run_checker(text, bad, good, tmp_path / "missing.json", tmp_path)
    assert code == 2
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        "no certificate",
        "refused",
        "accepted",
        "no certificate",
        "no certificate",
    ]


def check_damaged(path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[int, float]:
    """Exit status of the checker for a file of this content, and the seconds it took; one line and no traceback."""
    path.write_bytes(content)
    start = time.perf_counter()
    code = checker.main([str(path)])
    seconds = time.perf_counter() - start
    assert len(capsys.readouterr().out.splitlines()) == 1
    return code, seconds


def run_mutations(number: int, worlds: int, path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Damage certificates in random ways; each is refused, or what it claims is true by the package's own check."""
    rng, originals = random.Random(20), every_document(worlds)
    counts = {"refused": 0, "no certificate": 0, "still true": 0, "unchanged": 0, "wrongly accepted": 0}
    slowest = 0.0
    for _ in range(number):
        original = rng.choice(originals)
        content = damage(original, rng)
        code, seconds = check_damaged(path, content, capsys)
        slowest = max(slowest, seconds)
        if code:
            counts["refused" if code == 1 else "no certificate"] += 1
            continue
        claimed = json.loads(content, parse_float=str, parse_constant=str)
        if {**claimed, "extra": 0} == {**original, "extra": 0}:
            counts["unchanged"] += 1
        else:
            counts["still true" if still_true(claimed) else "wrongly accepted"] += 1
            assert not counts["wrongly accepted"], content.decode()
    assert slowest < 30
    return counts


def test_damaged_certificates_are_refused_or_still_true(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    counts = run_mutations(120, 2, tmp_path / "damaged.json", capsys)
    assert counts["refused"] > 60
    assert counts["no certificate"] > 0


@pytest.mark.slow
def test_two_thousand_damaged_certificates_are_refused_or_still_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    counts = run_mutations(2000, 6, tmp_path / "damaged.json", capsys)
    print(counts)
    assert counts["refused"] > 1200
    assert counts["still true"] > 50  # the damage is not all so gross that any reader would see it


def test_verdicts_that_cannot_be_written_are_counted_with_the_reason(tmp_path: Path):
    files = CertificateFiles(tmp_path)
    for theorem in map(THEOREMS.get, ("alignment-split", "mask-ratio-duality", "pair-error-lower-bound")):
        files.add(theorem, "tight example", theorem.tight(), certify(theorem, **theorem.tight()))
    assert [path.name for path in files.written] == ["alignment-split--tight-example.json"]
    assert ": 1. No portable certificate" in str(files)
    assert "1 statement (no formulas in the checker); 1 statement (counterexamples alone)" in str(files)
    code, _ = run_checker(*files.written, script=tmp_path / "check_certificate.py")
    assert code == 0


def test_an_undecided_verdict_has_no_certificate():
    theorem = THEOREMS["alignment-split"]
    certificate = certify(theorem, **theorem.tight())
    undecided = type(certificate)(**{**vars(certificate), "verdict": Verdict.UNDECIDED})
    with pytest.raises(NotPortableError, match="UNDECIDED"):
        certificate_document(theorem, "tight example", theorem.tight(), undecided)
