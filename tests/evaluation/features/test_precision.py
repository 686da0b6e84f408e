"""Passes in bfloat16: where they are chosen, and that they move metrics less than the error over images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig, load_checkpoint
from maetheory.core import InputError
from maetheory.data import load_images
from maetheory.evaluation import collapse_report, encode
from maetheory.evaluation.features.precision import autocast, resolve_precision
from maetheory.models import bfloat16


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ("fpu sse avx2", "fp32"),
        ("fpu avx512f avx512_bf16", "bf16"),
        ("fpu amx_bf16 amx_tile", "bf16"),
        ("fpu avx512_bf16_emulated", "fp32"),
    ],
)
def test_auto_is_bf16_only_where_the_processor_lists_it(
    flags: str, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(bfloat16, "CPU_INFO", tmp_path / "cpuinfo")
    bfloat16._cpu_has_bfloat16_products.cache_clear()
    assert resolve_precision("auto", "cpu") == chosen
    bfloat16._cpu_has_bfloat16_products.cache_clear()
    monkeypatch.setattr(bfloat16, "CPU_INFO", tmp_path / "nothing")
    assert resolve_precision("auto", "cpu") == "fp32"
    bfloat16._cpu_has_bfloat16_products.cache_clear()


def test_another_word_is_refused() -> None:
    with pytest.raises(InputError, match="'auto', 'fp32' or 'bf16', but it is 'fp16'"):
        resolve_precision("fp16", "cpu")


def test_bfloat16_moves_metrics_less_than_their_error() -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(16, 4, 3, 48, 4, 4, 48, 192)).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    images = np.random.default_rng(0).random((300, 3, 16, 16)).astype(np.float32)
    images = images * np.linspace(0.2, 1, 300, dtype=np.float32)[:, None, None, None]
    exact = collapse_report(encoder, images, metrics=["effective_rank", "stable_rank", "mean_cosine"])
    with autocast("bf16", "cpu"):
        rounded = collapse_report(encoder, images, metrics=["effective_rank", "stable_rank", "mean_cosine"])
        assert encode(encoder, images[:3]).dtype == torch.float32
    assert (exact.value != rounded.value).all()  # the products are in bfloat16
    assert ((exact.value - rounded.value).abs() < exact.error).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit-t-classifier-mae_284_epochs.pt", "vit-t-classifier-from_scratch.pt"])
def test_bfloat16_moves_the_ranks_of_a_real_checkpoint_less_than_their_error(name: str, real_data: Path) -> None:
    """Two trained Vision Transformers, every layer and readout, on 300 test images of CIFAR-10."""
    path = real_data / "checkpoints" / "cifar10-vit-tiny" / name
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the real checkpoints")
    encoder, _ = load_checkpoint(path)
    images = load_images("cifar10", split="test", limit=300, root=real_data)
    options = {"metrics": ["effective_rank", "rankme", "stable_rank", "participation_ratio"], "layers": "all"}
    exact = collapse_report(encoder, images, **options)
    with autocast("bf16", "cpu"):
        rounded = collapse_report(encoder, images, **options)
    exact = exact[exact.layer > 0].reset_index()  # cls has no rank above 1 before the first block
    moved = (exact.value - rounded[rounded.layer > 0].reset_index().value).abs()
    print(f"{name}: largest change of a rank {moved.max():.2g}, {(moved / exact.error).max():.2g} of its error")
    known = exact.error.notna()  # none where the largest eigenvalues are close, or few images have tails
    assert known[exact.metric.isin(["effective_rank", "rankme"])].all()
    assert (moved > 0).all()
    assert (moved < exact.error)[known].all()
