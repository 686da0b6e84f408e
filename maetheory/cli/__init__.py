"""The command line: parse, call, print."""

from maetheory.cli import training, tables, checkpoints, probing, graph, mask_ratio, theory, data  # isort: skip  # as shown
from maetheory.cli.program import app, main, run

__all__ = [
    "app",
    "checkpoints",
    "data",
    "graph",
    "main",
    "mask_ratio",
    "probing",
    "run",
    "tables",
    "theory",
    "training",
]
