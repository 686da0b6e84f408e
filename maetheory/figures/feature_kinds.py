"""Kinds of trained features that figures compare: their names in tables and their titles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ADAPTIVE_TARGETS, FIXED_TARGETS, U_MAE_CLS = "free f, targets follow", "free f, pixels", "U-MAE, cls"

TITLES: Mapping[str, str] = MappingProxyType(
    {
        ADAPTIVE_TARGETS: "free features, adaptive targets",
        FIXED_TARGETS: "free features, pixel targets",
        U_MAE_CLS: "U-MAE, cls token",
    }
)
"""Title of each kind; a kind that is not here has its name as its title."""
