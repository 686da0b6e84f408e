"""Mask distributions (mask laws) over the patches of an image.

A mask is a boolean row over the ``p`` patches of an image, **True = visible**, here and in the models. Every law keeps
at least one patch visible and hides at least one. On small grids a law lists its whole support with probabilities,
and mask graphs are then exact.

Read `grid` (images to patches and back), `prediction` (the abstract `PredictionLaw`: a random view and target of each
image), `law` (the abstract `MaskLaw`, its kind whose target is what a mask hides) and its final subclasses `uniform`,
`bernoulli`, `block`, `listed` and `mixture`; `factory` makes a law from its name and mask ratio, and `views` numbers
the distinct views that masks give of a set of images. The other prediction laws are `mask_pairs` (prefixes, context and
target blocks), `corruption` (BERT's), `transformed` (tokenizers, rotated bases, pairs of augmentations) and `actions`
(world models).

>>> import numpy as np
>>> from maetheory.masks import UniformMasks
>>> masks = UniformMasks(n_patches=16, n_visible=4).sample(np.random.default_rng(0), 2)
>>> masks.shape, masks.sum(1).tolist()
((2, 16), [4, 4])
"""

from maetheory.core.renames import renamed
from maetheory.masks.actions import ActionLaw
from maetheory.masks.bernoulli import BernoulliMasks
from maetheory.masks.block import BlockMasks
from maetheory.masks.corruption import BertCorruption
from maetheory.masks.factory import make_mask_law
from maetheory.masks.grid import patchify, unpatchify
from maetheory.masks.law import MaskLaw, visible_count
from maetheory.masks.listed import ListedMasks
from maetheory.masks.mask_pairs import MaskPairs, PrefixMasks, context_and_target_blocks
from maetheory.masks.mixture import MixtureOfRatios
from maetheory.masks.prediction import Outcome, PredictionLaw
from maetheory.masks.transformed import AugmentationPairs, RotatedLaw, TokenizedLaw
from maetheory.masks.uniform import UniformMasks
from maetheory.masks.views import view_identities

__all__ = [
    "ActionLaw",
    "AugmentationPairs",
    "BernoulliMasks",
    "BertCorruption",
    "BlockMasks",
    "ListedMasks",
    "MaskLaw",
    "MaskPairs",
    "MixtureOfRatios",
    "Outcome",
    "PredictionLaw",
    "PrefixMasks",
    "RotatedLaw",
    "TokenizedLaw",
    "UniformMasks",
    "context_and_target_blocks",
    "make_mask_law",
    "patchify",
    "unpatchify",
    "view_identities",
    "visible_count",
]

__getattr__ = renamed(
    __name__,
    {
        "named_law": "make_mask_law",
    },
)
