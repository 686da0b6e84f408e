"""Name the command that downloads a checkpoint where an address or the name of a hub's model is given for a path."""

from __future__ import annotations

import os
import re
from pathlib import Path

from maetheory.core import InputError, printable

ADDRESS = re.compile(r"(https?|ftp):/+(.+)")
HUB_ADDRESS = re.compile(
    r"(?:hf:/{1,2}|hf-hub:|hf_hub:|https?:/+(?:www\.)?(?:huggingface\.co|hf\.co)/)(?:models/)?([\w.-]+/[\w.-]+?)/?"
)
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILE_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".safetensors", ".json", ".npz", ".tar", ".zip", ".h5", ".pb")


def refuse_remote_names(path: str | Path) -> None:
    """Raise an error with the command that downloads it if a path that does not exist is an address or a hub's name.

    Examples
    --------
    >>> refuse_remote_names("facebook/vit-mae-base")
    Traceback (most recent call last):
        ...
    maetheory.core.errors.InputError: there is no folder facebook/vit-mae-base, and nothing is downloaded; if it is a \
model of the Hugging Face hub, run `hf download facebook/vit-mae-base --local-dir vit-mae-base` and pass vit-mae-base
    """
    text = str(path)
    if os.path.exists(path):  # pathlib's raises an error for names that are too long
        return
    if hub := HUB_ADDRESS.fullmatch(text):
        raise InputError(f"{printable(text)} is no file, and nothing is downloaded: {_hub_command(hub[1])}")
    if address := ADDRESS.fullmatch(text):
        url = re.sub(r"[^!-~]", "?", f"{address[1]}://{address[2]}")
        name = re.split(r"[/?#]", address[2].rstrip("/"))
        file = next((part for part in reversed(name) if part.endswith(FILE_SUFFIXES)), "checkpoint.pth")
        raise InputError(
            f"{url} is an address, and nothing is downloaded: run `curl -L -o {file} {url}` and pass {file}"
        )
    if HUB_NAME.fullmatch(text) and not text.endswith(FILE_SUFFIXES) and not os.path.exists(Path(text).parent):
        raise InputError(
            f"there is no folder {text}, and nothing is downloaded; if it is a model of the Hugging Face hub, "
            f"{_hub_command(text)}"
        )


def _hub_command(name: str) -> str:
    """Return the command that downloads a model of the hub, and the path to pass."""
    folder = name.rpartition("/")[2]
    return f"run `hf download {name} --local-dir {folder}` and pass {folder}"
