"""Inspect files in forked children with limits on time and memory, so that a crash or a hang of one is only an outcome.

Run as ``python isolated_reading.py FOLDER``; prints a line ``name|outcome|CPU seconds|MiB`` a file.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HARD_SECONDS, HARD_MEBIBYTES = 30, 2048


class Outcome(NamedTuple):
    """How reading one file ended ("read", "refused: sentence", "raised: …", "killed by …"), and what it cost."""

    text: str
    seconds: float
    mebibytes: float


def inspect_isolated(files: Mapping[str, bytes], folder: Path) -> dict[str, Outcome]:
    """Write the files to a folder, inspect each in a process of its own and return the outcomes by name."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, check=True, timeout=600
    )
    lines = (line.split("|") for line in done.stdout.splitlines())
    found = {name: Outcome(text, float(seconds), float(size)) for name, text, seconds, size in lines}
    assert found.keys() == files.keys()
    return found


def _inspect(path: Path) -> str:
    """Inspect one file as the command line does, and print the report."""
    from maetheory.checkpoints import inspect_checkpoint
    from maetheory.core import InputError

    try:
        report = str(inspect_checkpoint(path))
        return "read" if all(line.isprintable() for line in report.split("\n")) else "raised: a report with controls"
    except InputError as error:
        return f"refused: {error}" if str(error).isprintable() else "raised: a sentence with controls"
    except BaseException as error:
        return f"raised: {type(error).__name__} {str(error)[:200]!r}"


def _in_child(path: Path) -> tuple[str, float, float]:
    """Return outcome, CPU seconds and peak memory in MiB of inspecting one file in a fork."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + HARD_MEBIBYTES * 2**20,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (HARD_SECONDS, HARD_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.write(writer, _inspect(path).replace("|", "/").encode("utf-8", "backslashreplace")[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        text = f"killed by signal {signal.Signals(os.WTERMSIG(status)).name}"
    return text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    import torch

    import maetheory.checkpoints

    torch.set_num_threads(1)
    assert maetheory.checkpoints.inspect_checkpoint
    for file in sorted(Path(sys.argv[1]).iterdir()):
        text, seconds, size = _in_child(file)
        print(file.name, text, f"{seconds:.3f}", f"{size:.1f}", sep="|", flush=True)
