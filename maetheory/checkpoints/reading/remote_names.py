"""Turn an address or the name of a hub's model into a local path: download it, or name the command that does."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from maetheory.checkpoints.reading.https_download import download_https
from maetheory.checkpoints.reading.hub import download_model
from maetheory.core import InputError

ADDRESS = re.compile(r"(https?|ftp):/+(.+)")
HUB_ADDRESS = re.compile(
    r"(?:hf:/{1,2}|hf-hub:|hf_hub:|https?:/+(?:www\.)?(?:huggingface\.co|hf\.co)/)(?:models/)?"
    r"([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?/?"
)
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILE_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".safetensors", ".json", ".npz", ".tar", ".zip", ".h5", ".pb")


class LocalPath(NamedTuple):
    """A path on this machine, and notes on how it was found."""

    path: Path
    notes: tuple[str, ...] = ()


def local_path(path: str | Path, sha256: str | None = None) -> LocalPath:
    """Return the local path of a checkpoint; what is on the hub or on the web is downloaded.

    Parameters
    ----------
    path : path, ``hf://organisation/model[@revision]``, ``organisation/model`` or ``https://…``
        What exists here is read here. An https address needs `sha256`.
    sha256 : str, optional
        Hash of the file.

    Raises
    ------
    InputError
        If it cannot be downloaded; the sentence has the command that does so elsewhere.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> local_path(folder).path == Path(folder)
    True
    """
    text = str(path)
    is_hub_name = HUB_NAME.fullmatch(text) is not None and not text.endswith(FILE_SUFFIXES)
    if os.path.exists(path):  # pathlib's raises an error for names that are too long
        said = is_hub_name and os.path.isfile(os.path.join(path, "config.json"))
        note = f"the folder {text} of this machine was read; the hub's model of that name is hf://{text}"
        return LocalPath(Path(path), (note,) if said else ())
    if hub := HUB_ADDRESS.fullmatch(text):
        return _from_hub(hub[1], hub[2])
    if address := ADDRESS.fullmatch(text):
        return _from_address(re.sub(r"[^!-~]", "?", f"{address[1]}://{address[2]}"), sha256)
    if is_hub_name and not os.path.exists(Path(text).parent):
        return _from_hub(text, None)
    return LocalPath(Path(path))


def _from_hub(name: str, revision: str | None) -> LocalPath:
    """Return the folder of a hub's model, and a note with its commit."""
    model = download_model(name, revision)
    return LocalPath(model.folder, (f"{name} of the Hugging Face hub, commit {model.commit}",))


def _from_address(url: str, sha256: str | None) -> LocalPath:
    """Return the downloaded file of an https address whose hash is known."""
    name = re.split(r"[/?#]", url.rstrip("/"))
    file = next((part for part in reversed(name) if part.endswith(FILE_SUFFIXES)), "checkpoint.pth")
    command = f"run `curl -L -o {file} {url}` and pass {file}"
    if sha256 is None or not url.startswith("https://"):
        needed = "" if not url.startswith("https://") else ", or pass the hash of the file, sha256= (--sha256)"
        raise InputError(f"{url} is an address, and nothing is downloaded: {command}{needed}")
    return LocalPath(download_https(url, sha256), (f"downloaded from {url}",))
