"""`maetheory convert`: a checkpoint of any code base as safetensors under timm's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from maetheory.cli.options import Checkpoint, Json, with_loading_options
from maetheory.cli.program import app
from maetheory.cli.terminal import print_result


@app.command()
@with_loading_options
def convert(
    *,
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Argument(help="File to write, which ends in .safetensors; config.json goes beside it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    loading: Mapping[str, Any],
    as_json: Json = False,
) -> None:
    """Write a checkpoint of any code base as safetensors and config.json, which timm and other tools can load.

    No code from the file is run. What timm cannot compute is refused.
    """
    from maetheory.checkpoints.convert import convert_checkpoint

    found = convert_checkpoint(checkpoint, out, force=force, **loading)
    notes = [*found.model.notes, *found.report.notes]
    document = {
        "weights": str(found.weights),
        "config": str(found.config),
        "architecture": found.model.architecture,
        "tensors": len(found.model.tensors),
        "notes": notes,
    }
    lines = [
        f"wrote {found.weights} ({len(found.model.tensors)} tensors) and {found.config}",
        f"load it by timm.create_model('local-dir:{found.weights.parent}', pretrained=True)",
        *(f"note: {note}" for note in notes),
    ]
    print_result(document, as_json, lambda: "\n".join(lines))
