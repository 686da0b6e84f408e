"""A theory-verification toolkit for masked autoencoders.

The main functions and classes are attributes of this package. Each is imported when it is first used (PEP 562), so
``import maetheory`` is quick, and exact computations on finite worlds need no torch.

Finite worlds: `worlds`, `MaskGraph`, `check`, `THEOREMS`. Training and measuring: `load_images`, `train`,
`collapse_report`, `reproduce`. Checkpoints of other projects: `load_checkpoint`, `encode`, `linear_probe`. Real images:
`token_graph`, `kernel_graph`, `advise`.

>>> import maetheory
>>> graph = maetheory.MaskGraph.from_joint([[0.25, 0.25], [0.0, 0.5]])
>>> graph.n_components
1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maetheory.checkpoints import LoadReport as LoadReport
    from maetheory.checkpoints import inspect_checkpoint as inspect_checkpoint
    from maetheory.checkpoints import load_checkpoint as load_checkpoint
    from maetheory.core import Estimate as Estimate
    from maetheory.core import InputError as InputError
    from maetheory.data import FiniteWorld as FiniteWorld
    from maetheory.data import ImageSet as ImageSet
    from maetheory.data import load_images as load_images
    from maetheory.data import worlds as worlds
    from maetheory.empirical import advise as advise
    from maetheory.empirical import kernel_graph as kernel_graph
    from maetheory.empirical import token_graph as token_graph
    from maetheory.evaluation import collapse_report as collapse_report
    from maetheory.evaluation import encode as encode
    from maetheory.evaluation import knn_probe as knn_probe
    from maetheory.evaluation import linear_probe as linear_probe
    from maetheory.experiments import EXPERIMENTS as EXPERIMENTS
    from maetheory.experiments import reproduce as reproduce
    from maetheory.graph import MaskGraph as MaskGraph
    from maetheory.masks import BernoulliMasks as BernoulliMasks
    from maetheory.masks import BlockMasks as BlockMasks
    from maetheory.masks import UniformMasks as UniformMasks
    from maetheory.metrics import Moments as Moments
    from maetheory.models import MAE as MAE
    from maetheory.models import PRESETS as PRESETS
    from maetheory.models import MAEConfig as MAEConfig
    from maetheory.testing import assert_holds as assert_holds
    from maetheory.theory import THEOREMS as THEOREMS
    from maetheory.theory import Theorem as Theorem
    from maetheory.theory import Verdict as Verdict
    from maetheory.theory import certify as certify
    from maetheory.theory import check as check
    from maetheory.theory import falsify as falsify
    from maetheory.training import CollapseMonitor as CollapseMonitor
    from maetheory.training import TrainConfig as TrainConfig
    from maetheory.training import train as train

__version__ = "0.1.0"

_SUBPACKAGES: dict[str, tuple[str, ...]] = {
    "checkpoints": ("LoadReport", "inspect_checkpoint", "load_checkpoint"),
    "core": ("Estimate", "InputError"),
    "data": ("FiniteWorld", "ImageSet", "load_images", "worlds"),
    "empirical": ("advise", "kernel_graph", "token_graph"),
    "evaluation": ("collapse_report", "encode", "knn_probe", "linear_probe"),
    "experiments": ("EXPERIMENTS", "reproduce"),
    "figures": (),
    "graph": ("MaskGraph",),
    "masks": ("BernoulliMasks", "BlockMasks", "UniformMasks"),
    "metrics": ("Moments",),
    "models": ("MAE", "PRESETS", "MAEConfig"),
    "reports": (),
    "spectra": (),
    "testing": ("assert_holds",),
    "theory": ("THEOREMS", "Theorem", "Verdict", "certify", "check", "falsify"),
    "training": ("CollapseMonitor", "TrainConfig", "train"),
}
_SUBPACKAGE_OF = {name: subpackage for subpackage, names in _SUBPACKAGES.items() for name in names}

__all__ = ["__version__", *_SUBPACKAGE_OF]


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return import_module(f"maetheory.{name}")
    if name not in _SUBPACKAGE_OF:
        raise AttributeError(f"module 'maetheory' has no attribute {name!r}")
    value = getattr(import_module(f"maetheory.{_SUBPACKAGE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBPACKAGE_OF, *_SUBPACKAGES})
