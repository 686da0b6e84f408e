"""Mask distributions (mask laws) over the patches of an image.

A mask is a boolean row over the ``p`` patches of an image, **True = visible**, here and in the models. Every law keeps
at least one patch visible and hides at least one. On small grids a law lists its whole support with probabilities,
and mask graphs are then exact.

Read `grid` (images to patches and back), `law` (the abstract `MaskLaw`) and its final subclasses `uniform`,
`bernoulli`, `block` and `listed`; `factory` makes a law from its name and mask ratio, and `views` numbers the distinct
views that masks give of a set of images.

>>> import numpy as np
>>> from maetheory.masks import UniformMasks
>>> masks = UniformMasks(n_patches=16, n_visible=4).sample(np.random.default_rng(0), 2)
>>> masks.shape, masks.sum(1).tolist()
((2, 16), [4, 4])
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
