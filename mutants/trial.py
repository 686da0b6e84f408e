"""One run of tests in a forked process: the imports are shared, the outcome is the exit status of pytest."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PRELOADED = (
    "numpy scipy.linalg scipy.optimize scipy.sparse.csgraph scipy.sparse.linalg scipy.spatial.distance scipy.special "
    "scipy.stats sklearn.cluster sklearn.linear_model sklearn.neighbors sklearn.datasets pandas torch "
    "torch.distributed flint"
)
"""Modules that no mutant changes; a forked process does not import them again."""

OPTIONS = [
    *("-o", "addopts=", "--doctest-modules", "--import-mode=importlib", "-m", "not slow"),
    *("-x", "-q", "--tb=no", "-rfE", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0"),
]

MEMORY_LIMIT = 8 * 2**30
_NO_TESTS = 5


@dataclass
class Trial:
    """Running test process.

    Attributes
    ----------
    pid : int
        Also its process group.
    log : Path
        What pytest says.
    deadline : float
        Time (monotonic clock) after which it counts as hanging.
    """

    pid: int
    log: Path
    deadline: float


@dataclass(frozen=True)
class Outcome:
    """Result of a test process.

    Attributes
    ----------
    passed : bool
        Whether no test failed.
    seconds : float
        Processor time, children included.
    first_failure : str
        Line of pytest that names the test, or how the process ended.
    """

    passed: bool
    seconds: float
    first_failure: str


def preload() -> None:
    """Import what all test processes need, once, with one thread; pytest and its plugins by a run of one empty test.

    A forked process then starts its tests at once: pytest's own imports cost more than most trials.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in PRELOADED.split():
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        empty = Path(folder) / "test_empty.py"
        empty.write_text("import hypothesis\n\n\ndef test_nothing() -> None:\n    pass\n", encoding="utf-8")
        run_pytest(["--rootdir", folder, "--confcutdir", folder, str(empty)])


def start(
    tree: Path, tests: Sequence[str], log: Path, cpu_limit: float, body: Callable[[], int] | None = None
) -> Trial:
    """Fork a process that runs these tests in a copy of the tree.

    Parameters
    ----------
    tree : Path
        Copy of the tree; the package is imported from there, in further processes too.
    tests : sequence of str
        Files, relative to the tree.
    log : Path
        File for everything that is printed.
    cpu_limit : float
        Seconds of processor time after which the process is stopped, which a mistake that never ends needs; ten times
        as long on the clock.
    body : callable, optional
        What to run in place of pytest; returns an exit status.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Trial(pid, log, time.monotonic() + 10 * cpu_limit)
    status = 70
    try:
        os.setpgid(0, 0)
        _enter(tree, log, cpu_limit)
        status = run_pytest(tests) if body is None else body()
    except BaseException as error:  # whatever is raised ends this process, which must not return
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _enter(tree: Path, log: Path, cpu_limit: float) -> None:
    """Turn this process into one that works in the copy alone."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_limit) + 1, int(cpu_limit) + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    os.chdir(tree)
    os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1", HYPOTHESIS_STORAGE_DIRECTORY=str(log) + ".d")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(tree))
    for name in [name for name in sys.modules if name.split(".")[0] in ("maetheory", "tests")]:
        del sys.modules[name]


def run_pytest(tests: Sequence[str]) -> int:
    """Run the fast tests and doctests of these files until the first one fails; the exit status of pytest."""
    import pytest

    return int(pytest.main([*OPTIONS, *tests]))


def poll(trial: Trial) -> Outcome | None:
    """Outcome of a process, None while it runs; one past its deadline is stopped."""
    pid, status, usage = os.wait4(trial.pid, os.WNOHANG)
    if pid == 0:
        if time.monotonic() > trial.deadline:
            stop(trial)
        return None
    stop(trial)
    seconds = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    if code in (0, _NO_TESTS):
        return Outcome(True, seconds, "")
    return Outcome(
        False, seconds, _first_failure(trial.log) if code > 0 else f"stopped by {signal.Signals(-code).name}"
    )


def stop(trial: Trial) -> None:
    """End the process and those it started."""
    try:
        os.killpg(trial.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _first_failure(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    named = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return (named or lines or ["the process ended without a word"])[0 if named else -1][:300]
