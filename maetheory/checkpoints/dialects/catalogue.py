"""Every known dialect, the more specific before the more general: the first one that explains a file is its own."""

from __future__ import annotations

from maetheory.checkpoints.dialects.beit import BEIT_DIALECTS
from maetheory.checkpoints.dialects.dialect import Dialect
from maetheory.checkpoints.dialects.hugging_face import HUGGING_FACE_DIALECTS
from maetheory.checkpoints.dialects.hugging_face_towers import HUGGING_FACE_TOWER_DIALECTS
from maetheory.checkpoints.dialects.jax import JAX_DIALECTS
from maetheory.checkpoints.dialects.jax_ports import JAX_PORT_DIALECTS
from maetheory.checkpoints.dialects.joint_embedding import JOINT_EMBEDDING_DIALECTS
from maetheory.checkpoints.dialects.lightning_libraries import LIGHTNING_DIALECTS
from maetheory.checkpoints.dialects.mae import MAE_DIALECTS
from maetheory.checkpoints.dialects.monai import MONAI_DIALECTS
from maetheory.checkpoints.dialects.open_clip import OPEN_CLIP_DIALECTS
from maetheory.checkpoints.dialects.openmmlab import OPENMMLAB_DIALECTS
from maetheory.checkpoints.dialects.rotary_encoders import EVA_DIALECTS
from maetheory.checkpoints.dialects.timm import TIMM_DIALECTS
from maetheory.checkpoints.dialects.timm_nonstandard import TIMM_VARIANT_DIALECTS
from maetheory.checkpoints.dialects.torchvision import TORCHVISION_DIALECTS
from maetheory.checkpoints.dialects.vit_pytorch import VIT_PYTORCH_DIALECTS

FRAMEWORK_DIALECTS: tuple[Dialect, ...] = (
    *LIGHTNING_DIALECTS,
    *OPENMMLAB_DIALECTS,
    *OPEN_CLIP_DIALECTS,
    *VIT_PYTORCH_DIALECTS,
    *TORCHVISION_DIALECTS,
    *MONAI_DIALECTS,
    *JAX_DIALECTS,
    *JAX_PORT_DIALECTS,
)
TIMM_FAMILY_DIALECTS: tuple[Dialect, ...] = (
    *TIMM_VARIANT_DIALECTS,
    *EVA_DIALECTS,
    *BEIT_DIALECTS,
    *JOINT_EMBEDDING_DIALECTS,
    *TIMM_DIALECTS,
)
DIALECTS: tuple[Dialect, ...] = (
    *HUGGING_FACE_DIALECTS,
    *HUGGING_FACE_TOWER_DIALECTS,
    *FRAMEWORK_DIALECTS,
    *MAE_DIALECTS,
    *TIMM_FAMILY_DIALECTS,
)
