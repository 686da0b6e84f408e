"""Attribute a match to timm only where the file shows it: other code uses timm's names, within modules of its own."""

from __future__ import annotations

from maetheory.checkpoints.dialects.match import COMMONLY_UNUSED, DialectMatch
from maetheory.checkpoints.dialects.model_names import stated_model_name
from maetheory.checkpoints.reading.contents import CheckpointContents

NEUTRAL_NAME = "Vision Transformer, timm names"
NEUTRAL_DESCRIPTION = "a Vision Transformer under timm's parameter names; nothing shows which code wrote the file"


def infer_code_base(match: DialectMatch, contents: CheckpointContents) -> tuple[str, str]:
    """Return name and description of the code base that wrote a file.

    A timm model is known by its name, by its pickled classes, or as a whole state dict of which nothing is left over.
    """
    dialect = match.dialect
    if dialect.name != "timm" or _shows_timm(match, contents):
        return dialect.name, dialect.description
    return NEUTRAL_NAME, NEUTRAL_DESCRIPTION


def _shows_timm(match: DialectMatch, contents: CheckpointContents) -> bool:
    """Return whether more than the names of blocks shows timm."""
    if stated_model_name(contents)[0] or any(name.startswith("timm.") for name in contents.globals):
        return True
    foreign = [name for name in match.tensors if name.startswith(("decoder", "fc.", "classifier.", "mlp_head"))]
    own = [name for name in match.other_keys if name not in dict(COMMONLY_UNUSED)]
    return not own and not foreign and match.state_dict_path.rpartition(".")[2] != "model"
