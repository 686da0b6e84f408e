"""In what an experiment differs from the preset of its name, as a sentence for whoever reads its results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from maetheory.experiments.experiment import Experiment
from maetheory.experiments.presets import EXPERIMENTS

_FOLLOWS_EPOCHS = "warmup_epochs"
_NOT_COMPARED = ("name", "cells", "presentation", "finetune")


def difference_from_preset(experiment: Experiment, precisions: Sequence[str] = ()) -> str:
    """Return that a run is not the preset's, with each difference; empty if it is, or if there is no such preset.

    Parameters
    ----------
    experiment : Experiment
    precisions : sequence of str
        Precisions in which its models were trained; those of presets are trained in "32-true".

    Examples
    --------
    >>> difference_from_preset(EXPERIMENTS["digits"].with_epochs(3))
    'This is not the published run of digits: epochs 3, not 60.'
    >>> difference_from_preset(EXPERIMENTS["digits"])
    ''
    """
    preset = EXPERIMENTS.get(experiment.name)
    if preset is None:
        return ""
    found = [*_differences(experiment, preset)]
    found += [f"precision {one}, not 32-true" for one in dict.fromkeys(precisions) if one != "32-true"]
    if not found:
        return ""
    return f"This is not the published run of {experiment.name}: {'; '.join(found)}."


def _differences(experiment: Experiment, preset: Experiment) -> Iterator[str]:
    """Yield the fields of the experiment, and then those of its recipes, that are not the preset's."""
    for field in fields(Experiment):
        own, its = getattr(experiment, field.name), getattr(preset, field.name)
        if field.name not in _NOT_COMPARED and own != its:
            yield f"{_words(field.name)} {_listed(own)}, not {_listed(its)}"
    recipes, its_recipes = ([cell.recipe for cell in one.cells] for one in (experiment, preset))
    if [cell.name for cell in experiment.cells] != [cell.name for cell in preset.cells]:
        yield "other models"
        return
    changed = [
        field.name
        for field in fields(recipes[0])
        if [getattr(one, field.name) for one in recipes] != [getattr(one, field.name) for one in its_recipes]
    ]
    for name in changed:
        if name != _FOLLOWS_EPOCHS or "epochs" not in changed:
            own, its = (tuple(dict.fromkeys(getattr(one, name) for one in both)) for both in (recipes, its_recipes))
            yield f"{_words(name)} {_listed(own)}, not {_listed(its)}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _listed(value: object) -> str:
    if isinstance(value, tuple):
        return " and ".join(map(str, value)) if len(value) < 3 else f"{', '.join(map(str, value))}"
    return "all" if value is None else str(value)
