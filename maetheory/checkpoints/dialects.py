"""Every dialect known, the more specific before the more general."""

from __future__ import annotations

from maetheory.checkpoints.dialect import Dialect
from maetheory.checkpoints.framework_dialects import FRAMEWORK_DIALECTS
from maetheory.checkpoints.hugging_face_dialects import HUGGING_FACE_DIALECTS
from maetheory.checkpoints.mae_dialects import MAE_DIALECTS
from maetheory.checkpoints.timm_dialects import TIMM_DIALECTS

DIALECTS: tuple[Dialect, ...] = (*HUGGING_FACE_DIALECTS, *FRAMEWORK_DIALECTS, *MAE_DIALECTS, *TIMM_DIALECTS)
