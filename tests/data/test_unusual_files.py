"""Long strips, pipes, devices and pixels of more than eight bits: bounded memory, no waiting, one stated scale."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maetheory.data import load_images
from maetheory.data.decode import (
    MAX_ASPECT_RATIO,
    MAX_RESIZED_ASPECT_RATIO,
    UndecodableError,
    random_resized_crop_and_flip,
    read_image,
    read_rgb,
    resize_and_center_crop,
)
from maetheory.data.folder import DecodeOptions, load_image_folder
from maetheory.data.image_files import SkippedFilesWarning
from maetheory.data.pixel_range import PixelRanges


def _noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One class folder with three images of 6x5 pixels."""
    (tmp_path / "train" / "a").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(_noise(6, 5, i)).save(tmp_path / "train" / "a" / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize("shape", [(1, 100), (2, 60), (90, 3), (1, 9)])
def test_only_the_middle_of_a_strip_is_resized(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole 1 x 100 strip would be enlarged to 256 x 25600 pixels for a view of 224."""
    sizes, resize = [], Image.Image.resize

    def recording(image: Image.Image, size: tuple[int, int], *options: object) -> Image.Image:
        sizes.append(size)
        return resize(image, size, *options)  # type: ignore[arg-type]  # as the caller gave them

    monkeypatch.setattr(Image.Image, "resize", recording)
    image = Image.fromarray(_noise(*shape))
    assert resize_and_center_crop(image, 224).size == (224, 224)
    random_resized_crop_and_flip(image, 224, np.random.default_rng(0))
    assert max(height * width for height, width in sizes) <= 256 * 256 * (MAX_RESIZED_ASPECT_RATIO + 1)


@pytest.mark.parametrize("longer", [48, 49, 400, 401])
def test_the_middle_of_a_strip_is_in_the_middle(longer: int) -> None:
    """On a ramp the view of a strip and that of the whole image agree up to half a resized pixel."""
    ramp = np.repeat(np.linspace(0, 255, longer)[None, :, None], 6, axis=0).repeat(3, axis=2).astype(np.uint8)
    view = np.asarray(resize_and_center_crop(Image.fromarray(ramp), 16)).astype(float)
    assert view.mean() == pytest.approx(127.0, abs=255 / longer + 0.5)


def test_absurd_strips_are_skipped_by_name(folder: Path) -> None:
    for name, shape in (("flat.png", (1, 100_000)), ("tall.png", (60_000, 2)), ("edge.png", (1, MAX_ASPECT_RATIO + 1))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(folder / "train" / "a" / name)
    with pytest.warns(SkippedFilesWarning, match=r"3 of 6 files .* left out: a/edge\.png, a/flat\.png, a/tall\.png"):
        images = load_images(folder)
    assert images.shape == (3, 3, 6, 5)  # the strips do not count among the sizes either
    with pytest.raises(UndecodableError, match="60000 x 2 pixels are too long a strip"):
        read_rgb(folder / "train" / "a" / "tall.png")
    Image.fromarray(np.zeros((1, MAX_ASPECT_RATIO), np.uint8)).save(folder / "kept.png")
    assert read_rgb(folder / "kept.png").size == (MAX_ASPECT_RATIO, 1)


@pytest.mark.timeout(20)
def test_pipes_devices_and_folders_are_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "train" / "a" / "f.jpg")
    (folder / "train" / "a" / "zero.png").symlink_to("/dev/zero")
    (folder / "train" / "a" / "link.png").symlink_to(folder / "train" / "a" / "0.png")
    with pytest.warns(SkippedFilesWarning, match=r"2 of 6 files .*: a/f\.jpg, a/zero\.png"):
        images = load_images(folder)
    assert len(images) == 4  # a link to a regular file is one
    for name in ("f.jpg", "zero.png"):
        with pytest.raises(UndecodableError, match="not a regular file"):
            read_rgb(folder / "train" / "a" / name)


def test_an_unusually_large_image_raises_no_warning_of_pillow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert len(load_images(folder)) == 3


def _put_deep(root: Path, levels: np.ndarray, kind: str = "png") -> None:
    (root / "train" / "a").mkdir(parents=True)
    for i, image in enumerate(levels):
        Image.fromarray(image).save(root / "train" / "a" / f"{i}.{kind}")


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_any_depth_looks_like_its_eight_bit_version(tmp_path: Path, bits: int) -> None:
    shades = np.random.default_rng(0).random((4, 5, 6))
    shades[2, 0, 0] = 1  # the set shows its depth, whichever image has the brightest pixel
    shades[3] /= 8
    _put_deep(tmp_path, (shades * (2**bits - 1)).astype(np.uint16))
    images = load_images(tmp_path)
    assert np.abs(images.images[:, 0].astype(int) - (shades * 255).astype(int)).max() <= 1
    (note,) = images.notes
    assert "4 of 4 images have more than eight bits" in note
    assert f"to {2**bits - 1}; 0 to {2**bits - 1} was scaled to 0 to 255" in note
    test = load_image_folder(tmp_path, options=DecodeOptions(pixel_ranges=images.pixel_ranges), limit=1)
    np.testing.assert_array_equal(test.images, images.images[:1])
    full = load_image_folder(tmp_path, options=DecodeOptions(pixel_ranges=PixelRanges()))
    assert full.images.max() == 255 >> (16 - bits)
    assert "whole numbers 0 to 65535 and floating-point 0 to 1 were scaled" in full.notes[0]


def test_eight_bits_need_no_note(folder: Path) -> None:
    assert load_images(folder).notes == ()


def _sixteen_bit_png(path: Path, pixels: np.ndarray, colour_type: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4)])
def test_sixteen_bit_colours_keep_all_their_bits(tmp_path: Path, colour_type: int, channels: int) -> None:
    shades = np.random.default_rng(1).random((3, 5, 6, channels))
    shades[0, 0, 0] = 1
    (tmp_path / "train" / "a").mkdir(parents=True)
    for i, image in enumerate(shades):
        _sixteen_bit_png(tmp_path / "train" / "a" / f"{i}.png", image * 4095, colour_type)
    images = load_images(tmp_path)
    expected = (shades[..., :3] * 255).astype(int).transpose(0, 3, 1, 2)
    assert np.abs(images.images.astype(int) - expected).max() <= 1
    assert "0 to 4095 was scaled" in images.notes[0]


def test_sixteen_bit_colours_of_a_tiff_file_keep_all_their_bits(tmp_path: Path) -> None:
    """A plain TIFF file in two strips, written by the format's description, in the byte order of Intel."""
    pixels = np.random.default_rng(3).integers(0, 4096, (4, 7, 3)).astype("<u2")
    pixels[0, 0, 0] = 4095
    start, half = 8 + 2 + 9 * 12 + 4, pixels.nbytes // 2
    long = {258: (3, start), 273: (2, start + 6), 279: (2, start + 14)}  # tags whose values follow the directory
    short = {256: 7, 257: 4, 259: 1, 262: 2, 277: 3, 278: 2}
    entries = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, *long[tag])
        if tag in long
        else struct.pack("<HHIHH", tag, 3, 1, short[tag], 0)
        for tag in sorted({**long, **short})
    )
    offsets = struct.pack("<HHHIIII", 16, 16, 16, start + 22, start + 22 + half, half, half)
    content = b"II*\0" + struct.pack("<IH", 8, 9) + entries + bytes(4) + offsets + pixels.tobytes()
    (tmp_path / "a.tif").write_bytes(content)
    images = load_images(tmp_path)
    np.testing.assert_array_equal(images.images[0], (pixels >> 4).transpose(2, 0, 1))


def test_sixteen_bits_that_pillow_cuts_are_said(tmp_path: Path) -> None:
    """Gray with transparency: Pillow knows one byte order of it only, so the lower bits are out of reach."""
    _sixteen_bit_png(tmp_path / "a.png", np.full((2, 3, 2), 4095), 4)
    images = load_images(tmp_path)
    assert images.images.max() == 4095 >> 8
    assert "1 of 1 images have 16 bits in a format of which the upper eight are read" in images.notes[1]


@pytest.mark.parametrize(
    ("low", "high", "dtype", "scale"),
    [
        (0, 1, np.float32, (0, 1)),
        (0, 0.5, np.float32, (0, 1)),
        (-1024, 3071, np.float32, (-1024, 3071)),
        (-1024, 3071, np.int32, (-1024, 3071)),
        (0, 70_000, np.int32, (0, 70_000)),
    ],
)
def test_floats_and_hounsfield_units_follow_the_rule(
    tmp_path: Path, low: float, high: float, dtype: type, scale: tuple[float, float]
) -> None:
    levels: np.ndarray = np.random.default_rng(2).uniform(low, high, (3, 5, 6)).astype(dtype)
    levels[0, 0, :2] = low, high
    _put_deep(tmp_path, levels, "tif")
    images = load_images(tmp_path)
    expected = (levels.astype(float) - scale[0]) / (scale[1] - scale[0]) * 255
    assert np.abs(images.images[:, 0] - expected).max() <= 1
    assert f"reach from {low:.6g} to {high:.6g}" in images.notes[0]


@pytest.mark.parametrize("levels", [[[0.0, 1.5]], [[-0.1, 1.0]], [[-1, 5]], [[0, 65_536]]])
def test_a_file_alone_has_no_range_but_the_full_one(tmp_path: Path, levels: list[list[float]]) -> None:
    pixels = np.array(levels, np.int32 if isinstance(levels[0][0], int) else np.float32)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(UndecodableError, match=r"its pixels reach from .* where 0 to 65535 or"):
        read_rgb(tmp_path / "a.tif")
    Image.fromarray(pixels.clip(0, 1)).save(tmp_path / "b.tif")
    assert read_rgb(tmp_path / "b.tif").size == (2, 1)


def test_nan_pixels_are_skipped_and_a_constant_is_black(tmp_path: Path) -> None:
    _put_deep(tmp_path, np.array([[[np.nan, 0]], [[7.5, 7.5]]], np.float32), "tif")
    with pytest.warns(SkippedFilesWarning, match=r"a/0\.tif"):
        assert load_images(tmp_path).images.max() == 0


def test_gray_stays_gray_and_colours_become_luminance(tmp_path: Path) -> None:
    red, gray = np.zeros((2, 3, 3), np.uint8), np.full((2, 3), 77, np.uint8)
    red[..., 0] = 255
    for name, pixels in (("red", red), ("gray", gray)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    assert np.asarray(read_image(tmp_path / "gray.png", 1)).tolist() == gray.tolist()
    assert np.unique(np.asarray(read_image(tmp_path / "red.png", 1))).tolist() == [round(0.299 * 255)]


def test_ranges_outside_the_rule_are_clipped() -> None:
    ranges = PixelRanges.of_extremes([(np.uint16(0), np.uint16(4095))])
    assert ranges.to_bytes(np.array([0, 15, 16, 4095, 5000], np.uint16)).tolist() == [0, 0, 1, 255, 255]


def test_names_of_skipped_files_cannot_forge_a_line(folder: Path) -> None:
    (folder / "train" / "a" / "x\nnote \x1b[32m.png").write_bytes(b"")
    with pytest.warns(SkippedFilesWarning, match=r"a/x\\nnote \\x1b\[32m\.png$"):
        load_images(folder)
