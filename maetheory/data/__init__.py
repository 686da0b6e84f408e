"""Labelled images and finite worlds as NumPy arrays; nothing here imports torch.

Read `images` (`ImageSet`, the one container of labelled images), `sources` (load a data set by its name or path) and
the loaders it calls:

- `digits`, built in;
- `known_layouts`, official files: `cifar10` (with `cifar10_download` and `cifar10_archive`), `cifar100`,
  `cifar_dictionaries` (by `plain_pickles`), `idx_files` (MNIST and its kin) and `array_files` (NumPy);
- `parquet_images`, encoded images in tables, as the Hugging Face hub stores them;
- `folder`, image files: `folder_layouts` and `image_files` find them, `decode` reads them, `pixel_range` scales more
  than eight bits, `stream` reads large folders in batches; `pillow_images` takes images that are open already;
- `unknown_sources`, what a path holds that is no source of images.

`finite_world` and `worlds` are explicit distributions over images whose spectra or label errors are known;
`world_images` samples image sets from them. `paper` holds the published numbers, `wordnet_names` English class names.

>>> from maetheory.data import load_images, worlds
>>> load_images("digits", limit=100)
ImageSet('digits/train', 100 images of 1x8x8 float32, 10 classes)
>>> worlds.mixture(n_patches=4, alphabet=2, n_classes=2, noise=0.1).states.shape
(16, 4)
"""

from maetheory.core.renames import renamed
from maetheory.data.images import ImageSet
from maetheory.data.sources import DATASETS, fetch, load_images, load_or_stream, load_unlabelled_images
from maetheory.data.stream import FolderStream
from maetheory.data.world_images import images_from_patches, sample_images
from maetheory.data.worlds import FiniteWorld

__all__ = [
    "DATASETS",
    "FiniteWorld",
    "FolderStream",
    "ImageSet",
    "fetch",
    "images_from_patches",
    "load_images",
    "load_or_stream",
    "load_unlabelled_images",
    "sample_images",
]

__getattr__ = renamed(
    __name__,
    {
        "draw_images": "sample_images",
        "render": "images_from_patches",
    },
)
