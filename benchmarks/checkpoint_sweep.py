"""Load timm's ViT-like models from files and count which load right, wrong or not at all.

    python benchmarks/checkpoint_sweep.py [--pattern "vit_*"] [--limit N] [--config]

Each model is built with its own widths, one block and random parameters, saved as a bare state dict, with ``--config``
as a folder with timm's config.json beside it, loaded, and compared with timm's own tokens and with timm's mean and std.
"Noted" means that a note says what was assumed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from maetheory.checkpoints import load_checkpoint
from maetheory.core import InputError

for schema in ("nms(Tensor dets, Tensor scores, float iou)", "qnms(Tensor dets, Tensor scores, float iou)"):
    operator, arguments = schema.split("(")
    if not hasattr(torch.ops.torchvision, operator):  # timm imports torchvision, which may be no CPU build
        torch.library.define(f"torchvision::{operator}", f"({arguments} -> Tensor")

import timm  # noqa: E402 - after the operators that its torchvision needs

PATTERNS = ("vit_*", "beit*", "deit*", "eva*", "flexivit*", "samvit*", "test_vit*")
TOLERANCE = 1e-4  # of the largest token; the wrong ones differ by a hundredth and more


def main() -> None:
    """Print one line for each model that is not right, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pattern", action="append", help="Names of models; by default all ViT-like ones.")
    parser.add_argument("--limit", type=int, help="Number of models.")
    parser.add_argument("--max-width", type=int, default=1024, help="Widest models.")
    parser.add_argument("--config", action="store_true", help="Write timm's config.json beside the weights.")
    options = parser.parse_args()
    names = sorted({name for pattern in options.pattern or PATTERNS for name in timm.list_models(pattern)})
    counts: Counter[str] = Counter()
    for name in tqdm(names[: options.limit], disable=None):
        outcome, detail = check(name, options.config, options.max_width)
        counts[outcome] += 1
        if outcome != "right":
            tqdm.write(f"{name}: {outcome}: {detail}")
    print(", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items())))


def check(name: str, with_config: bool, max_width: int) -> tuple[str, str]:
    """Return the outcome for a model, and a detail."""
    try:
        with torch.device("meta"):
            width = timm.create_model(name, depth=1).embed_dim
    except (TypeError, AttributeError, AssertionError, RuntimeError) as error:
        return "no Vision Transformer with a depth", str(error)[:100]
    if not isinstance(width, int) or width > max_width:
        return "skipped", f"width {width}"
    torch.manual_seed(0)
    model = timm.create_model(name, depth=1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "pytorch_model.bin")
        if with_config:
            record = {"architecture": name, "pretrained_cfg": model.pretrained_cfg}
            (Path(folder) / "config.json").write_text(json.dumps(record, default=str))
        try:
            encoder, report = load_checkpoint(folder)
        except InputError as error:
            return "refused", str(error).removeprefix(folder)[:160]
    return compare(model, encoder, report)


@torch.no_grad()
def compare(model: Any, encoder: Any, report: Any) -> tuple[str, str]:
    """Return whether tokens and scale of images are timm's; what was assumed and noted counts apart."""
    config = report.config
    images = torch.rand(1, config.channels, config.image_size, config.image_size)
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (config.mean, config.std))
    ours, theirs = encoder(images), model.forward_features((images - mean) / std)
    noted = "; ".join(note for note in report.notes if "assumed" in note)
    if ours.shape != theirs.shape:
        return f"wrong, {'noted' if noted else 'silently'}", f"tokens of shape {tuple(ours.shape)}"
    error = float((ours - theirs).abs().max() / theirs.abs().max())
    if not error < TOLERANCE:
        return f"wrong, {'noted' if noted else 'silently'}", f"{report.dialect}, difference {error:.1e}; {noted}"
    own = (tuple(model.pretrained_cfg["mean"]), tuple(model.pretrained_cfg["std"]))
    if (config.mean, config.std) == own:
        return "right", ""
    said = any("nothing says mean" in note for note in report.notes)
    return f"right with another scale of images, {'noted' if said else 'silently'}", f"{report.dialect}, {config.mean}"


if __name__ == "__main__":
    main()
