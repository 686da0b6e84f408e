"""Load timm's ViT-like models from files and count which load right, wrong or not at all.

    python benchmarks/checkpoint_sweep.py [--config] [--records FILE] [--max-width 5000] [--every N] [--pattern P]

The models are all of timm's whose name says ViT, BEiT, DeiT, EVA, CLIP or SigLIP. Each is built with its own widths,
one block and random parameters, saved as a bare state dict, with ``--config`` as a folder with timm's config.json
beside it, loaded, and compared with timm's own `forward_features` of the same weights and images. Models wider than
``--max-width`` are built without memory, on the meta device, and only the decision is tested: whether the file is
refused. Networks of other families (MaxViT, LeViT, FastViT, convolutional CLIP) have no blocks of a Vision Transformer
and are counted apart: they are right if they are refused.

"Wrong as its notes say" means that the tokens differ, that notes name heads, ε, activation or image size as assumed,
and that they are right once the right values of these are passed. Any other difference is "wrong, silently", whatever
notes say. With ``--records`` each outcome is appended to a file, and models that stand in it are not loaded again.
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
NOT_COMPARED = "right by decision, not compared"
ACTIVATIONS = {"GELU": "gelu", "GELUTanh": "gelu-tanh", "QuickGELU": "quick-gelu", "SiLU": "swiglu"}
MAX_PATCHES = 4096  # whose attention is compared; RADIO's tables have 16 384
TOLERANCE = 1e-4  # of the largest token; the wrong ones differ by 4e-4 and more


def main() -> None:
    """Print one line for each model that is not right, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pattern", action="append", help="Names of models; by default all ViT-like ones.")
    parser.add_argument("--every", type=int, default=1, help="Take every n-th model only.")
    parser.add_argument("--max-width", type=int, default=5000, help="Widest models whose features are compared.")
    parser.add_argument("--config", action="store_true", help="Write timm's config.json beside the weights.")
    parser.add_argument("--records", type=Path, help="Append outcomes to this file, and continue from it.")
    options = parser.parse_args()
    names = model_names(options.pattern)[:: options.every]
    counts, others = sweep(names, options.config, options.max_width, options.records)
    print("Vision Transformers:", describe(counts))
    print("other families:", describe(others))


def model_names(patterns: list[str] | None = None) -> list[str]:
    """Return the names of timm's models whose name says ViT, or that match a pattern."""
    if patterns:
        return sorted({name for pattern in patterns for name in timm.list_models(pattern)})
    return [name for name in timm.list_models() if NAME.fullmatch(name)]


def describe(counts: Counter[str]) -> str:
    """Return counts in one line, with the share that is right."""
    right = sum(n for outcome, n in counts.items() if outcome.startswith("right"))
    listed = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    return f"{counts.total()}: {listed} ({100 * right / max(1, counts.total()):.0f} % right)"


def sweep(
    names: list[str], with_config: bool, max_width: int, records: Path | None = None
) -> tuple[Counter[str], Counter[str]]:
    """Return the outcomes of Vision Transformers and of other networks, and print those that are not right."""
    known = {}
    if records is not None and records.exists():
        known = {row["name"]: row for row in map(json.loads, records.read_text().splitlines())}
    counts: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for name in tqdm(names, disable=None):
        row = known.get(name) or outcome_of(name, with_config, max_width)
        if records is not None and name not in known:
            with records.open("a") as file:
                file.write(json.dumps(row) + "\n")
        family, outcome = FAMILY.fullmatch(row["class"]) is not None, row["outcome"]
        (counts if family else others)[outcome] += 1
        if not outcome.startswith("right") and (family or not outcome.startswith("refused")):
            print(f"{name} ({row['class']}): {outcome}: {row['detail']}", flush=True)
    return counts, others


def outcome_of(name: str, with_config: bool, max_width: int) -> dict[str, str]:
    """Return name, class, outcome and detail of a model."""
    model = build(name, max_width)
    outcome, detail = check(name, model, with_config)
    return {"name": name, "class": type(model).__name__, "outcome": outcome, "detail": detail}


def build(name: str, max_width: int) -> Any:
    """Return a model of one block with random parameters; a wide one, or one of another family, without memory."""
    sizes: dict[str, int] = {"depth": 1}
    with torch.device("meta"):
        try:
            model = timm.create_model(name, **sizes)
        except (TypeError, AssertionError):  # no argument of that name, or one number of heads for each block
            model, sizes = timm.create_model(name), {}
    width = getattr(model, "embed_dim", None)
    family = FAMILY.fullmatch(type(model).__name__) is not None
    if not (family and sizes and isinstance(width, int) and width <= max_width):
        return model.eval()
    torch.manual_seed(0)
    model = timm.create_model(name, **sizes).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model


def check(name: str, model: Any, with_config: bool) -> tuple[str, str]:
    """Return the outcome for a model, and a detail."""
    record = {"architecture": name, "pretrained_cfg": model.pretrained_cfg}
    sidecars = {"config.json": json.loads(json.dumps(record, default=str))} if with_config else {}
    try:
        if next(model.parameters()).is_meta:
            load_without_memory(model, sidecars)
            return NOT_COMPARED, ""
        with tempfile.TemporaryDirectory() as folder:
            write_folder(Path(folder), model, sidecars)
            return compare(model, Path(folder))
    except InputError as error:
        return "refused", str(error)[-200:]


def write_folder(folder: Path, model: Any, sidecars: dict[str, Any]) -> None:
    """Write a state dict and the JSON files beside it."""
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    for name, record in sidecars.items():
        (folder / name).write_text(json.dumps(record))


def load_without_memory(model: Any, sidecars: dict[str, Any]) -> Any:
    """Return encoder and report of the shapes of a state dict; each tensor is one zero in memory."""
    state = {name: torch.zeros((), dtype=x.dtype).expand(x.shape) for name, x in model.state_dict().items()}
    return load_contents(CheckpointContents(Path("wide.pth"), "torch zip", "", tree=state, sidecars=sidecars))


def compare(model: Any, folder: Path) -> tuple[str, str]:
    """Return whether tokens and scale of images are timm's, and what notes say where they are not."""
    encoder, report = load_checkpoint(folder)
    if report.config.n_patches > MAX_PATCHES:
        return NOT_COMPARED, ""
    difference = relative_difference(model, encoder, report.config)
    if not difference < TOLERANCE:
        assumed = "; ".join(note for note in report.notes if "assumed" in note)
        detail = f"{report.dialect}, difference {difference:.1e}; {assumed}"
        if wrong_as_noted(model, folder, report):
            return "wrong as its notes say", detail
        return "wrong, silently", detail
    config = report.config
    if (config.mean, config.std) == (tuple(model.pretrained_cfg["mean"]), tuple(model.pretrained_cfg["std"])):
        return "right", ""
    said = any("nothing says mean" in note for note in report.notes)
    return f"right with another scale of images, {'noted' if said else 'silently'}", f"{report.dialect}, {config.mean}"


@torch.no_grad()
def relative_difference(model: Any, encoder: Any, config: Any) -> float:
    """Return the largest difference of tokens from timm's, in the same scale of images; infinite for other shapes."""
    torch.manual_seed(1)
    images = torch.rand(1, config.channels, *config.image_shape)
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (config.mean, config.std))
    theirs_only = torch.nn.functional.pad(images, rest_beyond_patches(model, config))
    try:
        ours, theirs = encoder(images), model.forward_features((theirs_only - mean) / std)
    except AssertionError:  # timm's model takes images of one size only
        return float("inf")
    if ours.shape != theirs.shape:
        return float("inf")
    return float((ours - theirs).abs().max() / theirs.abs().max())


def rest_beyond_patches(model: Any, config: Any) -> tuple[int, int, int, int]:
    """Return columns and rows that timm's model takes beyond whole patches and reads nothing of: 384 is 27 x 14 + 6."""
    sides = getattr(getattr(model, "patch_embed", None), "img_size", None) or config.image_shape
    rests = [side - ours for side, ours in zip(sides, config.image_shape, strict=True)]
    rests = [rest if 0 <= rest < patch else 0 for rest, patch in zip(rests, config.patch_shape, strict=True)]
    return (0, rests[1], 0, rests[0])


def wrong_as_noted(model: Any, folder: Path, report: Any) -> bool:
    """Return whether notes name wrong values as assumed, with which passed the tokens are right."""
    right = right_values(model)
    said = {field: value for field, value in right.items() if report.sources.get(field, "").startswith("assumed")}
    wrong = {field: value for field, value in said.items() if value != getattr(report.config, field)}
    if not wrong:
        return False
    try:
        encoder, again = load_checkpoint(folder, **wrong)
    except InputError:
        return False
    return relative_difference(model, encoder, again.config) < TOLERANCE


def right_values(model: Any) -> dict[str, Any]:
    """Return heads, ε and activation of the first block of timm's model, and the size of its images."""
    block = model.blocks[0]
    attributes = [
        (name, getattr(module, name))
        for module in block.modules()
        for name in ("num_heads", "eps")
        if hasattr(module, name)
    ]
    activations = {
        ACTIVATIONS[type(module).__name__] for module in block.modules() if type(module).__name__ in ACTIVATIONS
    }
    found = dict(reversed(attributes)) | ({"activation": activations.pop()} if len(activations) == 1 else {})
    sides = getattr(getattr(model, "patch_embed", None), "img_size", None)
    size = {} if sides is None else {"image_size": sides[0] if sides[0] == sides[1] else sides}
    return {{"num_heads": "heads"}.get(name, name): value for name, value in found.items()} | size


if __name__ == "__main__":
    main()
