"""A name or a path is enough to get images."""

from __future__ import annotations

from os import PathLike

from maetheory.core import InputError
from maetheory.data.digits import digits
from maetheory.data.images import ImageSet, check_split


def load_images(
    source: str | PathLike[str],
    *,
    split: str = "train",
    root: str | PathLike[str] | None = None,
    limit: int | None = None,
) -> ImageSet:
    """Return labelled images from a named source.

    Parameters
    ----------
    source : str
        "digits" (comes with scikit-learn).
    split : {"train", "test", "val"}
        Which part.
    root : path, optional
        Not used by "digits".
    limit : int, optional
        Keep at most so many images, with the classes as equal as they can be.

    Returns
    -------
    ImageSet
        NumPy arrays: images (N, C, H, W), labels (N,).

    Raises
    ------
    InputError
        If the source is unknown or missing, or `split` or `limit` is not usable.

    Examples
    --------
    >>> load_images("digits", split="test", limit=20)
    ImageSet('digits/test', 20 images of 1x8x8 float32, 10 classes)
    """
    check_split(split)
    if source == "digits":
        return digits(split, limit)
    raise InputError(f"the source must be digits, but {source!s} was given")
