"""Shared foundations: `Estimate`, seeding, atomic file writes, provenance, user-facing errors.

Every other package of maetheory imports from this one; it imports only NumPy. Read `estimate` and `errors` first:
every measured number is an `Estimate`, and every mistake of the caller is an `InputError`. `seeding` derives
independent random streams from one seed, `packed_bits` writes true and false as text, `arrays` reads numbers as
float64, `files` replaces files atomically (under `advisory_lock`), `folder_lock` lets one process write a folder,
`processes` bounds how many are started, `memory` and `memory_limits` say what still fits. `json_documents` writes
standard JSON, `json_files` reads what may be damaged, `printable` makes names from outside safe to print,
`unknown_names` suggests the names that are most like an unknown one, `slugs` checks those that become a part of a
path. `summaries` shows a result in three lines, `progress` is the protocol of progress callbacks, `provenance`
records what produced a result, `references` lists the papers, `glossary` the words, and `renames` keeps old names
alive for one version.

>>> from maetheory.core import Estimate, generator
>>> draws = generator(0, "masks").integers(0, 2, 10_000)
>>> share = Estimate(draws.mean(), 2 * draws.std() / 100, sampled=True)
>>> share.low < 0.5 < share.high
True
"""

from maetheory.core.arrays import as_float64, as_numpy
from maetheory.core.errors import InputError, SquaresOverflowError
from maetheory.core.estimate import Estimate
from maetheory.core.files import atomic_write, check_writable, make_folder
from maetheory.core.printable import first_error_line, printable, printable_list, printable_sentence, printable_value
from maetheory.core.progress import Progress, no_progress
from maetheory.core.provenance import provenance
from maetheory.core.references import REFERENCES, Reference
from maetheory.core.renames import renamed
from maetheory.core.seeding import generator

__all__ = [
    "REFERENCES",
    "Estimate",
    "InputError",
    "Progress",
    "Reference",
    "SquaresOverflowError",
    "as_float64",
    "as_numpy",
    "atomic_write",
    "check_writable",
    "first_error_line",
    "generator",
    "make_folder",
    "no_progress",
    "printable",
    "printable_list",
    "printable_sentence",
    "printable_value",
    "provenance",
]

__getattr__ = renamed(
    __name__,
    {
        "check_folder": "check_writable",
        "replacing": "atomic_write",
        "silent": "no_progress",
    },
)
