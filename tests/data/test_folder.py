"""Image folders: sorted classes, every colour model, damaged files named and counted."""

from __future__ import annotations

import io
import math
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maetheory.core import InputError
from maetheory.data import folder as folder_module
from maetheory.data import image_files, load_images
from maetheory.data.decode import random_crop_box, random_resized_crop_and_flip, read_rgb, resize_and_center_crop
from maetheory.data.folder import load_image_folder
from maetheory.data.image_files import SkippedFilesWarning, list_image_files


def _noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    shades = [x * 255 / (width - 1), y * 255 / (height - 1), 255 * (x + y) / (width + height - 2)]
    return np.stack(shades, axis=-1).astype(np.uint8)


def _put(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """Three classes of PNG files, 6x5 pixels, and other files that are no images."""
    root = tmp_path / "birds"
    for c, name in enumerate(["wren", "heron", "swift"]):
        for i in range(3):
            _put(root / "train" / name / f"{i}.png", _noise(6, 5, 10 * c + i))
        _put(root / "val" / name / "deep" / "a.PNG", _noise(6, 5, 100 + c))
    (root / "train" / "wren" / "notes.txt").write_text("no image")
    (root / "train" / "wren" / "._0.png").write_bytes(b"a resource fork")
    (root / "train" / ".cache").mkdir()
    return root


def test_classes_are_sorted_and_pixels_untouched(birds: Path) -> None:
    images = load_images(birds)
    assert (images.name, images.class_names, images.skipped) == ("birds", ("heron", "swift", "wren"), ())
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert images.shape == (9, 3, 6, 5)  # the common size, though not square
    for i, seed in enumerate([10, 11, 12, 20, 21, 22, 0, 1, 2]):
        np.testing.assert_array_equal(images.images[i], _noise(6, 5, seed).transpose(2, 0, 1))


def test_splits_stand_in_for_each_other(birds: Path) -> None:
    for split in ("val", "test"):
        images = load_images(birds, split=split)
        assert images.labels.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(images.images[2], _noise(6, 5, 100).transpose(2, 0, 1))
    _put(birds / "test" / "wren" / "b.png", _noise(6, 5, 7))
    assert load_images(birds, split="test").labels.tolist() == [2]  # numbered by train, though alone here
    assert len(load_images(birds, split="val")) == 3
    (birds / "unlabelled" / "test").mkdir(parents=True)
    _put(birds / "unlabelled" / "val" / "wren" / "b.png", _noise(6, 5, 7))
    _put(birds / "unlabelled" / "test" / "b.png", _noise(6, 5, 7))
    assert load_images(birds / "unlabelled", split="test").class_names == ("wren",)  # ImageNet's test has no labels


def test_limit_is_balanced_before_decoding(birds: Path) -> None:
    (birds / "train" / "wren" / "2.png").write_bytes(b"never opened")
    images = load_images(birds, limit=5)
    assert images.labels.tolist() == [0, 0, 1, 1, 2]
    np.testing.assert_array_equal(images.images[4], _noise(6, 5, 0).transpose(2, 0, 1))


def test_layout_mistakes_are_named(birds: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither"):
        load_images(tmp_path)
    with pytest.raises(InputError, match=r"there is no file or folder .*nowhere"):
        load_images(tmp_path / "nowhere")
    _put(tmp_path / "flat" / "train" / "a" / "a.png", _noise(2, 2))
    with pytest.raises(InputError, match=r"val/CLASS/\*\.jpg or test/CLASS/\*\.jpg, which .*flat does not hold"):
        load_images(tmp_path / "flat", split="val")
    (birds / "train" / "gull").mkdir()
    with pytest.raises(InputError, match="gull holds no image"):
        load_images(birds)
    _put(birds / "val" / "images" / "a.png", _noise(2, 2))
    with pytest.raises(InputError, match="images has no counterpart in"):
        load_images(birds, split="val")
    with pytest.raises(InputError, match="split must be"):
        list_image_files(birds, "dev")
    with pytest.raises(InputError, match="positive number of pixels"):
        load_image_folder(tmp_path / "flat", size=0)


def test_sizes_that_differ_become_squares(birds: Path) -> None:
    _put(birds / "train" / "wren" / "big.png", _noise(40, 30))
    assert load_images(birds).shape == (10, 3, 224, 224)
    assert load_image_folder(birds, size=16).shape == (10, 3, 16, 16)


def test_too_large_for_one_array(birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "MAX_ARRAY_BYTES", 9 * 90 - 1)
    with pytest.raises(InputError, match="give a limit, or stream"):
        load_images(birds)
    assert len(load_images(birds, limit=8)) == 8


def test_progress_counts_every_file(birds: Path) -> None:
    reported: list[tuple[int, int]] = []
    load_images(birds, progress=lambda done, total, message: reported.append((done, total)))
    assert reported == [(i, 9) for i in range(1, 10)]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_damaged_files_are_named_and_counted(birds: Path) -> None:
    wren = birds / "train" / "wren"
    _cut(_put(wren / "cut.jpg", _noise(6, 5), quality=95))
    (wren / "empty.jpg").write_bytes(b"")
    (wren / "page.jpg").write_text("<html>not found</html>")
    with pytest.warns(
        SkippedFilesWarning, match="3 of 12 files under .*train cannot be decoded and were left out"
    ) as seen:
        images = load_images(birds)
    assert "wren/cut.jpg, wren/empty.jpg, wren/page.jpg" in str(seen[0].message)
    assert images.skipped == ("wren/cut.jpg", "wren/empty.jpg", "wren/page.jpg")
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    np.testing.assert_array_equal(images.images[8], _noise(6, 5, 2).transpose(2, 0, 1))


def test_nothing_readable(tmp_path: Path) -> None:
    for i in range(7):
        path = tmp_path / "train" / "a" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of the 7 files"):
        load_images(tmp_path)
    _put(tmp_path / "train" / "a" / "z.png", _noise(2, 2))
    with pytest.warns(SkippedFilesWarning, match=r"a/4\.jpg and 2 more$"):
        assert load_images(tmp_path).shape == (1, 3, 2, 2)


def test_damaged_png_chunks_are_damage(tmp_path: Path) -> None:
    """A decoder's own kinds of error (here for a lying chunk) count as damage too."""
    data = struct.pack(">IIBBBBB", 4, 4, 8, 77, 0, 0, 0)
    chunk = struct.pack(">I", len(data)) + b"IHDR" + data + struct.pack(">I", zlib.crc32(b"IHDR" + data))
    (tmp_path / "train" / "a").mkdir(parents=True)
    (tmp_path / "train" / "a" / "lie.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(InputError, match="none of the 1 files"):
        load_images(tmp_path)


def _saved(image: Image.Image, kind: str, **options: object) -> np.ndarray:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return np.asarray(read_rgb(file))  # type: ignore[arg-type]  # Pillow takes an open file too


def test_gray_has_three_equal_planes() -> None:
    gray = _noise(4, 5)[..., 0]
    for pixels in (_saved(Image.fromarray(gray), "PNG"), _saved(Image.fromarray(gray).convert("LA"), "PNG")):
        np.testing.assert_array_equal(pixels, np.repeat(gray[..., None], 3, axis=2))


def test_sixteen_bit_gray_keeps_its_range() -> None:
    levels = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    assert _saved(Image.fromarray(levels), "PNG")[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_palette_with_transparency() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([2, 0, 1])
    pixels = _saved(image, "PNG", transparency=bytes([0, 128, 255]))
    assert pixels[0].tolist() == [[0, 0, 255], [255, 0, 0], [0, 255, 0]]


def test_cmyk_jpeg_has_the_right_colours() -> None:
    """Red is no cyan, full magenta and yellow, no black; a file read with the inks inverted would come out cyan."""
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 1:3] = 255
    pixels = _saved(Image.frombytes("CMYK", (16, 16), inks.tobytes()), "JPEG")
    assert pixels.shape == (16, 16, 3)
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() <= 3


def test_one_bit_images() -> None:
    assert (
        _saved(Image.fromarray(np.eye(3, dtype=bool)), "PNG")[:, :, 1].tolist() == (255 * np.eye(3, dtype=int)).tolist()
    )


@pytest.mark.parametrize("shape", [(300, 200), (200, 301), (256, 256), (40, 97), (224, 224)])
@pytest.mark.parametrize("size", [224, 33])
def test_evaluation_view_is_torchvisions(shape: tuple[int, int], size: int) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    image = Image.fromarray(_smooth(*shape))
    bicubic = transforms.InterpolationMode.BICUBIC
    theirs = transforms.Compose([transforms.Resize(int(size / 0.875), bicubic), transforms.CenterCrop(size)])(image)
    ours = resize_and_center_crop(image, size)
    assert ours.size == (size, size)
    if shape == (size, size):
        assert ours is image  # untouched, where torchvision would enlarge and cut
    else:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_evaluation_view_is_centred() -> None:
    """On a ramp the mean of the view is the middle shade, up to the half pixel an odd margin costs and rounding."""
    view = np.asarray(resize_and_center_crop(Image.fromarray(_smooth(120, 180)), 64)).astype(float)
    assert view[:, :, 0].mean() == pytest.approx(127.0, abs=0.5 * 255 / 109 + 0.5)  # 180 pixels became 109
    assert view[:, :, 1].mean() == pytest.approx(127.0, abs=0.5 * 255 / 73 + 0.5)


def test_random_windows_follow_their_law() -> None:
    """In a wide square nothing is rejected for height alone: compare with the law conditioned on fitting."""
    rng, other = np.random.default_rng(0), np.random.default_rng(1)
    windows = np.array([random_crop_box(1000, 1000, rng) for _ in range(4000)])
    left, top, width, height = windows.T
    assert left.min() >= 0
    assert (left + width).max() <= 1000
    assert top.min() >= 0
    assert (top + height).max() <= 1000
    area, slope = other.uniform(0.2, 1, 40_000), other.uniform(-math.log(4 / 3), math.log(4 / 3), 40_000)
    fits = (area * np.exp(slope) <= 1) & (area * np.exp(-slope) <= 1)
    for ours, law in [(width * height / 1e6, area[fits]), (np.log(width / height), slope[fits])]:
        assert ours.mean() == pytest.approx(law.mean(), abs=5 * law.std() / math.sqrt(4000))
        assert ours.std() == pytest.approx(law.std(), rel=5 / math.sqrt(2 * 4000))
    middle = (left + width / 2) / 1000
    assert middle.mean() == pytest.approx(0.5, abs=5 * middle.std() / math.sqrt(4000))
    assert middle.std() > 0.05


@pytest.mark.parametrize(("width", "height"), [(1000, 10), (10, 1000), (1, 1), (1, 7)])
def test_extreme_shapes_fall_back_to_the_centre(width: int, height: int) -> None:
    for seed in range(20):
        left, top, w, h = random_crop_box(width, height, np.random.default_rng(seed))
        assert 0 <= left <= left + w <= width
        assert 0 <= top <= top + h <= height
        assert min(w, h) >= 1
    left, top, w, h = random_crop_box(1000, 10, np.random.default_rng(0))
    assert (w, h, left) == (13, 10, (1000 - 13) // 2)


def test_training_view_mirrors_half_of_the_time() -> None:
    image, rng = Image.fromarray(_smooth(50, 50)), np.random.default_rng(0)
    views = [np.asarray(random_resized_crop_and_flip(image, 8, rng)).astype(int) for _ in range(400)]
    assert {view.shape for view in views} == {(8, 8, 3)}
    mirrored = sum(bool(view[:, 0, 0].mean() > view[:, -1, 0].mean()) for view in views)
    assert abs(mirrored - 200) < 5 * 10  # five standard deviations of a fair coin
    assert all(view[0, :, 1].mean() < view[-1, :, 1].mean() for view in views)  # never upside down


def test_real_folder(real_data: Path) -> None:
    """Twenty classes of 50 validation JPEGs, some of them gray, all 64x64: decoded as Pillow alone decodes them."""
    images = load_images(real_data / "tin20", split="val")
    assert images.shape == (1000, 3, 64, 64)
    assert np.bincount(images.labels).tolist() == [50] * 20
    files = sorted((real_data / "tin20" / "val").rglob("*.JPEG"))
    gray = 0
    for i, file in enumerate(files):
        with Image.open(file) as image:
            gray += image.mode == "L"
            np.testing.assert_array_equal(images.images[i], np.asarray(image.convert("RGB")).transpose(2, 0, 1))
        assert images.class_names[images.labels[i]] == file.parent.name
    assert gray == 7


def test_the_work_does_not_grow_with_the_square_of_the_number_of_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = tuple(f"n{i:08d}" for i in range(20_000))
    monkeypatch.setattr(image_files, "subfolders", lambda folder: names)
    monkeypatch.setattr(image_files, "image_files_below", lambda folder, name: [f"{name}/1.jpg"])
    begin = time.process_time()
    listing = image_files.list_image_files(tmp_path)
    assert time.process_time() - begin < 3  # a scan of all classes for each of them takes a minute
    assert listing.labels.tolist() == list(range(20_000))
