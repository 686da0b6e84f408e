"""Experiments by name: train several recipes with several seeds, measure them, and report.

Read `experiment` first (what is compared), then `run`, which is the whole path in four calls: load images, train,
measure, fine-tune; `reproduction` adds figures and a page. `presets` and `paper_presets` list the experiments. A module
of cells (`objectives`, `mask_ratios`, `mask_laws`, `uniformity_sweep`) has its figures and page beside it (`…_page`).

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
