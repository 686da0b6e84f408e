"""One training loop from a laptop to many nodes; every random choice is a function of (seed, step).

Because nothing random is carried from step to step, a resumed run is the uninterrupted run, and two processes draw the
same masks as one. The loop knows no evaluation: callbacks look at the model and return numbers to log.
"""

from maetheory.training.config import TrainConfig
from maetheory.training.loop import TrainResult, TrainStep, fit
from maetheory.training.masked import train
from maetheory.training.monitor import CollapseMonitor
from maetheory.training.processes import fabric_of
from maetheory.training.schedule import learning_rate
from maetheory.training.store import load_run
from maetheory.training.task import Task, check_schedule

__all__ = [
    "CollapseMonitor",
    "Task",
    "TrainConfig",
    "TrainResult",
    "TrainStep",
    "check_schedule",
    "fabric_of",
    "fit",
    "learning_rate",
    "load_run",
    "train",
]
