"""Check certificates of theorems about masked autoencoders, with Python's standard library alone.

    python check_certificate.py FILE.json...

A certificate states a finite world in rational numbers, a statement by its name, an interval for each side, a verdict.
STATEMENTS and FORMULAS are this file's reading of claims, in exact fractions. It is accepted if the sides lie in the
stated intervals and prove the verdict. HOLDS and VACUOUS: the claim is true and says more, or no more, than is known
without it. TIGHT: the sides are equal up to 1e-10 of their scale. VIOLATED: the claim is false. Other than for
VIOLATED, assumptions may be short by 1e-11; those listed under "without" are dropped. M is the law of view and target,
the weights over their sum; d1, d2 its marginals; A = M D2^-1 M' the law of two views of one target. A matrix X of views
is held as D1^1/2 X D1^1/2: only eigenvalues are irrational. Their bounds are proved: for symmetric S and diagonal D >
0, D^-1/2 S D^-1/2 has as many eigenvalues below t as the elimination of S - tD has negative pivots (Sylvester). It is
done on integers (Bareiss), after rounding to 2**-BITS, which moves eigenvalues by at most n 2**-BITS / min D (Weyl).
Exit status: 0 if every certificate is accepted, 1 if one is refused, 2 if a file is none, or has over 4 MiB.
"""

import json
import sys
from fractions import Fraction
from math import lcm

BITS, MAX_BYTES, MAX_NODES, MAX_DIGITS, MAX_SIZE, MAX_WORK, CAP = 256, 2**22, 64, 1000, 2**17, 4 * 10**10, 10**20

dot = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))
plus = lambda x, y, t=1: [[a + t * b for a, b in zip(*rows, strict=True)] for rows in zip(x, y, strict=True)]
times = lambda x, y: [[dot(row, column) for column in zip(*y)] for row in x]
shares = lambda rows: [[x / sum(row) for x in row] for row in rows]
pairs = lambda m: times(m, shares(zip(*m)))  # the law of two rows of a law that share a column
diagonal = lambda d: [[x * (i == j) for j in range(len(d))] for i, x in enumerate(d)]
trace = lambda x, y, d: sum(dot([a / e for a, e in zip(row, d)], other) / c for row, other, c in zip(x, y, d))  # of XY
norm = lambda weights, rows: dot(weights, [dot(row, row) for row in rows])  # mean squared norm, and distance of pairs
distance = lambda weights, a, b: sum(norm(w, plus([row] * len(w), b, -1)) for w, row in zip(weights, a, strict=True))
agreement = lambda x, labels: sum(dot(row, [a == b for b in labels]) for row, a in zip(x, labels, strict=True))
distinct = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else need(False, "a key is repeated")


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


class Certificate:  # its quantities by name: those of FORMULAS, computed when first asked for, and the world's own
    def __init__(self, file):
        self.file, self.world, self.work, self.zero = file, file["world"], 0, Fraction(0)

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

    def eigenvalues(self, bounds, symmetric, scale, first=0):  # from the first on, where the bounds say
        counts, bounds, off = {}, self.read(bounds), Fraction(len(scale), 2**BITS) / min(scale)
        for at, (low, high) in enumerate(bounds, first):
            for t in {low, high} - counts.keys():
                rounded = [[x * 2**BITS // 1 for x in row] for row in plus(symmetric, diagonal(scale), -t)]
                self.work += len(scale) ** 4 * max(abs(x) for row in rounded for x in row).bit_length()
                need(self.work <= MAX_WORK, "the certificate takes too much work")
                counts[t] = len(scale) - eliminate(rounded, len(scale))[0]
            need(counts[high] <= at < counts[low], "bounds of eigenvalues do not hold")
        return [(low - off, high + off) for low, high in bounds]

    def complement(self):  # I - P_F
        top = [[*row, *column] for row, column in zip(times(zip(*self.DF), self.features), zip(*self.DF))]
        return eliminate(top + [[*row, *one] for row, one in zip(self.DF, diagonal(self.d1))], len(top))[1]

    def least(self):  # of g(mu) = mu phi + sum p_c nu_c(I - P_F - mu (I - A)) over 0 <= mu <= CAP, by convexity of g
        (mu, step), g = (min(abs(x), CAP) for x in self.read(self.file["multiplier"])[0]), []
        for at, bounds in zip((mu - step, mu, mu + step), self.file["bounds"], strict=True):
            nu = self.eigenvalues(bounds, plus(self.K, plus(diagonal(self.d1), self.A, -1), -at), self.d1)
            g.append([at * self.phi + dot(self.p, ends) for ends in zip(*nu)])
        beyond = [x[0] + min(x[0] - g[1][1], 0) * reach / step for x, reach in ((g[0], mu), (g[2], CAP))]
        return min(2 * g[1][0] - max(x[1] for x in g), *beyond), g[1][1]

    def prove(self):  # and return the claim
        file, verdict, without, tiny = self.file, self.file["verdict"], self.file["without"], Fraction(1, 10**10)
        need((file["format"], file["version"]) == ("maetheory certificate", 1), "the format is unknown")
        claim, trivial, scale, *assumed = STATEMENTS[file["statement"]]
        need(set(without) <= set(assumed), "an assumption is unknown")
        margin = min((getattr(self, name) for name in assumed if name not in without), default=0)
        need(margin >= (0 if verdict == "VIOLATED" else -tiny / 10), "an assumption is not met")
        sides = [getattr(self, side) for side in claim.split()[::2]]
        (l0, l1), (r0, r1) = ([x, x] if isinstance(x, Fraction) else x for x in sides)
        (a, b), (c, d) = self.read([file["lhs"], file["rhs"]])
        need(a <= l0 <= l1 <= b and c <= r0 <= r1 <= d, "a side is not where it is said to be")
        if "<=" in claim:  # -lhs >= -rhs
            l0, l1, r0, r1, trivial = -l1, -l0, -r1, -r0, trivial and -trivial
        tolerance, inequality = tiny * max(scale, l0, -l1, r0, -r1), "==" not in claim
        proved = {
            "HOLDS": inequality and l0 > r1 and (trivial is None or r0 > trivial),
            "VACUOUS": inequality and l0 >= r1 and trivial is not None and r1 <= trivial + tolerance,
            "TIGHT": max(l1 - r0, r1 - l0) <= tolerance,
            "VIOLATED": l1 < r0 or (l0 > r1 and not inequality),
        }
        need(proved[verdict], f"the sides do not prove {verdict}")
        return " ".join([file["statement"], verdict, *(f"without {name!r}" for name in without)])


FORMULAS = {
    "total": lambda w: sum(map(sum, w.joint)) * all(min(x) >= 0 < sum(x) for x in [*w.joint, *zip(*w.joint)]),  # or 0
    "M": lambda w: [[x / w.total for x in row] for row in w.joint],
    "d1": lambda w: list(map(sum, w.M)),
    "d2": lambda w: list(map(sum, zip(*w.M))),
    "A": lambda w: pairs(w.M),
    "labels": lambda w: [] + w.world["labels"],  # a list
    "p": lambda w: sorted((sum(d for d, y in zip(w.d1, w.labels) if y == c) for c in set(w.labels)), reverse=True),
    "phi": lambda w: 1 - agreement(w.A, w.labels),
    "loss": lambda w: distance(w.M, w.h, w.targets),
    "error": lambda w: norm(w.d2, plus(w.h_g, w.targets, -1)),
    "pull": lambda w: distance(w.A, w.h, w.h),
    "split": lambda w: w.pull / 2 + norm(w.d2, plus(times(shares(zip(*w.M)), w.h), w.targets, -1)),
    "pull_bound": lambda w: w.pull / 4 - w.error,
    "size": lambda w: (norm(w.d1, w.h) + norm(w.d2, w.h_g)) / 2,
    "unit norms": lambda w: w.size - 1,
    "asymmetric_bound": lambda w: distance(w.M, w.h, w.h_g) / 2 - w.size - w.error + 1,
    "variance": lambda w: norm(w.d2, w.targets) - norm([1], times([w.d2], w.targets)),
    "features are collapsed": lambda w: 1 - len({f for f, _ in w.rows}),
    "rows": lambda w: {(tuple(f), tuple(h)) for f, h in zip(w.features, w.h, strict=True)},
    "position-blind decoder": lambda w: len({f for f, _ in w.rows}) - len(w.rows),
    "DF": lambda w: times(diagonal(w.d1), w.features),
    "positive": lambda w: [max(x[0][0], Fraction(0)) for x in (w.lipschitz, w.weight)],  # none can be divided by 0
    "umae": lambda w: w.loss + w.positive[1] * sum(dot(x, x) for x in times(zip(*w.DF), w.features)),
    "edges": lambda w: [(i, j) for i, row in enumerate(w.A) for j in range(i) if row[j]],
    "gaps": lambda w: [[norm([1], plus([x[i]], [x[j]], -1)) for x in (w.h, w.features)] for i, j in w.edges],
    "bi-Lipschitz decoder": lambda w: min((w.positive[0] * near / far - 1 for near, far in w.gaps if far), default=0),
    "spectrum": lambda w: [x for x, _ in zip(w.eigenvalues(w.file["eigenvalues"], w.A, w.d1), w.A, strict=True)],
    "head": lambda w: [sum(max(x[e], 0) ** 2 for x in w.spectrum[: len(w.features[0])]) for e in (1, 0)],
    "tail_bound": lambda w: [-x / (16 * w.positive[0] ** 2 * w.positive[1]) - w.error for x in w.head],
    "constants": lambda w: 8 * (w.p[0] * trace(w.A, w.A, w.d1) + w.phi),
    "six": lambda w: 8 * (1 - w.phi + w.phi**2),
    "K": Certificate.complement,
    "residual": lambda w: agreement(w.K, w.labels),
    "least_bound": Certificate.least,
    "gap_bound": lambda w: [w.phi / max(1 - x, 0) for x in [*w.spectrum, (0, 0)][len(w.features[0])]],
    "attained": lambda w: trace(plus(diagonal(w.d1), w.K, -1), w.A, w.d1),
    "leading eigenvectors": lambda w: 10**11 * (w.attained - sum(x[1] for x in w.spectrum[: len(w.features[0])])),
    "A_after": lambda w: pairs(times(w.M, shares(w.channel))),
    "phi_after": lambda w: 1 - agreement(w.A_after, w.labels),
    "fall": lambda w: plus(plus(w.A, w.A_after, -1), [[2 * c * d for d in w.d1] for c in w.d1]),
    "lowest": lambda w: w.eigenvalues(w.file["eigenvalues"], w.fall, w.d1, len(w.A) - 1)[0] if w.fall[1:] else w.zero,
    "targets are sent by a law": lambda w: min(-(min(map(min, w.channel)) < 0), *(-abs(sum(x) - 1) for x in w.channel)),
    "twin": lambda w: Certificate({"world": {**w.world, "joint": w.world["other"], "features": w.world["other"]}}),
    "difference": lambda w: w.twin.residual - w.residual,
    "share": lambda w: 1 - Fraction(1, len(w.p)),
    "same views": lambda w: ([w.features, sorted(w.joint), 1] == [w.joint, sorted(w.twin.joint), len({*w.d1})]) - 1,
}
STATEMENTS = {  # claim, trivial bound of the right side, scale of equality beside the sides, assumptions
    "alignment-split": ("loss == split", None, 0),
    "reconstruction-bounds-alignment": ("loss >= pull_bound", 0, 0),
    "reconstruction-bounds-asymmetric-alignment": ("loss >= asymmetric_bound", 0, 1, "unit norms"),
    "full-collapse-costs-variance": ("loss >= variance", 0, 0, "features are collapsed", "position-blind decoder"),
    "umae-bounded-by-graph-tail": ("umae >= tail_bound", 0, 0, "bi-Lipschitz decoder"),
    "umae-downstream-bound-exceeds-six": ("constants >= six", 0, 1),
    "spectral-features-bound-downstream-error": ("residual <= gap_bound", 1, 1, "leading eigenvectors"),
    "certificate-bounds-downstream-error": ("residual <= least_bound", 1, 1),
    "label-error-alone-is-not-enough": ("difference == share", None, 1, "same views"),
    "data-processing-shrinks-spectrum": ("lowest >= zero", None, 1, "targets are sent by a law"),
    "data-processing-raises-pair-error": ("phi <= phi_after", 1, 1, "targets are sent by a law"),
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
            line, found = f"accepted: {Certificate(file).prove()}", 0
        except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
            line = f"{('', 'refused', 'no certificate')[found]}: {error!a:.300}"
        print(f"{path!a}: {line}")
        status = max(status, found)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
