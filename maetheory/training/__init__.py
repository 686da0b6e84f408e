"""Train masked autoencoders, on one device or many, and monitor the collapse of their features.

Read `loop_config` (the fields of every recipe), `config` (`TrainConfig`, the recipe of masked modelling), `task` (the
protocol that masked modelling and fine-tuning implement), `masked_modelling` (its loss), `loop` (steps, logging,
checkpoints) and `callback`. Around the loop: `schedule`, `batches` and `folder_dataset` (images in memory, or decoded
by a DataLoader), `fabric`, `precision_choice` and `sharding` (processes and their arithmetic), `checkpointing`,
`checkpoint_reading` (whether one is whole) and `resume`, `run_folder` (one run at a time), `interrupts` (Ctrl-C ends a
step), `reproducible` (the same bytes on any number of threads), `logbook`. `monitor` is a callback that measures the
features of the training batches; `feature_source`, `feature_modules`, `feature_window` and `running_moments` are its
parts, `metric_sinks` writes its values, `collapse_alarm` watches them, `trainer_hooks` and `lightning_monitor` let
other trainers drive it.

Random draws are functions of (seed, step) alone, so a resumed run is the uninterrupted run, and two processes draw the
same masks as one. The loop evaluates nothing itself: callbacks are given the model and return values to log.

>>> import tempfile
>>> from maetheory.data import load_images
>>> from maetheory.models import PRESETS
>>> config = TrainConfig(PRESETS["digits"], epochs=1, batch=16)
>>> with tempfile.TemporaryDirectory() as out:
...     train(config, load_images("digits", limit=16), out=out).steps
1
"""

from maetheory.core.renames import renamed
from maetheory.training.callback import TrainStep
from maetheory.training.checkpointing import load_run
from maetheory.training.config import TrainConfig
from maetheory.training.fabric import make_fabric
from maetheory.training.loop import TrainResult, fit
from maetheory.training.loop_config import LoopConfig, check_loop_config
from maetheory.training.masked_modelling import train
from maetheory.training.monitor import CollapseMonitor
from maetheory.training.precision_choice import PrecisionChoice, choose_precision, choose_run_precision
from maetheory.training.schedule import learning_rate
from maetheory.training.task import Task

__all__ = [
    "CollapseMonitor",
    "LoopConfig",
    "PrecisionChoice",
    "Task",
    "TrainConfig",
    "TrainResult",
    "TrainStep",
    "check_loop_config",
    "choose_precision",
    "choose_run_precision",
    "fit",
    "learning_rate",
    "load_run",
    "make_fabric",
    "train",
]

__getattr__ = renamed(
    __name__,
    {
        "check_schedule": "check_loop_config",
        "fabric_of": "make_fabric",
    },
)
