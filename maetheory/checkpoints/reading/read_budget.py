"""What reading one file may cost: steps and bytes, of which every copy, hash and text takes its share.

A few bytes of a pickle can refer to a large value thousands of times, and a tuple can contain itself twice at
sixty-four levels. What a file may cost therefore follows from its size, and whatever is done once for each reference
(copying arguments, hashing a key, encoding a text, rebuilding an array) is charged here before it is done.
"""

from __future__ import annotations

from dataclasses import dataclass

from maetheory.core import InputError

MAX_STEPS = 4_000_000


@dataclass
class ReadBudget:
    """Number of bytes that the contents of one file may still occupy, and of steps that reading it may still take.

    Attributes
    ----------
    remaining_bytes : int
        Bytes of tensors, arrays, texts and copies.
    remaining_steps : int
        Elements of copied or hashed containers.
    """

    remaining_bytes: int
    remaining_steps: int = MAX_STEPS

    def spend_bytes(self, number: int) -> None:
        """Subtract a number of bytes.

        Raises
        ------
        InputError
            If fewer bytes remain.
        """
        if number < 0 or number > self.remaining_bytes:
            raise InputError(f"its contents claim more than the {self.remaining_bytes} bytes that its size allows")
        self.remaining_bytes -= number

    def spend_steps(self, number: int) -> None:
        """Subtract a number of steps.

        Raises
        ------
        InputError
            If fewer steps remain.
        """
        self.remaining_steps -= number
        if self.remaining_steps < 0:
            raise InputError("its pickle copies the same values so often that reading it would not end")
