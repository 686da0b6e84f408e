"""Independent, named random streams derived from one seed."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *stream: str | int) -> np.random.Generator:
    """Return the NumPy generator of the named stream of a seed.

    Streams of different names are statistically independent, so a new stream does not change the draws of another.

    Parameters
    ----------
    seed : int
        The seed the user gave; non-negative.
    *stream : str or int
        Path of the stream, for instance ``("masks", epoch)``.

    Examples
    --------
    >>> bool(generator(0, "masks").random() == generator(0, "masks").random())
    True
    """
    path = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in stream]
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=tuple(path)))
