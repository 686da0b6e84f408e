"""Memory limits that the operating system sets for this process: control groups (versions 1 and 2) and ulimit.

The limit of a container is that of its control group. ``/proc/meminfo`` does not show it, but the memory of the host.
Every group above that of the process limits it too. A process that exceeds the limit of a group is killed without a
message; one that exceeds a ulimit gets no more memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def free_memory_in_control_groups(cgroup: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")) -> int | None:
    """Return the bytes that the control groups of this process leave it, or None where none has a limit.

    Pages of files that the kernel can drop do not count as used.

    Parameters
    ----------
    cgroup : Path
        Where the control groups are mounted.
    proc : Path
        Where the process information is mounted.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not Linux, or no permission
        return None
    free: list[int] = []
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not controllers:  # version 2 has one tree for all controllers
            for mount in (cgroup, cgroup / "unified"):
                free += _free_memory_of_groups(mount, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            free += _free_memory_of_groups(cgroup / "memory", path, *names)
    return min(free, default=None)


def free_memory_under_ulimit(proc: Path = Path("/proc")) -> int | None:
    """Return the bytes that RLIMIT_AS and RLIMIT_DATA leave this process, or None where neither is set."""
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    used = _own_address_space_and_data(proc)
    free = []
    for limit, in_use in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            free.append(max(soft - used.get(in_use, 0), 0))
    return min(free, default=None)


def _free_memory_of_groups(mount: Path, path: str, limit: str, usage: str, reclaimable: str) -> Iterator[int]:
    """Yield what each group from the mount down to `path` leaves.

    In a container the tree often begins at its own group, so that `path`, seen from the host, does not exist in it;
    the groups that exist are then those that can be read.
    """
    below = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for depth in range(len(below) + 1):
        group = mount.joinpath(*below[:depth])
        bound, used = _read_number(group / limit), _read_number(group / usage)
        if bound is not None:
            yield max(bound - max((used or 0) - _read_statistic(group / "memory.stat", reclaimable), 0), 0)


def _read_number(path: Path) -> int | None:
    """Return the number in a file, or None for "max" and for a file that is not there."""
    try:
        return int(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return None


def _read_statistic(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), 0)


def _own_address_space_and_data(proc: Path) -> dict[str, int]:
    """Return the bytes of address space (VmSize) and of data (VmData) that this process uses."""
    try:
        lines = (proc / "self" / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.startswith(("VmSize:", "VmData:")))
    return {field[0].rstrip(":"): 1024 * int(field[1]) for field in fields}
