"""Execute every notebooks/NN_slug.py (percent script, the source) into an .ipynb beside it.

Cell ids are their positions and no volatile metadata is kept, so two renderings in one place are byte-identical. With
MAETHEORY_FAST=1 the notebooks run at a small size into a temporary folder, which leaves the committed ones alone.
MAETHEORY_DATA is not passed on: what is committed comes out where no such data is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def render(script: Path, folder: Path, added: Mapping[str, str] | None = None) -> Path:
    """Execute one script, in this environment without MAETHEORY_DATA and with what is added; write it to `folder`."""
    environment = {name: value for name, value in os.environ.items() if name != "MAETHEORY_DATA"} | dict(added or {})
    notebook = jupytext.read(script)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    place = {"metadata": {"path": str(HERE)}}
    # one print may arrive as several streams, split by chance
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", coalesce_streams=True, resources=place)
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


def main() -> None:
    """Render the notebooks named on the command line, or all of them."""
    scripts = [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("[0-9][0-9]_*.py"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if os.environ.get("MAETHEORY_FAST") else HERE
        for script in scripts:
            print(render(script, folder), file=sys.stderr)


if __name__ == "__main__":
    main()
