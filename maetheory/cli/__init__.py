"""The command line: parse, call, print."""

from maetheory.cli import training, tables, checkpoints, graph, mask_ratio, theory, data  # isort: skip  # as in the help
from maetheory.cli.program import app, main, run

__all__ = ["app", "checkpoints", "data", "graph", "main", "mask_ratio", "run", "tables", "theory", "training"]
