"""Record the code version, command, packages, machine and time behind a result."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("maetheory", "torch", "numpy", "scipy", "scikit-learn", "lightning-fabric")


def provenance(*, device: str = "cpu", seed: int | None = None) -> dict[str, Any]:
    """Return a JSON-ready record of the code and machine that produce a result.

    Parameters
    ----------
    device : str
        Device the computation ran on, as torch names it.
    seed : int, optional
        The seed the user gave, if any.

    Returns
    -------
    dict
        ``git`` (commit, with ``+`` when the tree was changed; None outside a checkout), ``argv``, ``versions``,
        ``python``, ``machine``, ``cores``, ``threads`` (of torch, None where it is not loaded), ``device``, ``seed``,
        ``utc``.
    """
    return {
        "git": _git_commit(),
        "argv": [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else [],
        "versions": {name: _package_version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": _n_torch_threads(),
        "device": device,
        "seed": seed,
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _n_torch_threads() -> int | None:
    torch = sys.modules.get("torch")  # not imported here, because the exact computations need no torch
    return None if torch is None else int(torch.get_num_threads())


def _package_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _run_git(root, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _run_git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _run_git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()
