"""Folders of any layout: which images are read where labels do not matter, and what is said about the choice."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maetheory.core import InputError
from maetheory.data import load_images, load_unlabelled_images
from maetheory.data.folder import DecodeOptions


def _put(root: Path, *names: str) -> Path:
    """Write one image per name, a flat shade that is 10 times its position among the names."""
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 5), 10 * i).save(root / name)
    return root


def _shades(images: Iterable[np.ndarray]) -> list[int]:
    return [int(image[0, 0, 0]) // 10 for image in images]


@pytest.mark.parametrize(
    ("names", "read", "split", "labels", "note"),
    [
        (("train/a/0.png", "val/a/0.png", "val/b/0.png"), [1, 2], "test", [0, 1], None),
        (("train/a/0.png", "val/a/0.png", "test/b/0.png"), [2], "test", [0], None),
        (("val/a/0.png", "test/0.png"), [0], "test", [0], None),  # ImageNet's test images have no labels
        (("train/a/0.png", "test/0.png"), [1], "test", [0], None),
        (("train/a/0.png", "train/b/0.png"), [0, 1], "train", [0, 1], "no test/ or val/ images; those of train/ were"),
        (("train/0.png", "train/1.png"), [0, 1], "train", [0, 0], "no test/ or val/ images; those of train/ were"),
        (("0.png", "1.png"), [0, 1], "", [0, 0], "no train/, val/ or test/; all images in it were read"),
        (("a/0.png", "b/deep/0.png", "b/1.png"), [0, 2, 1], "", [0, 1, 1], "no train/, val/ or test/; all images"),
        (("a/0.png", "1.png"), [1, 0], "", [0, 1], "no train/, val/ or test/; all images"),
        (("val/a/0.png", "val/stray.png"), [0], "test", [0], "1 images beside the class folders of .* were not read"),
    ],
)
def test_every_layout_is_measured(
    tmp_path: Path, names: tuple[str, ...], read: list[int], split: str, labels: list[int], note: str | None
) -> None:
    images = load_unlabelled_images(_put(tmp_path / "mine", *names))
    assert (_shades(images.images), images.split, images.labels.tolist()) == (read, split, labels)
    assert images.name == "mine"
    if note is None:
        assert images.notes == ()
    else:
        assert len(images.notes) == 1
        assert re.search(note, images.notes[0])


def test_one_split_itself_is_a_folder_of_classes(tmp_path: Path) -> None:
    _put(tmp_path, "train/a/0.png", "train/b/0.png")
    for load in (load_images, load_unlabelled_images):
        images = load(tmp_path / "train")
        assert (images.name, images.split, images.class_names) == ("train", "", ("a", "b"))


def test_an_empty_class_or_one_of_its_own_is_no_obstacle_without_labels(tmp_path: Path) -> None:
    _put(tmp_path, "train/a/0.png", "val/b/0.png")
    (tmp_path / "val" / "empty").mkdir()
    assert _shades(load_unlabelled_images(tmp_path).images) == [1]
    with pytest.raises(InputError, match="has no counterpart"):
        load_images(tmp_path, split="val")


def test_a_limit_is_balanced_and_the_labelled_test_split_is_the_one_measured(tmp_path: Path) -> None:
    _put(tmp_path, *(f"test/{c}/{i}.png" for c in "ab" for i in range(4)))
    labelled, unlabelled = load_images(tmp_path, split="test", limit=3), load_unlabelled_images(tmp_path, limit=3)
    np.testing.assert_array_equal(labelled.images, unlabelled.images)
    assert _shades(unlabelled.images) == [0, 1, 4]


def test_labels_need_a_split_of_their_own(tmp_path: Path) -> None:
    """Training and test images must not be the same files, so a folder without splits has no test split."""
    _put(tmp_path, "a/0.png", "b/0.png")
    assert load_images(tmp_path).labels.tolist() == [0, 1]
    with pytest.raises(InputError, match="holds images but no test split: a test split lies in"):
        load_images(tmp_path, split="test")


def test_folders_without_images_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty" / "val").mkdir(parents=True)
    _put(tmp_path / "nested", "data/train/a/0.png")
    (tmp_path / "scans").mkdir()
    for i in range(3):
        (tmp_path / "scans" / f"{i}.dcm").write_bytes(b"DICM")
    (tmp_path / "shard.tar").write_bytes(b"ustar")
    Image.new("L", (6, 5)).save(tmp_path / "one.png")
    for name, sentence in {
        "empty": "holds neither, and no files at all",
        "nested": "holds neither, only images further down: give a folder nearer to them, as .*nested/data/train/a",
        "scans": r"holds neither, only 3 files of \.dcm: convert them to PNG",
        "shard.tar": "is none of these, but an archive: unpack it into a folder",
        "one.png": "is none of these, but one image: give the folder that holds several",
        "nowhere": "there is no file or folder .*nowhere",
    }.items():
        with pytest.raises(InputError, match=sentence):
            load_unlabelled_images(tmp_path / name)


def test_folders_that_are_read_together_are_named(tmp_path: Path) -> None:
    """Masks beside images, or both splits of COCO, would otherwise be measured unseen."""
    _put(tmp_path, "images/0.png", "masks/0.png", "masks/1.png")
    (note, *_) = load_unlabelled_images(tmp_path).notes
    assert note.endswith("all images in it were read, from 2 folders: images, masks")


def test_further_pages_and_frames_are_not_dropped_unseen(tmp_path: Path) -> None:
    pages = [Image.new("L", (6, 5), 40 * i) for i in range(3)]
    pages[0].save(tmp_path / "0.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "1.gif", save_all=True, append_images=pages[1:], duration=10)
    pages[2].save(tmp_path / "2.gif")
    pages[2].save(tmp_path / "3.tif")
    images = load_unlabelled_images(tmp_path)
    assert images.images[:, 0, 0, 0].tolist() == [0, 0, 80, 80]
    assert "2 of 4 files hold several pages or frames, of which the first was read" in images.notes


def test_what_pillow_logs_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tags = [(256, 4, 8), (257, 4, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 134), (277, 3, 13), (279, 4, 832)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    header = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)
    (tmp_path / "bands.tif").write_bytes(header.ljust(134, b"\0") + bytes(832))
    with pytest.raises(InputError, match=r"none of the 1 files .* more than four bands .* one \.npy array"):
        load_unlabelled_images(tmp_path)
    assert capsys.readouterr() == ("", "")


def test_images_of_several_sizes_are_decoded_at_the_encoders_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (500 + i, 600, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    images = load_unlabelled_images(tmp_path, options=DecodeOptions(default_size=384))
    assert images.shape == (3, 3, 384, 384)
    assert "3 of 3 images were resized and cropped to their central 384 x 384 pixels" in images.notes
    alike = load_unlabelled_images(_put(tmp_path / "alike", "0.png", "1.png"), options=DecodeOptions(default_size=384))
    assert alike.shape == (2, 3, 5, 6)  # images of one size keep their pixels


def test_images_of_one_large_size_fit_the_array_at_the_encoders_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path, "0.png", "1.png")
    monkeypatch.setattr("maetheory.data.folder.MAX_ARRAY_BYTES", 2 * 3 * 5 * 6 - 1)
    assert load_unlabelled_images(tmp_path, options=DecodeOptions(default_size=4)).shape == (2, 3, 4, 4)
    with pytest.raises(InputError, match="give a limit"):
        load_unlabelled_images(tmp_path)


def test_gray_encoders_get_gray_images(tmp_path: Path) -> None:
    gray = load_unlabelled_images(_put(tmp_path, "0.png", "1.png"), options=DecodeOptions(channels=1))
    assert (gray.shape, _shades(gray.images)) == ((2, 1, 5, 6), [0, 1])
    assert len(gray.notes) == 1
    Image.new("RGB", (6, 5), (255, 0, 0)).save(tmp_path / "2.png")
    red = load_unlabelled_images(tmp_path, options=DecodeOptions(channels=1))
    assert red.images[2, 0, 0, 0] == round(0.299 * 255)
    assert "1 of 3 images have colours, which became gray by their luminance (ITU-R 601)" in red.notes
    with pytest.raises(InputError, match="decoded to 1 channel"):
        DecodeOptions(channels=4)
