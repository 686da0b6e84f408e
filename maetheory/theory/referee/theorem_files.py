"""Read the theorems of a user's file, which is executed as Python code."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

from maetheory.core import InputError
from maetheory.core.unknown_names import closest_names, did_you_mean
from maetheory.theory.statements import THEOREMS
from maetheory.theory.theorem import Theorem

TEMPLATE = '''\
"""An example of a claim that is FALSE on purpose; put yours in its place: maetheory referee THIS_FILE.py

As it stands, the referee answers VIOLATED with a counterexample (exit 1). With 0.5 * on the right side it finds none.
"""

from maetheory.graph.functionals import positive_pair_distance, reconstruction_loss
from maetheory.theory import Theorem

claim = Theorem(
    slug="loss-exceeds-the-distance",
    statement="L_MAE(h) >= E||h - h+||^2",
    reference="an example, false on purpose",
    objects=("h", "targets"),  # also: "features", "h_g", "masks", "lipschitz", "weight"; "graph" is always there
    lhs=lambda graph, h, targets: reconstruction_loss(graph, h, targets),
    rhs=lambda graph, h: positive_pair_distance(graph, h),
    direction=">=",
    assumptions={
        "two views or more": lambda graph: (graph.shape[0] >= 2, f"{graph.shape[0]} views"),
    },
    trivial=0.0,  # a bound that is known without the claim
)
'''
"""A file with one claim that is violated on purpose, and says so in its first line."""


def load_theorems(path: str | Path) -> dict[str, Theorem]:
    """Execute a Python file and return the theorems that it defines, by slug, in their order.

    The file is executed as Python code, with everything that it does. Theorems are found in its variables, and in
    lists, tuples and dicts there; one that it imported counts too.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    InputError
        If the file cannot be read or executed (the message names the line), defines no theorem, or two of one slug, or
        a function of one takes what is no object of it.
    """
    return _theorems_by_slug(path, vars(_execute(Path(path))))


def _theorems_by_slug(path: str | Path, variables: Mapping[str, Any]) -> dict[str, Theorem]:
    found: dict[str, Theorem] = {}
    for theorem in _theorems_in(variables.items()):
        if found.setdefault(theorem.slug, theorem) is not theorem:
            raise InputError(f"{path} defines two theorems of the slug {theorem.slug!r}; give each a slug of its own")
    if not found:
        raise InputError(f"{path} defines no Theorem; maetheory referee --template prints a file that does")
    for theorem in found.values():
        _check_parameters(path, theorem)
    return found


def _check_parameters(path: str | Path, theorem: Theorem) -> None:
    """Raise InputError if a function of a theorem takes what the theorem has not."""
    known = (*("graph",) * theorem.needs_graph, *theorem.objects, *theorem.optional, *theorem.derived)
    functions = {"lhs": theorem.lhs, "rhs": theorem.rhs, **theorem.assumptions}
    for name, function in functions.items():
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # of a builtin, which does not say
            continue
        for one in parameters:
            needed = one.default is one.empty and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
            if needed and one.name not in known:
                raise InputError(
                    f"{path}: {name} of {theorem.slug} takes {one.name!r}, but functions of this theorem may take "
                    f"{', '.join(known)}; name further objects in objects="
                )


def select_theorem(path: str | Path, name: str | None) -> dict[str, Theorem]:
    """Return the theorems of a file, or only the one of this slug or variable name.

    Raises
    ------
    InputError
        As :func:`load_theorems`, or if there is none of this name.
    """
    variables = vars(_execute(Path(path)))
    theorems = _theorems_by_slug(path, variables)
    if name is None:
        return theorems
    if name in theorems:
        return {name: theorems[name]}
    named = {key: value for key, value in variables.items() if isinstance(value, Theorem)}
    if name in named:
        return {named[name].slug: named[name]}
    defined = list(dict.fromkeys([*named, *theorems]))
    answer = did_you_mean(closest_names(name, defined)) or f"it defines: {', '.join(defined)}"
    raise InputError(f"{path} defines no theorem {name!r}; {answer}")


def describe_error(error: BaseException, path: str | Path) -> str:
    """Return an error as one sentence, with the last line of the file that was executed when it was raised."""
    name = str(path)
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, SyntaxError):
        return f"{name}, line {error.lineno}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return f"{name}, line {lines[-1]}: {what}" if lines else f"{name}: {what}"


def _theorems_in(variables: Any) -> Iterator[Theorem]:
    for _, value in variables:
        if isinstance(value, Theorem):
            yield value
        elif isinstance(value, Mapping) and value is not THEOREMS:  # which a file imports, and does not define
            yield from (one for one in value.values() if isinstance(one, Theorem))
        elif isinstance(value, list | tuple):
            yield from (one for one in value if isinstance(one, Theorem))


def _execute(path: Path) -> Any:
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no Python file: it is not UTF-8 text") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; name the Python file that defines the theorem") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    module = module_from_spec(ModuleSpec(f"_refereed_{path.stem}", None, origin=str(path)))
    module.__file__ = str(path)
    try:
        code = compile(source, str(path), "exec")
        with _importable(path, module), redirect_stdout(sys.stderr):
            exec(code, vars(module))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also SystemExit
        raise InputError(describe_error(error, path)) from error
    return module


@contextmanager
def _importable(path: Path, module: Any) -> Iterator[None]:
    """Let the file import its neighbours, and pickle or inspect itself by the name of its module."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        sys.path.remove(folder)
