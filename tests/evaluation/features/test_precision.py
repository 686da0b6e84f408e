"""Passes in bfloat16: where they are chosen, and that they move metrics less than the error over images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from maetheory.checkpoints import Encoder, EncoderConfig
from maetheory.core import InputError
from maetheory.evaluation import collapse_report, encode
from maetheory.evaluation.features import precision
from maetheory.evaluation.features.precision import autocast, resolve_precision


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
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
    precision._cpu_has_bfloat16_products.cache_clear()
    assert resolve_precision("auto", "cpu") == chosen
    precision._cpu_has_bfloat16_products.cache_clear()
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "nothing")
    assert resolve_precision("auto", "cpu") == "fp32"
    precision._cpu_has_bfloat16_products.cache_clear()


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
