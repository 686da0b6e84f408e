"""How fast the referee finds planted falsehoods, against `falsify`.

Every theorem's planted false versions, and those under the uniform law, are searched for twice: as they are, and
without their tight example, near which both searches otherwise draw a third of their random worlds. Seconds are of
processor time. ``python benchmarks/referee.py`` takes a few minutes on an idle core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "theory"))

from planted import FALSE, OTHER_LAW, plant

from maetheory.theory import Theorem, search
from maetheory.theory.exact_worlds import exact_laws
from maetheory.theory.referee.prober import Budget, Prober
from maetheory.theory.referee.search import search_for_violation

WORLDS = 300
PLANTED = {**FALSE, **{f"{slug} under the uniform law": (slug, change) for slug, change in OTHER_LAW.items()}}


def by_falsify(theorem: Theorem, seed: int) -> bool:
    return search(theorem, worlds=WORLDS, seed=seed).violated


def by_referee(theorem: Theorem, seed: int) -> bool:
    return search_for_violation(Prober(theorem, seed, Budget()), worlds=WORLDS) is not None


def measure(find: Callable[[Theorem, int], bool], *, blind: bool, seed: int) -> tuple[list[str], np.ndarray]:
    """Names of what was missed, and the seconds of each search."""
    missed, seconds = [], []
    for name, (slug, change) in PLANTED.items():
        theorem = plant(slug, change)
        began = process_time()
        found = find(replace(theorem, tight=None) if blind else theorem, seed)
        seconds.append(process_time() - began)
        missed += [] if found else [name]
    return missed, np.array(seconds)


def main() -> None:
    exact_laws()  # half a second, once per process
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print("tight examples  search    seed  found    seconds  median s  slowest s  found per second")
    for blind in (False, True):
        for name, find in (("falsify", by_falsify), ("referee", by_referee)):
            for seed in seeds:
                missed, seconds = measure(find, blind=blind, seed=seed)
                found = len(PLANTED) - len(missed)
                row = f"{'no' if blind else 'yes':<15} {name:<9} {seed:4d}  {found}/{len(PLANTED)}"
                total = seconds.sum()
                print(
                    f"{row} {total:9.1f} {np.median(seconds):9.3f} {seconds.max():10.1f} {found / total:17.1f}"
                    + (f"  missed: {', '.join(missed)}" if missed else "")
                )


if __name__ == "__main__":
    main()
