"""Load timm's ViT-like models from files and count which load right, wrong or not at all.

    python benchmarks/checkpoint_sweep.py [--config] [--max-width 384] [--every 10] [--pattern "vit_*"]

The models are all of timm's whose name says ViT, BEiT, DeiT, EVA, CLIP or SigLIP. Each is built with its own widths,
one block and random parameters, saved as a bare state dict, with ``--config`` as a folder with timm's config.json
beside it, loaded, and compared with timm's own `forward_features` of the same weights and images. Models wider than
``--max-width`` are built without memory, on the meta device, and only the decision is tested: whether the file is
refused. Networks of other families (MaxViT, LeViT, FastViT, convolutional CLIP) have no blocks of a Vision Transformer
and are counted apart: they are right if they are refused.

"Noted" means that a note says what was assumed.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from maetheory.checkpoints import load_checkpoint, load_contents
from maetheory.checkpoints.reading import CheckpointContents
from maetheory.core import InputError

for schema in ("nms(Tensor dets, Tensor scores, float iou)", "qnms(Tensor dets, Tensor scores, float iou)"):
    operator, arguments = schema.split("(")
    if not hasattr(torch.ops.torchvision, operator):  # timm imports torchvision, which may be no CPU build
        torch.library.define(f"torchvision::{operator}", f"({arguments} -> Tensor")

import timm  # noqa: E402 - after the operators that its torchvision needs

NAME = re.compile(r".*(vit|beit|deit|eva|clip|siglip).*")
FAMILY = re.compile(r"VisionTransformer|VisionTransformer(Distilled|RelPos|SAM)|Eva|Beit|NaFlexVit")
TOLERANCE = 1e-4  # of the largest token; the wrong ones differ by a hundredth and more


def main() -> None:
    """Print one line for each model that is not right, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pattern", action="append", help="Names of models; by default all ViT-like ones.")
    parser.add_argument("--every", type=int, default=1, help="Take every n-th model only.")
    parser.add_argument("--max-width", type=int, default=384, help="Widest models whose features are compared.")
    parser.add_argument("--config", action="store_true", help="Write timm's config.json beside the weights.")
    options = parser.parse_args()
    counts, others = sweep(model_names(options.pattern)[:: options.every], options.config, options.max_width)
    print("Vision Transformers:", describe(counts))
    print("other families:", describe(others))


def model_names(patterns: list[str] | None = None) -> list[str]:
    """Return the names of timm's models whose name says ViT, or that match a pattern."""
    if patterns:
        return sorted({name for pattern in patterns for name in timm.list_models(pattern)})
    return [name for name in timm.list_models() if NAME.fullmatch(name)]


def describe(counts: Counter[str]) -> str:
    """Return counts in one line."""
    return f"{counts.total()}: " + ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))


def sweep(names: list[str], with_config: bool, max_width: int) -> tuple[Counter[str], Counter[str]]:
    """Return the outcomes of Vision Transformers and of other networks, and print those that are not right."""
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for name in tqdm(names, disable=None):
        model = build(name, max_width)
        family = FAMILY.fullmatch(type(model).__name__) is not None
        outcome, detail = check(name, model, with_config)
        (counts if family else others)[outcome] += 1
        if not outcome.startswith("right") and (family or not outcome.startswith("refused")):
            print(f"{name} ({type(model).__name__}): {outcome}: {detail}", flush=True)
    return counts, others


def build(name: str, max_width: int) -> Any:
    """Return a model of one block with random parameters; a wide one, or one of another family, without memory."""
    with torch.device("meta"):
        try:
            model = timm.create_model(name, depth=1)
        except (TypeError, AssertionError):  # no argument of that name, or one number of heads for each block
            model = timm.create_model(name)
    width = getattr(model, "embed_dim", None)
    if not isinstance(width, int) or width > max_width or not FAMILY.fullmatch(type(model).__name__):
        return model.eval()
    torch.manual_seed(0)
    model = timm.create_model(name, depth=1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def check(name: str, model: Any, with_config: bool) -> tuple[str, str]:
    """Return the outcome for a model, and a detail."""
    wide = next(model.parameters()).is_meta
    record = {"architecture": name, "pretrained_cfg": model.pretrained_cfg}
    sidecars = {"config.json": json.loads(json.dumps(record, default=str))} if with_config else {}
    try:
        encoder, report = load_wide(model, sidecars) if wide else load_file(model, sidecars)
    except InputError as error:
        return "refused", str(error)[-200:]
    return ("right by decision, too wide to compare", "") if wide else compare(model, encoder, report)


def load_file(model: Any, sidecars: dict[str, Any]) -> Any:
    """Return encoder and report of a saved state dict."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "pytorch_model.bin")
        for name, record in sidecars.items():
            (Path(folder) / name).write_text(json.dumps(record))
        return load_checkpoint(folder)


def load_wide(model: Any, sidecars: dict[str, Any]) -> Any:
    """Return encoder and report of the shapes of a state dict; each tensor is one zero in memory."""
    state = {name: torch.zeros((), dtype=x.dtype).expand(x.shape) for name, x in model.state_dict().items()}
    return load_contents(CheckpointContents(Path("wide.pth"), "torch zip", "", tree=state, sidecars=sidecars))


@torch.no_grad()
def compare(model: Any, encoder: Any, report: Any) -> tuple[str, str]:
    """Return whether tokens and scale of images are timm's; what was assumed and noted counts apart."""
    config = report.config
    images = torch.rand(1, config.channels, *config.image_shape)
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
