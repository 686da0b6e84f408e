"""Convert images to patches and back (`patchify`, `unpatchify`)."""

from __future__ import annotations

import numpy as np

from maetheory.core import InputError


def patchify(images: np.ndarray, patch: int) -> np.ndarray:
    """Cut images into patches in raster order; inside a patch, rows then columns then channels (as MAE does).

    Parameters
    ----------
    images : ndarray, shape (n, C, H, W)
    patch : int
        Side of a patch in pixels; must divide H and W.

    Returns
    -------
    ndarray, shape (n, p, c)
        p = (H / patch)(W / patch), c = patch² C.

    Raises
    ------
    InputError
        If `images` is not four-dimensional or `patch` does not divide its sides.

    Examples
    --------
    >>> patchify(np.arange(16).reshape(1, 1, 4, 4), 2)[0, 0].tolist()
    [0, 1, 4, 5]
    """
    if images.ndim != 4:
        raise InputError(f"images must have shape (N, C, H, W), but theirs is {images.shape}")
    n, channels, height, width = images.shape
    if patch < 1 or height % patch or width % patch:
        raise InputError(f"the patch size must divide the image sides, but {patch} does not divide {height}x{width}")
    rows, columns = height // patch, width // patch
    cells = images.reshape(n, channels, rows, patch, columns, patch)  # (n, C, H, W) -> (n, C, gh, s, gw, s)
    return cells.transpose(0, 2, 4, 3, 5, 1).reshape(n, rows * columns, patch * patch * channels)  # -> (n, p, c)


def unpatchify(patches: np.ndarray, patch: int, grid: tuple[int, int]) -> np.ndarray:
    """Reassemble images from their patches, the inverse of `patchify`.

    Parameters
    ----------
    patches : ndarray, shape (n, p, c)
    patch : int
        Side of a patch in pixels.
    grid : (int, int)
        Rows and columns of the patch grid.

    Returns
    -------
    ndarray, shape (n, C, H, W)

    Raises
    ------
    InputError
        If the grid does not hold p patches, or c is not a multiple of patch².
    """
    n, p, c = patches.shape
    rows, columns = grid
    if rows * columns != p or c % (patch * patch):
        raise InputError(
            f"a {rows}x{columns} grid of {patch}x{patch} patches does not fit patches of shape {patches.shape}"
        )
    cells = patches.reshape(n, rows, columns, patch, patch, c // (patch * patch))  # (n, p, c) -> (n, gh, gw, s, s, C)
    return cells.transpose(0, 5, 1, 3, 2, 4).reshape(n, -1, rows * patch, columns * patch)  # -> (n, C, H, W)
