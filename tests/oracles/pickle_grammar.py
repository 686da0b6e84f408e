"""Random pickle programs that follow the grammar of the stack machine, with much sharing and little sense."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable

import numpy as np
from pickle_files import text

GLOBALS = """
torch._utils _rebuild_tensor_v2|torch._utils _rebuild_parameter|torch._tensor _rebuild_from_type_v2|torch FloatStorage
torch Size|torch device|collections OrderedDict|collections defaultdict|builtins set|builtins bytearray|builtins dict
copyreg _reconstructor|copyreg __newobj__|_codecs encode|numpy dtype|numpy ndarray|numpy._core.multiarray _reconstruct
numpy._core.multiarray scalar|numpy._core.numeric _frombuffer|pathlib PosixPath|argparse Namespace|x Net|x MyDict
omegaconf.dictconfig DictConfig|builtins getattr|builtins complex
"""
NAMES = [tuple(name.split()) for name in GLOBALS.replace("\n", "|").split("|") if name.strip()]
_TEXTS = """
model state_dict args _parameters _buffers _modules _non_persistent_buffers_set blocks.0.norm1.weight cls_token latin1
patch_embed.proj.weight num_heads eps storage cpu 0 f4 u1 O8 V99999999 C epoch weight blocks.99999999.attn.qkv.weight
"""
WORDS = [*_TEXTS.split(), "", "a" * 300, "1." * 200, "\n\x1b[31m", "$\\frac$", "vit_" + "a" * 3000, "9" * 50]


class Program:
    """Grower of values that are pickled by opcodes, in which any value may be noted, fetched and repeated."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.memo, self.left = rng, 0, 200

    def pick(self, n: int) -> int:
        """Return a random integer below n."""
        return int(self.rng.integers(n))

    def value(self, depth: int = 0) -> bytes:
        """Return code that leaves one value on the stack, now and then noted, doubled, repeated or damaged."""
        self.left -= 1
        kinds: list[Callable[[int], bytes]] = [self.fetched, self.sequence, self.mapping, self.called, self.built]
        kinds += [self.tensor, self.array, self.module, self.repeated]
        simple = depth > 6 or self.left < 0 or self.rng.random() < 0.3
        code = self.scalar() if simple else kinds[self.pick(len(kinds))](depth + 1)
        if self.rng.random() < 0.1:
            code += [b"2\x86", b"\x85", b"2\x86\x85", b"22\x87"][self.pick(4)] * self.pick(64)
        if self.rng.random() < 0.3:
            code += b"\x94"
            self.memo += 1
        if self.rng.random() < 0.01:
            code += bytes([b"RbtasuQ0(2\x81\x92\x93\x94"[self.pick(13)]])
        return code

    def scalar(self) -> bytes:
        """Return code for a plain value."""
        number = (self.pick(2**20) - 3) * (1, 2**40, 2**61 - 1)[self.pick(3)]
        return (
            text(WORDS[self.pick(len(WORDS))]),
            pickle.LONG1 + bytes([16]) + number.to_bytes(16, "little", signed=True),
            b"K" + bytes([self.pick(8)]),
            b"G" + struct.pack(">d", (0.5, -1.0, np.nan, np.inf)[self.pick(4)]),
            b"C\x08" + self.rng.bytes(8),
            (b"N", b"\x88", b")", b"]", b"}", b"\x8f")[self.pick(6)],
        )[self.pick(6)]

    def name(self) -> bytes:
        """Return code for a name by STACK_GLOBAL, now and then one of any two texts."""
        if self.rng.random() < 0.02:
            return text(WORDS[self.pick(len(WORDS))]) + self.fetched(9) + b"\x93"
        module, name = NAMES[self.pick(len(NAMES))]
        return text(module) + text(name) + b"\x93"

    def fetched(self, depth: int) -> bytes:
        """Return code for a noted value, a recent one more often."""
        index = max(self.pick(self.memo), self.pick(self.memo)) if self.memo else 0
        return b"j" + struct.pack("<I", index) if self.memo else self.scalar()

    def values(self, depth: int, n: int) -> bytes:
        """Return code for n values."""
        return b"".join(self.value(depth) for _ in range(n))

    def sequence(self, depth: int) -> bytes:
        """Return code for a tuple, a list or a set."""
        start, end = ((b"(", b"t"), (b"](", b"e"), (b"\x8f(", b"\x90"), (b"(", b"l"), (b"(", b"\x91"))[self.pick(5)]
        return start + self.values(depth, self.pick(5)) + end

    def mapping(self, depth: int) -> bytes:
        """Return code for a dict with any keys, most of them texts."""
        items = b""
        for _ in range(self.pick(6)):
            items += text(WORDS[self.pick(len(WORDS))]) if self.rng.random() < 0.8 else self.value(depth)
            items += self.value(depth)
        return b"}(" + items + b"u"

    def called(self, depth: int) -> bytes:
        """Return code for a call with a few arguments, or with a noted value as arguments."""
        args = b"(" + self.values(depth, self.pick(5)) + b"t" if self.rng.random() < 0.8 else self.fetched(depth)
        return self.name() + args + (b"R" if self.rng.random() < 0.7 else b"\x81")

    def built(self, depth: int) -> bytes:
        """Return code for an object with a state, items or pairs."""
        end = (
            self.value(depth) + b"b",
            b"(" + self.values(depth, 3) + b"e",
            b"(" + self.values(depth, 4) + b"u",
            self.mapping(depth) + self.mapping(depth) + b"\x86b",
        )[self.pick(4)]
        return self.called(depth) + end

    def tensor(self, depth: int) -> bytes:
        """Return code for a tensor over the one storage of the file, of any shape."""
        storage = b"(" + text("storage") + text("torch") + text("FloatStorage") + b"\x93" + text("0") + text("cpu")
        shape = b"(" + b"".join(b"K" + bytes([self.pick(6)]) for _ in range(self.pick(4))) + b"t"
        strides = shape if self.rng.random() < 0.7 else self.value(depth)
        call = text("torch._utils") + text("_rebuild_tensor_v2") + b"\x93("
        return call + storage + b"K\x10tQK\x00" + shape + strides + b"\x89NtR"

    def array(self, depth: int) -> bytes:
        """Return code for a NumPy array whose type, shape and bytes may be anything."""
        code = self.value(depth) if self.rng.random() < 0.3 else text(("f4", "u1", "O8", "U9", "V9")[self.pick(5)])
        dtype = text("numpy") + text("dtype") + b"\x93(" + code + b"\x89\x88tR"
        data = self.value(depth) if self.rng.random() < 0.5 else b"C\x08" + bytes(8)
        kind = text("numpy._core.numeric") + text("_frombuffer") + b"\x93("
        return kind + data + dtype + b"(K" + bytes([self.pick(9)]) + b"t" + text("C") + b"tR"

    def module(self, depth: int) -> bytes:
        """Return code for a module with parameters, buffers, submodules and attributes."""
        state = b"}("
        for name in ("_parameters", "_buffers", "_modules"):
            state += text(name) + (self.mapping(depth) if self.rng.random() < 0.9 else self.value(depth))
        state += text("num_heads") + self.value(depth) + b"u"
        return text("x") + text("Net") + b"\x93)\x81" + state + b"b"

    def repeated(self, depth: int) -> bytes:
        """Return code for a list of many references to one noted value, or of many calls with it."""
        fetched = self.fetched(depth)
        called = self.name() + fetched + b"R"
        part = (fetched, called, fetched + b"\x85", called + fetched + b"b")[self.pick(4)]
        return b"](" + part * (1 + self.pick(2000)) + b"e"


def random_program(seed: int) -> bytes:
    """Return the program of a seed: a dict of a few values."""
    program = Program(np.random.default_rng(seed))
    return b"\x80\x04" + b"}(" + b"".join(text(f"{i}") + program.value() for i in range(4)) + b"u."
