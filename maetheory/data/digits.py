"""Load scikit-learn's 8x8 handwritten digits."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError
from maetheory.data.images import ImageSet, check_split, class_balanced_indices


def load_digits(split: str = "train", limit: int | None = None) -> ImageSet:
    """Return the 1797 handwritten digits that scikit-learn ships; nothing is downloaded.

    Pixels, integers from 0 to 16, are divided by 16, which is exact in float32. The split is fixed and stratified:
    with the images sorted by class, every fifth is for testing. One writer often wrote consecutive digits, so the two
    parts share writers, and the accuracies are optimistic for a new writer.

    Parameters
    ----------
    split : {"train", "test", "val"}
        1437 images for training; 360 for testing, which is also the validation set.
    limit : int, optional
        Keep at most this many images, classes balanced.

    Returns
    -------
    ImageSet
        float32 images of shape (N, 1, 8, 8) in [0, 1], ten classes.

    Raises
    ------
    InputError
        If `split` or `limit` is not as above.

    Notes
    -----
    Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (UCI); the copy is the UCI test set.

    Examples
    --------
    >>> load_digits("test")
    ImageSet('digits/test', 360 images of 1x8x8 float32, 10 classes)
    """
    check_split(split)
    from sklearn import datasets

    bunch = datasets.load_digits()
    pixels, labels = bunch.images, bunch.target.astype(np.int64)
    if pixels.shape != (1797, 8, 8) or pixels.max() != 16:
        raise InputError("this scikit-learn does not hold the 1797 digits of 8x8 pixels in 0..16")
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    chosen = np.flatnonzero(~is_test if split == "train" else is_test)
    chosen = chosen[class_balanced_indices(labels[chosen], limit)]
    images = (pixels[chosen, None] / 16).astype(np.float32)  # (1797, 8, 8) -> (N, 1, 8, 8)
    return ImageSet(images, labels[chosen], "digits", split, tuple("0123456789"))
