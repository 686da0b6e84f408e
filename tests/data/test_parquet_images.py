"""Images in Parquet, as the Hugging Face hub stores them, are those that their files hold."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maetheory.core import InputError
from maetheory.data import load_images, load_unlabelled_images
from maetheory.data.folder import DecodeOptions
from maetheory.data.image_files import SkippedFilesWarning
from maetheory.data.parquet_images import find_parquet_files

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
LABELS = [i % 3 for i in range(12)]
NAMES = ["ant", "bee", "cat"]


def encoded(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def write(path: Path, columns: dict[str, list[Any]], names: list[str] | None = None, rows: int = 2) -> Path:
    """Write a table as the hub does, in groups of few rows, with its description in the schema."""
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install maetheory[parquet]")
    from pyarrow import parquet

    table = pa.table(columns)
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=rows)
    return path


def as_struct(pixels: np.ndarray) -> list[dict[str, Any]]:
    return [{"bytes": encoded(one), "path": f"{i}.png"} for i, one in enumerate(pixels)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set with two files of training images and one of test images."""
    root = tmp_path / "hub"
    for name, rows in (("train-00000-of-00002", slice(0, 4)), ("train-00001-of-00002", slice(4, 8))):
        write(root / "data" / f"{name}.parquet", {"image": as_struct(PIXELS[rows]), "label": LABELS[rows]}, NAMES)
    write(root / "data" / "test-00000-of-00001.parquet", {"image": as_struct(PIXELS[8:]), "label": LABELS[8:]}, NAMES)
    (root / "README.md").write_text("a card")
    return root


def test_images_labels_and_names_of_each_split(folder: Path) -> None:
    for split, rows in (("train", slice(0, 8)), ("test", slice(8, 12)), ("val", slice(8, 12))):
        found = load_images(folder, split=split)
        np.testing.assert_array_equal(found.images, PIXELS[rows].transpose(0, 3, 1, 2))
        assert found.labels.tolist() == LABELS[rows]
        assert found.class_names == tuple(NAMES)
    assert load_unlabelled_images(folder).split == "test"


def test_a_limit_reads_balanced_rows_of_any_file_and_no_other_group(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    groups: list[int] = []
    original = parquet.ParquetFile.read_row_group
    monkeypatch.setattr(
        parquet.ParquetFile, "read_row_group", lambda self, i, **k: groups.append(i) or original(self, i, **k)
    )
    found = load_images(folder, limit=3)
    assert found.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.images, PIXELS[:3].transpose(0, 3, 1, 2))
    assert groups == [0, 1]  # of four groups of two rows


def test_a_file_of_bytes_without_labels_at_another_size_and_in_gray(tmp_path: Path) -> None:
    path = write(tmp_path / "scans.parquet", {"id": ["a", "b"], "img": [encoded(one) for one in PIXELS[:2]]})
    found = load_unlabelled_images(path, options=DecodeOptions(size=4, channels=1))
    assert found.shape == (2, 1, 4, 4)
    assert found.labels.tolist() == [0, 0]
    assert any("no splits" in note for note in found.notes)


def test_a_training_set_alone_and_a_second_column_of_images_are_named(tmp_path: Path) -> None:
    columns = {"image": as_struct(PIXELS[:3]), "mask": as_struct(PIXELS[3:6])}
    write(tmp_path / "default" / "train-0.parquet", columns)
    found = load_unlabelled_images(tmp_path)
    np.testing.assert_array_equal(found.images, PIXELS[:3].transpose(0, 3, 1, 2))
    assert any("column image was read, and not mask" in note for note in found.notes)
    assert any("no images of test; those of train were read" in note for note in found.notes)
    with pytest.raises(InputError, match="has files of Parquet of train, but not of test or val"):
        load_images(tmp_path, split="test")


def test_labels_that_no_class_has_are_no_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "test.parquet", {"image": as_struct(PIXELS[:2]), "label": [-1, -1]}, NAMES)
    assert load_unlabelled_images(path).labels.tolist() == [0, 0]


def test_what_is_no_image_is_left_out_by_name_or_refused(tmp_path: Path) -> None:
    rows = [*as_struct(PIXELS[:2]), {"bytes": b"no image", "path": None}, None]
    with pytest.warns(SkippedFilesWarning, match="2 of 4"):
        found = load_unlabelled_images(write(tmp_path / "a.parquet", {"image": rows}))
    assert found.skipped == ("image 2", "image 3")
    paths = [{"bytes": None, "path": "0.png"}, {"bytes": b"", "path": "1.png"}]
    with pytest.raises(InputError, match=r"holds paths of images, such as 0\.png, and not the images"):
        load_unlabelled_images(write(tmp_path / "b.parquet", {"image": paths}))
    with pytest.raises(InputError, match=r"needs a column of encoded images .* but it holds x \(double\)"):
        load_unlabelled_images(write(tmp_path / "c.parquet", {"x": [0.5]}))
    (tmp_path / "d.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-20])
    with pytest.raises(InputError, match="is no whole file of Parquet"):
        load_unlabelled_images(tmp_path / "d.parquet")


def test_without_pyarrow_the_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"needs pyarrow: pip install 'maetheory\[parquet\]'"):
        load_unlabelled_images(tmp_path)


def test_splits_are_read_from_names_of_files_and_of_folders(tmp_path: Path) -> None:
    for name in ("validation-0.parquet", "plain/Test_1.parquet", "train/0000.parquet", "trained.parquet", ".x.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = {split: [file.name for file in files] for split, files in find_parquet_files(tmp_path).items()}
    assert found == {
        "val": ["validation-0.parquet"],
        "test": ["Test_1.parquet"],
        "train": ["0000.parquet"],
        "": ["trained.parquet"],
    }
