"""Copies of the tree in which mistakes are planted; the tree itself is never written to."""

from __future__ import annotations

import compileall
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

COPIED = ("maetheory", "tests", "docs", "figures", "pyproject.toml")


def tracked_files(root: Path) -> list[Path]:
    """Files of the tree that the tests need: tracked ones, and new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *COPIED],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    return sorted({Path(name) for name in listed.decode().split("\0") if name and (root / name).is_file()})


def digest(root: Path, test_files: bool = True) -> str:
    """Hexadecimal digest of names and contents of all files that are copied, on request without the test files."""
    found = hashlib.sha256()
    for path in tracked_files(root):
        if test_files or not path.name.startswith("test_"):
            found.update(f"{path}\0{digest_of_file(root / path)}\0".encode())
    return found.hexdigest()[:12]


def digest_of_file(path: Path) -> str:
    """Hexadecimal digest of the contents of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def copy_tree(root: Path, folder: Path, copies: int) -> list[Path]:
    """Copy the tree to new folders and compile it once, so that a run compiles the changed module alone."""
    found = [folder / f"tree-{number}" for number in range(copies)]
    for where in found:
        shutil.rmtree(where, ignore_errors=True)
    for path in tracked_files(root):
        (found[0] / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, found[0] / path)
    compileall.compile_dir(found[0] / "maetheory", quiet=2)
    for where in found[1:]:
        shutil.copytree(found[0], where)  # with the times of the modules, by which Python knows what is compiled
    return found


def plant(module: Path, code: str) -> Callable[[], None]:
    """Write other code to a module of a copy; returns what restores it, times included.

    The time of the changed module is another one, so that what was compiled before is not taken for it.
    """
    source, times = module.read_bytes(), module.stat()
    module.write_text(code, encoding="utf-8")
    os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns + 10 * 10**9))

    def restore() -> None:
        module.write_bytes(source)
        os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))

    return restore


def digest_of_text(text: str) -> str:
    """Hexadecimal digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
