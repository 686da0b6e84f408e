"""Write any readable checkpoint for timm: a safetensors file under timm's names, and a config.json beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from maetheory.checkpoints.load import load_checkpoint
from maetheory.checkpoints.reading.files import WEIGHTS_SHA256, sha256
from maetheory.checkpoints.reading.safetensors_files import save_tensors
from maetheory.checkpoints.report import LoadReport
from maetheory.checkpoints.timm_format import TimmModel, to_timm
from maetheory.core import InputError, atomic_write, check_writable


class ConvertedCheckpoint(NamedTuple):
    """The files that were written, timm's model, and how the source was read."""

    weights: Path
    config: Path
    model: TimmModel
    report: LoadReport


def convert_checkpoint(
    path: str | Path, out: str | Path, *, force: bool = False, **options: Any
) -> ConvertedCheckpoint:
    """Write a checkpoint of any code base as `out` and ``config.json`` beside it, as timm reads them.

    ``timm.create_model("local-dir:FOLDER", pretrained=True)`` then builds the same encoder. Each file is written
    whole or not at all.

    Parameters
    ----------
    path : path of a checkpoint, as for `load_checkpoint`
    out : path that ends in ``.safetensors``
    force : bool
        Whether existing files are replaced.
    **options
        Those of `load_checkpoint`: heads, dialect, weights, image_size, mean, std, eps, activation.

    Raises
    ------
    InputError
        If the file cannot be read, timm has no such model, or a file exists and `force` is not given.
    """
    out = Path(out)
    config = out.parent / "config.json"
    if out.suffix != ".safetensors":
        raise InputError(f"the file to write must end in .safetensors, but it is {out}")
    existing = [str(file) for file in (out, config) if file.exists()]
    if existing and not force:
        raise InputError(
            f"{' and '.join(existing)} exist{'s' if len(existing) == 1 else ''}: pass force=True (--force)"
        )
    if not out.parent.is_dir():
        check_writable(out.parent)
    encoder, report = load_checkpoint(path, **options)
    model = to_timm(encoder)
    source = {"format": "pt", "source_sha256": report.sha256, "source_code_base": report.dialect}
    try:
        with atomic_write(config) as temporary_config, atomic_write(out) as temporary:
            save_tensors(model.tensors, temporary, source)
            document = {WEIGHTS_SHA256: sha256([temporary])} | _config_json(model, report)
            temporary_config.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from error
    return ConvertedCheckpoint(out, config, model, report)


def _config_json(model: TimmModel, report: LoadReport) -> dict[str, Any]:
    """Return the content of timm's config.json."""
    config = report.config
    classes = model.arguments["num_classes"]
    return {
        "architecture": model.architecture,
        "num_classes": classes,
        "num_features": config.width,
        "global_pool": model.arguments["global_pool"],
        "model_args": model.arguments,
        "pretrained_cfg": {
            "tag": "converted",
            "custom_load": False,
            "input_size": [config.channels, *config.image_shape],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "mean": list(config.mean),
            "std": list(config.std),
            "num_classes": classes,
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
