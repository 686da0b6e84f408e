"""Random damage to certificates, and an independent verdict on the claim that a damaged one still makes."""

from __future__ import annotations

import copy
import json
import math
import random
from fractions import Fraction
from typing import Any

import numpy as np

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.theory import THEOREMS, Certificate, Verdict, certify
from maetheory.theory.certified import check_certificate as checker

MATRICES = ("joint", "h", "h_g", "targets", "features", "channel", "lipschitz", "weight", "other")
LABELLED = {
    slug
    for slug, row in checker.STATEMENTS.items()
    if {"residual", "phi", "constants", "difference"} & set(row[0].split())
}
ODD_NUMBERS = ("nan", "NaN", "inf", "1/0", "0/0", "1e5", "0.5", "", "-", "--1", "1/-2", "٣", "9" * 5000, " 1", "1_0")
ODD_VALUES = (None, True, 1, -3, 0.5, [], {}, [[]], "x", [1, 2], "1/2", ["1"], {"0": "1"}, "1" * 70)


def damage(document: dict[str, Any], rng: random.Random) -> bytes:
    """Return a certificate with one to three random changes, as the bytes of its file."""
    found = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_CHANGES)(found, rng)
    text = json.dumps(found)
    return rng.choice(_TEXT_CHANGES)(text, rng) if rng.random() < 0.1 else text.encode()


def _matrix_cells(found: dict[str, Any]) -> list[tuple[list[Any], int]]:
    return [(row, i) for rows in _matrices(found) for row in rows if isinstance(row, list) for i in range(len(row))]


def _matrices(found: dict[str, Any]) -> list[list[Any]]:
    world = found.get("world")
    return [world[name] for name in MATRICES if isinstance(world, dict) and isinstance(world.get(name), list)]


def _change_number(found: dict[str, Any], rng: random.Random) -> None:
    cells = _matrix_cells(found)
    if cells:
        row, i = rng.choice(cells)
        row[i] = _other_number(row[i], rng)


def _other_number(text: Any, rng: random.Random) -> Any:
    try:
        old = Fraction(text)
    except (ValueError, TypeError, ZeroDivisionError):
        return "1"
    nudge = Fraction(rng.randint(-9, 9), 10 ** rng.choice((1, 3, 6, 10, 12, 14, 20)))
    new = (old + nudge, old * (1 + nudge), -old, Fraction(0), Fraction(rng.randint(-5, 5), rng.randint(1, 7)), 1 - old)
    return rng.choice((*map(str, new), rng.choice(ODD_NUMBERS)))


def _change_value(found: dict[str, Any], rng: random.Random) -> None:
    cells = _matrix_cells(found)
    if cells and rng.random() < 0.5:
        row, i = rng.choice(cells)
        row[i] = rng.choice(ODD_VALUES)
    else:
        place = rng.choice([found, found["world"]] if isinstance(found.get("world"), dict) else [found])
        if place:
            place[rng.choice(list(place))] = rng.choice(ODD_VALUES)


def _change_side(found: dict[str, Any], rng: random.Random) -> None:
    name = rng.choice(("lhs", "rhs"))
    try:
        low, high = (Fraction(end) for end in found[name])
    except (ValueError, TypeError, ZeroDivisionError, KeyError):
        return
    width = Fraction(1, 10 ** rng.choice((1, 6, 12, 25)))
    changes = (
        (low + width, high + width),
        (low - width, high - width),
        (high, low - width),
        (low - width, high + width),
    )
    found[name] = [str(end) for end in rng.choice((*changes, (low - 1, low - width), (-high, -low)))]


def _swap_sides(found: dict[str, Any], rng: random.Random) -> None:
    found["lhs"], found["rhs"] = found.get("rhs"), found.get("lhs")


def _change_verdict(found: dict[str, Any], rng: random.Random) -> None:
    found["verdict"] = rng.choice(("HOLDS", "TIGHT", "VACUOUS", "VIOLATED", "INAPPLICABLE", "UNDECIDED", "TRUE", ""))


def _change_statement(found: dict[str, Any], rng: random.Random) -> None:
    found["statement"] = rng.choice((*checker.STATEMENTS, "fermat", ""))


def _change_without(found: dict[str, Any], rng: random.Random) -> None:
    names = [name for statement in checker.STATEMENTS.values() for name in statement[3:]]
    found["without"] = rng.choice(([], [rng.choice(names)], names, ["nothing"], "unit norms", {"unit norms": 1}))


def _change_witness(found: dict[str, Any], rng: random.Random) -> None:
    names = [name for name in ("eigenvalues", "multiplier", "bounds") if isinstance(found.get(name), list)]
    if not names:
        return _change_side(found, rng)
    rows = found[rng.choice(names)]
    if rows and isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], list):
        rows = rng.choice(rows)
    kind = rng.randrange(6)
    if kind == 0 and rows:
        rows.pop(rng.randrange(len(rows)))
    elif kind == 1 and rows:
        rows.insert(rng.randrange(len(rows)), copy.deepcopy(rng.choice(rows)))
    elif kind == 2:
        rng.shuffle(rows)
    elif kind == 3 and rows and isinstance(rows[0], list):
        rng.choice(rows).reverse()
    elif rows and isinstance(rows[-1], list) and rows[-1]:
        row = rng.choice([row for row in rows if isinstance(row, list) and row])
        i = rng.randrange(len(row))
        row[i] = _other_number(row[i], rng)
    return None


def _change_labels(found: dict[str, Any], rng: random.Random) -> None:
    labels = found["world"].get("labels") if isinstance(found.get("world"), dict) else None
    if not isinstance(labels, list) or not labels:
        return _change_number(found, rng)
    kind = rng.randrange(4)
    if kind == 0:
        labels[rng.randrange(len(labels))] = rng.choice((0, 1, 2, -1, "0", None, [0], 0.5, True))
    elif kind == 1:
        labels.append(0)
    elif kind == 2:
        labels.pop()
    else:
        rng.shuffle(labels)
    return None


def _change_shape(found: dict[str, Any], rng: random.Random) -> None:
    matrices = _matrices(found)
    if not matrices:
        return
    rows = rng.choice(matrices)
    kind = rng.randrange(5)
    if kind == 0 and rows:
        rows.pop()
    elif kind == 1 and rows:
        rows.append(copy.deepcopy(rows[0]))
    elif kind == 2:
        for row in rows:
            if isinstance(row, list) and row:
                row.pop()
    elif kind == 3 and rows and isinstance(rows[0], list):
        rows[0].append("1")
    else:
        rng.shuffle(rows)


def _drop_key(found: dict[str, Any], rng: random.Random) -> None:
    places = [place for place in (found, found.get("world")) if isinstance(place, dict) and place]
    place = rng.choice(places)
    del place[rng.choice(list(place))]


def _change_format(found: dict[str, Any], rng: random.Random) -> None:
    found[rng.choice(("format", "version", "extra"))] = rng.choice((0, 2, "1", None, "maetheory certificate"))


_CHANGES = (
    *[_change_number] * 6,
    *[_change_witness] * 4,
    *[_change_side] * 3,
    *[_change_verdict, _change_labels, _change_shape] * 2,
    *[_change_value, _swap_sides, _change_statement, _change_without, _drop_key, _change_format],
)


def _cut(text: str, rng: random.Random) -> bytes:
    return text.encode()[: rng.randrange(len(text))]


def _repeat_key(text: str, rng: random.Random) -> bytes:
    return (text[:-1] + ', "verdict": "HOLDS", "lhs": ["0", "1"]}').encode()


def _nest(text: str, rng: random.Random) -> bytes:
    return (text[:-1] + ', "world": ' + "[" * 100_000 + "]" * 100_000 + "}").encode()


def _flip(text: str, rng: random.Random) -> bytes:
    content = bytearray(text.encode())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def _long_integer(text: str, rng: random.Random) -> bytes:
    return text.replace('"version": 1', '"version": ' + "1" * 10_000).encode()


_TEXT_CHANGES = (_cut, _repeat_key, _nest, _flip, _long_integer)


def still_true(document: dict[str, Any]) -> bool:
    """Return whether the package's own proof of the claim agrees with an accepted certificate, up to rounding."""
    theorem = THEOREMS[document["statement"]]
    world = {name: _floats(rows) for name, rows in document["world"].items() if name in MATRICES}
    labels = document["world"].get("labels") if theorem.slug in LABELLED else None
    numbers = None if labels is None else np.unique([labels.index(y) for y in labels], return_inverse=True)[1]
    if "channel" in world:
        world["channel"] = _law_up_to_the_allowance(world["channel"])
    if theorem.slug == "label-error-alone-is-not-enough":
        return _is_blind_pair(world, numbers, document)
    try:
        graph = MaskGraph.from_joint(world["joint"] / world["joint"].sum(), numbers)
        names = [name for name in (*theorem.objects, *theorem.optional) if name in world]
        objects = {name: world[name][0, 0] if name in ("lipschitz", "weight") else world[name] for name in names}
        found = certify(theorem, graph, **objects)
    except InputError:
        return False
    return _agrees(found, document)


def _law_up_to_the_allowance(channel: np.ndarray) -> np.ndarray:
    """Divide rows by their sums where these are 1 up to 1e-11, by which an assumption may be short in a certificate."""
    sums = channel.sum(1, keepdims=True)
    return np.where(abs(sums - 1) <= 1.01e-11, channel / np.where(sums, sums, 1), channel)


def _is_blind_pair(world: dict[str, np.ndarray], labels: Any, document: dict[str, Any]) -> bool:
    """Return whether the residuals of the two graphs differ as said, computed by singular vectors of Ā_M."""
    indicator = np.eye(labels.max() + 1)[labels] / np.sqrt(len(labels))
    residuals = []
    for name in ("joint", "other"):
        joint = world[name] / world[name].sum()
        d1, d2 = joint.sum(1), joint.sum(0)
        left = np.linalg.svd(joint / np.sqrt(np.outer(d1, d2)), full_matrices=False)[0][:, : joint.shape[1]]
        residuals.append(((indicator - left @ (left.T @ indicator)) ** 2).sum())
    difference, expected = residuals[1] - residuals[0], 1 - 1 / (labels.max() + 1)
    same = np.array_equal(np.unique(world["joint"], axis=0), np.unique(world["other"], axis=0))
    tight = abs(difference - expected) <= 1e-9
    return tight and same if document["verdict"] == "TIGHT" else not tight or not same


def _floats(rows: list[list[str]]) -> np.ndarray:
    return np.array([[float(Fraction(x)) for x in row] for row in rows])


def _agrees(found: Certificate, document: dict[str, Any]) -> bool:
    """Return whether sides, assumptions and verdict agree, up to the rounding of the world to floats."""
    sides = [(found.lhs, document["lhs"]), (found.rhs, document["rhs"])]
    ends = [abs(end) for side, _ in sides for end in (side.low, side.high) if math.isfinite(end)]
    rounding = 1e-9 * max([1.0, *ends])
    sides_agree = all(
        float(Fraction(low)) - rounding <= side.high and side.low <= float(Fraction(high)) + rounding
        for side, (low, high) in sides
    )
    failing = {assumption.name for assumption in found.assumptions if not assumption.holds}
    at_most, at_least = found.slack.low <= rounding, found.slack.high >= -rounding
    expected = {
        "HOLDS": at_least and found.verdict is not Verdict.VACUOUS,
        "VACUOUS": at_least and found.verdict is not Verdict.HOLDS,
        "TIGHT": at_most and at_least,
        "VIOLATED": found.slack.low < rounding,
    }
    return sides_agree and failing <= set(document["without"]) and expected[document["verdict"]]
