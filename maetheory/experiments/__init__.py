"""Experiments by name: train several recipes with several seeds, measure them, and report.

Read `experiment` first (what is compared), then `run`, which is the whole path in four calls: load images, train,
measure, fine-tune (`images`, `train`, `measure`, `finetune`; `models` finds what was trained, `options` says how, and
`parallel_runs` trains several models at once); `reproduction` adds figures and a page (`presentation`), and
`difference_from_preset` says where a run is not the published one. `presets` and
`paper_presets` list the experiments, whose cells, figures and pages are in `studies`; `untrained_ranks` measures
networks that are not trained, and `guarantee` (with `guarantee_views`) certifies the smallest error bound on real
images.

>>> from maetheory.experiments import experiment
>>> digits = experiment("digits")
>>> [cell.name for cell in digits.cells], digits.seeds
(['random', 'MAE', 'U-MAE'], (0, 1, 2))
"""

from maetheory.experiments.experiment import Cell, Experiment
from maetheory.experiments.presets import EXPERIMENTS, experiment
from maetheory.experiments.reproduction import Reproduction, reproduce
from maetheory.experiments.run import run

__all__ = ["EXPERIMENTS", "Cell", "Experiment", "Reproduction", "experiment", "reproduce", "run"]
