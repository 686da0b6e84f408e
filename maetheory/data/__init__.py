"""Images and finite worlds as NumPy arrays: what comes in before anything is masked, trained or proved."""

from maetheory.data.images import ImageSet
from maetheory.data.render import draw_images, render
from maetheory.data.sources import DATASETS, fetch, load_images, load_or_stream
from maetheory.data.stream import FolderStream
from maetheory.data.worlds import FiniteWorld

__all__ = [
    "DATASETS",
    "FiniteWorld",
    "FolderStream",
    "ImageSet",
    "draw_images",
    "fetch",
    "load_images",
    "load_or_stream",
    "render",
]
