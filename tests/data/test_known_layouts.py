"""NumPy files, IDX files and the official layouts of CIFAR are recognised; damage and pickles are named."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from maetheory.core import InputError
from maetheory.data import array_files, load_images, load_unlabelled_images

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (6, 3, 8, 9), dtype=np.uint8)


def _npy(folder: Path, images: np.ndarray, name: str = "mine.npy") -> Path:
    np.save(folder / name, images)
    return folder / name


def test_channels_may_come_first_or_last(tmp_path: Path) -> None:
    for images in (BYTES, BYTES.transpose(0, 2, 3, 1)):
        found = load_images(_npy(tmp_path, images))
        np.testing.assert_array_equal(found.images, BYTES)
        assert (found.name, found.split, found.labels.tolist()) == ("mine", "", [0] * 6)
        assert "no splits; all images in it were read" in found.notes[0]
    gray = load_unlabelled_images(_npy(tmp_path, BYTES[:, 0]), limit=4)
    np.testing.assert_array_equal(gray.images, BYTES[:4, :1])
    alpha = np.concatenate([BYTES, BYTES[:, :1]], axis=1).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(load_images(_npy(tmp_path, alpha)).images, BYTES)


def test_spectral_bands_are_channels(tmp_path: Path) -> None:
    bands = RNG.integers(0, 10_000, (5, 13, 26, 40), dtype=np.uint16)
    for images in (bands, bands.transpose(0, 2, 3, 1)):
        found = load_unlabelled_images(_npy(tmp_path, images))
        assert found.images.shape == (5, 13, 26, 40)
        assert int(found.images[0, 3, 5, 7]) == bands[0, 3, 5, 7] >> 6  # the upper eight of 14 bits
    for unclear in (bands[:, :, :13, :13], bands[:, :, :, :25], np.zeros((2, 40, 64, 64), np.uint8)):
        with pytest.raises(InputError, match="which is none of these"):
            load_unlabelled_images(_npy(tmp_path, unclear))


def test_a_channel_that_is_left_out_is_noted(tmp_path: Path) -> None:
    alpha = np.concatenate([BYTES, BYTES[:, :1]], axis=1)
    assert "the fourth channel was taken for transparency and left out" in load_images(_npy(tmp_path, alpha)).notes
    assert len(load_images(_npy(tmp_path, BYTES)).notes) == 1


def test_labels_may_be_whole_numbers_of_floating_point(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, x_train=BYTES, y_train=np.array([0.0, 2, 1, 0, 1, 2]))
    assert load_images(path).labels.tolist() == [0, 2, 1, 0, 1, 2]
    np.savez(path, x_train=BYTES, y_train=np.array([0.5, 2, 1, 0, 1, 2]))
    with pytest.raises(InputError, match="one whole-number label"):
        load_images(path)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (BYTES[:, :2], "which is none of these"),
        (BYTES[:, :, :, :3], "which of them is C is not clear"),
        (BYTES[0].transpose(1, 2, 0), "which is none of these"),
        (BYTES.reshape(6, -1), "which is none of these"),
        (BYTES[:0], "holds no images"),
        (BYTES.astype(np.float32), r"must lie in \[0, 1\], but these reach from 0 to 255; divide them by 255"),
        (RNG.normal(size=BYTES.shape), "if mean and std were applied"),
        (BYTES.astype(object), "no whole .npy file of plain arrays"),
        (BYTES.astype(complex), "must be uint8"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path: Path, images: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_images(_npy(tmp_path, images))


def test_whole_numbers_follow_the_rule_of_image_files(tmp_path: Path) -> None:
    twelve = BYTES.astype(np.uint16) * 16 + 15
    found = load_images(_npy(tmp_path, twelve))
    np.testing.assert_array_equal(found.images, BYTES)
    assert "0 to 4095 was scaled to 0 to 255" in found.notes[1]
    np.testing.assert_array_equal(load_images(_npy(tmp_path, BYTES.astype(np.int64))).images, BYTES)
    assert load_images(_npy(tmp_path, BYTES > 127)).images.max() == 255
    half = load_images(_npy(tmp_path, (BYTES / 255).astype(np.float16)))
    assert half.images.dtype == np.float32


@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
def test_npz_files_may_have_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    path, labels = tmp_path / "set.npz", np.array([2, 0, 1, 0])
    arrays: dict[str, Any] = dict(zip(names, (BYTES[:4], labels[:, None], BYTES[4:], labels[:2]), strict=True))
    np.savez_compressed(path, **arrays)
    train = load_images(path)
    np.testing.assert_array_equal(train.images, BYTES[:4])
    assert (train.labels.tolist(), train.split, train.notes) == ([2, 0, 1, 0], "train", ())
    for test in (load_images(path, split="test"), load_images(path, split="val"), load_unlabelled_images(path)):
        np.testing.assert_array_equal(test.images, BYTES[4:])


def test_npz_files_without_splits_have_no_test_images(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, images=BYTES, labels=np.arange(6))
    assert load_images(path, limit=2).labels.tolist() == [0, 1]
    assert len(load_unlabelled_images(path)) == 6
    with pytest.raises(
        InputError, match="needs an array test_images, x_test or val_images, x_val, but it holds images"
    ):
        load_images(path, split="test")
    np.savez(path, images=BYTES, labels=np.arange(5))
    with pytest.raises(InputError, match="one whole-number label for each of its 6 images"):
        load_images(path)


def test_damaged_and_oversized_array_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _npy(tmp_path, BYTES).read_bytes()
    np.savez_compressed(tmp_path / "set.npz", images=BYTES)
    packed = (tmp_path / "set.npz").read_bytes()
    for name, content in {
        "cut.npy": whole[:200],
        "empty.npy": b"",
        "page.npy": b"<html>",
        "cut.npz": packed[: len(packed) // 2],
        "torn.npz": packed[:400] + bytes(50) + packed[450:],
        "pickle.npy": pickle.dumps(BYTES),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"no whole \.np[yz] file"):
            load_images(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive, archive.open("images.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (1 << 40,)})
    with pytest.raises(InputError, match=r"the array images of shape \(1099511627776,\) passes 8 GiB"):
        load_images(tmp_path / "bomb.npz")
    monkeypatch.setattr(array_files, "MAX_ARRAY_BYTES", 5 * 3 * 8 * 9)
    assert len(load_images(_npy(tmp_path, BYTES), limit=5)) == 5
    with pytest.raises(InputError, match=r"6 images of .*; give a limit"):
        load_images(_npy(tmp_path, BYTES))


def _idx(array: np.ndarray) -> bytes:
    """An unsigned-byte array written by the format's description: magic number, sizes, values."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape) + array.tobytes()


def _put_idx(folder: Path, *, packed: bool, prefix: str = "") -> Path:
    folder.mkdir(parents=True)
    for split, rows in (("train", slice(0, 4)), ("t10k", slice(4, 6))):
        for kind, array in (("images-idx3", BYTES[rows, 0]), ("labels-idx1", np.arange(6, dtype=np.uint8)[rows])):
            content = _idx(array)
            path = folder / f"{prefix}{split}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize(("packed", "prefix"), [(True, ""), (False, ""), (True, "emnist-letters-")])
def test_idx_folders(tmp_path: Path, packed: bool, prefix: str) -> None:
    _put_idx(tmp_path / "FashionMNIST" / "raw", packed=packed, prefix=prefix)
    for folder in (tmp_path / "FashionMNIST", tmp_path / "FashionMNIST" / "raw"):
        train, test = load_images(folder), load_unlabelled_images(folder)
        np.testing.assert_array_equal(train.images, BYTES[:4, :1])
        np.testing.assert_array_equal(test.images, BYTES[4:, :1])
        assert (train.name, train.labels.tolist(), test.labels.tolist()) == ("FashionMNIST", [0, 1, 2, 3], [4, 5])


def test_the_root_of_torchvision_holds_one_data_set(tmp_path: Path) -> None:
    _put_idx(tmp_path / "MNIST" / "raw", packed=True)
    images = load_images(tmp_path)
    assert (images.name, len(images)) == ("MNIST", 4)
    _put_idx(tmp_path / "KMNIST" / "raw", packed=True)
    with pytest.raises(InputError, match="holds neither, only"):
        load_images(tmp_path)


def test_files_of_several_data_sets_are_not_mixed(tmp_path: Path) -> None:
    folder = _put_idx(tmp_path / "EMNIST", packed=True, prefix="emnist-balanced-")
    for path in list(folder.iterdir()):
        path.with_name(path.name.replace("balanced", "letters")).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"several data sets, such as emnist-balanced-.* and emnist-letters-"):
        load_images(folder)


def test_damaged_idx_files_are_named(tmp_path: Path) -> None:
    folder = _put_idx(tmp_path / "mnist", packed=False)
    images = folder / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    for content, sentence in (
        (whole[:-1], "is truncated"),
        (whole + b"x", "is longer than it says"),
        (b"\0\0\x0d\x03" + whole[4:], "no IDX file of unsigned bytes"),
        (b"", "begins with nothing"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "damaged or passes 8 GiB"),
        (_idx(BYTES[:3, 0]), "as many labels"),
    ):
        images.write_bytes(content)
        with pytest.raises(InputError, match=sentence):
            load_images(folder)
    images.unlink()
    with pytest.raises(InputError, match="needs the file train-images-idx3-ubyte"):
        load_images(folder)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(whole)[:-20])
    with pytest.raises(InputError, match="cannot be read to its end"):
        load_images(folder)


def test_cifar100_binary(tmp_path: Path) -> None:
    """Records by the format's description: coarse label, fine label, red, green and blue planes."""
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    record = bytes([7, 42]) + bytes([1]) * 1024 + bytes([2]) * 1024 + bytes([3]) * 1024
    (folder / "test.bin").write_bytes(record * 10_000)
    (folder / "fine_label_names.txt").write_text("\n".join(f"class{i}" for i in range(100)) + "\n")
    for root in (folder, tmp_path):
        images = load_unlabelled_images(root, limit=5)
        assert (images.name, images.shape, images.n_classes) == ("cifar100", (5, 3, 32, 32), 100)
        assert images.labels.tolist() == [42] * 5
        assert images.class_names[42] == "class42"
        assert images.images[0, :, 5, 5].tolist() == [1, 2, 3]
    with pytest.raises(InputError, match=r"train\.bin, which is missing"):
        load_images(folder)
    (folder / "test.bin").write_bytes(record * 9_999)
    with pytest.raises(InputError, match="truncated or not CIFAR-100"):
        load_images(folder, split="test")


def test_cifar_matlab(tmp_path: Path) -> None:
    data = RNG.integers(0, 256, (4, 3072), dtype=np.uint8)
    for folder, train, test, labels in (
        ("cifar-10-batches-mat", "data_batch_1.mat", "test_batch.mat", "labels"),
        ("cifar-100-matlab", "train.mat", "test.mat", "fine_labels"),
    ):
        (tmp_path / folder).mkdir()
        savemat(tmp_path / folder / test, {"data": data, labels: np.arange(4, dtype=np.uint8)[:, None]})
        images = load_unlabelled_images(tmp_path / folder)
        np.testing.assert_array_equal(images.images.reshape(4, -1), data)
        assert images.labels.tolist() == [0, 1, 2, 3]
        with pytest.raises(InputError, match=f"{train}, which is missing"):
            load_images(tmp_path / folder)
        (tmp_path / folder / test).write_bytes(b"no file of MATLAB")
        with pytest.raises(InputError, match="no whole MATLAB file"):
            load_images(tmp_path / folder, split="test")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_cifar_is_read_without_pickle(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = RNG.integers(0, 256, (4, 3072), dtype=np.uint8)
    for folder, file, labels in (
        ("cifar-10-batches-py", "test_batch", "labels"),
        ("cifar-100-python", "test", "fine_labels"),
    ):
        (tmp_path / folder).mkdir()
        for rows, label in ((data, [3, 1, 2, 0]), (np.asfortranarray(data), np.array([3, 1, 2, 0]))):
            content = {"data": rows, labels: label, b"filenames": ["a.png", "b.png", "c.png", "d.png"], "none": None}
            (tmp_path / folder / file).write_bytes(pickle.dumps(content, protocol))
            with monkeypatch.context() as patch:
                for name in ("load", "loads", "Unpickler"):
                    patch.setattr(pickle, name, None)
                images = load_unlabelled_images(tmp_path / folder)
            np.testing.assert_array_equal(images.images.reshape(4, -1), data)
            assert images.labels.tolist() == [3, 1, 2, 0]


def test_python_2_wrote_arrays_as_text(tmp_path: Path) -> None:
    """The opcodes of the official files: text where Python 3 has bytes, and a module name of an old NumPy."""
    data = bytes(range(256)) * 12
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    minus_one = b"J\xff\xff\xff\xff"
    data_type = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * minus_one + b"K\x00tb"
    text = b"T" + len(data).to_bytes(4, "little") + data
    state = b"(K\x01K\x01M\x00\x0c\x86" + data_type + b"\x89" + text + b"tb"  # version, (1, 3072), type, order, text
    content = b"\x80\x02}(U\x04data" + array + state + b"U\x06labels](K\x07eu."
    (tmp_path / "test_batch").write_bytes(content)
    images = load_unlabelled_images(tmp_path)
    assert (images.shape, images.labels.tolist()) == ((1, 3, 32, 32), [7])
    assert images.images.tobytes() == data


class _Deed:
    """What a hostile file would run."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickle.dumps({"data": _Deed(os.mkdir, "made-by-a-pickle")}), "it would call posix.mkdir"),
        (pickle.dumps({"data": _Deed(eval, "1")}), "it would call builtins.eval"),
        (pickle.dumps({"data": np.array([object()])}), "arrays must hold whole numbers, not O8"),
        (pickle.dumps([1]), "it holds no dictionary"),
        (pickle.dumps({"data": BYTES})[:-100], "no whole pickle"),
        (pickle.dumps({(1, 2): 3}), "a tuple stands where a str belongs"),
        (b"\x80\x02" + b"]" + b"2\x86" * 64 + b".", "the opcode DUP belongs to no plain value"),
        (pickle.dumps({"data": BYTES, "labels": [0]}), r"needs data of shape \(n, 3072\)"),
        (pickle.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": [10]}), "holds the labels 10 to 10"),
        (b"", "no whole pickle"),
    ],
)
def test_hostile_and_damaged_pickles_are_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        load_images(tmp_path, split="test")
    assert not Path("made-by-a-pickle").exists()
