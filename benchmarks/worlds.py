"""How fast a finite world becomes a mask graph, against a plain Python loop that fills a dictionary."""

from __future__ import annotations

import resource
from collections import defaultdict
from time import perf_counter

from maetheory.data import worlds
from maetheory.data.worlds import FiniteWorld
from maetheory.graph import MaskGraph
from maetheory.masks import MaskLaw, UniformMasks

LOOP_STATES = 256


def vectorised_rate(world: FiniteWorld, law: MaskLaw, positions: str) -> float:
    """Pairs of state and mask per second, best of three."""
    masks, seconds = len(law.support()[0]), []
    for _ in range(3):
        start = perf_counter()
        MaskGraph.enumerate(world, law, positions)
        seconds.append(perf_counter() - start)
    return len(world.states) * masks / min(seconds)


def loop_rate(world: FiniteWorld, law: MaskLaw) -> float:
    """Pairs per second of a dictionary filled in a double loop over the first states."""
    masks, q = (part.tolist() for part in law.support())
    joint: dict[tuple, float] = defaultdict(float)
    start = perf_counter()
    for state, p in zip(world.states[:LOOP_STATES].tolist(), world.probability.tolist(), strict=False):
        for j, mask in enumerate(masks):
            view = tuple(s for s, seen in zip(state, mask, strict=True) if seen)
            target = tuple(s for s, seen in zip(state, mask, strict=True) if not seen)
            joint[j, view, target] += p * q[j]
    return min(LOOP_STATES, len(world.states)) * len(masks) / (perf_counter() - start)


def main() -> None:
    print("patches visible positions  states x masks   pairs/s  seconds  peak MiB  times a Python dictionary loop")
    for patches, visible in ((8, 2), (12, 3), (12, 6)):
        world, law = worlds.mixture(patches, 2, 2, 0.1), UniformMasks(patches, visible)
        slow = loop_rate(world, law)
        for positions in ("kept", "dropped"):
            fast = vectorised_rate(world, law, positions)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # so far, of the whole process
            pairs = len(world.states) * len(law.support()[0])
            row = f"{patches:7d} {visible:7d} {positions:>9s} {pairs:15,d} {fast:9.2e}"
            print(f"{row} {pairs / fast:8.2f} {peak:9.0f} {fast / slow:9.1f}")


if __name__ == "__main__":
    main()
