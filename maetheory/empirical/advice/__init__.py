"""Advice on mask law, mask ratio and patch size, from the images alone.

Read `candidates` (what is compared), `candidate_scores` (the score of one candidate, with its bootstrap over images),
`groups` (which candidates cannot be told apart), `evidence` (which scores predicted probes in our studies), `cost`, and
`advise_images`, which joins them into an `Advice` or says that the images do not decide.

>>> from maetheory.data import load_images
>>> found = advise(load_images("digits"), laws=("uniform",), mask_ratios=(0.5,), patch_sizes=(2, 4), n_images=200)
>>> len(found.candidates), found.leading_score
(2, 'tokens pair_label_error')
"""

from maetheory.empirical.advice.advise_images import Advice, advise
from maetheory.empirical.advice.candidates import Candidate, default_patch_sizes, make_candidates
from maetheory.empirical.advice.evidence import evidence_table, predicting_scores

__all__ = [
    "Advice",
    "Candidate",
    "advise",
    "default_patch_sizes",
    "evidence_table",
    "make_candidates",
    "predicting_scores",
]
