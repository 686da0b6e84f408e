"""What was read from a checkpoint, what was guessed and from what, and what was left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from maetheory.checkpoints.encoder import EncoderConfig


@dataclass(frozen=True)
class Head:
    """A file's own classifier: how many classes, and the readout it was trained on, "cls" or "mean"."""

    classes: int
    readout: str


@dataclass(frozen=True)
class LoadReport:
    """How a file became an encoder.

    Attributes
    ----------
    path, sha256, container : str
    dialect, about : str
        Whose names the file speaks, and who writes such files.
    weights : str
        Where in the file the weights lie, and whether they are a running average.
    prefix : str
        What stood before each name of the encoder.
    wrappers : tuple of str
        What stood around names besides, as "module.".
    globals : tuple of str
        Pickled classes and functions the file asks for; none was run.
    config : EncoderConfig
    sources : mapping from field of the configuration to words
        Where each came from.
    left : mapping from words to number of keys
    decoder : str
        "whole", or "absent: it cannot reconstruct".
    head : Head, optional
    notes : tuple of str
        Warnings: what was assumed, converted or chosen.
    trained : mapping
        Training arguments found in the file.
    """

    path: str
    sha256: str
    container: str
    dialect: str
    about: str
    weights: str
    prefix: str
    wrappers: tuple[str, ...]
    globals: tuple[str, ...]
    config: EncoderConfig
    sources: Mapping[str, str]
    left: Mapping[str, int]
    decoder: str
    head: Head | None
    notes: tuple[str, ...]
    trained: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            ("file", f"{self.path} ({self.container})"),
            ("sha256", self.sha256),
            ("written by", f"{self.dialect}: {self.about}"),
            ("weights", self.weights),
            ("names", _describe_key_names(self.prefix, self.wrappers)),
            ("pickled", ", ".join(self.globals) + " (none was run)" if self.globals else "nothing but plain values"),
            *((f"  {name}", f"{value} ({self.sources[name]})") for name, value in asdict(self.config).items()),
            ("decoder", self.decoder),
            ("head", f"{self.head.classes} classes, reads {self.head.readout}" if self.head else "absent"),
            ("left over", "; ".join(f"{words} ({n})" for words, n in self.left.items()) or "nothing"),
            (
                "trained with",
                ", ".join(f"{name} {value}" for name, value in self.trained.items()) or "the file is silent",
            ),
            *(("note", note) for note in self.notes),
        ]
        return "\n".join(f"{name:<19}{value}" for name, value in lines)


def _describe_key_names(prefix: str, wrappers: tuple[str, ...]) -> str:
    before = f"behind the prefix {prefix}" if prefix else "without a prefix"
    return f"{before}, inside {' '.join(wrappers)}" if wrappers else before
