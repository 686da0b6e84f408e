"""Whether a device multiplies bfloat16 natively, where products in it take less time than in float32."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import torch

CPU_FLAGS = ("avx512_bf16", "amx_bf16")
CPU_INFO = Path("/proc/cpuinfo")


def has_bfloat16_products(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 natively, and not by emulation."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and _cpu_has_bfloat16_products()


@lru_cache(maxsize=1)
def _cpu_has_bfloat16_products() -> bool:
    """Return whether Linux lists AVX512-BF16 or AMX among the flags of the processor; False elsewhere."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", CPU_INFO.read_text(encoding="utf-8", errors="replace"), re.M)
    except OSError:
        return False
    return flags is not None and any(flag in flags[1].split() for flag in CPU_FLAGS)
