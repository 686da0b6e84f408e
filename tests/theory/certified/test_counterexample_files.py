"""Every counterexample of the package has a file that a checker accepts; a damaged one is refused or still true."""

from __future__ import annotations

import ast
import copy
import json
import random
import re
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificate_mutations import damage
from scipy import sparse

from maetheory.core import InputError
from maetheory.core.json_documents import strict_json
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, certify
from maetheory.theory.certified import check_certificate, portable_worlds
from maetheory.theory.certified import check_counterexample as checker
from maetheory.theory.certified.certificate_files import PORTABLE_STATEMENTS, CertificateFiles, certificate_document
from maetheory.theory.certified.counterexample_files import COUNTEREXAMPLE_STATEMENTS, counterexample_document
from maetheory.theory.certified.portable_worlds import NotPortableError
from maetheory.theory.example_graphs import equal_loss_encoders

pytest.importorskip("flint")

CHECKER = Path(checker.__file__)
NOT_COVERED: dict[tuple[str, str], str] = {}
"""Counterexamples that neither checker reads, each with the reason, which docs/certificates.md repeats."""


@cache
def counterexamples() -> dict[tuple[str, str], dict[str, Any]]:
    """Worlds of the package in which a claim is proved to fail, by statement and assumption."""
    found = {}
    for slug, theorem in THEOREMS.items():
        for assumption, world in (theorem.broken() if theorem.broken else {}).items():
            certificate = certify(theorem, **world)
            if certificate.slack.high < 0:
                found[slug, assumption] = {"theorem": theorem, "world": world, "certificate": certificate}
    return found


@cache
def documents() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (slug, name): counterexample_document(one["theorem"], name, one["world"], one["certificate"])
        for (slug, name), one in counterexamples().items()
        if slug in COUNTEREXAMPLE_STATEMENTS
    }


def of(slug: str) -> dict[str, Any]:
    return next(copy.deepcopy(one) for (name, _), one in documents().items() if name == slug)


def refused(document: dict[str, Any]) -> str:
    with pytest.raises((ArithmeticError, AttributeError, LookupError, TypeError, ValueError)) as caught:
        checker.Counterexample(document).refute()
    return str(caught.value)


def test_every_counterexample_is_covered_or_named_with_a_reason():
    covered = {*PORTABLE_STATEMENTS, *COUNTEREXAMPLE_STATEMENTS}
    assert {key for key in counterexamples() if key[0] not in covered} == set(NOT_COVERED)
    page = " ".join((Path(__file__).parents[3] / "docs" / "certificates.md").read_text(encoding="utf-8").split())
    table = page.partition("## Counterexamples")[2].partition("Both checkers")[0]
    assert {name for name in re.findall(r"\| `([a-z-]+)`", table)} == set(COUNTEREXAMPLE_STATEMENTS)
    keys = {key for document in documents().values() for key in (*document, *document["world"])}
    assert all(re.search(rf"`(world\.)?{key}`", page) for key in keys - {"world"})
    assert all(f"`{slug}`" in page and reason in page for (slug, _), reason in NOT_COVERED.items())
    for (slug, name), one in counterexamples().items():
        if slug in PORTABLE_STATEMENTS:
            document = certificate_document(one["theorem"], name, one["world"], one["certificate"])
            assert (document["verdict"], document["without"]) == ("VIOLATED", [name])


def test_two_encoders_of_equal_loss_have_certificates_that_differ():
    """The example without a theorem of its own: one encoder attains the spectral bound, the other is far below it."""
    graph, *encoders = equal_loss_encoders()
    theorem, bounds = THEOREMS["spectral-features-bound-downstream-error"], []
    for features, verdict in zip(encoders, ("HOLDS", "TIGHT")):
        world = {"graph": graph, "features": features}
        document = certificate_document(theorem, "equal loss", world, certify(theorem, **world))
        assert document["verdict"] == verdict
        bounds.append([float(Fraction(end)) for end in document["rhs"]])
    np.testing.assert_allclose(bounds, 0.5, atol=1e-12)


def test_both_checkers_are_short_and_say_the_same_where_they_do_the_same():
    texts = [Path(module.__file__).read_text(encoding="utf-8") for module in (check_certificate, checker)]
    for text in texts:
        assert len(text.splitlines()) < 200
        assert max(map(len, text.splitlines())) <= 120
    nodes = list(ast.walk(ast.parse(texts[1])))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__", "float"}
    assert not any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in nodes)
    ours, theirs = (_definitions(text) for text in texts)
    shared = {name for name in ours.keys() & theirs.keys() if ours[name] == theirs[name]}
    assert shared >= {"need", "eliminate", "read", "__getattr__", "dot", "plus", "times", "shares", "diagonal", "trace"}
    assert shared >= {"norm", "distance", "distinct"}
    assert ours.keys() & theirs.keys() - shared == {"__init__", "main", "FORMULAS", "STATEMENTS", "limits"}


def _definitions(text: str) -> dict[str, str]:
    """Functions and constants of a checker by name, as their code."""
    found = {node.name: ast.dump(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            found[target.id if isinstance(target, ast.Name) else "limits"] = ast.dump(node.value)
    return found


def test_statements_and_assumptions_are_those_of_the_package():
    assert set(checker.STATEMENTS) == set(COUNTEREXAMPLE_STATEMENTS)
    assert not set(checker.STATEMENTS) & set(PORTABLE_STATEMENTS)
    for slug, text in checker.STATEMENTS.items():
        claim, *assumed = text.split("; ")
        assert claim.split()[1] == THEOREMS[slug].direction
        assert set(assumed) == set(THEOREMS[slug].assumptions)


def test_the_checker_copied_alone_accepts_what_is_written(tmp_path: Path):
    files = CertificateFiles(tmp_path)
    for (_, name), one in counterexamples().items():
        files.add(one["theorem"], name, one["world"], one["certificate"])
    assert not files.not_portable
    for folder, script in ((tmp_path, "check_certificate.py"), (files.counterexamples, "check_counterexample.py")):
        names = [path.name for path in files.written if path.parent == folder]
        command = [sys.executable, "-I", "-S", script, *names]
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert (found.returncode, found.stderr) == (0, "")
        assert len(found.stdout.splitlines()) == len(names) > 2
        assert all("accepted" in line and "VIOLATED without" in line for line in found.stdout.splitlines())


@pytest.mark.parametrize("slug", COUNTEREXAMPLE_STATEMENTS)
def test_a_formula_that_is_wrong_by_a_thousandth_is_noticed(slug: str, monkeypatch: pytest.MonkeyPatch):
    """Both implementations must agree on both sides, unless a side is only enclosed."""
    one = next(one for (name, _), one in counterexamples().items() if name == slug)
    for side in checker.STATEMENTS[slug].split("; ")[0].split()[::2]:
        right = checker.FORMULAS.get(side)
        value = right and right(checker.Counterexample(of(slug)))
        if right is None or (isinstance(value, list) and value[0] != value[1]):
            continue
        with monkeypatch.context() as patched:
            changed = lambda w, right=right: _shifted(right(w))  # noqa: E731 - the side, a thousandth off
            patched.setitem(checker.FORMULAS, side, changed)
            with pytest.raises(NotPortableError, match="in ball arithmetic"):
                counterexample_document(one["theorem"], slug, one["world"], one["certificate"])


def _shifted(value: Any) -> Any:
    shift = Fraction(1, 1000)
    return [end + shift for end in value] if isinstance(value, list) else value + shift


def matrix(rows: Any) -> list[list[str]]:
    return portable_worlds.matrix_text(np.asarray(rows, float))


WIDE = {"lhs": ["-1000", "1000"], "rhs": ["-1000", "1000"]}


def forged(statement: str, world: dict[str, Any], *without: str) -> dict[str, Any]:
    head = {"format": "maetheory counterexample", "version": 1, "statement": statement, "verdict": "VIOLATED"}
    return {**head, "without": list(without), **WIDE, "world": world}


PAIR = [["1", "0"], ["0", "1"]]
ONE_MASK = {"joint": PAIR, "h": [["1"], ["0"]], "targets": [["1"], ["0"]], "masks": [0, 0]}
FORGERIES = {
    "an average of squares that is below one": forged(
        "asymmetric-alignment-bounds-alignment", {"joint": [["1"]], "h": [["2"]], "h_g": [["3/2"]]}
    ),
    "collapsed features that differ": forged(
        "full-collapse-costs-variance-given-the-mask",
        {**ONE_MASK, "features": [["1"], ["2"]]},
        "decoder sees the mask alone",
    ),
    "predictions that differ within a mask": forged(
        "full-collapse-costs-variance-given-the-mask",
        {**ONE_MASK, "features": [["1"], ["1"]]},
        "features are collapsed",
    ),
    "too few masks": forged(
        "full-collapse-costs-variance-given-the-mask",
        {**ONE_MASK, "masks": [0], "features": [["1"], ["1"]]},
        "decoder sees the mask alone",
    ),
    "features that are not aligned": forged(
        "aligned-features-have-rank-of-components", {"joint": [["1"], ["1"]], "features": PAIR}
    ),
    "a view without mass": forged(
        "aligned-features-have-rank-of-components", {"joint": [["1"], ["0"]], "features": PAIR}
    ),
    "a target without mass": forged(
        "aligned-features-have-rank-of-components",
        {"joint": [["1", "0"], ["1", "0"]], "features": PAIR},
        "features are aligned",
    ),
    "a negative weight": forged(
        "aligned-features-have-rank-of-components",
        {"joint": [["2", "-1"], ["-1", "2"]], "features": [["1", "0"], ["0", "1"]]},
        "features are aligned",
    ),
    "features of another number of views": forged(
        "aligned-features-have-rank-of-components",
        {"joint": [["1"], ["1"]], "features": [["1", "0"], ["0", "1"], ["1", "1"]]},
        "features are aligned",
    ),
    "views that err half the time": forged(
        "votes-beat-views-when-errors-scatter", {"joint": PAIR, "labels": [0, 1], "features": [["0"], ["0"]]}
    ),
    "votes that are right": forged(
        "votes-beat-views-when-errors-scatter",
        {"joint": PAIR, "labels": [0, 1], "features": PAIR},
        "views err less than half the time",
    ),
    "a decoder that is not linear": forged(
        "linear-decoder-optimum", {"joint": PAIR, "features": [["1"], ["-1"]], "h": PAIR, "targets": PAIR}
    ),
    "a decoder of all features": forged(
        "linear-decoder-optimum", {"joint": PAIR, "features": PAIR, "h": PAIR, "targets": PAIR}, "linear decoder"
    ),
    "a view without features": forged(
        "linear-decoder-optimum", {"joint": PAIR, "features": [["1"]], "h": PAIR, "targets": PAIR}, "linear decoder"
    ),
    "a view without collapsed features": forged(
        "full-collapse-costs-variance-given-the-mask", {**ONE_MASK, "features": [["1"]]}, "decoder sees the mask alone"
    ),
    "the decoder of least squares": forged(
        "linear-decoder-optimum-given-features",
        {"joint": PAIR, "features": [["1"], ["-1"]], "h": [["1/2"], ["-1/2"]], "targets": [["1"], ["0"]]},
        "linear decoder",
    ),
    "as many components": forged(
        "mask-ratio-duality",
        {"joint": PAIR, "complement": [["1", "1", "0"], ["0", "0", "1"]]},
        "complementary mask laws of the same images",
    ),
    "mask laws that are said to be complementary": forged("mask-ratio-duality", {"joint": PAIR, "complement": [["1"]]}),
    "a component that was seen": forged("unseen-component-costs-one", {"joint": PAIR, "sampled": [["1", "0"]] * 2}),
    "the sample that is the law": forged("unseen-component-costs-one", {"joint": PAIR, "sampled": PAIR}),
    "a sample of a distance of one": forged(
        "unseen-component-costs-one", {"joint": PAIR, "sampled": [["1", "0"], ["0", "0"]]}, "the sample is a law"
    ),
    "a sample of other views": forged(
        "unseen-component-costs-one",
        {"joint": PAIR, "sampled": [["1/2", "0"], ["0", "1/2"], ["0", "0"]]},
        "a component was never seen",
    ),
    "a sample with a negative weight": forged(
        "unseen-component-costs-one",
        {"joint": PAIR, "sampled": [["1", "1/2"], ["-1", "1/2"]]},
        "a component was never seen",
    ),
    "a law that is not independent": forged("sampled-spectrum-is-biased-upward", {"joint": PAIR, "draws": 2}),
    "an independent law": forged(
        "sampled-spectrum-is-biased-upward",
        {"joint": [["1", "2"], ["2", "4"]], "draws": 3},
        "view and target are independent",
    ),
    "one draw": forged(
        "sampled-spectrum-is-biased-upward", {"joint": PAIR, "draws": 0}, "view and target are independent"
    ),
    "draws that are no number": forged(
        "sampled-spectrum-is-biased-upward", {"joint": PAIR, "draws": "2"}, "view and target are independent"
    ),
    "too many draws": forged(
        "sampled-spectrum-is-biased-upward", {"joint": PAIR, "draws": 7}, "view and target are independent"
    ),
    "images in principal components": forged(
        "gaussian-components-are-independent",
        {"factor": [["2", "2"], ["1", "-1"]], "basis": [["1", "1"], ["1", "-1"]], "visible": [True, False]},
        "principal components",
    ),
    "components that are said to be principal": forged(
        "gaussian-components-are-independent",
        {"factor": [["2", "2"], ["1", "-1"]], "basis": PAIR, "visible": [True, False]},
    ),
    "a mask of one coefficient": forged(
        "gaussian-components-are-independent",
        {"factor": [["2", "2"], ["1", "-1"]], "basis": PAIR, "visible": [True]},
        "principal components",
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_is_refused_though_its_sides_are_stated_widely(what: str):
    refused(FORGERIES[what])


@pytest.mark.parametrize("key", [*documents()] if "flint" in sys.modules else [])
def test_each_entry_of_a_counterexample_is_checked(key: tuple[str, str]):
    document = documents()[key]
    low, high = document["lhs"]
    below = str(Fraction(low) - 1)
    for change, reason in (
        ({"format": "maetheory certificate"}, "format"),
        ({"version": 2}, "format"),
        ({"verdict": "HOLDS"}, "format"),
        ({"statement": "fermat"}, "fermat"),
        ({"without": []}, "hold"),
        ({"without": ["nothing"]}, "unknown"),
        ({"lhs": [below, below]}, "side"),
        ({"lhs": [str(Fraction(high) + 1), below]}, "side"),
        ({"rhs": [str(Fraction(end) + 2) for end in document["rhs"]]}, "side"),
        ({"world": {}}, ""),
    ):
        assert reason in refused({**document, **change}), change


def test_a_wide_interval_of_a_side_is_accepted_and_a_narrow_one_is_not():
    document = of("asymmetric-alignment-bounds-alignment")
    assert "VIOLATED without 'unit norms'" in checker.Counterexample({**document, **WIDE}).refute()
    for name in ("lhs", "rhs"):
        low, high = (Fraction(end) for end in document[name])
        assert high - low < Fraction(1, 10**15)
        for narrow in ((low, low), (high, high), (high, low)):
            assert "side" in refused({**document, name: [str(end) for end in narrow]})


def still_false(document: dict[str, Any]) -> bool:
    """Return whether the package's own proof says that the claim fails in the world of an accepted file."""
    theorem, world = THEOREMS[document["statement"]], document["world"]
    arrays = {
        name: np.array([[float(Fraction(x)) for x in row] for row in rows])
        for name, rows in world.items()
        if name not in ("labels", "masks", "draws", "visible")
    }
    objects: dict[str, Any] = {name: arrays[name] for name in arrays.keys() & {*theorem.objects, *theorem.optional}}
    objects |= {name: np.array(world[name]) for name in ("masks", "visible") if name in world}
    objects |= {"draws": int(world["draws"])} if "draws" in world else {}
    if "complement" in arrays:
        objects["complement"] = MaskGraph.from_joint(arrays["complement"] / arrays["complement"].sum())
    if "labels" in world:
        views = arrays["joint"].T / arrays["joint"].sum()
        labels = np.unique(world["labels"], return_inverse=True)[1]
        by_image = sparse.csr_array(views)
        objects["graph"] = MaskGraph(sparse.csr_array(np.diag(views.sum(0))), by_image, by_image, labels)
    elif "joint" in arrays:
        objects["graph"] = MaskGraph.from_joint(arrays["joint"] / arrays["joint"].sum())
    try:
        found = certify(theorem, **objects)
    except InputError:
        return False
    failing = {assumption.name for assumption in found.assumptions if not assumption.holds}
    return bool(found.slack.low < 1e-9) and failing <= set(document["without"])


def run_mutations(number: int, seed: int, path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    rng, originals = random.Random(seed), [*documents().values()]
    counts = {"refused": 0, "no certificate": 0, "still false": 0, "unchanged": 0}
    for _ in range(number):
        original = rng.choice(originals)
        path.write_bytes(damage(original, rng))
        code = checker.main([str(path)])
        assert len(capsys.readouterr().out.splitlines()) == 1
        if code:
            counts["refused" if code == 1 else "no certificate"] += 1
            continue
        claimed = json.loads(path.read_bytes(), parse_float=str, parse_constant=str)
        same = claimed["world"] == original["world"] and claimed["without"] == original["without"]
        assert same or still_false(claimed), strict_json(claimed)
        counts["unchanged" if same else "still false"] += 1
    return counts


def test_damaged_counterexamples_are_refused_or_still_false(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    counts = run_mutations(300, 21, tmp_path / "damaged.json", capsys)
    assert counts["refused"] > 120
    assert counts["still false"] > 10
