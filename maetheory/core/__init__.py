"""What every room stands on: numbers that know their error, seeds, atomic files, provenance, plain complaints."""

from maetheory.core.errors import InputError
from maetheory.core.estimate import Estimate
from maetheory.core.files import atomic_write, check_writable, make_folder
from maetheory.core.progress import Progress, silent
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
    "atomic_write",
    "check_writable",
    "generator",
    "make_folder",
    "provenance",
    "silent",
]

__getattr__ = renamed(
    __name__,
    {
        "check_folder": "check_writable",
        "replacing": "atomic_write",
    },
)
