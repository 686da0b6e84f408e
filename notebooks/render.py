"""Execute every notebooks/NN_slug.py (percent script, the source) into an .ipynb beside it.

Cell ids are their positions and no volatile metadata is kept, so two renderings in one place are byte-identical. With
MAETHEORY_FAST=1 the notebooks run at a small size into a temporary folder, which leaves the committed ones alone.
MAETHEORY_DATA is passed on to the notebooks in `WITH_DATA` only, so that the others come out where no such data is.
Those are committed as they come out with it. Without it they run on other data, and the committed one is left alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
WITH_DATA = {"06_your_own_checkpoint": Path("checkpoints", "cifar10-vit-tiny")}  # stem -> folder in $MAETHEORY_DATA


def render(script: Path, folder: Path, added: Mapping[str, str] | None = None) -> Path:
    """Execute one script in this environment, with what is added, and write it to `folder`."""
    hidden = () if script.stem in WITH_DATA else ("MAETHEORY_DATA",)
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | dict(added or {})
    notebook = jupytext.read(script)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    place = {"metadata": {"path": str(HERE)}}
    # one print may arrive as several streams, split by chance
    client = NotebookClient(notebook, timeout=1500, kernel_name="python3", coalesce_streams=True, resources=place)
    client.execute(env=environment)
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position:02d}"
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            if output.get("output_type") == "execute_result":
                output["execution_count"] = cell["execution_count"]
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    out = folder / f"{script.stem}.ipynb"
    nbformat.write(notebook, out)
    return out


def missing_data(script: Path) -> str:
    """Return the folder in $MAETHEORY_DATA that a committed notebook needs and this machine lacks, else ""."""
    needed = WITH_DATA.get(script.stem)
    here = needed is None or Path(os.environ.get("MAETHEORY_DATA", "nowhere"), needed).is_dir()
    return "" if here else f"$MAETHEORY_DATA/{needed}"


def main() -> None:
    """Render the notebooks named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scripts", nargs="*", type=Path, help="Scripts such as notebooks/03_theorems_one_by_one.py.")
    scripts = parser.parse_args().scripts or sorted(HERE.glob("[0-9][0-9]_*.py"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if os.environ.get("MAETHEORY_FAST") else HERE
        for script in scripts:
            if folder == HERE and (missing := missing_data(script)):
                print(f"{script.stem}.ipynb is left as it is: it needs {missing}", file=sys.stderr)
            else:
                print(render(script, folder), file=sys.stderr)


if __name__ == "__main__":
    main()
