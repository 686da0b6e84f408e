"""CIFAR-10 is read as its format is documented; missing or truncated files are named; a failed fetch leaves nothing."""

from __future__ import annotations

import errno
import hashlib
import http.server
import io
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pooch
import pytest

from maetheory.core import InputError
from maetheory.data import DATASETS, cifar10_archive, cifar10_download, fetch, load_images

SIZE = 30_730_000


def _record(label: int, shade: int) -> bytes:
    """One image written by the format's description: label, then red, green and blue planes row by row."""
    red, green, blue = (bytes((shade + 7 * i + plane) % 256 for i in range(1024)) for plane in (0, 100, 200))
    return bytes([label]) + red + green + blue


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All six files, 20 distinct records repeated 500 times; file f has its shades shifted by f."""
    folder = tmp_path_factory.mktemp("cifar") / cifar10_archive.FOLDER
    folder.mkdir()
    for f, name in enumerate(cifar10_archive.ALL_FILES):
        (folder / name).write_bytes(b"".join(_record(i % 10, 20 * f + i) for i in range(20)) * 500)
    return folder


@pytest.fixture(autouse=True)
def _no_other_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MAETHEORY_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _links(source: Path, target: Path, names: tuple[str, ...] = cifar10_archive.ALL_FILES) -> Path:
    target.mkdir(parents=True)
    for name in names:
        (target / name).symlink_to(source / name)
    return target


def test_bytes_become_planes(small_world: Path) -> None:
    images = load_images(small_world, split="test")
    assert images.shape == (10_000, 3, 32, 32)
    assert images.images.dtype == np.uint8
    assert images.labels[:20].tolist() == [i % 10 for i in range(20)]
    shade = 20 * 5 + 3
    assert images.images[3, 0, 0, 0] == shade
    assert images.images[3, 0, 0, 2] == shade + 14  # two columns to the right
    assert images.images[3, 0, 1, 0] == (shade + 7 * 32) % 256  # one row down
    assert images.images[3, 2, 0, 0] == (shade + 200) % 256  # blue


def test_training_files_come_in_order(small_world: Path) -> None:
    images = load_images(small_world.parent, limit=1000)
    assert images.class_names[3] == "cat"
    assert np.bincount(images.labels).tolist() == [100] * 10
    whole = load_images("cifar10", root=small_world)
    assert len(whole) == 50_000
    assert whole.images[::10_000, 0, 0, 0].tolist() == [0, 20, 40, 60, 80]
    np.testing.assert_array_equal(whole.limit(1000).images, images.images)


def test_limit_reaches_over_files(small_world: Path, tmp_path: Path) -> None:
    """When class 9 lives only in the last file, a limit must find it there."""
    folder = _links(small_world, tmp_path / "last")
    for name in cifar10_archive.FILES["train"][:4]:
        (folder / name).unlink()
        (folder / name).write_bytes(_record(0, 0) * 10_000)
    images = load_images(folder, limit=20)
    assert np.bincount(images.labels).tolist() == [2] * 10
    assert images.images[images.labels == 9][:, 0, 0, 0].tolist() == [89, 99]


def test_missing_file_is_named(small_world: Path, tmp_path: Path) -> None:
    folder = _links(small_world, tmp_path / "few", cifar10_archive.ALL_FILES[:3])
    with pytest.raises(InputError, match=r"data_batch_4\.bin, which is missing"):
        load_images(folder)


@pytest.mark.parametrize(
    ("size", "sentence"),
    [(SIZE - 1, "is truncated: it has 30729999 bytes"), (SIZE + 10_000, "is not CIFAR-10"), (0, "is truncated")],
)
def test_wrong_size_is_named(small_world: Path, tmp_path: Path, size: int, sentence: str) -> None:
    folder = _links(small_world, tmp_path / "cut", cifar10_archive.FILES["train"])
    with (folder / "test_batch.bin").open("wb") as file:
        file.truncate(size)
    assert load_images(folder, limit=1).shape == (1, 3, 32, 32)
    with pytest.raises(InputError, match=sentence):
        load_images(folder, split="test")


def test_label_beyond_nine_is_refused(small_world: Path, tmp_path: Path) -> None:
    folder = _links(small_world, tmp_path / "odd", cifar10_archive.FILES["train"])
    (folder / "test_batch.bin").write_bytes(_record(10, 0) * 10_000)
    with pytest.raises(InputError, match="label 10"):
        load_images(folder, split="test")


def test_absent_data_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="maetheory data fetch cifar10"):
        load_images("cifar10", root=tmp_path)
    with pytest.raises(InputError, match=str(tmp_path / "cache")):
        load_images("cifar10")


def test_pickles_are_never_read(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"\x80")
    with pytest.raises(InputError, match="as pickles, but the binary version"):
        load_images("cifar10", root=tmp_path)


def test_folders_are_searched_in_order(small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _links(small_world, tmp_path / "cache" / "maetheory" / cifar10_archive.FOLDER)
    monkeypatch.setenv("MAETHEORY_DATA", str(tmp_path / "nothing"))
    assert len(load_images("cifar10", split="val", limit=5)) == 5  # falls through to the cache
    monkeypatch.setenv("MAETHEORY_DATA", str(tmp_path / "mine"))
    mine = _links(small_world, tmp_path / "mine" / cifar10_archive.FOLDER, cifar10_archive.FILES["train"])
    (mine / "test_batch.bin").write_bytes(_record(7, 0) * 10_000)
    assert set(load_images("cifar10", split="val", limit=5).labels) == {7}
    with pytest.raises(InputError, match="is not in"):
        load_images("cifar10", root=tmp_path / "nothing")  # a root that is named is the only one


def _archive(folder: Path, path: Path, *, without: str = "", extra: dict[str, bytes] | None = None) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name in cifar10_archive.ALL_FILES:
            if name != without:
                tar.add(folder / name, f"{cifar10_archive.FOLDER}/{name}")
        for name, content in (extra or {}).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def archive(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    extra = {"../escaped.bin": b"x", f"{cifar10_archive.FOLDER}/readme.html": b"x"}
    return _archive(small_world, tmp_path_factory.mktemp("tar") / cifar10_archive.ARCHIVE, extra=extra)


def test_unpacks_only_what_it_knows(archive: Path, small_world: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    folder = cifar10_archive.unpack_archive(archive, tmp_path / "in" / "x")
    assert sorted(file.name for file in folder.iterdir()) == sorted(cifar10_archive.ALL_FILES)
    assert [file.name for file in folder.parent.iterdir()] == ["x"]
    assert [file.name for file in tmp_path.iterdir()] == ["in"]
    assert (folder / "test_batch.bin").read_bytes() == (small_world / "test_batch.bin").read_bytes()


def test_damaged_archives_leave_nothing(archive: Path, small_world: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    cut, torn = tmp_path / "cut.tar.gz", tmp_path / "torn.tar.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    torn.write_bytes(whole[:5000] + bytes(500) + whole[5500:])
    (tmp_path / "page.tar.gz").write_text("<html>not found</html>")
    for name in ("cut", "torn", "page"):
        with pytest.raises(InputError, match=r"is not a whole tar\.gz archive|holds no file"):
            cifar10_archive.unpack_archive(tmp_path / f"{name}.tar.gz", tmp_path / "out")
    few = _archive(small_world, tmp_path / "few.tar.gz", without="data_batch_3.bin")
    with pytest.raises(InputError, match=r"holds no file cifar-10-batches-bin/data_batch_3\.bin"):
        cifar10_archive.unpack_archive(few, tmp_path / "out")
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "cut.tar.gz",
        "few.tar.gz",
        "page.tar.gz",
        "torn.tar.gz",
    ]


def test_full_disk_leaves_nothing(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: io.BufferedWriter) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shutil.copy(archive, tmp_path)
    monkeypatch.setattr(cifar10_archive, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(cifar10_archive.shutil, "copyfileobj", full)
    with pytest.raises(InputError, match="no space left"):
        load_images("cifar10", root=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [cifar10_archive.ARCHIVE]


def test_second_process_finds_the_folder_there(archive: Path, small_world: Path, tmp_path: Path) -> None:
    folder = _links(small_world, tmp_path / cifar10_archive.FOLDER)
    assert cifar10_archive.unpack_archive(archive, folder) == folder
    assert (folder / "test_batch.bin").is_symlink()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(OSError):
        cifar10_archive.unpack_archive(archive, tmp_path / "other")
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_local_archive_must_be_the_official_one(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(archive, tmp_path)
    with pytest.raises(InputError, match="MD5 sum"):
        load_images("cifar10", root=tmp_path)
    monkeypatch.setattr(cifar10_archive, "MD5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert load_images("cifar10", root=tmp_path, limit=3).shape == (3, 3, 32, 32)
    assert (tmp_path / cifar10_archive.FOLDER / "test_batch.bin").stat().st_size == SIZE


@pytest.fixture
def server(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict]:
    """A web server that sends the archive, all of it or only its first half."""
    content, state = archive.read_bytes(), {"half": False, "asked": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state["asked"] += 1
            self.send_response(404 if "absent" in self.path else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if state["half"] else content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(cifar10_download, "URL", f"http://127.0.0.1:{httpd.server_port}/cifar.tar.gz")
        monkeypatch.setattr(cifar10_archive, "MD5", hashlib.md5(content).hexdigest())
        state["size"] = len(content)
        yield state
        httpd.shutdown()


def test_fetch_then_load(server: dict, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooch.get_logger(), "handlers", [caplog.handler])
    reported: list[tuple[int, int]] = []
    folder = fetch("cifar10", progress=lambda done, total, message: reported.append((done, total)))
    assert folder == Path(os.environ["XDG_CACHE_HOME"]) / "maetheory" / cifar10_archive.FOLDER
    assert reported[-1] == (server["size"], server["size"])
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    assert len(load_images("cifar10", split="test")) == 10_000
    assert fetch("cifar10") == folder
    assert server["asked"] == 1
    assert not caplog.records  # a library does not print


@pytest.mark.parametrize(("fault", "sentence"), [("half", "connection failed"), ("hash", "hash"), ("absent", "404")])
def test_failed_fetch_leaves_nothing(
    server: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, sentence: str
) -> None:
    server["half"] = fault == "half"
    if fault == "hash":
        monkeypatch.setattr(cifar10_archive, "MD5", "0" * 32)
    if fault == "absent":
        monkeypatch.setattr(cifar10_download, "URL", cifar10_download.URL.replace("cifar.", "absent."))
    with pytest.raises(InputError, match=sentence):
        fetch("cifar10", root=tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []


def test_fetch_to_an_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="could not be fetched"):
        fetch("cifar10", root=tmp_path / "file" / "below")


def test_fetch_refuses() -> None:
    with pytest.raises(InputError, match="nothing to fetch"):
        fetch("digits")
    with pytest.raises(InputError, match="no data set 'mnist'; the data sets are: digits, cifar10"):
        fetch("mnist")
    assert all(note.description and note.source and note.licence for note in DATASETS.values())


def test_real_data(real_data: Path) -> None:
    """The published per-channel means of the training set, and 5000 / 1000 images a class."""
    train = load_images(real_data)
    assert np.bincount(train.labels).tolist() == [5000] * 10
    mean = [train.images[:, channel].mean() / 255 for channel in range(3)]
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=5e-5)  # as printed, to four digits
    test = load_images("cifar10", root=real_data, split="test")
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert test.labels[:4].tolist() == [3, 8, 8, 0]  # cat, ship, ship, airplane
