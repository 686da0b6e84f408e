"""Dialects of this family."""

from __future__ import annotations

from maetheory.checkpoints.dialect import Dialect

TIMM_DIALECTS: tuple[Dialect, ...] = ()
