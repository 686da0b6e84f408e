"""An interrupted write leaves the old file and no temporary file behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from maetheory.core import atomic_write


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
