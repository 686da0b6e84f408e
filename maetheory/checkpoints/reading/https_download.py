"""Download one checkpoint over https, whose SHA-256 the caller knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from maetheory.core import InputError, first_error_line, printable

MAX_DOWNLOAD_BYTES = 64 * 2**30
MAX_REDIRECTS = 5
CHUNK_BYTES = 2**20
SHA256 = re.compile(r"[0-9a-f]{64}")


def download_https(url: str, sha256: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> Path:
    """Return the path of a downloaded file, or of the copy that the cache has from an earlier download.

    The file is written beside its place in the cache of pooch, its hash is compared, and it is moved there at the end,
    so that no other file of that name is ever read.

    Parameters
    ----------
    url : str
        Begins with ``https://``.
    sha256 : str
        Hash of the file, 64 hexadecimal digits.
    max_bytes : int
        A longer file is not read to its end.

    Raises
    ------
    InputError
        If the address is not of https or leads elsewhere, cannot be reached, gives too much, or gives another file.
    """
    import pooch

    sha256 = sha256.lower()
    if not SHA256.fullmatch(sha256):
        raise InputError("the hash must have 64 hexadecimal digits, as `sha256sum` prints (--sha256)")
    _check_https(url)
    folder = Path(pooch.os_cache("maetheory")) / "checkpoints" / sha256[:16]
    name = urlsplit(url).path.rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^\w.-]", "_", name)[-100:] or "checkpoint.pth"

    def fetch(address: str, output: Any, _: Any) -> None:
        _fetch(address, Path(output), max_bytes)

    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=name, path=folder, downloader=fetch))
    except InputError:
        raise
    except ValueError as error:  # pooch's word for another hash
        raise InputError(
            f"{printable(url)} gave a file with another SHA-256 than {sha256}, which was not kept: "
            f"{first_error_line(error)}"
        ) from error
    except OSError as error:
        raise InputError(f"{printable(url)} cannot be downloaded: {first_error_line(error)}") from error


def _fetch(url: str, output: Path, max_bytes: int) -> None:
    """Write the content of an address to a file, following redirects to https only."""
    import requests

    for _ in range(MAX_REDIRECTS + 1):
        _check_https(url)
        with requests.get(url, stream=True, timeout=60, allow_redirects=False) as response:
            if response.is_redirect:
                url = urljoin(url, response.headers["location"])
                continue
            response.raise_for_status()
            written = 0
            with output.open("wb") as file:
                for chunk in response.iter_content(CHUNK_BYTES):
                    written += len(chunk)
                    if written > max_bytes:
                        raise InputError(f"{printable(url)} gives more than {max_bytes:,} bytes, and was not kept")
                    file.write(chunk)
            return
    raise InputError(f"{printable(url)} is redirected more than {MAX_REDIRECTS} times")


def _check_https(url: str) -> None:
    """Raise an error for an address of another kind."""
    if urlsplit(url).scheme != "https":
        raise InputError(f"only https addresses are downloaded, but this is {printable(url)}")
