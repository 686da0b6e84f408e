"""The defaults of the signatures are those that the docstrings state, and the accuracy they promise holds."""

from __future__ import annotations

import ast
import inspect
import re

import numpy as np
import pytest

from maetheory import spectra
from maetheory.spectra import CountingOperator, certify, missed_below, missed_below_by_lanczos
from maetheory.spectra.block_golub_kahan import block_golub_kahan_svd

FUNCTIONS = [
    *(one for name in spectra.__all__ if inspect.isfunction(one := getattr(spectra, name))),
    block_golub_kahan_svd,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_documented_defaults_are_the_defaults(function) -> None:
    stated = re.findall(
        r"^    (\w+) : .*, default (\S+)$", inspect.cleandoc(function.__doc__).replace("\n", "\n    "), re.M
    )
    for name, value in stated:
        assert inspect.signature(function).parameters[name].default == ast.literal_eval(value), name
    numbers = {
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if isinstance(parameter.default, int | float) and name != "norm"
    }
    assert numbers == {name for name, _ in stated}


@pytest.mark.parametrize(("steps", "within"), [(32, 0.04), (48, 0.02)])
def test_bounds_on_missed_values_are_as_sharp_as_promised(steps: int, within: float) -> None:
    """For four hundred columns and a failure probability of 1e-6, on a spectrum without a gap."""
    values = np.r_[1.0, np.linspace(0.5, 0.48, 399)]
    diagonal = CountingOperator(np.diag(values))
    found = certify(diagonal.matrix, values[:1], np.eye(400)[:, :1], np.eye(400)[:, :1], steps=steps)
    excess = found.missed_below / found.missed_above - 1
    assert 0.8 * within < excess < 1.05 * within
    by_probes = missed_below(diagonal, np.eye(400)[:, :1], rng=np.random.default_rng(0))
    assert 0.5 <= by_probes.upper < 0.6
    assert missed_below_by_lanczos(diagonal, np.eye(400)[:, :1], rng=np.random.default_rng(0)).upper < 0.5 * 1.04
