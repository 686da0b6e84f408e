"""Refuse a patch size that fits no image before all images are loaded.

How large images are is known after they are loaded, which for a large folder takes minutes. A few of them show that a
patch size cannot be right: all images of a source have one size, or those of a folder become squares of a default size.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection

from maetheory.core import InputError

SAMPLED_IMAGES = 16


def check_patch_sizes(data: str, patches: Collection[int | None]) -> None:
    """Raise InputError if a patch size divides no sides that the images of a source can have.

    Parameters
    ----------
    data : str
        Name or path of images. What cannot be read passes, because reading all of it says what is wrong.
    patches : collection of int, or None where a default holds
    """
    sides = [patch for patch in patches if patch is not None]
    if not sides:
        return
    if min(sides) < 1:
        raise InputError(f"the patch size must divide the image sides, but {min(sides)} divides none")
    shapes = _possible_shapes(data)
    for side in sides:
        if shapes and all(height % side or width % side for height, width in shapes):
            height, width = shapes[0]
            raise InputError(f"the patch size must divide the image sides, but {side} does not divide {height}x{width}")


def _possible_shapes(data: str) -> list[tuple[int, int]]:
    """Return the height and width of the first images, and of the default square in an image folder; empty if unknown.

    The test images are looked at where there are some, because they are fewer.
    """
    from maetheory.core.files import expand_user
    from maetheory.data import DATASETS, load_images
    from maetheory.data.folder import DEFAULT_SIZE
    from maetheory.data.folder_layouts import holds_images

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # loading all images warns of the same
        for split in ("test", "train"):
            try:
                height, width = load_images(data, split=split, limit=SAMPLED_IMAGES).shape[2:]
                is_folder = data not in DATASETS and holds_images(expand_user(data))
            except (InputError, OSError, ValueError):
                continue
            return [(height, width), *([(DEFAULT_SIZE, DEFAULT_SIZE)] if is_folder else [])]
    return []
