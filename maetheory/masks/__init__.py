"""A mask decides what is seen; its law decides which views ever meet.

A mask is a boolean row over the ``p`` patches of an image, **True = visible**, here and in the models. Every law shows
at least one patch and hides at least one. On small grids a law knows its whole support with probabilities, which is
what makes mask graphs exact.
"""

from maetheory.core.renames import renamed
from maetheory.masks.bernoulli import BernoulliMasks
from maetheory.masks.block import BlockMasks
from maetheory.masks.factory import make_mask_law
from maetheory.masks.grid import patchify, unpatchify
from maetheory.masks.law import MaskLaw, visible_count
from maetheory.masks.listed import ListedMasks
from maetheory.masks.uniform import UniformMasks
from maetheory.masks.views import view_identities

__all__ = [
    "BernoulliMasks",
    "BlockMasks",
    "ListedMasks",
    "MaskLaw",
    "UniformMasks",
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
