"""Numbers of any size and type in a configuration are values of the field or one sentence, never another error."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maetheory.checkpoints.dialects import infer, model_names
from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.encoder import Encoder
from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.core import InputError

CONFIG = EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)
VALUES: dict[str, Callable[[], Any]] = {
    "an integer without a float": lambda: 10**400,
    "its negative": lambda: -(10**400),
    "an integer of 128 bits": lambda: 2**127,
    "zero": lambda: 0,
    "true": lambda: True,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "a float beyond float32": lambda: 1e300,
    "nothing": list,
    "nothing in a list": lambda: [None],
    "a text": lambda: "12",
    "many texts": lambda: ["a" * 10**6] * 10**5,
    "a dict": dict,
    "lists in lists": lambda: [[10**400]],
}
FIELDS = ("heads", "eps", "final_eps", "image_size", "mean", "std", "activation")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("field", FIELDS)
def test_a_value_that_no_architecture_has_is_one_sentence(field: str, value: str) -> None:
    tensors = dict(Encoder(CONFIG).state_dict())
    stated = {"heads": ConfigValue(3, "config.json")} | {field: ConfigValue(VALUES[value](), "config.json")}
    if (field, value) == ("mean", "zero"):
        assert infer.infer_config(tensors, stated, {}).config.mean == (0, 0, 0)
        return
    with pytest.raises(InputError, match=r"but config\.json says") as caught:
        infer.infer_config(tensors, stated, {})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("field", "low", "high"), [("heads", 1, 2**20), ("mean", -1e6, 1e6), ("std", 1e-9, 1e6)])
def test_the_limits_themselves_are_values(field: str, low: float, high: float) -> None:
    """The check of each field accepts its limits and refuses the next number beyond."""
    for value in (low, high):
        infer._check_value(field, ConfigValue(value, "config.json"))
    beyond = (low - 1, high + 1)
    for value in beyond:
        with pytest.raises(InputError):
            infer._check_value(field, ConfigValue(value, "config.json"))


def test_a_block_number_is_no_allocation() -> None:
    """A block numbered a thousand million is refused before a set of as many numbers is made."""
    tensors = dict(Encoder(CONFIG).state_dict()) | {"blocks.999999999.norm1.weight": torch.ones(24)}
    with pytest.raises(InputError, match="fewer than 1000 blocks"):
        infer.infer_config(tensors, {}, {}, {"heads": 3})


def test_a_long_text_is_no_model_name() -> None:
    """Patterns for names of models are not tried on texts of any length, and the one for sizes is linear."""
    start = time.process_time()
    contents = CheckpointContents(Path("x"), "pickle", "", tree={"args": {"model": "vit_" + "a" * 10**6 + "!"}})
    assert model_names.config_values_from_name(contents, {}) == {}
    longest = "vit_" + "a" * (model_names.MAX_NAME_LENGTH - 5) + "!"
    for name, stated in ((longest, True), (longest + "!", False), ("", False)):
        contents = CheckpointContents(Path("x"), "pickle", "", tree={"args": {"model": name}})
        assert (model_names.stated_model_name(contents)[0] == name != "") == stated
    assert time.process_time() - start < 1
