"""Command line: each command parses its options, calls the library and prints the result.

`program` holds the application, its exit codes and its error messages; `options` the options that several commands
share, and `number_ranges` what no option allows; `terminal` the output, with
`remaining_time`, and `output_folder` holds the folder of one.
Every other module holds the commands of one subject: `checkpoints` (inspect, collapse), `convert`, `probe` (with
`probe_modes`), `training` (reproduce, train), `theory` (check, figure), `referee`, `graph`, `mask_ratio`, `advise`,
`tables` (table), `data`. Modules import the library inside their functions, so that ``--help`` is fast.

>>> run_command(["nonsense"])  # prints one sentence on standard error
2
"""

from maetheory.cli import (
    advise,
    checkpoints,
    convert,
    data,
    graph,
    mask_ratio,
    probe,
    referee,
    tables,
    theory,
    training,
)
from maetheory.cli.program import app, main, run_command
from maetheory.core.renames import renamed

__all__ = [
    "advise",
    "app",
    "checkpoints",
    "convert",
    "data",
    "graph",
    "main",
    "mask_ratio",
    "probe",
    "referee",
    "run_command",
    "tables",
    "theory",
    "training",
]

__getattr__ = renamed(
    __name__,
    {
        "probing": "probe",
        "run": "run_command",
    },
)
