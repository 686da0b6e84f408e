"""Groups of candidates that cannot be told apart by a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

from maetheory.empirical.advice.candidate_scores import CandidateScore, pooled_variance

ERROR_PROBABILITY = 0.05


def told_apart(scores: Sequence[CandidateScore]) -> np.ndarray:
    """Return which pairs of candidates differ, (c, c) of bool, at 5 % for all pairs together (Bonferroni).

    Under the hypothesis that all candidates are alike, any pair at all is told apart with a probability of at most 5 %.
    """
    n, found = len(scores), np.zeros((len(scores), len(scores)), bool)
    limit = ERROR_PROBABILITY / max(n * (n - 1) / 2, 1)
    for i in range(n):
        for j in range(i):
            found[i, j] = found[j, i] = difference_p_value(scores[i], scores[j]) <= limit
    return found


def difference_p_value(one: CandidateScore, other: CandidateScore) -> float:
    """Return the two-sided p-value of the difference of two scores of the same images (Welch).

    Its variance is that of the differences of replicates, which resample the same images, plus those over masks.
    """
    difference = abs(one.value - other.value)
    over_images = float((one.replicates - other.replicates).var(ddof=1))
    variance, df = pooled_variance(over_images, len(one.replicates), one, other)
    if variance == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * student.sf(difference / variance**0.5, df))


def rank_groups(scores: Sequence[CandidateScore], direction: int) -> list[int]:
    """Return the group of each candidate, from 1.

    The first group holds the best candidate and all that cannot be told apart from it; the next one holds the best of
    the others, and all of them that cannot be told apart from that one; and so on. Members of a group may differ among
    themselves.
    """
    apart = told_apart(scores)
    order = sorted(range(len(scores)), key=lambda i: -direction * scores[i].value)
    group = [0] * len(scores)
    number = 0
    for best in order:
        if group[best]:
            continue
        number += 1
        for other in order:
            if not group[other] and not apart[best, other]:
                group[other] = number
    return group
