"""`LoadReport`: how a checkpoint became an encoder, with the source of every value and the unused keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from maetheory.checkpoints.encoder_config import EncoderConfig
from maetheory.core import printable, printable_sentence

MAX_LINE_LENGTH = 20_000
MAX_LISTED_NAMES = 50


@dataclass(frozen=True)
class HeadDescription:
    """Number of classes of a file's own classifier, and the readout it was trained on, "cls" or "mean"."""

    classes: int
    readout: str


@dataclass(frozen=True)
class LoadReport:
    """Description of how a file was read as an encoder.

    Attributes
    ----------
    path, sha256, container : str
        As in `CheckpointContents`.
    dialect, about : str
        Name of the code base, and which code writes such files.
    weights : str
        Path of the weights in the file, and whether they are a running average.
    prefix : str
        Prefix of the encoder's keys.
    wrappers : tuple of str
        Other parts removed from the keys, as "module.".
    globals : tuple of str
        Classes and functions that the pickle refers to; none was run.
    config : EncoderConfig
    sources : mapping from field of the configuration to str
        Where each value comes from.
    left : mapping from description to number of keys
        Unused keys.
    decoder : str
        "whole", "in part, …" or "absent: it cannot reconstruct".
    head : HeadDescription, optional
    notes : tuple of str
        What was assumed, converted or chosen.
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
    head: HeadDescription | None
    notes: tuple[str, ...]
    trained: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Make every note one printable line, since notes quote names from the file and are shown in many places."""
        object.__setattr__(self, "notes", tuple(map(printable_sentence, self.notes)))

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line a value, as `maetheory inspect` prints them; names from the file are escaped."""
        unused = [f"{printable(description)} ({n})" for description, n in self.left.items()]
        lines = [
            ("file", f"{self.path} ({self.container})"),
            ("sha256", self.sha256),
            ("written by", f"{self.dialect}: {self.about}"),
            ("weights", self.weights),
            ("key names", _describe_key_names(self.prefix, self.wrappers)),
            (
                "pickled",
                _join_first_names(map(_printable_name, self.globals)) + " (none was run)"
                if self.globals
                else "plain values only",
            ),
            *((f"  {name}", f"{_words(value)} ({self.sources[name]})") for name, value in vars(self.config).items()),
            ("decoder", self.decoder),
            ("head", f"{self.head.classes} classes, on {self.head.readout}" if self.head else "absent"),
            ("unused keys", _join_first_names(unused, "; ") or "none"),
            (
                "trained with",
                ", ".join(f"{name} {_printable_name(value)}" for name, value in self.trained.items()) or "not stated",
            ),
            *(("note", note) for note in self.notes),
        ]
        return "\n".join(f"{name:<19}{printable(str(value), MAX_LINE_LENGTH)}" for name, value in lines)


def _words(value: Any) -> str:
    """Return a value as a reader writes it, not as Python does.

    Examples
    --------
    >>> [_words(value) for value in (True, None, (0.5, 0.25), 12, "gelu")]
    ['yes', 'none', '0.5, 0.25', '12', 'gelu']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(map(_words, value)) or "none"
    return "none" if value is None else str(value)


def _printable_name(text: Any) -> str:
    """Return a name or argument from the file as at most 200 printable characters."""
    return printable(str(text), 200)


def _join_first_names(names: Iterable[str], separator: str = ", ") -> str:
    """Join names; of more than fifty the first fifty, and how many there are."""
    names = list(names)
    rest = [f"… ({len(names)} in all)"] if len(names) > MAX_LISTED_NAMES else []
    return separator.join([*names[:MAX_LISTED_NAMES], *rest])


def _describe_key_names(prefix: str, wrappers: tuple[str, ...]) -> str:
    """Return prefix and wrappers as one phrase."""
    start = f"with the prefix {prefix}" if prefix else "without a prefix"
    return f"{start}, wrapped in {' '.join(wrappers)}" if wrappers else start
