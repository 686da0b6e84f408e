"""Load Vision Transformer checkpoints of any code base without executing code from the file.

A checkpoint may come from any of two dozen code bases, state little of its architecture, and be malicious. It is read
as plain data, its code base is recognised by the names of its tensors, and the result is an `Encoder` and a
`LoadReport` that gives the source of every value. A file that is no complete Vision Transformer raises an error that
says what it holds instead.

Read in this order:

1. `reading`: from bytes to tensors and plain values.
2. `encoder_config`, `encoder_layers`, `encoder`: the general Vision Transformer; `rotary_positions`,
   `resize_positions`; `device`; `initialisations`: how each code base draws untrained weights.
3. `dialects`: from the names of a code base to those of `Encoder`, and the configuration.
4. `classifier_head`, `report`, `complete_match`, `load`: the checks on the result, and the functions that users call.
5. `convert`, with `timm_models` and `timm_format`: an encoder as a model of timm.

Examples
--------
>>> import tempfile, torch
>>> path = tempfile.mkdtemp() + "/mae.pth"
>>> torch.save({"model": Encoder(EncoderConfig(8, 2, 3, 24, 2, 3, 24, 48)).state_dict()}, path)
>>> encoder, report = load_checkpoint(path, heads=3)
>>> report.dialect, encoder(torch.rand(5, 3, 8, 8)).shape
('Vision Transformer, timm names', torch.Size([5, 17, 24]))
"""

from maetheory.checkpoints.encoder import Encoder
from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.checkpoints.load import inspect_checkpoint, load_checkpoint, load_contents
from maetheory.checkpoints.report import HeadDescription, LoadReport
from maetheory.core.renames import renamed

__all__ = [
    "Encoder",
    "EncoderConfig",
    "HeadDescription",
    "LoadReport",
    "inspect_checkpoint",
    "load_checkpoint",
    "load_contents",
]

__getattr__ = renamed(__name__, {"Head": "HeadDescription"})
