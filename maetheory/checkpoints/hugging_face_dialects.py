"""Dialects of this family."""

from __future__ import annotations

from maetheory.checkpoints.dialect import Dialect

HUGGING_FACE_DIALECTS: tuple[Dialect, ...] = ()
