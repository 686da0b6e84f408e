"""What no image can make right is refused before images are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maetheory.cli import patch_size, run_command
from maetheory.data import load_images

RNG = np.random.default_rng(0)


def image_folder(root: Path, sides: tuple[int, ...], n: int = 2) -> Path:
    """Return a folder of two classes with `n` images of every side in each class."""
    for split in ("train", "test"):
        for name in "ab":
            (root / split / name).mkdir(parents=True)
            for i, side in enumerate(sides * n):
                pixels = RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["graph", "--mask-ratio", "1"], "the mask ratio must lie strictly between 0 and 1"),
        (["graph", "--mask-ratio", "-0.5", "--kind", "exact"], "the mask ratio must lie strictly between 0 and 1"),
        (["graph", "--law", "stripes"], "the mask law must be 'uniform', 'bernoulli' or 'block'"),
        (["graph", "--patch", "0"], "the patch size must divide the image sides, but 0 divides none"),
        (["graph", "--k", "0"], "k must be at least 1"),
        (["graph", "--codes", "1"], "size must lie between 2 and the"),
        (["graph", "--masks", "0"], "n_masks must be at least 1"),
        (["graph", "--kind", "kernel", "--masks", "1"], "needs at least 2"),
        (["graph", "--kind", "kernel", "--bandwidth", "-1"], "the bandwidth must not be negative"),
        (["mask-ratio", "--ratio", "0.5", "--ratio", "1.5"], "the mask ratio must lie strictly between 0 and 1"),
        (["mask-ratio", "--patch", "0"], "the patch size must divide the image sides, but 0 divides none"),
        (["mask-ratio", "--graph-patch", "-4"], "the patch size must divide the image sides, but -4 divides none"),
    ],
)
def test_numbers_that_fit_no_images_are_refused_before_any_is_loaded(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("maetheory.data.load_images", lambda *_, **__: pytest.fail("images were loaded"))
    assert run_command([*words, "--out", str(tmp_path / "out")]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("words", [["graph", "--patch"], ["mask-ratio", "--patch"], ["mask-ratio", "--graph-patch"]])
@pytest.mark.parametrize("source", ["digits", "folder", "array"])
def test_a_patch_larger_than_the_images_is_refused_after_a_few(
    source: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if source == "folder":
        data = str(image_folder(tmp_path / "images", (8,)))
    elif source == "array":
        data = str(tmp_path / "images.npz")
        pixels, labels = RNG.integers(0, 256, (8, 8, 8), dtype=np.uint8), np.arange(8) % 2
        np.savez(data, train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)
    else:
        data = source
    limits: list[Any] = []

    def load(*arguments: Any, **options: Any) -> Any:
        limits.append(options["limit"])
        return load_images(*arguments, **options)

    monkeypatch.setattr("maetheory.data.load_images", load)
    assert run_command([*words, "1000", "--data", data, "--out", str(tmp_path / "out")]) == 2
    assert "the patch size must divide the image sides, but 1000 does not divide 8x8" in capsys.readouterr().err
    assert limits == [patch_size.SAMPLED_IMAGES]
    assert not (tmp_path / "out").exists()


def test_a_patch_of_images_of_many_sizes_divides_the_square_that_they_become(tmp_path: Path) -> None:
    """Where the first images have one size and a later one has another, all become squares of 224 pixels."""
    folder = str(image_folder(tmp_path, (12,), n=patch_size.SAMPLED_IMAGES))
    for split in ("train", "test"):
        Image.new("RGB", (9, 9)).save(tmp_path / split / "b" / "9.png")
    patch_size.check_patch_sizes(folder, [56, 4])
    with pytest.raises(ValueError, match="9 does not divide 12x12"):
        patch_size.check_patch_sizes(folder, [56, 9])
