"""An address or the name of a hub's model gives the command that downloads it; a missing file stays a missing file."""

from __future__ import annotations

from pathlib import Path

import pytest

from maetheory.checkpoints import inspect_checkpoint
from maetheory.checkpoints.reading.checkpoint import read_checkpoint
from maetheory.core import InputError

HUB = "run `hf download some/vit-base --local-dir vit-base` and pass vit-base"
URL = "run `curl -L -o mae.pth https://example.org/models/mae.pth{}` and pass mae.pth"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("some/vit-base", HUB),
        ("hf://some/vit-base", HUB),
        ("hf-hub:some/vit-base", HUB),
        ("https://huggingface.co/some/vit-base", HUB),
        (Path("https://huggingface.co/some/vit-base"), HUB),
        ("https://example.org/models/mae.pth", URL.format("")),
        (Path("https://example.org/models/mae.pth"), URL.format("")),
        ("https://example.org/models/mae.pth?download=1", URL.format("?download=1")),
    ],
)
def test_names_that_are_no_paths_give_a_command(name: str | Path, command: str) -> None:
    with pytest.raises(InputError) as caught:
        inspect_checkpoint(name)
    assert command in str(caught.value)
    assert "nothing is downloaded" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_missing_and_existing_ones_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for name in ("a.pth", "other/a.pth", "runs/first", "a/b/c", "x" * 300):
        with pytest.raises(InputError, match=r"cannot be read: (there is no file|File name too long)"):
            read_checkpoint(name)
    (tmp_path / "some" / "vit-base").mkdir(parents=True)
    with pytest.raises(InputError, match="the folder holds no checkpoint"):
        read_checkpoint("some/vit-base")
