"""Files and folders of other frameworks: what they are, and how to turn them into what is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from maetheory.core import printable

FLAX_REMEDY = "load it with transformers (from_pretrained(FOLDER, from_flax=True)) and call save_pretrained"
KERAS_REMEDY = "save its weights as safetensors under the names of a code base that is read"
EXPORT_REMEDY = "save its weights by torch.save(torch.export.load(FILE).state_dict, 'weights.pth') and pass weights.pth"
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pkl")
TEXT_BYTES = frozenset(range(32, 127)) | {9, 10, 13}
NAMES_OF_TRAINING_STATE = (  # of accelerate, Hugging Face's Trainer and DeepSpeed
    "optim*",
    "scheduler*",
    "random_states*",
    "rng_state*",
    "training_args.bin",
    "scaler*",
    "*_optim_states.pt",
)
FOLDER_KINDS = (
    (
        "*.distcp",
        "is a checkpoint of torch.distributed.checkpoint: run `python -m "
        "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER weights.pt` and pass weights.pt",
    ),
    ("saved_model.pb", f"is a SavedModel of TensorFlow: {KERAS_REMEDY}"),
    ("_METADATA", "is a checkpoint of Orbax (JAX): restore it there, and save the weights as safetensors"),
    ("*.msgpack", f"holds weights of Flax: {FLAX_REMEDY}"),
    ("*.h5", f"holds weights of Keras: {KERAS_REMEDY}"),
    ("*.onnx", "holds an ONNX graph: pass the checkpoint that it was exported from"),
    ("zero_pp_rank_*", "holds what DeepSpeed has partitioned: run its zero_to_fp32.py, and pass what that writes"),
)


def describe_other_file(name: str, magic: bytes) -> str:
    """Return what a file of another framework is and what to do, by its name and first bytes; "" for other files.

    Examples
    --------
    >>> describe_other_file("vit.onnx", b"")
    'it is an ONNX graph: pass the checkpoint that it was exported from'
    >>> describe_other_file("vit.pth", b"Invalid username or password.")
    "it is a text ('Invalid username or password.'), so it is damaged, or no checkpoint"
    """
    if name.endswith(".onnx") or (
        magic[:1] == b"\x08" and any(word in magic[:64] for word in (b"pytorch", b"onnx", b"tf2onnx"))
    ):
        return "it is an ONNX graph: pass the checkpoint that it was exported from"
    if name.endswith(".msgpack"):
        return f"it is a Flax file: {FLAX_REMEDY}"
    if magic[257:262] == b"ustar":
        return "it is a tar archive, not a checkpoint; unpack it first"
    if name.endswith((".tflite", ".mlmodel", ".engine", ".pb")) or b"<net " in magic:
        return "it is a compiled network, not a checkpoint; pass the checkpoint that it was made from"
    text = magic.strip()
    if len(text) > 3 and set(text) <= TEXT_BYTES and not text.startswith((b"(", b"c", b"}")):
        line = text.splitlines()[0][:60].decode("ascii")
        kind = "a JSON text" if text[:1] in (b"{", b"[") else "a text"
        return f"it is {kind} ({line!r}), so it is damaged, or no checkpoint"
    return ""


def describe_other_archive(members: Iterable[str]) -> str:
    """Return what a zip archive without a pickle is, by the names of its members.

    Examples
    --------
    >>> describe_other_archive(["checkpoints/vit.pth", "README.md"])
    'of other files: unpack it, and pass checkpoints/vit.pth'
    """
    names = list(members)
    if names and all(name.endswith(".npy") for name in names):
        return "of NumPy arrays that are not the weights of a network"
    if any(name.endswith(("archive_format", "serialized_exported_program.json")) for name in names):
        return f"but of torch.export: {EXPORT_REMEDY}"
    packed = (name for name in names if name.endswith(WEIGHT_SUFFIXES) and not name.endswith("data.pkl"))
    if weights := next(packed, None):
        return f"of other files: unpack it, and pass {printable(weights, 200)}"
    if any(name.endswith(".weights.h5") for name in names):
        return f"of Keras: {KERAS_REMEDY}"
    return "of other files"


def describe_other_folder(folder: Path) -> str:
    """Return what a folder without a checkpoint is and what to do; "" for other folders."""
    if (folder / "adapter_config.json").is_file() and not list(folder.glob("adapter_model.*")):
        return "holds the configuration of adapters without their weights"
    return next((words for pattern, words in FOLDER_KINDS if any(folder.glob(pattern))), "")


def find_deepspeed_weights(folder: Path) -> Path | None:
    """Return the file of weights in the newest step of a folder of DeepSpeed, which the file ``latest`` names."""
    latest = folder / "latest"
    if not latest.is_file() or latest.stat().st_size > 200:
        return None
    name = latest.read_text(encoding="utf-8", errors="replace").strip()
    weights = folder / Path(name).name / "mp_rank_00_model_states.pt"
    return weights if name and weights.is_file() else None


def without_training_state(files: Iterable[Path]) -> list[Path]:
    """Return the files that are not named as the state of an optimiser, a schedule or random numbers."""
    return [file for file in files if not any(file.match(pattern) for pattern in NAMES_OF_TRAINING_STATE)]
