"""Experiments by name: everything that trains, measures and reports in one go."""

from maetheory.experiments.presets import EXPERIMENTS, Experiment, experiment
from maetheory.experiments.reproduce import Reproduction, reproduce

__all__ = ["EXPERIMENTS", "Experiment", "Reproduction", "experiment", "reproduce"]
