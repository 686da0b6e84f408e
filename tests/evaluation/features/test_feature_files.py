"""Features in files of every format are the same features; what was chosen and left out in a file is said."""

from __future__ import annotations

import gzip
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from maetheory.core import InputError
from maetheory.evaluation.features import feature_tables
from maetheory.evaluation.features.feature_files import FeatureFile, is_feature_file, read_feature_file

Z = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
LABELS = np.arange(12) % 3
T = torch.from_numpy(Z)


def csv(path: Path, **options: Any) -> None:
    frame = pd.DataFrame(Z, columns=[f"f{i}" for i in range(5)])
    frame.assign(label=LABELS, file=[f"{i}.png" for i in range(12)]).to_csv(path, **options)


def tab_separated(rows: np.ndarray) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows.tolist())


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.npy": lambda path: np.save(path, Z),
    "f64.npy": lambda path: np.save(path, Z.astype(np.float64)),
    "one.npz": lambda path: np.savez(path, Z),
    "labels.npz": lambda path: np.savez_compressed(path, features=Z, labels=LABELS),
    "tensor.pt": lambda path: torch.save(T, path),
    "dict.pt": lambda path: torch.save({"features": T, "labels": torch.from_numpy(LABELS)}, path),
    "names.pt": lambda path: torch.save({"z_test": T, "paths": ["a"] * 12}, path),
    "other.pt": lambda path: torch.save({"outputs": T, "targets": torch.from_numpy(LABELS)}, path),
    "batches.pt": lambda path: torch.save([T[:5], T[5:]], path),
    "rows.pt": lambda path: torch.save(list(T), path),
    "by_file.pt": lambda path: torch.save({f"{i}.png": row for i, row in enumerate(T)}, path),
    "numpy.pt": lambda path: torch.save({"embeddings": Z}, path),
    "old.pt": lambda path: torch.save({"feats": T}, path, _use_new_zipfile_serialization=False),
    "a.safetensors": lambda path: save_file({"embeddings": T.contiguous()}, path),
    "index.csv": csv,
    "plain.csv": lambda path: np.savetxt(path, Z, delimiter=","),
    "spaces.txt": lambda path: np.savetxt(path, Z, header="five features"),
    "tabs.tsv": lambda path: csv(path, sep="\t", index=False),
    "semicolons.csv": lambda path: csv(path, sep=";", decimal=",", index=False),
    "packed.csv.gz": lambda path: csv(path, index=False),
    "counted.csv": lambda path: pd.DataFrame(Z).to_csv(path),
    "counted_without_index.csv": lambda path: pd.DataFrame(Z).to_csv(path, index=False),
    "counted_from_one.tsv": lambda path: path.write_text("1\t2\t3\t4\t5\n" + tab_separated(Z)),
    "quoted.csv": lambda path: pd.DataFrame(Z).to_csv(path, quoting=1),
    "lists.csv": lambda path: pd.DataFrame({"id": range(12), "z": [str(z.tolist()) for z in Z]}).to_csv(path),
    "printed.csv": lambda path: pd.DataFrame({"z": [np.array2string(z, precision=9) for z in Z]}).to_csv(path),
    "bom.csv": lambda path: csv(path, index=False, encoding="utf-8-sig"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_features(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    assert is_feature_file(path)
    found = read_feature_file(path)
    np.testing.assert_allclose(found.features.rows, Z, rtol=1e-6)
    assert found.to_dict()["shape"] == [12, 5]
    assert len(found.sha256) == 64


def test_columns_that_are_left_out_are_named(tmp_path: Path) -> None:
    csv(tmp_path / "a.csv")
    notes = read_feature_file(tmp_path / "a.csv").notes
    assert "1 columns that are no numbers were left out: file" in notes
    assert "2 columns of whole numbers, such as labels, were left out: Unnamed: 0, label" in notes
    frame = pd.DataFrame(Z).assign(label=LABELS.astype(float), dead=0, empty=np.nan)
    frame.to_csv(tmp_path / "b.csv", index=False)
    found = read_feature_file(tmp_path / "b.csv")
    assert found.features.rows.shape == (12, 6)  # a feature that is always 0 is one
    assert found.notes == (
        "1 columns with the names of labels were left out: label",
        "1 columns without values were left out: empty",
        "read as 12 images (rows) of 6 dimensions (columns)",
    )
    assert found.features.notes == ("1 of 6 columns are constant over all rows",)


def test_a_line_of_numbers_that_do_not_count_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for first in ("0,1.5,2", "1,2,4", "0,0,1", "2,3,4", "0.0,1.0,2.0"):
        path.write_text(f"{first}\n0.5,0.25,0.125\n0.1,0.7,0.3\n")
        assert len(read_feature_file(path).features.rows) == 3
    path.write_text("0,1,2\n0.5,0.25,0.125\n0.1,0.7,0.3\n0.2,0.1,0.4\n")
    assert len(read_feature_file(path).features.rows) == 3


def test_of_several_arrays_one_is_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "two.npz"
    np.savez(path, train=Z, test=Z[:7])
    with pytest.raises(InputError, match=r"features, train \(12, 5\), test \(7, 5\): choose one .*--array NAME"):
        read_feature_file(path)
    assert read_feature_file(path, "test").features.rows.shape == (7, 5)
    with pytest.raises(InputError, match="has no array 'val'; it holds train"):
        read_feature_file(path, "val")
    torch.save({"a": T, "b": T[:, :3]}, tmp_path / "two.pt")
    assert read_feature_file(tmp_path / "two.pt", "b").features.rows.shape == (12, 3)
    assert "the array b was read; a were not" in read_feature_file(tmp_path / "two.pt", "b").notes


def test_tokens_are_reduced_as_asked(tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).standard_normal((6, 4, 5)).astype(np.float32)
    path = tmp_path / "tokens.npy"
    np.save(path, tokens)
    with pytest.raises(InputError, match=r"holds tokens of shape \(6, 4, 5\): choose a readout"):
        read_feature_file(path)
    for readout, prefix, expected in (
        ("cls", None, tokens[:, 0]),
        ("mean", None, tokens[:, 1:].mean(1)),
        ("mean", 0, tokens.mean(1)),
        ("tokens", 2, tokens[:, 2:].reshape(-1, 5)),
    ):
        found = read_feature_file(path, readout=readout, prefix_tokens=prefix)
        np.testing.assert_allclose(found.features.rows, expected, rtol=1e-6)
        assert "of 4 tokens a row" in found.notes[0]
    with pytest.raises(InputError, match="no cls token"):
        read_feature_file(path, readout="cls", prefix_tokens=0)
    with pytest.raises(InputError, match="must lie in 0 to 3"):
        read_feature_file(path, readout="mean", prefix_tokens=4)
    np.save(path, Z)
    with pytest.raises(InputError, match="leave them out"):
        read_feature_file(path, readout="cls")


WEIGHTS: dict[str, Any] = {
    "state dict": torch.nn.Linear(5, 12).state_dict(),
    "wrapped": {"model": torch.nn.Linear(5, 12).state_dict(), "epoch": 3},
    "with positions": {"pos_embed": torch.zeros(1, 5, 4), "blocks.0.norm.weight": torch.ones(4)},
    "prototypes": {"embeddings.weight": torch.zeros(12, 5)},
    "numbers": {"loss": torch.zeros(3), "step": 5},
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_are_no_features(tmp_path: Path, kind: str) -> None:
    torch.save(WEIGHTS[kind], tmp_path / "a.pth")
    assert not is_feature_file(tmp_path / "a.pth")
    assert not is_feature_file(tmp_path / "missing.pt")
    assert not is_feature_file(tmp_path)


class Harm:
    """Asks a reader of pickles to write a file."""

    def __reduce__(self) -> Any:
        return open, (str(Path(__file__).with_suffix(".harm")), "w")


def damaged(path: Path) -> None:
    np.save(path, np.zeros((1000, 50)))
    path.write_bytes(path.read_bytes()[:5000])


JAX_WEIGHTS = {
    f"Transformer/encoderblock_{i}/{name}": value
    for i in range(12)
    for name, value in (("MlpBlock_0/Dense_0/kernel", Z), ("LayerNorm_0/scale", Z[0]))
}
BAD: list[tuple[str, Callable[[Path], Any], str]] = [
    ("cut.npy", damaged, "no whole .npy file"),
    ("objects.npy", lambda path: np.save(path, np.array([{1: 2}], object)), "no whole .npy file of plain numbers"),
    ("cut.npz", lambda path: path.write_bytes(b"PK\3\4nothing"), "no whole .npz file"),
    ("empty.npz", lambda path: np.savez(path), "a .npz file without arrays"),
    ("labels.npz", lambda path: np.savez(path, labels=LABELS, ids=LABELS), "no floating-point array of shape"),
    (
        "jax.npz",
        lambda path: np.savez(path, **JAX_WEIGHTS),
        "holds the weights of a network .such as .*, and no features",
    ),
    ("text.csv", lambda path: path.write_text("a,b\nc,d\n"), "has no column of them: it holds a, b"),
    ("whole.csv", lambda path: path.write_text("1,2\n3,4\n5,6\n"), "has no column of them"),
    (
        "printed.csv",
        lambda path: path.write_text("id,z\n" + '1,"[0.1 0.2 ... 0.3]"\n' * 3),
        r"column z of .* are abbreviated by '\.\.\.'",
    ),
    ("words.csv", lambda path: path.write_text('z\n"[a, b]"\n"[c, d]"\n'), "holds lists of what is no number"),
    ("empty.csv", lambda path: path.write_text(""), "no table of separated values"),
    ("bytes.csv", lambda path: path.write_bytes(bytes(range(256)) * 9), "no table of separated values"),
    ("ragged.csv", lambda path: path.write_text("0.1,0.2\n0.1\n0.1,0.2,0.3,0.4\n"), "no table of separated values"),
    ("gap.csv", lambda path: path.write_text("0.1,0.2\n0.1,\n0.1,0.3\n"), "NaN or infinity in 1 of 3 rows"),
    ("a.csv.gz", lambda path: path.write_bytes(gzip.compress(b"0.1,0.2\n" * 9)[:-9]), "no table of separated values"),
    ("a.h5", lambda path: path.write_bytes(b"\x89HDF"), "is a HDF5 file, which is not read"),
    ("a.json", lambda path: path.write_text("[[0.1]]"), "is a JSON file, which is not read"),
    ("a.dat", lambda path: Z.tofile(path), "is a file of raw numbers, which has no shape: save features by np.save"),
    ("dict.pt", lambda path: torch.save({"labels": torch.arange(4)}, path), "holds no array that can be features"),
]


def read_if_features(path: Path) -> FeatureFile:
    is_feature_file(path)
    return read_feature_file(path)


@pytest.mark.parametrize(("name", "write", "sentence"), BAD, ids=[name for name, _, _ in BAD])
def test_bad_files_are_a_sentence(tmp_path: Path, name: str, write: Callable[[Path], Any], sentence: str) -> None:
    write(tmp_path / name)
    with pytest.raises(InputError, match=sentence):
        read_if_features(tmp_path / name)


def test_a_folder_of_arrays_is_a_sentence(tmp_path: Path) -> None:
    for i in range(3):
        np.save(tmp_path / f"{i}.npy", Z[i])
    with pytest.raises(InputError, match=r"is a folder of 3 arrays, such as 0\.npy: save them as one"):
        is_feature_file(tmp_path)
    torch.save({}, tmp_path / "vit.pth")
    assert not is_feature_file(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    assert not is_feature_file(tmp_path / "model.safetensors.index.json")


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"features": Harm()}))
    for read in (is_feature_file, read_feature_file):
        with pytest.raises(InputError, match=r"asks for io\.open, which no checkpoint needs"):
            read(tmp_path / "a.pt")
    assert not Path(__file__).with_suffix(".harm").exists()


def test_without_pyarrow_the_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert is_feature_file(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"needs pyarrow: pip install 'maetheory\[parquet\]'"):
        read_feature_file(tmp_path / "a.parquet")


def test_a_column_of_lists_is_all_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pandas gives for the lists of a Parquet file, without pyarrow."""
    frame = pd.DataFrame({"id": range(12), "embedding": list(Z), "other": list(Z[:, :2]), "text": "a"})
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setattr(feature_tables, "read_parquet", lambda _: frame.drop(columns="other"))
    found = read_feature_file(path)
    np.testing.assert_allclose(found.features.rows, Z, rtol=1e-6)
    assert found.notes[0] == "the column embedding was read; id, text were not"
    monkeypatch.setattr(feature_tables, "read_parquet", lambda _: frame)
    with pytest.raises(InputError, match="several columns of lists, embedding, other: choose one"):
        read_feature_file(path)
    assert read_feature_file(path, "other").features.rows.shape == (12, 2)
    frame.at[3, "embedding"] = Z[3, :2]
    with pytest.raises(InputError, match="have from 2 to 5 numbers"):
        read_feature_file(path, "embedding")


def test_an_archive_of_weights_is_a_checkpoint_unless_an_array_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **JAX_WEIGHTS)
    assert not is_feature_file(tmp_path / "a.npz")
    assert is_feature_file(tmp_path / "a.npz", next(iter(JAX_WEIGHTS)))
    for name in ("features_{}", "blocks.{}", "images/{:04d}.jpg"):  # of many layers or images, all of one kind
        np.savez(tmp_path / "b.npz", **{name.format(i): Z for i in range(12)})
        assert is_feature_file(tmp_path / "b.npz")
        assert read_feature_file(tmp_path / "b.npz", name.format(3)).features.rows.shape == Z.shape


def test_a_damaged_archive_is_one_sentence_in_every_way_of_reading(tmp_path: Path) -> None:
    """Packed for a later version of zip, and encrypted: Python's reader raises other types of error on each."""
    np.savez(tmp_path / "whole.npz", features=Z)
    content = (tmp_path / "whole.npz").read_bytes()
    for place, value in ((content.rindex(b"PK\x01\x02") + 6, 99), (content.rindex(b"PK\x01\x02") + 8, 1)):
        path = tmp_path / "damaged.npz"
        path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
        is_feature_file(path)
        with pytest.raises(InputError, match=r"is no whole \.npz file of plain numbers") as caught:
            read_feature_file(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("n", "d", "words"),
    [
        (60, 6, None),
        (6, 60, "6 rows of 60 dimensions: rows are images, so transpose"),
        (6, 61, "the array looks transposed: its 6 rows have 61 columns, more than 10 for each row"),
        (384, 5000, "the array looks transposed: its 384 rows have 5000 columns"),
    ],
)
def test_the_shape_is_always_said_and_a_transposed_array_is_noticed(
    n: int, d: int, words: str | None, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(n, d)).astype(np.float32))
    found = read_feature_file(tmp_path / "a.npy")
    assert f"read as {n} images (rows) of {d} dimensions (columns)" in found.notes
    about = [note for note in found.features.notes if "transpose" in note]
    assert [note.startswith(words) for note in about] == [True] if words else not about
