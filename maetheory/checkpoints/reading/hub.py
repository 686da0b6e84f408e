"""Download a model of the Hugging Face hub: its weights, safetensors first, and the JSON files beside them, never code.

`huggingface_hub` speaks the protocol and keeps the cache (``HF_HOME``, ``HF_ENDPOINT``, ``HF_TOKEN`` and
``HF_HUB_OFFLINE`` are its settings).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from maetheory.checkpoints.reading.files import SIDECAR_NAMES
from maetheory.checkpoints.reading.shards import WEIGHT_FILE_NAMES, WEIGHT_SUFFIXES
from maetheory.core import InputError, first_error_line, printable


class HubModel(NamedTuple):
    """Folder of a downloaded model in the cache, and its commit."""

    folder: Path
    commit: str


def download_model(name: str, revision: str | None = None) -> HubModel:
    """Return the folder of a model of the hub, downloaded or from the cache.

    Parameters
    ----------
    name : str
        ``organisation/model``.
    revision : str, optional
        Branch, tag or commit; the main branch by default.

    Raises
    ------
    InputError
        If the extra ``hub`` is missing, the hub cannot be reached and the cache does not have the model, there is no
        such model, or it has no weights that are read.
    """
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise InputError(
            f"{printable(name)} is no file here, and downloading it needs an extra: pip install maetheory[hub], or "
            f"{download_command(name)}"
        ) from error
    refusals = (HfHubHTTPError, HFValidationError)
    try:
        found = huggingface_hub.HfApi().model_info(name, revision=revision or "main")
        files = files_to_download([file.rfilename for file in found.siblings or []], name)
        # By name of the revision, not by commit, so that the cache finds the model by that name without the hub.
        folders = {
            Path(huggingface_hub.hf_hub_download(name, file, revision=revision or "main")).parent for file in files
        }
        if len(folders) > 1:
            raise InputError(f"the hub's model {printable(name)} changed while it was downloaded: try again")
        folder = folders.pop()
        return HubModel(folder, folder.name)
    except InputError:
        raise
    except refusals as error:
        raise InputError(
            f"there is no folder {printable(name)}, and nothing is downloaded, as the hub refuses "
            f"({first_error_line(error)}); if the model needs an account, `hf auth login` and {download_command(name)}"
        ) from error
    except Exception as error:  # each version of huggingface_hub has its own errors of the connection
        cached = _cached_folder(huggingface_hub, name, revision)
        if cached is None:
            raise InputError(
                f"there is no folder {printable(name)}, and nothing is downloaded, as the hub cannot be reached "
                f"({first_error_line(error)}); where there is a network, {download_command(name)}"
            ) from error
        return HubModel(Path(cached), Path(cached).name)


def files_to_download(files: Sequence[str], name: str) -> list[str]:
    """Return the weights that are read, of one format, and the JSON files that describe them.

    Raises
    ------
    InputError
        If a model has no weights at its top, or several files none of which has a usual name.

    Examples
    --------
    >>> files_to_download(["config.json", "model.safetensors", "pytorch_model.bin", "modeling.py"], "a/b")
    ['model.safetensors', 'config.json']
    """
    top = [file for file in files if "/" not in file]
    sidecars = [file for file in SIDECAR_NAMES if file in top]
    for usual in WEIGHT_FILE_NAMES:
        if usual in top:
            stem = usual.removesuffix(".index.json").rpartition(".")[0]
            suffix = ".safetensors" if "safetensors" in usual else ".bin"
            shards = [file for file in top if file.startswith(f"{stem}-") and file.endswith(suffix)]
            return [usual, *(shards if usual.endswith(".index.json") else []), *sidecars]
    for suffix in WEIGHT_SUFFIXES:
        weights = [file for file in top if file.endswith(suffix)]
        if len(weights) == 1:
            return [*weights, *sidecars]
        if weights:
            raise InputError(
                f"the hub's model {printable(name)} holds several checkpoints "
                f"({', '.join(map(printable, weights[:10]))}): {download_command(name, 'one of them')}"
            )
    others = ", ".join(map(printable, top[:10])) or "no file"
    raise InputError(f"the hub's model {printable(name)} holds no weights that are read, but {others}")


def download_command(name: str, path: str = "") -> str:
    """Return the command that downloads a model of the hub, and the path to pass.

    Examples
    --------
    >>> download_command("facebook/vit-mae-base")
    'run `hf download facebook/vit-mae-base --local-dir vit-mae-base` and pass vit-mae-base'
    """
    folder = name.rpartition("/")[2]
    return f"run `hf download {name} --local-dir {folder}` and pass {path or folder}"


def _cached_folder(hub: Any, name: str, revision: str | None) -> str | None:
    """Return the folder of a model in the cache, None if it is not there."""
    try:
        return str(hub.snapshot_download(name, revision=revision, local_files_only=True))
    except Exception:  # each version of huggingface_hub has its own error
        return None
