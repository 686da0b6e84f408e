"""Which module of a network gives its features, if none is named."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from maetheory.core import InputError

FINAL_NORM = "encoder.norm"  # of our models
NORMS = (FINAL_NORM, "backbone.norm", "vit.layernorm", "model.norm", "norm", "layernorm", "encoder.layernorm")
ENCODERS = ("encoder", "backbone", "vit", "trunk", "feature_extractor", "student", "online_encoder", "encoder_q")
HEADS = ("fc", "head", "heads", "classifier")
WRAPPERS = ("", "module.", "_orig_mod.", "_forward_module.", "model.", "net.", "network.")


class FeatureModule(NamedTuple):
    """A module by its dotted name, and whether features are its input rather than its output."""

    name: str
    takes_input: bool


def find_feature_module(model: nn.Module) -> FeatureModule:
    """Return the module that gives the features of a model.

    In this order: the final norm of an encoder; an encoder or backbone; the input of a classification head.

    Raises
    ------
    InputError
        If the model has none of these names: the sentence lists its modules.

    Examples
    --------
    >>> find_feature_module(nn.ModuleDict({"backbone": nn.Flatten(), "head": nn.Linear(4, 2)}))
    FeatureModule(name='backbone', takes_input=False)
    """
    modules = dict(model.named_modules())
    for names, takes_input in ((NORMS, False), (ENCODERS, False), (HEADS, True)):
        for name in (wrapper + name for name in names for wrapper in WRAPPERS):
            if name in modules and not isinstance(modules[name], nn.Identity):
                return FeatureModule(name, takes_input)
    raise InputError(
        "where the features of this model are is not known; name the module whose output they are, as "
        f"CollapseMonitor(features=NAME), one of {', '.join(list(modules)[1:20])}, …"
    )
