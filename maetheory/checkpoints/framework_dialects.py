"""Dialects of this family."""

from __future__ import annotations

from maetheory.checkpoints.dialect import Dialect

FRAMEWORK_DIALECTS: tuple[Dialect, ...] = ()
