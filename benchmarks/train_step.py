"""A whole training step of ours against the same model built by others, in turn, in one process.

Run as ``python benchmarks/train_step.py [PRESET ...] [--rounds N] [--eager]``, on the GPU where there is one (then in
bfloat16 mixed precision, theirs under autocast), else on one thread. Ours is a step of `maetheory.training.train`
itself, timed from callback to callback: picking images, drawing masks, forward, backward, uniformity, AdamW, the loss
as a number, Fabric.
Each of theirs is the shortest loop that trains a model of the same size with the same optimiser, and it has no
uniformity to compute: ``ViTMAEForPreTraining`` of Hugging Face, and a MAE put together from timm's Vision Transformer
and blocks. Every round times all contenders one after the other, and a ratio is taken inside its round, because on a
shared machine seconds are nobody's result. Above 1, ours is faster.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch

from maetheory.data import ImageSet
from maetheory.models import MAE, PRESETS, MAEConfig
from maetheory.training import TrainConfig, TrainStep, make_fabric, train

ROUNDS = 15
WARM_UP = 2
ON_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
BATCH = {"digits": 4096, "cifar10": 1024} if ON_GPU else {"digits": 256, "cifar10-small": 64, "cifar10": 8}
SHARES = {
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm", "aten::mkldnn_linear"),
    "attention": ("aten::_scaled_dot_product",),
    "GELU": ("aten::gelu",),
    "norms": ("aten::native_layer_norm",),
    "copies, sums": ("aten::copy_", "aten::cat", "aten::add", "aten::sum", "aten::fill_", "aten::mul", "aten::div"),
    "masks, gathers": ("aten::gather", "aten::index", "aten::_index", "aten::scatter", "aten::sort", "aten::topk"),
    "optimiser": ("Optimizer", "aten::_fused_adamw_"),
}
Step = Callable[[], object]


def declare_operators() -> None:
    """Let a torchvision that is not for this CPU build of torch be imported, without its operators."""
    if ON_GPU:
        return
    for schema in ("nms(Tensor dets, Tensor scores, float iou)", "qnms(Tensor dets, Tensor scores, float iou)"):
        name, arguments = schema.split("(")
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", f"({arguments} -> Tensor")


def hugging_face(config: MAEConfig) -> torch.nn.Module:
    declare_operators()
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    vit = config.encoder
    theirs = ViTMAEForPreTraining(
        ViTMAEConfig(
            hidden_size=vit.width,
            num_hidden_layers=vit.depth,
            num_attention_heads=vit.heads,
            intermediate_size=int(vit.width * vit.mlp_ratio),
            layer_norm_eps=vit.eps,
            image_size=vit.image_size,
            patch_size=vit.patch,
            num_channels=vit.channels,
            decoder_hidden_size=config.decoder_width,
            decoder_num_hidden_layers=config.decoder_depth,
            decoder_num_attention_heads=config.decoder_heads,
            decoder_intermediate_size=int(config.decoder_width * vit.mlp_ratio),
            norm_pix_loss=config.norm_pixels,
        )
    )
    return theirs.requires_grad_(True)  # learned positions, as in these presets


class TimmMAE(torch.nn.Module):
    """A MAE of timm's parts, with random masks of one size (He et al. 2022, Algorithm 1)."""

    def __init__(self, config: MAEConfig) -> None:
        super().__init__()
        declare_operators()
        from timm.models.vision_transformer import Block, VisionTransformer

        vit, width = config.encoder, config.decoder_width
        self.encoder = VisionTransformer(
            img_size=vit.image_size,
            patch_size=vit.patch,
            in_chans=vit.channels,
            num_classes=0,
            global_pool="",
            embed_dim=vit.width,
            depth=vit.depth,
            num_heads=vit.heads,
            mlp_ratio=vit.mlp_ratio,
            qkv_bias=vit.qkv_bias,
        )
        pixels = vit.channels * vit.patch**2
        self.patch, self.hidden, self.norm_pixels = vit.patch, round(0.75 * vit.grid**2), config.norm_pixels
        self.embed, self.norm = torch.nn.Linear(vit.width, width), torch.nn.LayerNorm(width, eps=vit.eps)
        self.mask_token = torch.nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + vit.grid**2, width))
        self.blocks = torch.nn.Sequential(
            *(Block(width, config.decoder_heads, vit.mlp_ratio, qkv_bias=True) for _ in range(config.decoder_depth))
        )
        self.head = torch.nn.Linear(width, pixels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the loss on hidden patches."""
        vit, p = self.encoder, self.patch
        batch, channels, side, _ = images.shape
        grid = images.reshape(batch, channels, side // p, p, side // p, p)
        target = grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, (side // p) ** 2, -1)
        if self.norm_pixels:
            target = (target - target.mean(2, keepdim=True)) / (target.var(2, keepdim=True) + 1e-6).sqrt()
        order = torch.rand(target.shape[:2], device=images.device).argsort(1)
        back, seen = order.argsort(1), order[:, self.hidden :]
        tokens = vit.patch_embed(images) + vit.pos_embed[:, 1:]
        shown = tokens.gather(1, seen[:, :, None].expand(-1, -1, tokens.shape[2]))
        cls = (vit.cls_token + vit.pos_embed[:, :1]).expand(batch, -1, -1)
        latent = self.embed(vit.norm(vit.blocks(torch.cat([cls, shown], 1))))
        masked = self.mask_token.expand(batch, self.hidden, -1)
        place = (back - self.hidden) % target.shape[1]  # of each patch among the visible, then the hidden ones
        full = torch.cat([latent[:, 1:], masked], 1)
        full = full.gather(1, place[:, :, None].expand(-1, -1, full.shape[2]))
        out = self.head(self.norm(self.blocks(torch.cat([latent[:, :1], full], 1) + self.pos_embed)))[:, 1:]
        mask = (back < self.hidden).to(out.dtype)
        return ((out - target).square().mean(2) * mask).sum() / mask.sum()


BUILT: dict[str, Callable[[MAEConfig], torch.nn.Module]] = {"Hugging Face": hugging_face, "timm": TimmMAE}


def their_step(who: str, config: MAEConfig, images: torch.Tensor, batch: int, compiled: bool) -> Step:
    theirs = BUILT[who](config).train().to(DEVICE)
    trained = sum(p.numel() for p in MAE(config).parameters() if p.requires_grad)
    assert trained == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.05, fused=True)
    model, resident = torch.compile(theirs) if compiled else theirs, images.to(DEVICE)

    def step() -> float:
        chosen = resident[torch.randperm(len(images))[:batch].to(DEVICE)]
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=ON_GPU):
            found = model((chosen / 255 - 0.5) / 0.5)
        loss = getattr(found, "loss", found)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


class Rounds:
    """Between two of our steps, time everybody else; the time since the last call is our step's."""

    def __init__(self, others: dict[str, Step]) -> None:
        self.others, self.left = others, perf_counter()
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def __call__(self, seen: TrainStep) -> None:
        """Time one round."""
        wait()
        times = {"ours": perf_counter() - self.left}
        for name, step in self.others.items():
            start = perf_counter()
            step()
            wait()
            times[name] = perf_counter() - start
        if seen.step > WARM_UP:
            for name, time in times.items():
                self.seconds[name].append(time)
        self.left = perf_counter()


class Profiles:
    """Where the time of our second step goes, and of one of theirs."""

    def __init__(self, other: Step) -> None:
        self.other, self.recorder = other, torch.profiler.profile()
        self.shares: list[dict[str, float]] = []

    def __call__(self, seen: TrainStep) -> None:
        """Record from our first callback to our second, then one step of theirs."""
        if seen.step == 1:
            self.other()
            self.recorder.start()
        if seen.step == 2:
            self.recorder.stop()
            with torch.profiler.profile() as recorder:
                self.other()
            self.shares = [shares(self.recorder), shares(recorder)]


def shares(recorder: torch.profiler.profile) -> dict[str, float]:
    found = dict.fromkeys([*SHARES, "everything else"], 0.0)
    for event in recorder.key_averages():
        group = next((name for name, starts in SHARES.items() if event.key.startswith(starts)), "everything else")
        found[group] += event.self_cpu_time_total
    total = sum(found.values())
    return {name: time / total for name, time in found.items()}


def wait() -> None:
    """Let a GPU finish what was asked of it."""
    if ON_GPU:
        torch.cuda.synchronize()


def run_ours(
    config: MAEConfig, images: torch.Tensor, batch: int, steps: int, compiled: bool, callback: Callable
) -> None:
    recipe = TrainConfig(config, uniformity_weight=0.01, epochs=1, batch=batch, save_seconds=1e9)
    few = ImageSet(images[: steps * batch].numpy(), np.zeros(steps * batch, np.int64), "noise")
    with tempfile.TemporaryDirectory() as out:
        fabric = make_fabric(DEVICE.type, precision="bf16-mixed" if ON_GPU else "32-true")
        train(recipe, few, out=out, callbacks=[callback], fabric=fabric, compiled=compiled)


def spread(ours: list[float], theirs: list[float]) -> str:
    low, middle, high = np.quantile(np.array(theirs) / ours, (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def compare(name: str, rounds: int, *, eager_only: bool) -> None:
    config, batch, steps = PRESETS[name], BATCH[name], WARM_UP + rounds
    vit = config.encoder
    shape = (steps * batch, vit.channels, vit.image_size, vit.image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    eager = {who: their_step(who, config, images, batch, False) for who in BUILT}
    profiles, plain = Profiles(eager["Hugging Face"]), Rounds(eager)
    if not ON_GPU:  # on a GPU the time of an operator is not that of its call
        run_ours(config, images, batch, 2, False, profiles)
    run_ours(config, images, batch, steps, False, plain)
    pairs = {who: [(plain, who)] for who in BUILT}
    if not eager_only:
        fast = Rounds(eager | {f"{who} compiled": their_step(who, config, images, batch, True) for who in BUILT})
        run_ours(config, images, batch, steps, True, fast)
        pairs = {who: [(plain, who), (fast, who), (fast, f"{who} compiled")] for who in BUILT}
    for who, compared in pairs.items():
        ratios = [spread(one.seconds["ours"], one.seconds[other]) for one, other in compared]
        ratios += ["–"] * (3 - len(ratios))
        print(f"| {name} | {batch} | {who} | " + " | ".join(ratios) + " |", flush=True)
    for who, found in zip(("ours", "Hugging Face"), profiles.shares):
        print(f"  {who}: " + ", ".join(f"{part} {share:.0%}" for part, share in found.items()), file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("preset", nargs="*", help="By default all.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--eager", action="store_true", help="Compile nothing.")
    chosen = parser.parse_args()
    if not ON_GPU:
        torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(
        "| preset | batch | against | eager/eager | compiled/eager | compiled/compiled |\n|---|---|---|---|---|---|",
        flush=True,
    )
    for name in chosen.preset or BATCH:
        compare(name, chosen.rounds, eager_only=chosen.eager)


if __name__ == "__main__":
    main()
