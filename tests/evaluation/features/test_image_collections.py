"""Images as lists, data sets and loaders, and arrays whose scale or axes are wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from maetheory.core import InputError
from maetheory.evaluation import collapse_report, encode
from maetheory.evaluation.features.foreign_model import AssumptionWarning
from maetheory.models import MAE, PRESETS

BYTES = np.random.default_rng(0).integers(0, 256, (10, 3, 6, 5), dtype=np.uint8)
PICTURES = [Image.fromarray(image.transpose(1, 2, 0)) for image in BYTES]
LABELS = torch.arange(10)
FLAT = nn.Flatten()


class Items(Dataset[Any]):
    """A data set of whatever items it is given."""

    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Stream(IterableDataset[Any]):
    """The images one by one, without a length."""

    def __iter__(self) -> Any:
        return iter(zip(torch.from_numpy(BYTES), LABELS))


def collate(items: list[Any]) -> Any:
    return [image for image, _ in items], [label for _, label in items]


COLLECTIONS: dict[str, Any] = {
    "list of pictures": PICTURES,
    "tuple of pictures": tuple(PICTURES),
    "list of arrays": list(BYTES),
    "list of tensors": list(torch.from_numpy(BYTES)),
    "data set of pairs": Items(list(zip(PICTURES, range(10)))),
    "data set of dicts": Items([{"label": 1, "img": picture} for picture in PICTURES]),
    "data set of images": Items(list(torch.from_numpy(BYTES))),
    "tensors": TensorDataset(torch.from_numpy(BYTES), LABELS),
    "loader of pairs": DataLoader(TensorDataset(torch.from_numpy(BYTES), LABELS), batch_size=4),
    "loader of images": DataLoader(Items(list(torch.from_numpy(BYTES))), batch_size=4),
    "loader of dicts": DataLoader(Items([{"label": 1, "pixel_values": image} for image in BYTES]), batch_size=4),
    "loader of pictures": DataLoader(Items(list(zip(PICTURES, range(10)))), batch_size=4, collate_fn=collate),
    "loader without batches": DataLoader(TensorDataset(torch.from_numpy(BYTES), LABELS), batch_size=None),
    "stream": Stream(),
    "loader of a stream": DataLoader(Stream(), batch_size=4),
    "iterator": iter(list(BYTES)),
}


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_the_images_of_every_collection_are_the_same(kind: str) -> None:
    found = encode(FLAT, COLLECTIONS[kind])
    torch.testing.assert_close(found, torch.from_numpy(BYTES).flatten(1) / 255)


def test_collapse_reads_a_loader_once_and_a_shuffled_one_too() -> None:
    loader = DataLoader(TensorDataset(torch.from_numpy(BYTES), LABELS), batch_size=4, shuffle=True)
    expected = collapse_report(FLAT, BYTES, metrics=["effective_rank"]).value[0]
    assert collapse_report(FLAT, loader, metrics=["effective_rank"]).value[0] == pytest.approx(expected, rel=1e-12)
    with pytest.warns(AssumptionWarning, match="the DataLoader shuffles"):
        encode(FLAT, loader)


def test_pictures_of_other_modes_and_sizes() -> None:
    gray = [picture.convert("L") for picture in PICTURES]
    assert encode(FLAT, gray).shape == (10, 30)
    digits = MAE(PRESETS["digits"])
    assert encode(digits, [picture.resize((8, 8)) for picture in PICTURES[:3]]).shape == (3, 64)
    mixed = [picture.resize((8 + i, 9)) for i, picture in enumerate(PICTURES)]
    assert encode(digits, mixed).shape == (10, 64)
    assert encode(FLAT, mixed[:3]).shape == (3, 3 * 224 * 224)
    deep = [Image.fromarray(16 * image[0].astype(np.uint16)) for image in BYTES]  # twelve bits
    torch.testing.assert_close(encode(FLAT, deep), torch.from_numpy(BYTES[:, 0]).flatten(1) / 255)


REFUSED: list[tuple[Any, str]] = [
    ([], "there are no images"),
    (Items([{"label": 1}, {"label": 2}]), "item 0 of the images is a dict of label, in which no image was found"),
    ([*PICTURES[:2], BYTES[0]], "mixture of pictures and arrays"),
    ([BYTES[0], BYTES[0, :, :4]], r"these have 2, such as \(3, 6, 5\) and \(3, 4, 5\)"),
    (PICTURES[0], "several images"),
    ("photos", "'photos' is a path"),
    ({"images": BYTES}, "a dict of images"),
    (7, "but this is a int"),
    (BYTES.astype(np.uint16) * 257, "they are uint16, from .* to 65535: divide them by their white level"),
    (BYTES.astype(np.int64), "they are int64"),
    ((BYTES / 255 - 0.45) / 0.22, "if mean and std were applied"),
    (TensorDataset(torch.from_numpy((BYTES / 255 - 0.45) / 0.22)), "if mean and std were applied"),
    (255.0 * BYTES, "divide them by their largest possible value"),
    (BYTES.astype(np.float32), "divide them by 255"),
    (BYTES / 255 / 255, "divided by 255 twice"),
    ((BYTES > 127).astype(np.uint8), "multiply them by 255"),
    (BYTES.transpose(0, 2, 3, 1), r"\(10, 6, 5, 3\) has its channels last: give images.transpose"),
    (BYTES[0], r"must have shape \(N, C, H, W\)"),
    (BYTES[:0], "there are 0"),
    (np.full((3, 1, 4, 4), np.nan), "NaN"),
    (np.array(["a", "b"]), "but they are <U1"),
]


@pytest.mark.parametrize(("images", "sentence"), REFUSED)
def test_what_is_no_set_of_images_is_refused_with_what_would_be_right(images: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        encode(FLAT, images)


def test_an_error_of_the_data_set_is_a_sentence() -> None:
    class Broken(Items):
        def __getitem__(self, index: int) -> Tensor:
            raise OSError("image file is truncated")

    with pytest.raises(InputError, match=r"cannot be read to the end .OSError: image file is truncated"):
        encode(FLAT, Broken([1, 2, 3]))
