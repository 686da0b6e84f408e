"""An epoch of a folder yields every image once, the same with any number of workers, and names skipped files."""

from __future__ import annotations

import hashlib
import threading
import warnings
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maetheory.core import InputError
from maetheory.data import FolderStream
from maetheory.data.folder import load_image_folder
from maetheory.data.image_files import SkippedFilesWarning
from maetheory.data.pixel_range import PixelRanges

Batches = list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def fish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, 7 and 4 images of 12x10; each image is one flat shade, 20 * number, its own name tag."""
    root = tmp_path_factory.mktemp("stream") / "fish"
    for c, (name, count) in enumerate([("carp", 7), ("pike", 4)]):
        (root / "train" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (10, 12), 20 * (7 * c + i)).save(root / "train" / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven images of noise, so that no two windows look alike."""
    root = tmp_path_factory.mktemp("noisy")
    (root / "train" / "a").mkdir(parents=True)
    for i in range(11):
        pixels = np.random.default_rng(i).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "train" / "a" / f"{i:02d}.png")
    return root


def _tags(batches: Batches) -> list[int]:
    """Which image each one is, read off its shade."""
    return [int(image.flat[0]) // 20 for images, _ in batches for image in images]


def _same(one: Batches, other: Batches) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(one, other)
    )


def test_evaluation_keeps_the_order(fish: Path) -> None:
    stream = FolderStream(fish, size=8, batch=4, workers=0)
    batches = list(stream)
    assert [images.shape for images, _ in batches] == [(4, 3, 8, 8), (4, 3, 8, 8), (3, 3, 8, 8)]
    assert all(images.dtype == np.uint8 and labels.dtype == np.int64 for images, labels in batches)
    assert _tags(batches) == list(range(11))
    assert np.concatenate([labels for _, labels in batches]).tolist() == [0] * 7 + [1] * 4
    assert (stream.n_images, stream.n_batches, stream.class_names) == (11, 3, ("carp", "pike"))


def test_evaluation_equals_the_array(noisy: Path) -> None:
    streamed = np.concatenate([images for images, _ in FolderStream(noisy, size=16, batch=4, workers=0)])
    np.testing.assert_array_equal(streamed, load_image_folder(noisy, size=16).images)


def test_training_shuffles_each_image_in_once(fish: Path) -> None:
    stream = FolderStream(fish, size=8, batch=4, train=True, workers=0)
    epochs = [_tags(list(stream.epoch(e))) for e in range(3)]
    assert all(sorted(tags) == list(range(11)) for tags in epochs)
    assert len({tuple(tags) for tags in [*epochs, list(range(11))]}) == 4
    for images, labels in stream.epoch(0):
        assert [int(image.flat[0]) // 20 >= 7 for image in images] == labels.astype(bool).tolist()


def test_workers_do_not_matter(noisy: Path) -> None:
    """In this thread and in two others, with random crops: equal to the last bit; another batch size too."""
    options = {"size": 16, "train": True, "seed": 3}
    alone = list(FolderStream(noisy, batch=2, workers=0, **options).epoch(5))
    assert _same(alone, list(FolderStream(noisy, batch=2, workers=2, **options).epoch(5)))
    larger = list(FolderStream(noisy, batch=7, workers=0, **options).epoch(5))
    assert np.array_equal(*(np.concatenate([images for images, _ in batches]) for batches in (alone, larger)))


def test_batches_are_those_of_earlier_versions(noisy: Path) -> None:
    """Bytes recorded from the stream that decoded in processes of its own, before DataLoader took them over."""
    digest = hashlib.sha256()
    for images, labels in FolderStream(noisy, size=16, train=True, batch=4, seed=3, workers=2).epoch(2):
        digest.update(images.tobytes() + labels.astype("<i8").tobytes())
    assert digest.hexdigest() == "8ca39f3969d06c9d8ddaaf233c426f043f37dcb01e860840e49221ae823b8682"


def test_seed_and_epoch_do_matter(noisy: Path) -> None:
    def views(seed: int, epoch: int) -> Batches:
        return list(FolderStream(noisy, size=16, train=True, seed=seed, workers=0).epoch(epoch))

    assert _same(views(0, 1), views(0, 1))
    assert not _same(views(0, 1), views(0, 2))
    assert not _same(views(0, 1), views(1, 1))
    one, other = views(0, 1)[0][0], views(0, 2)[0][0]
    assert not any(np.array_equal(a, b) for a in one for b in other)  # new windows, not just a new order


def test_training_needs_its_epoch(fish: Path) -> None:
    with pytest.raises(InputError, match=r"stream\.epoch\(number\)"):
        iter(FolderStream(fish, train=True))


@pytest.mark.parametrize("parts", [1, 2, 3, 11])
def test_shards_are_a_partition(fish: Path, parts: int) -> None:
    evaluated: list[list[int]] = []
    trained: list[list[int]] = []
    for rank in range(parts):
        evaluation = FolderStream(fish, size=4, batch=2, workers=0, shard=(rank, parts))
        training = FolderStream(fish, size=4, batch=2, workers=0, shard=(rank, parts), train=True)
        evaluated.append(_tags(list(evaluation)))
        trained.append(_tags(list(training.epoch(1))))
        assert len(evaluated[-1]) == evaluation.n_images
    assert sorted(chain(*evaluated)) == list(range(11))
    assert {len(tags) for tags in trained} == {11 // parts}
    assert len(set(chain(*trained))) == parts * (11 // parts)


def test_leaving_early_ends_the_threads(noisy: Path) -> None:
    before = threading.active_count()
    batches = FolderStream(noisy, size=8, batch=1, workers=2).epoch(0)
    assert next(batches)[0].shape == (1, 3, 8, 8)
    assert threading.active_count() == before + 2
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert threading.active_count() == before
    with pytest.raises(StopIteration):
        next(batches)


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_files_are_left_out(noisy: Path, tmp_path: Path, workers: int) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    for file in (noisy / "train" / "a").iterdir():
        (tmp_path / "train" / "a" / file.name).write_bytes(file.read_bytes())
    for number in ("04", "05", "06"):  # the whole third batch and the first of the fourth
        (tmp_path / "train" / "a" / f"{number}.png").write_bytes(b"")
    stream = FolderStream(tmp_path, size=8, batch=2, workers=workers)
    with pytest.warns(SkippedFilesWarning, match=r"3 of 11 files .*: a/04\.png, a/05\.png, a/06\.png$"):
        batches = list(stream)
    assert [len(labels) for _, labels in batches] == [2, 2, 1, 2, 1]
    assert set(stream.skipped) == {"a/04.png", "a/05.png", "a/06.png"}
    assert "cannot identify" in stream.skipped["a/04.png"]
    whole = np.concatenate([images for images, _ in FolderStream(noisy, size=8, workers=0)])
    np.testing.assert_array_equal(np.concatenate([images for images, _ in batches]), whole[[0, 1, 2, 3, 7, 8, 9, 10]])


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    (tmp_path / "train" / "a" / "x.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="none of the 1 files"):
        list(FolderStream(tmp_path, workers=0))


@pytest.mark.parametrize(
    "options",
    [{"size": 0}, {"batch": 0}, {"workers": -1}, {"shard": (2, 2)}, {"shard": (-1, 2)}, {"split": "dev"}, {"limit": 0}],
)
def test_bad_options(fish: Path, options: dict) -> None:
    with pytest.raises(InputError):
        FolderStream(fish, **options)
    with pytest.raises(InputError, match="too few for 12 parts"):
        FolderStream(fish, train=True, shard=(0, 12))


def test_real_folder(real_data: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream = FolderStream(real_data / "tin20", "val", size=64, batch=300, workers=0)
        batches = list(stream)
    assert [len(labels) for _, labels in batches] == [300, 300, 300, 100]
    assert np.bincount(np.concatenate([labels for _, labels in batches])).tolist() == [50] * 20


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_pixels_of_more_than_eight_bits_have_one_range_for_the_whole_stream(tmp_path: Path, bits: int) -> None:
    """A dark image stays darker than a light one, and a few bits in a 16-bit file are as light as eight."""
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    shades = np.random.default_rng(0).random((6, 12, 12)) * np.array([0.1, 1, 0.3, 0.5, 1, 0.7])[:, None, None]
    shades[1, 0, 0] = 1
    for i, shade in enumerate(shades):
        Image.fromarray((shade * (2**bits - 1)).astype(np.uint16)).save(folder / f"{i}.png")
    stream = FolderStream(tmp_path, size=12, batch=4)
    images = np.concatenate([batch for batch, _ in stream])
    assert np.array_equal(images, load_image_folder(tmp_path).images)
    np.testing.assert_allclose(images[:, 0], 255 * shades, atol=1.5)
    (note,) = stream.notes
    assert note.startswith("6 of 6 images have more than eight bits: 16-bit or wider pixels reach from ")
    assert f"0 to {2**bits - 1} was scaled" in note
    given = FolderStream(tmp_path, size=12, pixel_ranges=PixelRanges())
    assert given.notes == ()
    assert next(iter(given))[0].max() == 255 * (2**bits - 1) // 65535


def test_the_range_of_a_large_folder_comes_from_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train" / "a").mkdir(parents=True)
    for i in range(9):
        Image.fromarray(np.full((4, 4), 4000 if i == 8 else 10, np.uint16)).save(tmp_path / f"train/a/{i}.png")
    monkeypatch.setattr("maetheory.data.folder.MAX_SAMPLED_FILES", 3)
    (note,) = FolderStream(tmp_path, size=4).notes
    assert "9 of 9 images have more than eight bits, of which 3 were decoded to find their range" in note
    assert "0 to 4095 was scaled" in note
    Image.new("L", (4, 4)).save(tmp_path / "train/a/8.png")
    assert "0 to 255 was scaled" in FolderStream(tmp_path, size=4).notes[0]
