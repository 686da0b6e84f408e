"""The configuration is inferred from shapes and stated values, or the error names the argument to pass."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from maetheory.checkpoints import Encoder, EncoderConfig, load_contents
from maetheory.checkpoints.dialects.dialect import ConfigValue
from maetheory.checkpoints.dialects.infer import InferredConfig, infer_config
from maetheory.checkpoints.encoder_config import one_size
from maetheory.checkpoints.reading.contents import CheckpointContents
from maetheory.checkpoints.rotary_positions import RotaryPositions
from maetheory.core import InputError
from maetheory.models.positions import sincos_positions

PLAIN = EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)
OUTSIDE_SHAPES = ("heads", "eps", "final_eps", "activation", "rotary", "norm_kind", "block", "mean", "std")


def tensors_of(config: EncoderConfig) -> dict[str, Tensor]:
    return Encoder(config).state_dict()


def inferred(
    tensors: dict[str, Tensor], *, config_values: Any = (), defaults: Any = (), **arguments: Any
) -> InferredConfig:
    return infer_config(
        tensors,
        {name: ConfigValue(value, "config.json") for name, value in dict(config_values).items()},
        dict(defaults),
        arguments,
    )


@st.composite
def configs(draw: st.DrawFn) -> EncoderConfig:
    heads, per_head = draw(st.integers(1, 3)), draw(st.sampled_from((4, 6)))
    channels = draw(st.sampled_from((1, 3, 5)))
    patch, grid = (draw(st.tuples(st.integers(1, 3), st.integers(3, 6))) for _ in range(2))
    patch, grid = zip(patch, grid) if draw(st.booleans()) else ((patch[0],) * 2, (grid[1],) * 2)
    cls = draw(st.booleans())
    positions = draw(st.sampled_from(("table", "relative", "shared relative")))
    registers = draw(st.integers(0, 2)) if positions == "table" else 0
    prefix = draw(st.sampled_from((0, int(cls), int(cls) + registers))) if positions == "table" else 0
    activation = draw(st.sampled_from(("gelu", "gelu-tanh", "quick-gelu", "swiglu")))
    rotary = RotaryPositions("axial", offset=1.0) if per_head == 4 and positions == "table" else None
    return EncoderConfig(
        one_size(grid[0] * patch[0], grid[1] * patch[1]),
        one_size(*patch),
        channels,
        24,
        draw(st.integers(1, 3)),
        heads,
        heads * per_head,
        draw(st.integers(5, 9)),
        draw(st.sampled_from((1e-6, 1e-12))),
        draw(st.sampled_from((None, 1e-5))),
        draw(st.booleans()),
        activation,
        cls,
        registers,
        positions,
        prefix,
        rotary,
        *(draw(st.booleans()) for _ in range(6)),
        norm_kind=draw(st.sampled_from(("layer", "rms"))),
        block=draw(st.sampled_from(("pre-norm", "post-norm", "parallel"))),
        norm=draw(st.sampled_from(("final", "pooled", "none"))),
        mean=(0.4,) * channels,
        std=(0.3,) * channels,
    )


@given(configs())
def test_an_encoder_is_recognised_by_its_own_tensors(config: EncoderConfig) -> None:
    config_values = {name: getattr(config, name) for name in OUTSIDE_SHAPES}
    if config_values["final_eps"] is None:
        del config_values["final_eps"]
    if config.qk_norm and config.heads == 1:
        return  # the norm of one head is over the whole width
    found = inferred(tensors_of(config), config_values=config_values, image_size=config.image_size)
    assert found.config == config
    assert set(found.sources) == set(asdict(config))
    assert found.notes == ()


def test_sources_of_the_heads() -> None:
    tensors = tensors_of(PLAIN)
    assert inferred(tensors, config_values={"heads": 6}).config.heads == 6
    assert inferred(tensors, config_values={"heads": 6}, heads=4).sources["heads"] == "argument"
    with pytest.raises(InputError, match=r"pass heads= \(--heads\)"):
        inferred(tensors)
    with pytest.raises(InputError, match="must divide 24, but it is 5"):
        inferred(tensors, heads=5)
    with pytest.raises(InputError, match=r"heads must be a whole number of at least 1, but config.json says '3'"):
        inferred(tensors, config_values={"heads": "3"})
    wide = inferred(tensors_of(replace(PLAIN, width=128, heads=1, inner=128)))
    assert (wide.config.heads, wide.sources["heads"]) == (2, "assumed: 64 features a head")
    assert any(note.startswith("the file does not state the number of heads: 2 assumed") for note in wide.notes)
    assert inferred(tensors_of(replace(PLAIN, width=192, inner=192))).sources["heads"] == "assumed: the table of widths"
    for width, layer_scale, heads in ((1536, True, 24), (1536, False, 16), (1664, False, 16), (1792, False, 16)):
        with torch.device("meta"):  # giants that differ in heads, of which LayerScale tells two apart
            giant = tensors_of(replace(PLAIN, width=width, depth=1, heads=8, inner=width, layer_scale=layer_scale))
        assert inferred(giant).config.heads == heads
    relative = tensors_of(replace(PLAIN, positions="relative", position_prefix=0))
    assert inferred(relative).sources["heads"] == "inferred from shapes: columns of the relative table"
    with pytest.raises(InputError, match="must be 3, as the columns of the relative table say, but it is 4"):
        inferred(relative, heads=4)
    normed = tensors_of(replace(PLAIN, qk_norm=True))
    assert (inferred(normed).config.heads, inferred(normed).sources["heads"]) == (
        3,
        "inferred from shapes: shapes of the query norms",
    )


def test_ambiguous_position_rows_need_the_image_size() -> None:
    twice = tensors_of(replace(PLAIN, image_size=4, registers=4, position_prefix=5))  # 9 = 5 + 2² = 0 + 3²
    with pytest.raises(InputError, match=r"9 rows can be read in more than one way .* image_size= \(--image-size\)"):
        inferred(twice, heads=3)
    assert inferred(twice, heads=3, image_size=4).config.position_prefix == 5
    assert inferred(twice, heads=3, image_size=6).config.position_prefix == 0
    assert inferred(twice, heads=3, defaults={"position_prefix": 0}).config.image_size == 6
    odd = tensors_of(PLAIN) | {"pos_embed": torch.zeros(1, 13, 24)}
    sentence = (
        "13 rows leaves no square grid of patches beside 1 cls and 0 register tokens; of rectangles it can be "
        r"3 x 4, 4 x 3, 2 x 6, 6 x 2: pass image_size= \(--image-size HEIGHTxWIDTH\)"
    )
    with pytest.raises(InputError, match=sentence):
        inferred(odd, heads=3)
    assert inferred(odd, heads=3, image_size=(4, 12)).config.grid == (2, 6)
    fixed = tensors_of(PLAIN) | {"pos_embed": sincos_positions(24, 2, 6)}
    assert inferred(fixed, heads=3).config.image_size == (4, 12)
    assert (
        inferred(fixed, heads=3).sources["image_size"].startswith("inferred from shapes: 13 rows of positions, sines")
    )


@pytest.mark.parametrize("grid", [(4, 4), (2, 8), (8, 2), (1, 16)])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_fixed_table_shows_its_grid_though_its_rows_fit_a_square(grid: tuple[int, int], swapped: bool) -> None:
    table = sincos_positions(24, *grid)
    table = torch.cat([table[..., 12:], table[..., :12]], -1) if swapped else table
    found = inferred(tensors_of(PLAIN) | {"pos_embed": table}, heads=3)
    assert found.config.grid == ((16, 1) if swapped and grid == (1, 16) else grid)  # the same table
    assert found.sources["image_size"].startswith("inferred from shapes: 17 rows of positions, sines and cosines of")
    learned = inferred(tensors_of(PLAIN) | {"pos_embed": table + 0.01}, heads=3)
    assert learned.config.grid == (4, 4)
    assert learned.sources["image_size"].startswith("assumed")


@pytest.mark.parametrize("shape", [(1, 4, 4, 24), (2, 17, 24), (1, 0, 24), (24,), ()])
def test_position_tables_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"a position table must have shape \(1, rows, features\)"):
        inferred(tensors_of(PLAIN) | {"pos_embed": torch.zeros(shape)}, heads=3)
    for tree in ({"pos_embed": torch.zeros(shape)}, {"pos_embed": torch.zeros(shape, dtype=torch.int64)}):
        with pytest.raises(InputError):
            load_contents(CheckpointContents(Path("a.pth"), "torch zip", "", (), {"model": tensors_of(PLAIN) | tree}))


def test_missing_positions_are_refused() -> None:
    tensors = tensors_of(PLAIN)
    del tensors["pos_embed"]
    for more in ({}, {"rope.periods": torch.ones(4)}):
        with pytest.raises(InputError, match="rotary"):
            inferred(tensors | more, heads=3)
    with pytest.raises(InputError, match="image_size="):
        inferred(tensors, heads=3, config_values={"positions": "none"})
    assert inferred(tensors, heads=3, config_values={"positions": "none"}, image_size=8).config.n_patches == 16


def test_broken_tensors_are_named() -> None:
    tensors = tensors_of(replace(PLAIN, depth=3))
    gap = {name: value for name, value in tensors.items() if not name.startswith("blocks.1.")}
    with pytest.raises(InputError, match=r"of 3 blocks\.1 is missing"):
        inferred(gap, heads=3)
    with pytest.raises(InputError, match=r"patch_embed\.proj\.weight must have 4 dimensions"):
        inferred(tensors | {"patch_embed.proj.weight": torch.zeros(24, 12)}, heads=3)
    with pytest.raises(InputError, match=r"attn\.qkv\.weight is missing"):
        inferred({name: value for name, value in tensors.items() if "qkv" not in name}, heads=3)


def test_channel_values_and_stated_values() -> None:
    grey = inferred(tensors_of(replace(PLAIN, channels=1, mean=(0.5,), std=(0.5,))), heads=3)
    assert (grey.config.mean, grey.config.std) == ((0.5,), (0.5,))
    assert any(note.startswith("the file does not state mean and std: (0.5) and (0.5) assumed") for note in grey.notes)
    assert inferred(tensors_of(PLAIN), heads=3, mean=0.25).config.mean == (0.25, 0.25, 0.25)
    found = inferred(tensors_of(PLAIN), heads=3, config_values={"depth": 12, "eps": 1e-12}, defaults={"eps": 1e-5})
    assert (found.config.depth, found.config.eps) == (2, 1e-12)
    assert found.notes[0] == "config.json says depth 12, but the shapes say 2, which was used"
    with pytest.raises(InputError, match="std must be positive numbers, but the argument says 0"):
        inferred(tensors_of(PLAIN), heads=3, std=0)
    with pytest.raises(InputError, match="eps must be a number between 0 and 1"):
        inferred(tensors_of(PLAIN), heads=3, config_values={"eps": float("nan")})


def test_the_last_norm_can_have_an_eps_of_its_own() -> None:
    encoder = Encoder(replace(PLAIN, final_eps=0.1)).eval()
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images), F.layer_norm(encoder.hidden_states(images)[-1], (24,), eps=0.1))
