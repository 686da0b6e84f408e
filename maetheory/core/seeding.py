"""One seed at the edge, independent streams inside."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, *stream: str | int) -> np.random.Generator:
    """Return the random generator of a named stream below one seed.

    Streams of different names are statistically independent, and adding one never moves another.

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
