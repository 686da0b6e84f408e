"""Read files in forked children with limits on time and memory, so that a crash or a hang of one is only an outcome.

Run as ``python isolated_reading.py FOLDER CHILDREN``; prints a line ``kind|name|outcome|CPU seconds|MiB`` for a file
``FOLDER/kind/name``.
CHILDREN is "each" (every file in a process of its own) or "shared" (one process reads file after file until one kills
it; the next process goes on behind that file).
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HARD_SECONDS, HARD_MEBIBYTES, WALL_SECONDS = 30, 2048, 120


class Outcome(NamedTuple):
    """How reading one file ended ("read", "refused: sentence", "raised: …", "killed by …"), and what it cost."""

    text: str
    seconds: float
    mebibytes: float


def inspect_isolated(files: Mapping[str, bytes], folder: Path) -> dict[str, Outcome]:
    """Write checkpoints to a folder, inspect each in a process of its own and return the outcomes by name."""
    return read_isolated({"checkpoint": files}, folder, "each")["checkpoint"]


def read_isolated(
    files: Mapping[str, Mapping[str, bytes]], folder: Path, children: str = "shared"
) -> dict[str, dict[str, Outcome]]:
    """Write files of several kinds, read each in a forked child and return the outcomes by kind and name.

    The memory of a shared child is its growth from before the file to the peak while it was read; that of a child of
    its own is all that it has, torch included.

    Parameters
    ----------
    files : mapping
        Name in `file_readers.READERS` -> name -> content.
    folder : Path
        Where they are written, a folder for each kind; the folder above it is the one that readers work in.
    children : {"shared", "each"}
    """
    for kind, contents in files.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / kind / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, __file__, str(folder), children], capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, dict[str, Outcome]] = {kind: {} for kind in files}
    for line in done.stdout.splitlines():
        kind, name, text, seconds, size = line.split("|")
        found[kind][name] = Outcome(text, float(seconds), float(size))
    assert all(found[kind].keys() == contents.keys() for kind, contents in files.items())
    return found


def _limit(extra_mebibytes: int) -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + extra_mebibytes * 2**20,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _resident_mebibytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def _read_all(reader: str, files: Sequence[Path], work: Path, writer: int, *, shared: bool) -> None:
    """Read files in this child; a timer of CPU time kills it with SIGPROF."""
    from file_readers import answer_of

    _limit(HARD_MEBIBYTES)
    for file in files:
        signal.setitimer(signal.ITIMER_PROF, HARD_SECONDS)
        before, start = 0.0, os.times()
        if shared:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
            before = _resident_mebibytes("VmRSS")
        text = answer_of(reader, file, work).replace("|", "/").replace("\n", " ")
        stop = os.times()
        seconds = stop.user + stop.system - start.user - start.system
        line = f"{text}|{seconds:.3f}|{_resident_mebibytes('VmHWM') - before:.1f}\n"
        os.write(writer, line.encode("utf-8", "backslashreplace")[-4000:])


def _in_children(reader: str, files: list[Path], work: Path, *, shared: bool) -> Iterator[tuple[str, str]]:
    """Yield the name of each file and its line; a file that kills its child gets a line of its own."""
    while files:
        share = files if shared else files[:1]
        receiver, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _read_all(reader, share, work, writer, shared=shared)
            os._exit(0)
        os.close(writer)
        answered = 0
        with os.fdopen(receiver, "rb", buffering=0) as pipe:
            buffer = b""
            while True:
                ready, _, _ = select.select([pipe], [], [], WALL_SECONDS)
                if not ready:
                    os.kill(child, signal.SIGKILL)  # it waits for something that never comes
                piece = pipe.read(2**16)
                if not piece:
                    break
                *lines, buffer = (buffer + piece).split(b"\n")
                for line in lines:
                    yield share[answered].name, line.decode("utf-8", "replace")
                    answered += 1
        _, status, usage = os.wait4(child, 0)
        if answered < len(share):
            how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {status}"
            size = usage.ru_maxrss / 1024
            yield share[answered].name, f"killed by {how}|{usage.ru_utime + usage.ru_stime:.3f}|{size:.1f}"
            answered += 1
        files = files[answered:]


if __name__ == "__main__":
    import torch

    import maetheory.checkpoints

    torch.set_num_threads(1)
    assert maetheory.checkpoints.inspect_checkpoint
    folder, children = Path(sys.argv[1]), sys.argv[2]
    kinds = sorted(path.name for path in folder.iterdir())
    if kinds != ["checkpoint"]:
        import maetheory.experiments
        import maetheory.reports

        assert maetheory.experiments.reproduce
        assert maetheory.reports.read_ledger
    for kind in kinds:
        paths = sorted((folder / kind).iterdir())
        for file_name, line in _in_children(kind, paths, folder.parent, shared=children == "shared"):
            print(kind, file_name, line, sep="|", flush=True)
