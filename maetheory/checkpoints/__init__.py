"""Any checkpoint of a Vision Transformer becomes an encoder and a report, and no code from the file ever runs."""

from maetheory.checkpoints.encoder import Encoder, EncoderConfig
from maetheory.checkpoints.load import inspect_checkpoint, load_checkpoint, load_contents
from maetheory.checkpoints.report import Head, LoadReport

__all__ = ["Encoder", "EncoderConfig", "Head", "LoadReport", "inspect_checkpoint", "load_checkpoint", "load_contents"]
