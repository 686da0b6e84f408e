"""Published files: the tables and ledgers that lie beside the figures in the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from maetheory.core import InputError
from maetheory.core.unknown_names import closest_names, did_you_mean

FOLDER = "figures"
_MARK = Path("digits", "ledger.jsonl")  # a file of the published folder, and of hardly any other


def published(name: str | Path = "") -> Path:
    """Return the path of a published file, from any working directory.

    The folder of published files is looked for beside the installed package (a clone installed by
    ``pip install -e .``), then in the working directory and the folders above it.

    Parameters
    ----------
    name : str or path
        File in the folder, such as "digits/effective_rank.csv"; by default the folder itself.

    Raises
    ------
    InputError
        If there is no such folder, as where a wheel is installed and no clone is near, or no such file in it.

    Examples
    --------
    >>> published("digits/effective_rank.csv").name
    'effective_rank.csv'
    """
    folder = next((one for one in _candidates() if (one / _MARK).is_file()), None)
    if folder is None:
        raise InputError(
            f"published numbers lie in the folder {FOLDER} of the repository, which is found neither beside the "
            f"installed package nor in {Path.cwd()} or above it; install the package from a clone (pip install -e .), "
            "or run this below the clone"
        )
    path = folder / name
    if not path.exists():
        known = sorted(str(one.relative_to(folder)) for one in folder.rglob("*.*") if one.is_file())
        raise InputError(f"{folder} holds no {name}{did_you_mean(closest_names(str(name), known))}")
    return path


def _candidates() -> Iterator[Path]:
    """Yield the folders that may be that of published files, the nearest to the package first."""
    yield Path(__file__).resolve().parents[2] / FOLDER
    here = Path.cwd()
    for one in (here, *here.parents):
        yield one / FOLDER
