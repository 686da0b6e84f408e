"""What every room stands on: numbers that know their error, seeds, atomic files, provenance, plain complaints."""

from maetheory.core.complaint import InputError
from maetheory.core.estimate import Estimate
from maetheory.core.files import check_folder, make_folder, replacing
from maetheory.core.progress import Progress, silent
from maetheory.core.provenance import provenance
from maetheory.core.references import REFERENCES, Reference
from maetheory.core.seeding import generator

__all__ = [
    "REFERENCES",
    "Estimate",
    "InputError",
    "Progress",
    "Reference",
    "check_folder",
    "generator",
    "make_folder",
    "provenance",
    "replacing",
    "silent",
]
