"""Images and finite worlds as NumPy arrays: what comes in before anything is masked, trained or proved."""

from maetheory.core.renames import renamed
from maetheory.data.images import ImageSet
from maetheory.data.sources import DATASETS, fetch, load_images, load_or_stream
from maetheory.data.stream import FolderStream
from maetheory.data.world_images import render, sample_images
from maetheory.data.worlds import FiniteWorld

__all__ = [
    "DATASETS",
    "FiniteWorld",
    "FolderStream",
    "ImageSet",
    "fetch",
    "load_images",
    "load_or_stream",
    "render",
    "sample_images",
]

__getattr__ = renamed(
    __name__,
    {
        "draw_images": "sample_images",
    },
)
