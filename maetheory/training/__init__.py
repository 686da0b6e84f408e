"""One training loop from a laptop to many nodes; every random choice is a function of (seed, step).

Because nothing random is carried from step to step, a resumed run is the uninterrupted run, and two processes draw the
same masks as one. The loop knows no evaluation: callbacks look at the model and return numbers to log.
"""

from maetheory.core.renames import renamed
from maetheory.training.checkpointing import load_run
from maetheory.training.config import TrainConfig
from maetheory.training.fabric import make_fabric
from maetheory.training.loop import TrainResult, TrainStep, fit
from maetheory.training.masked_modelling import train
from maetheory.training.monitor import CollapseMonitor
from maetheory.training.schedule import learning_rate
from maetheory.training.task import Task, check_loop_config

__all__ = [
    "CollapseMonitor",
    "Task",
    "TrainConfig",
    "TrainResult",
    "TrainStep",
    "check_loop_config",
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
