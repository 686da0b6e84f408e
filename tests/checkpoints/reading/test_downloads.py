"""Models of the hub and https addresses, served on the loopback address by small servers of their protocols."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from maetheory.checkpoints import Encoder, EncoderConfig, inspect_checkpoint, load_checkpoint
from maetheory.checkpoints.reading.hub import files_to_download
from maetheory.core import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = EncoderConfig(8, 2, 3, 24, 1, 3, 24, 48)


def serve(handler: Any, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port of the loopback address until the test ends, and yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class HubHandler(BaseHTTPRequestHandler):
    """The part of the hub's protocol that a download uses: model information, HEAD with commit and ETag, GET."""

    def __init__(self, files: dict[str, bytes], asked: list[str], *arguments: Any) -> None:
        self.files, self.asked = files, asked
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        self.asked.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        if path.startswith("/api/models/some/vit-base"):
            files = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
            self._send(json.dumps({"id": "some/vit-base", "sha": COMMIT, "siblings": files}).encode(), body)
        elif path.startswith("/some/vit-base/resolve/main/"):
            self._send(self.files[path.rpartition("/")[2]], body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, data: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def model_files(tmp_path: Path) -> dict[str, bytes]:
    state = Encoder(CONFIG).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    torch.save(state, tmp_path / "pytorch_model.bin")
    return {
        "config.json": b'{"num_heads": 3, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}',
        "model.safetensors": (tmp_path / "model.safetensors").read_bytes(),
        "pytorch_model.bin": b"\x80 never read",
        "modeling_vit.py": b"raise SystemExit",
    }


@pytest.fixture
def hub(model_files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Set the hub's address and cache to a server and a folder of this test, and yield what it was asked."""
    pytest.importorskip("huggingface_hub", reason="needs huggingface_hub: pip install maetheory[hub]")
    from huggingface_hub import constants

    asked: list[str] = []
    for address in serve(partial(HubHandler, model_files, asked)):
        _use_hub(monkeypatch, constants, address, tmp_path / "cache")
        yield asked


def _use_hub(monkeypatch: pytest.MonkeyPatch, constants: Any, address: str, cache: Path) -> None:
    """Point huggingface_hub, which reads its settings when it is imported, to an address and a cache."""
    import huggingface_hub

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    api = partial(huggingface_hub.HfApi, endpoint=address)
    monkeypatch.setattr(huggingface_hub, "HfApi", api)
    for name in ("hf_hub_download", "snapshot_download"):
        function = partial(getattr(huggingface_hub, name), endpoint=address, cache_dir=cache)
        monkeypatch.setattr(huggingface_hub, name, function)


@pytest.mark.parametrize(
    "name", ["hf://some/vit-base", "some/vit-base", Path("hf://some/vit-base"), "hf-hub:some/vit-base"]
)
def test_a_model_of_the_hub_is_downloaded_once_and_without_code(
    name: str | Path, hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = load_checkpoint(name)[1]
    assert (report.config.heads, report.config.mean) == (3, (0.5, 0.5, 0.5))
    assert report.container == "safetensors"
    assert report.notes[0] == f"some/vit-base of the Hugging Face hub, commit {COMMIT}"
    fetched = {path.rpartition("/")[2] for path in hub if path.startswith("GET /some/")}
    assert fetched == {"model.safetensors", "config.json"}
    n = len(hub)
    inspect_checkpoint(name)
    assert not [path for path in hub[n:] if path.startswith("GET /some/")]  # the cache has the files


def test_without_the_hub_its_cache_is_read_or_the_command_is_named(
    hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"the hub refuses .*run `hf download no/model --local-dir model` and pass model"
    ):
        inspect_checkpoint("no/model")
    sha256 = inspect_checkpoint("some/vit-base").sha256
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    _use_hub(monkeypatch, constants, "http://127.0.0.1:9", tmp_path / "cache")
    assert inspect_checkpoint("some/vit-base").sha256 == sha256
    with pytest.raises(InputError, match=r"cannot be reached .*run `hf download no/model --local-dir model`") as caught:
        inspect_checkpoint("no/model")
    assert "\n" not in str(caught.value)


def test_a_folder_of_this_machine_wins_and_it_is_said(
    hub: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_files: dict[str, bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "some" / "vit-base"
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes(model_files[name])
    note = inspect_checkpoint("some/vit-base").notes[0]
    assert (
        note == "the folder some/vit-base of this machine was read; the hub's model of that name is hf://some/vit-base"
    )
    assert hub == []


def test_which_files_are_downloaded() -> None:
    shards = ["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert files_to_download([*shards, "pytorch_model.bin"], "a/b") == shards
    assert files_to_download(["vit.pth", "train.py", "args.json"], "a/b") == ["vit.pth", "args.json"]
    with pytest.raises(InputError, match=r"several checkpoints \(a\.pth, b\.pth\): run `hf download a/b"):
        files_to_download(["a.pth", "b.pth"], "a/b")
    with pytest.raises(InputError, match=r"no weights that are read, but flax_model\.msgpack"):
        files_to_download(["flax_model.msgpack"], "a/b")


class FileHandler(BaseHTTPRequestHandler):
    """One file at /vit.pth, and redirects to it."""

    def __init__(self, data: bytes, *arguments: Any) -> None:
        self.data = data
        super().__init__(*arguments)

    def do_GET(self) -> None:
        targets = {"/moved.pth": "/vit.pth", "/plain.pth": "http://127.0.0.1/vit.pth", "/loop.pth": "/loop.pth"}
        if self.path in targets:
            self.send_response(302)
            self.send_header("Location", targets[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200 if self.path == "/vit.pth" else 404)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Yield the address of a server with a certificate of this test, and the hash of its file."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    try:
        made = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the command openssl, to make a certificate of the loopback address")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    torch.save({"model": Encoder(CONFIG).state_dict()}, tmp_path / "vit.pth")
    data = (tmp_path / "vit.pth").read_bytes()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    for address in serve(partial(FileHandler, data), context):
        yield address, hashlib.sha256(data).hexdigest()


def test_an_https_address_is_downloaded_if_its_hash_is_known(https: tuple[str, str], tmp_path: Path) -> None:
    address, sha256 = https
    for name in ("vit.pth", "moved.pth"):
        report = inspect_checkpoint(f"{address}/{name}", sha256=sha256.upper(), heads=3)
        assert (report.sha256, report.notes[0]) == (sha256, f"downloaded from {address}/{name}")
    with pytest.raises(InputError, match=r"nothing is downloaded: run `curl .*or pass the hash of the file, sha256="):
        inspect_checkpoint(f"{address}/vit.pth")
    other = hashlib.sha256(b"another").hexdigest()
    kept = sorted((tmp_path / "cache").rglob("*"))
    for name, words in (
        ("vit.pth", "gave a file with another SHA-256 than"),
        ("plain.pth", "only https addresses are downloaded, but this is http://127.0.0.1/vit.pth"),
        ("loop.pth", "is redirected more than 5 times"),
        ("absent.pth", "cannot be downloaded: 404"),
    ):
        with pytest.raises(InputError, match=words):
            inspect_checkpoint(f"{address}/{name}", sha256=other)
    assert [path for path in sorted((tmp_path / "cache").rglob("*")) if path not in kept and path.is_file()] == []
    with pytest.raises(InputError, match="the hash must have 64 hexadecimal digits"):
        inspect_checkpoint(f"{address}/vit.pth", sha256="abc")


def test_a_download_ends_at_its_limit(https: tuple[str, str], tmp_path: Path) -> None:
    from maetheory.checkpoints.reading.https_download import download_https

    address, sha256 = https
    with pytest.raises(InputError, match="gives more than 1,000 bytes, and was not kept"):
        download_https(f"{address}/vit.pth", sha256, max_bytes=1000)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_local_file_must_have_the_hash_that_is_given(tmp_path: Path) -> None:
    torch.save({"model": Encoder(CONFIG).state_dict()}, tmp_path / "vit.pth")
    sha256 = hashlib.sha256((tmp_path / "vit.pth").read_bytes()).hexdigest()
    assert inspect_checkpoint(tmp_path / "vit.pth", heads=3, sha256=sha256).sha256 == sha256
    with pytest.raises(InputError, match=f"its SHA-256 is {sha256}, but sha256= "):
        inspect_checkpoint(tmp_path / "vit.pth", heads=3, sha256="0" * 64)
