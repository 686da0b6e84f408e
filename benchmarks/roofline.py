"""How far a training step is from the floor that its arithmetic and its memory traffic set on this device.

Run as ``python benchmarks/roofline.py [PRESET ...]``, on the GPU where there is one (then in bfloat16 and compiled),
else on one thread, in seconds of the process, which other work on the machine disturbs least. The floor is the larger
of two times: FLOPs of forward and backward (counted by torch's `FlopCounterMode`, attention as its two products, a
multiplication and an addition being two) at the speed of one large matrix product measured between the steps, and bytes
(each weight read twice and its gradient written and read, AdamW's reading and writing of weight and two moments, each
tensor kept for the backward pass written and read once) at the speed of a large copy. Measured is a whole step of
`train`, from callback to callback, uniformity on. floor / measured is the model FLOPs utilisation, against the measured
speed of a matrix product, where FLOPs set the floor.
"""

from __future__ import annotations

import sys
import tempfile
from time import perf_counter, process_time

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from maetheory.data import ImageSet
from maetheory.masks import UniformMasks
from maetheory.models import MAE, MAEConfig, preset, sample_masks
from maetheory.training import TrainConfig, TrainStep, make_fabric, train

ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
DTYPE = torch.bfloat16 if ON_GPU else torch.float32
BATCH = {"digits": 256, "cifar10-small": 64, "cifar10": 8, "vit-b16": 2}
GPU_BATCH = {"digits": 4096, "cifar10-small": 4096, "cifar10": 4096, "cifar10-base": 512, "vit-b16": 256}
SIDE, COPIED = (8192, 2**30) if ON_GPU else (1024, 2**27)
STEPS, WARM_UP = 12, 3
COUNTED = 256  # images


def wait() -> float:
    if ON_GPU:
        torch.cuda.synchronize()
    return perf_counter() if ON_GPU else process_time()


def flops_per_second() -> float:
    a, b = (torch.randn(SIDE, SIDE, device=DEVICE, dtype=DTYPE) for _ in range(2))
    began = wait()
    a @ b
    return 2 * SIDE**3 / (wait() - began)


def bytes_per_second() -> float:
    source = torch.ones(COPIED // 4, device=DEVICE)
    target = torch.empty_like(source)
    began = wait()
    target.copy_(source)
    return 2 * COPIED / (wait() - began)


def work(config: MAEConfig, recipe: TrainConfig) -> tuple[float, float]:
    """Return FLOPs and bytes of one step.

    Both are linear in the batch, and are counted on a few images and on half as many: attention written out would not
    fit the memory for a large batch.
    """
    few = min(COUNTED, recipe.batch)
    most, half = (np.array(counted(config, recipe, images)) for images in (few, few // 2))
    flops, moved = most + (most - half) * (recipe.batch - few) / (few - few // 2)
    return float(flops), float(moved)


def counted(config: MAEConfig, recipe: TrainConfig, few: int) -> tuple[float, float]:
    """Return FLOPs and bytes of a step of a few images; what backward needs is counted once for each storage."""
    model, vit, law = MAE(config).to(DEVICE), config.encoder, recipe.law()
    images = torch.rand(few, vit.channels, vit.image_size, vit.image_size, device=DEVICE)
    masks = sample_masks(law, few, torch.Generator(DEVICE).manual_seed(0))
    visible = law.n_visible if isinstance(law, UniformMasks) else None
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the fused one is not counted
        model(images, masks, visible).loss.backward()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    held: list[torch.Tensor] = []  # so that no storage is freed and its address used again
    keeping = torch.autograd.graph.saved_tensors_hooks(lambda t: held.append(t) or t, lambda t: t)
    with keeping, torch.autocast(DEVICE.type, DTYPE, enabled=ON_GPU):
        model(images, masks, visible)
    kept = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in held}
    weights = sum(4 * p.numel() for p in model.parameters())
    saved = sum(size for place, size in kept.items() if place not in own)
    return float(counter.get_total_flops()), float((2 + 2 + 6) * weights + 2 * saved)


class Clock:
    """Seconds of each step after the warm-up, with the device's two speeds measured between steps."""

    def __init__(self) -> None:
        self.left = wait()
        self.steps: list[float] = []
        self.speeds: list[tuple[float, float]] = []

    def __call__(self, seen: TrainStep) -> None:
        """Note one step."""
        if seen.step > WARM_UP:
            self.steps.append(wait() - self.left)
        if not ON_GPU or seen.step % 4 == 0:
            self.speeds.append((flops_per_second(), bytes_per_second()))
        self.left = wait()


def main() -> None:
    """Print one row for each preset."""
    torch.set_num_threads(1)
    print("| preset | batch | GFLOP | MB | GFLOP/s | GB/s | floor, ms | measured, ms | floor / measured |")
    print("|---|---|---|---|---|---|---|---|---|")
    sizes = GPU_BATCH if ON_GPU else BATCH
    for name in sys.argv[1:] or sizes:
        config, batch = preset(name), sizes[name]
        vit = config.encoder
        pixels = np.random.default_rng(0).integers(
            256, size=(batch, vit.channels, vit.image_size, vit.image_size), dtype=np.uint8
        )
        recipe = TrainConfig(config, uniformity_weight=0.01, epochs=STEPS, batch=batch, save_seconds=1e9)
        flops, moved = work(config, recipe)
        clock = Clock()
        with tempfile.TemporaryDirectory() as out:
            train(
                recipe,
                ImageSet(pixels, np.zeros(batch, int), "noise"),
                out=out,
                callbacks=[clock],
                compiled=ON_GPU,
                fabric=make_fabric(DEVICE.type, precision="bf16-mixed" if ON_GPU else "32-true"),
            )
        speed, bandwidth = np.median(clock.speeds, axis=0)
        floor, measured = max(flops / speed, moved / bandwidth), float(np.median(clock.steps))
        cells = [flops / 1e9, moved / 1e6, speed / 1e9, bandwidth / 1e9, 1e3 * floor, 1e3 * measured, floor / measured]
        print(f"| {name} | {batch} | {' | '.join(f'{cell:.3g}' for cell in cells)} |")


if __name__ == "__main__":
    main()
