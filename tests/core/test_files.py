"""An interrupted write leaves the old file and no temporary file behind."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from maetheory.core import InputError, atomic_write
from maetheory.core.files import (
    expand_user,
    open_regular_file,
    read_regular_file,
    remove_leftover_files,
    staging_folder,
    utf8_path,
)

NOT_UTF8 = os.fsdecode(b"a\xff")  # legal on Linux
on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not name open descriptors")


def test_failure_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "numbers.csv"
    target.write_text("old")

    def half_written() -> None:
        with atomic_write(target) as temporary:
            temporary.write_text("ne")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        half_written()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_new_file_has_ordinary_permissions_and_suffix(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "deep" / "a.png") as temporary:
        assert temporary.suffix == ".png"
        temporary.write_bytes(b"x")
    assert (tmp_path / "deep" / "a.png").stat().st_mode & 0o777 == 0o644


def test_what_killed_writes_left_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    left = [tmp_path / name for name in (".a.x1.part.svg", ".metrics.y2.part.jsonl", ".plain.z3.part")]
    kept = [tmp_path / name for name in (".hidden", "a.part.svg", ".a.svg")]
    for path in (*left, *kept):
        path.write_text("half")
    with atomic_write(tmp_path / "one.csv") as one:
        assert not any(path.exists() for path in left)
        remove_leftover_files(tmp_path)
        with atomic_write(tmp_path / "two.csv") as two:
            two.write_text("2")
        one.write_text("1")
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in kept} | {"one.csv", "two.csv"}


def test_a_staging_folder_sweeps_abandoned_ones_only(tmp_path: Path) -> None:
    (tmp_path / ".collapse.old").mkdir()
    (tmp_path / ".collapse.old" / "a.svg").write_text("half")
    (tmp_path / ".other.old").mkdir()
    with staging_folder(tmp_path, "collapse") as one:
        (one / "a").write_text("1")
        with staging_folder(tmp_path, "collapse") as two:
            assert {path.name for path in tmp_path.iterdir()} == {one.name, two.name, ".other.old"}
        assert (one / "a").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == [".other.old"]


@pytest.mark.timeout(20)
def test_only_ordinary_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_regular_file(path, 5) == b"12345"
    with pytest.raises(InputError, match="has 5 bytes, more than the 4 that are read at most"):
        read_regular_file(path, 4)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for wrong, word in (("pipe", "not an ordinary file"), ("loop", "cannot be read"), (".", "not an ordinary file")):
        with pytest.raises(InputError, match=word):
            read_regular_file(tmp_path / wrong, 5)
    with pytest.raises(InputError, match="not an ordinary file"):
        read_regular_file(Path("/dev/zero"), 5)
    with monkeypatch.context() as patched:  # a device may act when it is opened
        patched.setattr(os, "open", lambda *_, **__: pytest.fail("it was opened"))
        with pytest.raises(InputError, match="not an ordinary file"):
            open_regular_file("/dev/null")
    for missing in (tmp_path / "none", path / "below"):
        with pytest.raises(FileNotFoundError):
            read_regular_file(missing, 5)


def test_reading_takes_memory_for_the_file_and_not_for_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (0, 10, 2**16, 2**16 + 1, 10**6):
        path.write_bytes(os.urandom(size))
        tracemalloc.start()
        try:
            assert read_regular_file(path, 2**30) == path.read_bytes()
            assert tracemalloc.get_traced_memory()[1] < 4 * size + 2**20
        finally:
            tracemalloc.stop()
        if size:
            with pytest.raises(InputError, match=f"has {size} bytes, more than the {size - 1}"):
                read_regular_file(path, size - 1)
    if Path("/proc/self/status").exists():  # its size is 0
        assert read_regular_file(Path("/proc/self/status"), 2**20).startswith(b"Name:")
        with pytest.raises(InputError, match="has 11 bytes, more than the 10"):
            read_regular_file(Path("/proc/self/status"), 10)


@pytest.mark.timeout(20)
def test_a_file_that_becomes_a_pipe_after_it_was_looked_at_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary, pipe = tmp_path / "ordinary", tmp_path / "pipe"
    ordinary.touch()
    os.mkfifo(pipe)
    before = os.stat(ordinary)
    monkeypatch.setattr(os, "stat", lambda path, **_: before)
    with pytest.raises(InputError, match="not an ordinary file"):
        open_regular_file(pipe)


def test_a_home_folder_that_is_not_known_is_one_sentence() -> None:
    assert expand_user("~/x") == Path.home() / "x"
    assert expand_user("a~b") == Path("a~b")
    with pytest.raises(InputError, match=r"the home folder that ~nosuchuser/x begins with is not known"):
        expand_user("~nosuchuser/x")


@on_linux
@pytest.mark.parametrize("folder", ["plain", NOT_UTF8])
@pytest.mark.parametrize("name", ["b.bin", NOT_UTF8 + ".bin"])
def test_a_name_that_is_no_utf8_has_another_for_libraries(tmp_path: Path, folder: str, name: str) -> None:
    path = tmp_path / folder / name
    path.parent.mkdir()
    path.write_bytes(b"there")
    open_before = len(os.listdir("/proc/self/fd"))
    with utf8_path(path) as same:
        same.encode("utf-8")
        assert (same == str(path)) == (NOT_UTF8 not in str(path))
        assert Path(same).read_bytes() == b"there"
    assert len(os.listdir("/proc/self/fd")) == open_before
    with pytest.raises(FileNotFoundError), utf8_path(path.with_name(NOT_UTF8 + "missing")):
        pass


@on_linux
def test_files_are_replaced_under_a_temporary_name_that_libraries_take(tmp_path: Path) -> None:
    target = tmp_path / f"{NOT_UTF8}.{NOT_UTF8}"
    with atomic_write(target) as temporary:
        temporary.name.encode("utf-8")
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_system_without_names_of_descriptors_is_told_to_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NOT_UTF8).write_text("there")
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(InputError, match=r"a\\udcff is not valid UTF-8, .*; rename it"), utf8_path(tmp_path / NOT_UTF8):
        pass
