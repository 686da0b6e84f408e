"""Every dialect known, the more specific before the more general."""

from __future__ import annotations

from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.dialects.hugging_face import HUGGING_FACE_DIALECTS
from maetheory.checkpoints.dialects.mae import MAE_DIALECTS
from maetheory.checkpoints.dialects.openmmlab import FRAMEWORK_DIALECTS
from maetheory.checkpoints.dialects.timm import TIMM_DIALECTS

DIALECTS: tuple[Dialect, ...] = (*HUGGING_FACE_DIALECTS, *FRAMEWORK_DIALECTS, *MAE_DIALECTS, *TIMM_DIALECTS)
