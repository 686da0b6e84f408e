"""Python code that builds a world again and checks the claim on it, and a pytest file that fails because of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from maetheory.graph import MaskGraph
from maetheory.theory.falsify import SearchedWorld
from maetheory.theory.referee.simplify import has_own_images, law_denominator
from maetheory.theory.small_worlds import SmallWorld
from maetheory.theory.statements import THEOREMS
from maetheory.theory.theorem import Theorem


def theorem_source(theorem: Theorem, file: str | None = None) -> str:
    """Return the lines that import the theorem: from a file of a user, or from the package; a comment for others."""
    if file is not None:
        head = "from maetheory.theory.referee import load_theorems"
        return f"{head}\n\ntheorem = load_theorems({file!r})[{theorem.slug!r}]"
    if THEOREMS.get(theorem.slug) != theorem:
        return f"\n# theorem is your Theorem {theorem.slug!r}"
    return f"from maetheory.theory import THEOREMS\n\ntheorem = THEOREMS[{theorem.slug!r}]"


def python_code(theorem: Theorem, found: SearchedWorld, file: str | None = None) -> str:
    """Return code that prints the check of the theorem in this world.

    A world with objects that have no literal (a function, a graph with an unknown law) is replayed by its seed and
    number, before it was simplified.
    """
    lines = _world_lines(found)
    return "\n".join([*_imports(lines), theorem_source(theorem, file), "", *lines, "print(theorem.check(**world))", ""])


def pytest_file(theorem: Theorem, found: SearchedWorld, file: str | None = None) -> str:
    """Return a test that fails as long as the claim is violated in this world."""
    lines = _world_lines(found)
    name = re.sub(r"\W+", "_", theorem.slug)
    body = [f"    {line}" if line else "" for line in "\n".join(lines).splitlines()]
    return "\n".join(
        [
            f'"""{theorem.slug} is violated in this world; the test passes once the claim is mended."""',
            "",
            *_imports(lines, "from maetheory.theory import Verdict"),
            theorem_source(theorem, file),
            "",
            "",
            f"def test_{name}_holds_in_this_world():",
            *body,
            "    found = theorem.check(**world)",
            "    assert found.verdict is not Verdict.VIOLATED, str(found)",
            "",
        ]
    )


def _imports(lines: list[str], *more: str) -> list[str]:
    text = "\n".join(lines)
    found = ["import numpy as np", ""] if "np." in text else []
    found += ["from maetheory.graph import MaskGraph"] if "MaskGraph." in text else []
    found += ["from maetheory.theory import replay"] if "replay(" in text else []
    found += ["from maetheory.theory.small_worlds import SmallWorld"] if "SmallWorld(" in text else []
    return [*found, *more]


def _world_lines(found: SearchedWorld) -> list[str]:
    try:
        parts = _graph_lines(found.world)
        parts += [f"    {name!r}: {_literal(value)}," for name, value in found.world.objects.items()]
    except TypeError:
        call = f"replay(theorem, seed={found.seed}, number={found.number}, descend={found.descended})"
        return [f"world = {call}.world.all_objects()  # before it was simplified"]
    return ["world = {", *parts, "}"]


def _graph_lines(world: SmallWorld) -> list[str]:
    if world.graph is not None:
        return [f"    'graph': {_literal(world.graph)},"]
    if world.law is None:
        return []
    labels = None if world.labels is None else world.labels.tolist()
    if has_own_images(world):
        tail = "" if labels is None else f", labels={labels}"
        return [f"    'graph': MaskGraph.from_joint({_law_literal(world.law.sum(0))}{tail}),"]
    law = _law_literal(world.law)
    return [f"    'graph': SmallWorld({{}}, {law}, {labels and f'np.array({labels})'}).all_objects()['graph'],"]


def _law_literal(law: np.ndarray) -> str:
    n = law_denominator(law)
    if n == 10**9:
        return f"np.array({law.tolist()})"
    return f"np.array({np.round(law * n).astype(int).tolist()}) / {n}"


def _literal(value: Any) -> str:
    if isinstance(value, MaskGraph):
        own = value.image_views.shape[0] == value.shape[0] and value.image_views.nnz == value.shape[0]
        if not own:
            raise TypeError("the law of the images has no literal")
        labels = None if value.image_labels is None else value.image_labels.tolist()
        return f"MaskGraph.from_joint(np.array({value.joint.toarray().tolist()}), labels={labels})"
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return f"np.array({value.tolist()})"
    if isinstance(value, bool | int | float | str) or value is None:
        return repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, np.generic):
        return repr(value.item())
    raise TypeError(f"a {type(value).__name__} has no literal")
