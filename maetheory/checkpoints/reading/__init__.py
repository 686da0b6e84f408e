"""Read a checkpoint file as plain data: nothing in the file is imported, called or executed.

A pickle is a program for a stack machine, and unpickling a file of unknown origin runs whatever that program asks for.
Here the same opcodes only build a description: names stay words, and objects become records. Rebuilding tensors and
arrays from that description is done by a fixed set of functions of ours, within a memory budget that follows from the
size of the file.

Read in this order:

1. `contents`: `CheckpointContents`, what every file format ends up as.
2. `checkpoint`: `read_checkpoint`, which chooses the format; `files`, `shards`, `safetensors_files`,
   `safetensors_metadata` and `training_arguments` beside it; `remote_names`, `hub` and `https_download`: files that
   are not here yet.
3. `read_budget`, `dict_keys`, `tensor_names`: what a file may cost; `pickle_values`, `pickle_global_checks`,
   `pickle_parser`: from opcodes to a description.
4. `storages`, `numpy_arrays`, `rebuild_values`, `plain_tree`: from the description to tensors, dicts and numbers.
5. `torch_files`: the two formats of ``torch.save``; `npz_files`: archives of NumPy arrays; `other_files`: what files of
   other frameworks are.

Examples
--------
>>> import tempfile, torch
>>> from pathlib import Path
>>> path = Path(tempfile.mkdtemp()) / "a.pt"
>>> torch.save({"model": {"w": torch.ones(2)}, "epoch": 3}, path)
>>> contents = read_checkpoint(path)
>>> contents.container, contents.tree["epoch"], contents.tree["model"]["w"].tolist()
('torch zip', 3, [1.0, 1.0])
"""

from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.checkpoints.reading.contents import CheckpointContents, nonfinite_tensors

__all__ = ["CheckpointContents", "nonfinite_tensors", "read_checkpoint"]
