"""Available memory is the least of the machine's, the control groups' and the ulimit's."""

from __future__ import annotations

import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from maetheory.core import InputError, memory
from maetheory.core.memory import (
    LINEAR_ALGEBRA_BYTES,
    available_memory,
    check_memory,
    check_memory_for_linear_algebra,
)
from maetheory.core.memory_limits import free_memory_in_control_groups, free_memory_under_ulimit

GIB = 2**30
UNLIMITED = 9223372036854771712  # what version 1 shows where there is no limit


def tree(root: Path, own: str, groups: dict[str, dict[str, str]]) -> dict[str, Path]:
    """Write a tree of control groups and the file that says which of them is ours."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(own)
    for group, files in groups.items():
        folder = root / "cgroup" / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    return {"cgroup": root / "cgroup", "proc": root / "proc"}


def version_2(limit: object, used: int, cached: int = 0) -> dict[str, str]:
    statistics = f"anon {used - cached}\nfile {cached}\ninactive_file {cached}"
    return {"memory.max": str(limit), "memory.current": str(used), "memory.stat": statistics}


def version_1(limit: int, used: int, cached: int = 0) -> dict[str, str]:
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat")
    texts = (str(limit), str(used), f"cache {cached}\ninactive_file 0\ntotal_inactive_file {cached}")
    return dict(zip(names, texts, strict=True))


@pytest.mark.parametrize(
    ("own", "groups", "free"),
    [
        ("0::/\n", {"": version_2(2 * GIB, GIB)}, GIB),  # a container: the tree begins at its own group
        ("0::/\n", {"": version_2(2 * GIB, GIB, GIB // 4)}, GIB + GIB // 4),  # cached files can be dropped
        ("0::/\n", {"": version_2(GIB, 2 * GIB)}, 0),
        ("0::/\n", {"": version_2("max", GIB)}, None),
        ("0::/user/run\n", {"user/run": version_2("max", 1), "user": version_2(GIB, 7)}, GIB - 7),  # the parent's
        ("0::/user/run\n", {"user/run": version_2(GIB, 7), "user": version_2(9 * GIB, 9)}, GIB - 7),
        ("0::/other/run\n", {"": version_2(GIB, 5)}, GIB - 5),  # a path of the host, not to be seen from inside
        ("0::/../other\n", {"": version_2(GIB, 5)}, GIB - 5),
        ("4:memory:/\n1:cpu:/\n", {"memory": version_1(2 * GIB, GIB)}, GIB),
        ("4:memory:/docker/x\n", {"memory/docker/x": version_1(GIB, 3, 1), "memory": version_1(UNLIMITED, 9)}, GIB - 2),
        ("4:hugetlb,memory:/a\n0::/\n", {"memory/a": version_1(GIB, 3), "unified": {}}, GIB - 3),
        ("1:cpu:/\n0::/\n", {"memory": version_1(GIB, 3), "unified": {}}, None),
        ("0::/\n4:memory:/\n", {"unified": version_2(GIB, 1), "memory": version_1(2 * GIB, 1)}, GIB - 1),
        ("torn", {"": version_2(GIB, 1)}, None),
        ("0::/\n", {"": {"memory.max": "a lot"}}, None),
        ("0::/\n", {"": {"memory.max": str(GIB)}}, GIB),  # use not shown
    ],
)
def test_limits_of_control_groups(own: str, groups: dict, free: int | None, tmp_path: Path) -> None:
    assert free_memory_in_control_groups(**tree(tmp_path, own, groups)) == free


def test_a_machine_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert free_memory_in_control_groups(tmp_path, tmp_path) is None
    assert free_memory_under_ulimit(tmp_path) is None or resource.getrlimit(resource.RLIMIT_AS)[0] > 0


@pytest.mark.parametrize(
    "source", ["_free_memory_of_machine", "free_memory_in_control_groups", "free_memory_under_ulimit"]
)
def test_the_least_of_the_three_counts(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_free_memory_of_machine", "free_memory_in_control_groups", "free_memory_under_ulimit"):
        monkeypatch.setattr(memory, name, lambda least=name == source: 10 if least else 20)
    assert available_memory() == 10
    check_memory(10, "a table", "take fewer rows")
    with pytest.raises(InputError, match=r"a table would take about 1.1e-08 GB of memory, but 1e-08 GB are free: take"):
        check_memory(11, "a table", "take fewer rows")


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_ulimit_counts_less_what_is_in_use(limit: str) -> None:
    code = (
        "import resource; from maetheory.core.memory import available_memory\n"
        f"resource.setrlimit(resource.{limit}, (8 * 2**30, resource.RLIM_INFINITY))\n"
        "before = available_memory(); held = bytearray(2**28); print(before, before - available_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, taken = map(int, done.stdout.split())
    assert before < 8 * GIB
    assert 2**28 <= taken < 2**28 + 2**24


@pytest.mark.slow
def test_a_graph_that_exceeds_the_ulimit_is_refused_in_one_sentence() -> None:
    command = f"ulimit -v 3000000; exec {sys.executable} -m maetheory graph --limit 1000 --masks 4000"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "1,000 images under 4000 masks would take about" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("left", "refused"), [(LINEAR_ALGEBRA_BYTES - 1, True), (LINEAR_ALGEBRA_BYTES, False), (None, False)]
)
def test_a_limit_on_memory_below_what_linear_algebra_takes_is_refused(
    left: int | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenBLAS would try for ever to get its buffer."""
    monkeypatch.setattr(memory, "free_memory_under_ulimit", lambda: left)
    sentence = r"leaves 127 MiB, less than the 128 MiB that linear algebra takes at once: raise it"
    with pytest.raises(InputError, match=sentence) if refused else nullcontext():
        check_memory_for_linear_algebra()
