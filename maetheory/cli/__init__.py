"""The command line: parse, call, print."""

from maetheory.cli import checkpoints, data, graph, mask_ratio, tables, theory, training

from maetheory.cli import probe as probing  # isort: skip  # as shown
from maetheory.cli.program import app, main, run_command
from maetheory.core.renames import renamed

__all__ = [
    "app",
    "checkpoints",
    "data",
    "graph",
    "main",
    "mask_ratio",
    "probing",
    "run_command",
    "tables",
    "theory",
    "training",
]

__getattr__ = renamed(
    __name__,
    {
        "run": "run_command",
    },
)
