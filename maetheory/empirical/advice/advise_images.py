"""`advise`: rank mask laws, mask ratios and patch sizes for given images, or say that they do not decide."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd
from scipy.stats import norm

from maetheory.core import InputError, Progress, no_progress
from maetheory.core.enumeration import enumerated
from maetheory.core.memory import check_memory
from maetheory.data import ImageSet, load_images
from maetheory.empirical.advice.candidate_scores import (
    STUDIED_VALUES,
    CandidateScore,
    bootstrap_weights,
    is_averaged,
    kept_share_score,
    pair_label_error_score,
    relative_distance_score,
)
from maetheory.empirical.advice.candidates import DEFAULT_LAWS, DEFAULT_RATIOS, Candidate, make_candidates
from maetheory.empirical.advice.cost import estimate_cost
from maetheory.empirical.advice.evidence import evidence_sentence, evidence_table, predicting_scores
from maetheory.empirical.advice.groups import rank_groups
from maetheory.empirical.hypotheses import HYPOTHESES
from maetheory.empirical.tokens.interval_estimation import MIN_IMAGES
from maetheory.empirical.tokens.region_tokens import REGION_CODES
from maetheory.masks import MixtureOfRatios

PHI, DISTANCE, KEPT_SHARE = "tokens pair_label_error", "relative_distance", "linear_mae_kept_share"
TITLES: Mapping[str, str] = MappingProxyType(
    {PHI: "φ of token graphs", DISTANCE: "relative distance", KEPT_SHARE: "share kept by a linear MAE"}
)
NEEDS_LABELS = (PHI, DISTANCE)
IMAGES_PER_CODE = 8  # at least, on average
DEFAULT_FEATURES = 10  # of the linear autoencoder where there are no labels, as in our studies of ten classes
COLUMNS = ("candidate", "patch", "mask_ratio", "score", "value", "low", "high", "direction", "structure", "group")
Announce = Callable[[str], None]


@final
@dataclass(frozen=True, eq=False)
class Advice:
    """Candidates ranked by the score that evidence supports, or the reason why they are not.

    Attributes
    ----------
    candidates : tuple of Candidate
    scores : mapping from name to tuple of CandidateScore
        One for each candidate.
    groups : mapping from name to tuple of int
        Group of each candidate under each score, 1 for the best and all that cannot be told apart from it.
    leading_score : str or None
        The score that advice follows; None if evidence supports none that could be computed.
    undecided : str
        Why there is no advice; empty if there is.
    evidence : DataFrame
        As `evidence_table` returns it.
    assumptions : tuple of str
        What was assumed or left out.
    name : str
        Name of the images.
    n_images, k, n_masks : int
        Images scored, features of the linear autoencoder, and masks drawn for each candidate.
    seconds : float
        Time that it took.
    """

    candidates: tuple[Candidate, ...]
    scores: Mapping[str, tuple[CandidateScore, ...]]
    groups: Mapping[str, tuple[int, ...]]
    leading_score: str | None
    undecided: str
    evidence: pd.DataFrame
    assumptions: tuple[str, ...]
    name: str
    n_images: int
    k: int
    n_masks: int
    seconds: float

    @property
    def recommended(self) -> tuple[str, ...]:
        """Names of the candidates of the leading group, best first; empty if undecided."""
        return () if self.undecided else self.leading_group

    @property
    def leading_group(self) -> tuple[str, ...]:
        """Names of the best candidate by the leading score and of all that cannot be told apart from it."""
        if self.leading_score is None:
            return ()
        direction, scores = HYPOTHESES[self.leading_score].direction, self.scores[self.leading_score]
        order = sorted(range(len(scores)), key=lambda i: -direction * scores[i].value)
        return tuple(self.candidates[i].name for i in order if self.groups[self.leading_score][i] == 1)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each score and candidate, the best candidate of each score first.

        Columns are candidate, patch, mask_ratio, score, value, low, high (the 95 % interval over images and masks),
        direction (1 where higher is said to be better, -1 where lower is), structure (standard errors above images
        without structure) and group.
        """
        direction = {name: HYPOTHESES[name].direction for name in self.scores}
        rows = [
            (
                *(one.name, one.patch, one.law.mask_ratio, name),
                *(found.value, *found.interval, direction[name], found.structure, group),
            )
            for name, scores in self.scores.items()
            for one, found, group in zip(self.candidates, scores, self.groups[name], strict=True)
        ]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        place = {name: i for i, name in enumerate(self.scores)}
        order = frame.assign(place=frame.score.map(place), better=-frame.direction * frame.value)
        return frame.loc[order.sort_values(["place", "better"], kind="stable").index].reset_index(drop=True)

    def reading(self) -> str:
        """Return what the scores say in one paragraph."""
        if self.undecided:
            order = (
                "" if self.leading_score else " The order of the candidates is that of a score that no study supports."
            )
            return f"Undecided: {self.undecided}.{order}"
        assert self.leading_score is not None
        best, *others = self.leading_group
        rest = f", which cannot be told apart from {enumerated(others)}" if others else ", told apart from all others"
        return (
            f"By {TITLES[self.leading_score]} the best of {len(self.candidates)} candidates is {best}{rest}. "
            f"Rank correlations of this score with linear probes of small models trained under several mask laws: "
            f"{evidence_sentence(self.evidence, self.leading_score)} (* beyond the correction for all scores); other "
            "images, architectures and lengths of training are not covered."
        )

    def __repr__(self) -> str:
        verdict = f"undecided: {self.undecided}" if self.undecided else f"best: {enumerated(self.recommended)}"
        score = self.leading_score
        basis = (
            "no score with evidence" if score is None else f"{TITLES[score]}: {evidence_sentence(self.evidence, score)}"
        )
        return (
            f"Advice({self.name!r}, {len(self.candidates)} candidates, {self.n_images} images, {self.seconds:.0f} s)\n"
            f"  {verdict}\n  {basis}"
        )


def advise(
    images: ImageSet | np.ndarray | str | os.PathLike[str],
    labels: np.ndarray | None = None,
    *,
    laws: Sequence[str] = DEFAULT_LAWS,
    mask_ratios: Sequence[float] = DEFAULT_RATIOS,
    patch_sizes: Sequence[int] | None = None,
    use_labels: bool = True,
    k: int | None = None,
    n_images: int = 2000,
    n_masks: int = 8,
    seed: int = 0,
    progress: Progress = no_progress,
    announce: Announce | None = None,
) -> Advice:
    """Rank mask laws, mask ratios and patch sizes for images, without training a model.

    Every candidate gets each score that the images allow: with labels φ of token graphs and the relative distance of
    views, and always the share that a linear masked autoencoder of k features keeps. Advice follows the score that
    predicted probes in at least two of our studies (`predicting_scores`). It is undecided if none of those can be
    computed as it was there (images of more than 3072 values are averaged), if no candidate's score differs from that
    of the same images without structure, or if no candidate can be told apart from the best.

    Parameters
    ----------
    images : ImageSet, ndarray of shape (N, C, H, W), or source
        An array is uint8 in 0..255 or floating point in [0, 1]; a source is what `load_images` takes.
    labels : ndarray of int, shape (N,), optional
        An ImageSet or source brings its own; if these are of one class, there are none.
    laws, mask_ratios, patch_sizes
        As for `make_candidates`.
    use_labels : bool, default True
        False: ignore all labels.
    k : int, optional
        Features of the linear autoencoder; the number of classes by default, or 10 without labels.
    n_images : int, default 2000
        Largest number of images that are scored, classes balanced; at least 20.
    n_masks : int, default 8
        Masks drawn for each candidate, at least 2.
    seed : int, default 0
        Draws masks, resamples and shuffles; initialises k-means.
    progress : Progress
    announce : callable, optional
        Called once with the estimated cost in words, before the work.

    Returns
    -------
    Advice

    Raises
    ------
    InputError
        If an argument is out of range, there are fewer than twenty images, all of them are equal, or memory does not
        suffice.

    Examples
    --------
    >>> found = advise("digits", laws=("uniform",), mask_ratios=(0.5, 0.75), patch_sizes=(2,), n_images=200)
    >>> found.to_frame().score.unique().tolist()
    ['tokens pair_label_error', 'relative_distance', 'linear_mae_kept_share']
    """
    start = time.perf_counter()
    chosen, assumptions = _labelled_images(images, labels, use_labels, n_images, progress)
    has_labels = bool(np.ptp(chosen.labels))
    if n_masks < 2:
        raise InputError(f"at least 2 masks are needed to know their spread, but n_masks is {n_masks}")
    if k is None:
        k = len(np.unique(chosen.labels)) if has_labels else DEFAULT_FEATURES
    if k < 1:
        raise InputError(f"k must be at least 1 feature, but {k} was given")
    candidates = make_candidates(*chosen.shape[2:], laws=laws, mask_ratios=mask_ratios, patch_sizes=patch_sizes)
    cost = estimate_cost(chosen.shape, candidates, n_masks=n_masks, has_labels=has_labels)
    check_memory(cost.bytes, "advice on these images", "take fewer images")
    if announce is not None:
        announce(f"{len(candidates)} candidates on {len(chosen)} images: {cost}")
    scores = _score_candidates(chosen, candidates, has_labels, k, n_masks, seed, assumptions, progress)
    groups = {name: tuple(rank_groups(found, HYPOTHESES[name].direction)) for name, found in scores.items()}
    evidence = evidence_table()
    supported = [name for name in predicting_scores(evidence) if not (name == PHI and is_averaged(chosen))]
    leading = next((name for name in supported if name in scores), None)
    if any(isinstance(one.law, MixtureOfRatios) for one in candidates):
        assumptions.append(
            "φ of a mixture of ratios is the mean of theirs, up to the masks drawn, so that it is never the least; no "
            "mixture was trained in our studies"
        )
    return Advice(
        candidates=candidates,
        scores=scores,
        groups=groups,
        leading_score=leading,
        undecided=_why_undecided(leading, scores, groups, has_labels, is_averaged(chosen)),
        evidence=evidence[evidence.score.isin(list(scores))].reset_index(drop=True),
        assumptions=tuple(assumptions),
        name=chosen.name,
        n_images=len(chosen),
        k=k,
        n_masks=n_masks,
        seconds=time.perf_counter() - start,
    )


def _labelled_images(
    images: Any, labels: np.ndarray | None, use_labels: bool, n_images: int, progress: Progress
) -> tuple[ImageSet, list[str]]:
    """Return at most `n_images` images, with labels of one class where there are none, and what was assumed."""
    if n_images < MIN_IMAGES:
        raise InputError(f"advice needs at least {MIN_IMAGES} images, but n_images is {n_images}")
    assumptions: list[str] = []
    if isinstance(images, str | os.PathLike):
        images = load_images(images, limit=n_images if labels is None else None, progress=progress)
        assumptions += images.notes
    if not isinstance(images, ImageSet):
        pixels = np.asarray(images)
        if pixels.ndim != 4:
            raise InputError(f"images must be of shape (N, C, H, W), but their shape is {pixels.shape}")
        images = ImageSet(pixels, np.zeros(len(pixels), np.int64), "images")
    if labels is not None:
        given = np.asarray(labels)
        if given.shape != (len(images),) or given.dtype.kind not in "iu":
            raise InputError(
                f"labels must be one whole number for each of the {len(images)} images, but they have shape "
                f"{given.shape} and type {given.dtype}"
            )
        images = ImageSet(images.images, np.unique(given, return_inverse=True)[1].astype(np.int64), images.name)
    if not use_labels:
        images = ImageSet(images.images, np.zeros(len(images), np.int64), images.name)
    if not np.ptp(images.labels):
        assumptions.append("no labels, or labels of one class: only scores that need none were computed")
    elif labels is None:
        classes, counts = np.unique(images.labels, return_counts=True)
        chance = 1 - float(np.square(counts / counts.sum()).sum())
        assumptions.append(
            f"labels are those that come with the images, {len(classes)} classes; labels of two images drawn at random "
            f"differ with probability {chance:.2f}"
        )
    chosen = images.limit(n_images)
    if len(chosen) < MIN_IMAGES:
        raise InputError(f"advice needs at least {MIN_IMAGES} images, but there are {len(chosen)}")
    if len(chosen) < len(images):
        assumptions.append(f"{len(chosen)} of {len(images)} images were scored, classes balanced")
    return chosen, assumptions


def _score_candidates(
    images: ImageSet,
    candidates: Sequence[Candidate],
    has_labels: bool,
    k: int,
    n_masks: int,
    seed: int,
    assumptions: list[str],
    progress: Progress,
) -> dict[str, tuple[CandidateScore, ...]]:
    weights = bootstrap_weights(len(images), seed)
    codes = max(2, min(REGION_CODES, len(images) // IMAGES_PER_CODE))
    if has_labels and codes < REGION_CODES:
        assumptions.append(f"{codes} codes a region, not {REGION_CODES} as in our studies, because images are few")
    found: dict[str, list[CandidateScore]] = {name: [] for name in TITLES}
    counts = np.bincount(images.labels)
    has_pairs = has_labels and counts[counts > 0].min() >= 2
    if has_labels and not has_pairs:
        assumptions.append("a class has one image, so that the relative distance was left out")
    for number, one in enumerate(candidates):
        progress(number, len(candidates), f"scoring {one.name}")
        if has_labels:
            found[PHI].append(pair_label_error_score(images, one, weights, n_masks=n_masks, codes=codes, seed=seed))
        if has_pairs:
            found[DISTANCE].append(relative_distance_score(images, one, n_masks=n_masks, seed=seed))
        found[KEPT_SHARE].append(kept_share_score(images, one, weights, k=k, seed=seed))
    progress(len(candidates), len(candidates), "candidates scored")
    return {name: tuple(scores) for name, scores in found.items() if scores}


def _why_undecided(
    leading: str | None,
    scores: Mapping[str, tuple[CandidateScore, ...]],
    groups: Mapping[str, tuple[int, ...]],
    has_labels: bool,
    averaged: bool,
) -> str:
    """Return the reason why there is no advice, or nothing."""
    if leading is None and PHI in scores and averaged:
        return (
            f"images of more than {STUDIED_VALUES} values are larger than those on which φ of token graphs predicted "
            "probes; of averaged pixels, computed instead, it did so beyond the correction on one of two data sets, "
            "and an order that it gave for a third before training was not confirmed"
        )
    if leading is None:
        known = enumerated([TITLES[name] for name in scores])
        remedy = "" if has_labels else "; labels would add φ of token graphs, which has"
        return f"no score that could be computed ({known}) has predicted probes in two of our studies{remedy}"
    n = len(scores[leading])
    if max(one.structure for one in scores[leading]) <= norm.isf(0.05 / n):
        return (
            f"{TITLES[leading]} of no candidate is better than with views, targets or labels permuted among the "
            "images, so what is visible and what is hidden share nothing of the labels that this many images would show"
        )
    if max(groups[leading]) == 1:
        return (
            f"by {TITLES[leading]} none of the {n} candidates can be told apart from the best; score more images or "
            "draw more masks"
        )
    return ""
