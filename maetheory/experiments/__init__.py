"""Experiments by name: everything that trains, measures and reports in one go."""

from maetheory.experiments.experiment import Cell, Experiment
from maetheory.experiments.presets import EXPERIMENTS, experiment
from maetheory.experiments.reproduction import Reproduction, reproduce
from maetheory.experiments.run import run

__all__ = ["EXPERIMENTS", "Cell", "Experiment", "Reproduction", "experiment", "reproduce", "run"]
