"""The command line: parse, call, print."""

from maetheory.cli import training, tables, checkpoints, probing, mask_ratio, theory, data  # isort: skip  # in the order of the help
from maetheory.cli.program import app, main, run

__all__ = ["app", "checkpoints", "data", "main", "mask_ratio", "probing", "run", "tables", "theory", "training"]
