"""What `maetheory collapse` takes, as a multiple of a bare loop of timm's forward passes over the same images.

    python benchmarks/collapse.py [--quick] [--rounds N] [--options]

Two cases: ViT-Tiny on 10 000 images of 32 pixels, and ViT-B/16 on 1000 of 224. ``--quick`` takes 2000 images for
ViT-Tiny and images of 112 pixels for ViT-B. Both sides run in the same precision (bfloat16 where the processor has it)
and on one thread, and they alternate. A ratio is the median over pairs of neighbours, with the range in brackets: of
the seconds of this process, on which other work of the machine does not count, and of those of the clock.
``--options`` also measures what --full, --initialisations 5, --layer all and fp32 take; with ``--images N`` both sides
see fewer images, of which small numbers make the ratio larger: the comparison takes at least 40 images a network.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

from maetheory.data import ImageSet
from maetheory.evaluation.features.precision import autocast, resolve_precision
from maetheory.reports.collapse import collapse_text
from maetheory.reports.collapse_plan import Effort
from maetheory.reports.diagnosis import diagnose

for schema in ("nms(Tensor dets, Tensor scores, float iou)", "qnms(Tensor dets, Tensor scores, float iou)"):
    operator, arguments = schema.split("(")
    if not hasattr(torch.ops.torchvision, operator):  # timm imports torchvision, which may be no CPU build
        torch.library.define(f"torchvision::{operator}", f"({arguments} -> Tensor")

from timm.models.vision_transformer import VisionTransformer  # noqa: E402 - after the operators that torchvision needs

BATCH = 64
OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({"full": False}, {}),
    "--initialisations 5": ({"full": False, "n_initialisations": 5}, {}),
    "--layer all": ({"full": False}, {"layers": "all"}),
    "--precision fp32": ({"full": False, "precision": "fp32"}, {}),
    "--full": ({"full": True}, {}),
}


def main() -> None:
    """Print one line for each case and option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Fewer images of ViT-Tiny, smaller ones of ViT-B.")
    parser.add_argument("--rounds", type=int, default=3, help="Rounds in which both sides alternate.")
    parser.add_argument("--options", action="store_true", help="Measure further options too.")
    parser.add_argument("--option", choices=OPTIONS, help="Measure only this one.")
    parser.add_argument("--images", type=int, help="Number of images of both sides.")
    parser.add_argument("--case", choices=("ViT-Tiny", "ViT-B"), help="Only this one.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    cases = {
        "ViT-Tiny": (
            2000 if options.quick else 10_000,
            {"img_size": 32, "patch_size": 4, "embed_dim": 192, "depth": 12, "num_heads": 3},
        ),
        "ViT-B": (1000, {"img_size": 112 if options.quick else 224, "embed_dim": 768, "depth": 12}),
    }
    print("| case | images | option | precision | bare loop, s | times the bare loop | by the clock |")
    print("|---|---|---|---|---|---|---|")
    names = [options.option] if options.option else list(OPTIONS) if options.options else ["default"]
    for case, (n, shape) in cases.items():
        if options.case in (None, case):
            for name in names:
                print(measure(case, options.images or n, shape, name, options.rounds), flush=True)


def measure(case: str, n: int, shape: dict[str, Any], option: str, rounds: int) -> str:
    """Return the line of a case with an option."""
    torch.manual_seed(0)
    model = VisionTransformer(num_classes=0, **shape).eval()
    side = shape["img_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (n, 3, side, side), dtype=np.uint8)
    images = ImageSet(pixels, np.zeros(n, int), "noise")
    effort_options, diagnose_options = OPTIONS[option]
    bare_precision = resolve_precision("auto", "cpu")
    effort = Effort(**{"precision": bare_precision, **effort_options})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pth"
        torch.save(model.state_dict(), path)
        heads = shape.get("num_heads", 12)

        def command() -> None:
            collapse_text(diagnose([path], images, heads=heads, effort=effort, **diagnose_options))

        def bare() -> None:
            with torch.no_grad(), autocast(bare_precision, "cpu"):
                for start in range(0, n, BATCH):
                    batch = torch.from_numpy(pixels[start : start + BATCH]).float() / 255
                    model.forward_features((batch - 0.5) / 0.5)

        pairs = []
        for _ in range(rounds):
            pairs.append((seconds(bare), seconds(command)))
            print(case, option, "process and clock seconds, bare and command:", pairs[-1], file=sys.stderr, flush=True)
    alone = float(np.median([bare_seconds for (bare_seconds, _), _ in pairs]))
    ratios = " | ".join(describe([command[clock] / bare[clock] for bare, command in pairs]) for clock in (0, 1))
    return f"| {case} | {n} | {option} | {effort.precision} | {alone:.1f} | {ratios} |"


def describe(ratios: list[float]) -> str:
    """Return the median of ratios and their range."""
    return f"{np.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def seconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds of this process and of the clock that some work takes."""
    start, clock = process_time(), perf_counter()
    work()
    return process_time() - start, perf_counter() - clock


if __name__ == "__main__":
    main()
