"""Check counterexamples to theorems about masked autoencoders, with Python's standard library alone.

    python check_counterexample.py FILE.json...

A file states a finite world in rational numbers, a statement by its name, assumptions that are dropped, and an interval
for each side. It is accepted if all other assumptions hold, both sides lie in their intervals, and the claim is false.
STATEMENTS and FORMULAS are this file's reading of claims, in exact fractions. M is the law of view and target, the
weights over their sum; d1, d2 its marginals; A = M D2^-1 M' the law of two views of one target. A matrix X of views is
held as D1^1/2 X D1^1/2. The rank of a positive semidefinite matrix is the number of negative pivots of its negative
(Sylvester). What is irrational is enclosed: a spectral norm is at most the Frobenius norm, the sum of k eigenvalues at
most k^1/2 times that, or the trace.
Exit status: 0 if every file is accepted, 1 if one is refused, 2 if a file is none, or has over 4 MiB.
"""

import json
import sys
from fractions import Fraction
from itertools import product
from math import isqrt, lcm, prod

BITS, MAX_BYTES, MAX_NODES, MAX_DIGITS, MAX_SIZE, MAX_SAMPLES = 256, 2**22, 64, 1000, 2**17, 2**14

dot = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))
plus = lambda x, y, t=1: [[a + t * b for a, b in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]
times = lambda x, y: [[dot(row, column) for column in zip(*y)] for row in x]
shares = lambda rows: [[x / sum(row) for x in row] for row in rows]
diagonal = lambda d: [[x * (i == j) for j in range(len(d))] for i, x in enumerate(d)]
trace = lambda x, y, d: sum(dot([a / e for a, e in zip(row, d)], other) / c for row, other, c in zip(x, y, d))  # of XY
norm = lambda weights, rows: dot(weights, [dot(row, row) for row in rows])  # mean squared norm, and distance of pairs
distance = lambda weights, a, b: sum(norm(w, plus([row] * len(w), b, -1)) for w, row in zip(weights, a, strict=True))
distinct = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else need(False, "a key is repeated")
gram = lambda x, d: times(times(diagonal(d), x), [*zip(*times(diagonal(d), x))])  # D X X' D
rank = lambda semidefinite: eliminate([[-x for x in row] for row in semidefinite], len(semidefinite))[0]
law = lambda m: need(min(map(min, m)) >= 0, "a weight is negative") or [[x / sum(map(sum, m)) for x in r] for r in m]
masses = lambda rows: [sum(row) or need(False, "a node has no mass") for row in rows]
root = lambda x: Fraction(isqrt(x.numerator * 4**BITS // x.denominator), 2**BITS)  # rounded down
above = lambda x: root(x) + Fraction(1, 2**BITS)
squares = lambda m: [x and Fraction(x * x) / sum(r) / sum(c) for r in m for x, c in zip(r, zip(*m))]  # normalised M
counts = lambda sample, m: [[sample.count((i, j)) for j, _ in enumerate(row)] for i, row in enumerate(m)]
table = lambda groups, d: [[x * (g == c) for g, x in zip(groups, d, strict=True)] for c in sorted({*groups})]
part = lambda m, keep: [[x for x, k in zip(row, keep, strict=True) if k] for row, k in zip(m, keep, strict=True) if k]
det = lambda m: m[0][0] * det(eliminate(m, 1)[1]) if m else 1
winner = lambda row: row.index(max(row)) if row.count(max(row)) == 1 else None  # None if there is a tie


def need(condition, reason):
    if not condition:
        raise ArithmeticError(reason)


def eliminate(symmetric, steps):  # number of negative pivots, and the Schur complement
    common, negative, last = lcm(*(x.denominator for row in symmetric for x in row)), 0, 1
    rows = [[int(x * common) for x in row] for row in symmetric]
    for _ in range(steps):
        (pivot, *top), *rest = rows
        need(pivot or not any(top), "a pivot is zero")
        pivot = pivot or last  # a row of zeros stays out
        rows = [[(pivot * x - row[0] * y) // last for x, y in zip(row[1:], top)] for row in rest]
        negative, last = negative + ((pivot < 0) != (last < 0)), pivot
    return negative, [[Fraction(x, last * common) for x in row] for row in rows]


def outside(x, d):  # I - P, P the projector on the columns of X, by a Schur complement
    weighted = times(diagonal(d), x)
    top = [[*row, *column] for row, column in zip(times(zip(*x), weighted), zip(*weighted))]
    return eliminate(top + [[*row, *one] for row, one in zip(weighted, diagonal(d))], len(top))[1]


class Counterexample:  # its quantities by name: those of FORMULAS, computed when first asked for, and the world's own
    def __init__(self, file):
        self.file, self.world = file, file["world"]
        vars(self).update({"0": 0, "1": 1})

    def __getattr__(self, name):
        setattr(self, name, FORMULAS[name](self) if name in FORMULAS else self.read(self.world[name]))
        return vars(self)[name]

    def read(self, rows):  # a matrix of rational numbers
        n, k, common, most = len(rows), len(rows[0]), 1, 1
        need({(type(x), len(x)) for x in rows} == {(list, k)} and 0 < n <= MAX_NODES >= k > 0, "a shape is wrong")
        for x in [x for row in rows for x in row]:
            need(isinstance(x, str) and len(x) <= MAX_DIGITS and set(x) <= set("-/0123456789"), "a number is none")
            common, most = lcm(common, Fraction(x).denominator), max(most, abs(Fraction(x).numerator))
            need(max(common, most).bit_length() * n * k <= MAX_SIZE, "the numbers are too large")
        return [[Fraction(x) for x in row] for row in rows]

    def sameness(self):  # 0 if h is a function of features and mask, else negative
        views = zip(self.features, self.h, self.M, strict=True)
        seen = {((*f, m), (*h,)) for f, h, law in views for m, x in zip(self.world["masks"], law, strict=True) if x}
        return len({given for given, _ in seen}) - len(seen)

    def refute(self):  # and return what is refuted
        file, without = self.file, self.file["without"]
        read = (file["format"], file["version"], file["verdict"])
        need(read == ("maetheory counterexample", 1, "VIOLATED"), "the format is unknown")
        claim, *assumed = STATEMENTS[file["statement"]].split("; ")
        need(set(without) <= set(assumed), "an assumption is unknown")
        for name in set(assumed) - set(without):
            need(name in FORMULAS and getattr(self, name) >= 0, f"{name!r} is not shown to hold")
        sides = [getattr(self, side) for side in claim.split()[::2]]
        (l0, l1), (r0, r1) = (x if isinstance(x, list) else [x, x] for x in sides)
        (a, b), (c, d) = self.read([file["lhs"], file["rhs"]])
        need(a <= l0 <= l1 <= b and c <= r0 <= r1 <= d, "a side is not where it is said to be")
        need((l1 < r0 and "<=" not in claim) or (l0 > r1 and ">=" not in claim), "the claim is not refuted")
        return " ".join([file["statement"], "VIOLATED", *(f"without {name!r}" for name in without)])


FORMULAS = {
    "M": lambda w: law(w.joint),
    "d1": lambda w: masses(w.M),
    "d2": lambda w: masses(zip(*w.M)),
    "A": lambda w: times(w.M, shares(zip(*w.M))),
    "laplacian": lambda w: plus(diagonal(w.d1), w.A, -1),
    "components": lambda w: len(w.A) - rank(w.laplacian),
    "loss": lambda w: distance(w.M, w.h, w.targets),
    "size": lambda w: norm(w.d2, w.targets),
    "asymmetric": lambda w: (distance(w.M, w.h, w.h_g) - norm(w.d1, w.h) - norm(w.d2, w.h_g)) / 2,
    "alignment_bound": lambda w: distance(w.A, w.h, w.h) / 4 - norm(w.d1, w.h) / 2 - Fraction(1, 2),
    "unit norms": lambda w: 1 - norm(w.d2, w.h_g),
    "mask_law": lambda w: table(w.world["masks"], w.d2),
    "floor": lambda w: w.size - norm(map(sum, w.mask_law), times(shares(w.mask_law), w.targets)),
    "features are collapsed": lambda w: 1 - len({tuple(f) for f, _ in zip(w.features, w.M, strict=True)}),
    "decoder sees the mask alone": Counterexample.sameness,
    "rank": lambda w: rank(times(zip(*w.features), times(diagonal(w.d1), w.features))),
    "features are aligned": lambda w: -distance(w.A, w.features, w.features),
    "best": lambda w: times(shares(w.M), w.targets),
    "K": lambda w: outside(w.features, w.d1),
    "fit": lambda w: gram(w.best, w.d1),
    "linear decoder": lambda w: -trace(w.K, gram(w.h, w.d1), w.d1),
    "left_by_features": lambda w: w.size - w.explained + trace(w.K, w.fit, w.d1),
    "explained": lambda w: norm(w.d1, w.best),
    "k_largest": lambda w: min(w.explained, above(len(times(zip(*w.features), w.A)) * trace(w.fit, w.fit, w.d1))),
    "left_by_rank": lambda w: [w.size - w.k_largest, w.size],
    "images": lambda w: [*zip(*w.M)],  # the targets are images
    "classes": lambda w: [sorted({*w.world["labels"]}).index(y) for y in w.world["labels"]],  # of images
    "class_law": lambda w: zip(*times(table(w.classes, [1] * len(w.images)), w.images)),
    "labels": lambda w: [[i == row.index(max(row)) for i, _ in enumerate(row)] for row in w.class_law],  # of views
    "head": lambda w: [*map(winner, times(plus(diagonal(w.d1), w.K, -1), w.labels))],
    "votes": lambda w: [[dot(law, [c == k for c in w.head]) for k in {*w.classes, None}] for law in w.images],
    "right": lambda w: [dot(law, [c == y for c in w.head]) for law, y in zip(w.images, w.classes)],
    "vote_error": lambda w: sum(sum(v) for v, x in zip(w.votes, w.right) if sorted(v)[-2] >= x),
    "e": lambda w: 1 - sum(w.right),
    "e2": lambda w: sum((sum(law) - x) ** 2 / sum(law) for law, x in zip(w.images, w.right)),
    "cantelli": lambda w: (w.e2 - w.e**2) / (w.e2 - w.e + Fraction(1, 4)),
    "views err less than half the time": lambda w: -(2 * w.e >= 1),
    "gap": lambda w: abs(w.components - Counterexample({"world": {"joint": w.world["complement"]}}).components),
    "difference": lambda w: [w.gap, max(1, w.gap)],  # all differences but that of components are at most 1
    "sample": lambda w: law(w.sampled),
    "moved": lambda w: [x + y - 2 * root(x * y) for x, y in zip(squares(w.sample), squares(w.M), strict=True)],
    "spectral_distance": lambda w: [0, above(sum(w.moved))],
    "the sample is a law": lambda w: Fraction(1, 10**9) - abs(sum(map(sum, w.sampled)) - 1),
    "touched": lambda w: [sum(s) + dot(m, map(sum, zip(*w.sample))) for s, m in zip(w.sample, w.M, strict=True)],
    "a component was never seen": lambda w: len(w.A) - rank(plus(w.laplacian, diagonal(w.touched))) - 1,
    "draws": lambda w: len(range(w.world["draws"])),
    "cells": lambda w: [*product(range(len(w.d1)), range(len(w.d2)))],
    "samples": lambda w: need(len(w.cells) ** w.draws < MAX_SAMPLES, "too many") or [*product(w.cells, repeat=w.draws)],
    "chances": lambda w: [prod(w.M[i][j] for i, j in sample) for sample in w.samples],
    "energies": lambda w: [sum(squares(counts(sample, w.M))) for sample in w.samples],
    "bias": lambda w: dot(w.chances, w.energies) - sum(squares(w.M)),
    "bound": lambda w: prod(sum(1 - (1 - x) ** w.draws for x in d) - 1 for d in (w.d1, w.d2)) / (w.draws - 1),
    "view and target are independent": lambda w: -([[x * y for y in w.d2] for x in w.d1] != w.M),
    "there are two draws or more": lambda w: w.draws - 2,
    "covariance": lambda w: gram(times(w.basis, [*zip(*w.factor)]), [1] * len(w.basis)),
    "parts": lambda w: [part(w.covariance, [v == shown for v in w.world["visible"]]) for shown in (True, False)],
    "energy": lambda w: det(w.parts[0]) * det(w.parts[1]) / det(w.covariance) - 1,
}
STATEMENTS = {  # claim; assumptions
    "asymmetric-alignment-bounds-alignment": "asymmetric >= alignment_bound; unit norms",
    "full-collapse-costs-variance-given-the-mask": "loss >= floor; features are collapsed; decoder sees the mask alone",
    "aligned-features-have-rank-of-components": "rank <= components; features are aligned",
    "votes-beat-views-when-errors-scatter": "vote_error <= cantelli; views err less than half the time",
    "linear-decoder-optimum": "loss >= left_by_rank; linear decoder",
    "linear-decoder-optimum-given-features": "loss >= left_by_features; linear decoder",
    "mask-ratio-duality": "difference == 0; complementary mask laws of the same images",
    "unseen-component-costs-one": "spectral_distance >= 1; the sample is a law; a component was never seen",
    "gaussian-components-are-independent": "energy == 0; principal components",
    "sampled-spectrum-is-biased-upward": "bias == bound; view and target are independent; there are two draws or more",
}


def main(paths):
    status = 0
    for path in paths:
        found = 2
        try:
            with open(path, "rb") as stream:
                text = stream.read(MAX_BYTES)
            file = json.loads(text, parse_float=str, parse_constant=str, object_pairs_hook=distinct)
            found = 1
            line, found = f"accepted: {Counterexample(file).refute()}", 0
        except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
            line = f"{('', 'refused', 'no certificate')[found]}: {error!a:.300}"
        print(f"{path!a}: {line}")
        status = max(status, found)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
