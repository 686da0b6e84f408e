"""Recognise which code base wrote a checkpoint, and infer the encoder's configuration from it.

Every code base names the tensors of a Vision Transformer in its own way and leaves some of the configuration unsaid. A
`Dialect` is a table of one code base: which keys it has, how they translate to the names of `Encoder`, which values its
files state, and which it always uses. What shapes say is inferred, what the file says is read, and what nothing says is
assumed; each value keeps its source. The room is large because it is a flat list: a code base gets a module of its own,
and no module of the list knows another beyond the names that they share.

Read in this order:

1. `dialect`: `Dialect` and `ConfigValue`; `catalogue`: all dialects in order.
2. `match`: the state dicts of a file, and the dialects that fit them, at their usual places or anywhere;
   `unrecognised`: the error if none does; `code_base`: whose file it is; `rotary`: positions that no tensor shows.
3. `infer`, `infer_positions`, `infer_heads`: from tensors and stated values to an `EncoderConfig`; `assumptions`: notes
   on what nothing states.
4. `dotted_path`, `model_names`, `pickled_modules`, `stated_values`: sources of stated values that dialects share.
5. One module a family of code bases: `mae`, `hugging_face`, `hugging_face_towers`, `timm`, `timm_nonstandard`,
   `rotary_encoders`, `beit`, `joint_embedding`, `lightning_libraries`, `openmmlab`, `open_clip`, `torchvision`,
   `vit_pytorch`, `monai`, `jax`, `jax_ports`. `other_contents`: what files hold that is no encoder; `timm_definition`:
   values of timm's model of a stated name.

Examples
--------
>>> len(DIALECTS) > 20
True
>>> [dialect.name for dialect in DIALECTS if "CIFAR-10" in dialect.description]
['IcarusWizard/MAE']
"""

from maetheory.checkpoints.dialects.catalogue import DIALECTS
from maetheory.checkpoints.dialects.dialect import ConfigValue, Dialect

__all__ = ["DIALECTS", "ConfigValue", "Dialect"]
