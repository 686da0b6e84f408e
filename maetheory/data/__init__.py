"""Images and finite worlds as NumPy arrays: what comes in before anything is masked, trained or proved."""

from maetheory.data.images import ImageSet
from maetheory.data.sources import load_images

__all__ = ["ImageSet", "load_images"]
