"""Evaluate a claim in exact rational arithmetic, where its code uses nothing but sums, products and quotients.

The functions of a theorem are plain Python. They are called again with Fractions in place of floats: a graph whose law
and label errors are Fractions, arrays of Fractions, and exact versions of the functionals of
:mod:`maetheory.graph.functionals` and of ``float`` wherever their code names them. Code that takes a root, an
eigenvalue or anything else that is not rational raises, and is then not evaluated here; so does code that turns a
Fraction into a float, even if what it returns is a whole number again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import CellType, CodeType, FunctionType, MappingProxyType
from typing import Any
from unittest import mock

import numpy as np

from maetheory.graph import MaskGraph, functionals
from maetheory.theory.referee.simplify import law_denominator
from maetheory.theory.small_worlds import SmallWorld
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import call_with_named_objects

_LOCK = threading.RLock()  # `Fraction.__float__` is replaced by one thread at a time


class NotRationalError(ArithmeticError):
    """The claim cannot be evaluated with Fractions."""


class _Exact(np.ndarray):
    """Array of Fractions that answers `toarray` as a sparse array does."""

    def toarray(self) -> np.ndarray:
        """Return itself."""
        return self


def fractions_of(array: Any) -> np.ndarray:
    """Return an array of Fractions, each the shortest decimal that is read as the float.

    Examples
    --------
    >>> fractions_of(np.array([0.1, 2.0])).tolist()
    [Fraction(1, 10), Fraction(2, 1)]
    """
    values = np.asarray(array, float)
    if not np.isfinite(values).all():
        raise NotRationalError("a value is not finite")
    return _as_exact([Fraction(repr(float(value))) for value in values.ravel()], values.shape)


def _as_exact(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found.reshape(shape).view(_Exact)


class ExactGraph:
    """Mask graph whose law is a law of Fractions; labels and components are those of the graph in floats.

    Parameters
    ----------
    law : ndarray of Fraction, shape (S, N1, N2)
    graph : MaskGraph
        The same graph in floats.
    """

    def __init__(self, law: np.ndarray, graph: MaskGraph) -> None:
        self._law, self._graph = law, graph
        self.joint = law.sum(0)
        self.degrees = (self.joint.sum(1), self.joint.sum(0))
        self.pair_law = (self.joint / self.degrees[1]) @ self.joint.T  # (N1, N2) @ (N2, N1) -> (N1, N1)
        self.shape, self.components, self.n_components = graph.shape, graph.components, graph.n_components

    def __getattr__(self, name: str) -> Any:
        if name in {"image_labels", "n_classes", "view_labels", "target_labels"}:
            return getattr(self._graph, name)
        raise NotRationalError(f"a graph of Fractions has no {name}")

    def label_error(self) -> Fraction:
        """α = Pr[y(x₁) ≠ y(x̄)]."""
        return _sum(self._law.sum(2)[self.image_labels[:, None] != self.view_labels])

    def target_label_error(self) -> Fraction:
        """α₂ = Pr[y(x₂) ≠ y(x̄)]."""
        return _sum(self._law.sum(1)[self.image_labels[:, None] != self.target_labels])

    def pair_label_error(self) -> Fraction:
        """φ = Pr[y(x₁) ≠ y(x₁⁺)]."""
        return _sum(self.pair_law[self.view_labels[:, None] != self.view_labels])


def _sum(values: np.ndarray) -> Fraction:
    return sum(values.ravel().tolist(), Fraction(0))


def _mean_square(degrees: np.ndarray, rows: np.ndarray) -> Fraction:
    return _sum(degrees @ (rows * rows))


def _squared_distance(law: np.ndarray, a: np.ndarray, b: np.ndarray) -> Fraction:
    differences = a[:, None, :] - b[None, :, :]  # (N1, N2, d)
    return _sum(law[:, :, None] * differences * differences)


def _conditional_mean(graph: ExactGraph, h: np.ndarray) -> np.ndarray:
    return (graph.joint.T @ h) / graph.degrees[1][:, None]


def _best_prediction(graph: ExactGraph, targets: np.ndarray) -> np.ndarray:
    return (graph.joint @ targets) / graph.degrees[0][:, None]


def _reconstruction_loss(graph: ExactGraph, h: np.ndarray, targets: np.ndarray) -> Fraction:
    return _squared_distance(graph.joint, h, targets)


def _uniformity_loss(graph: ExactGraph, f: np.ndarray) -> Fraction:
    products = f @ f.T
    return _sum(graph.degrees[0][:, None] * products * products * graph.degrees[0])


def _alignment_loss(graph: ExactGraph, h: np.ndarray) -> Fraction:
    return -_sum(graph.pair_law * (h @ h.T))


def _target_variance(graph: ExactGraph, targets: np.ndarray) -> Fraction:
    return _mean_square(graph.degrees[1], targets - graph.degrees[1] @ targets)


_EXACT: Mapping[Any, Callable[..., Any]] = MappingProxyType(
    {
        float: lambda value: value.item() if isinstance(value, np.ndarray) else value,
        functionals.reconstruction_loss: _reconstruction_loss,
        functionals.asymmetric_alignment: lambda graph, h, h_g: -_sum(graph.joint * (h @ h_g.T)),
        functionals.alignment_loss: _alignment_loss,
        functionals.positive_pair_distance: lambda graph, h: _squared_distance(graph.pair_law, h, h),
        functionals.uniformity_loss: _uniformity_loss,
        functionals.spectral_loss: lambda graph, f: 2 * _alignment_loss(graph, f) + _uniformity_loss(graph, f),
        functionals.conditional_mean: _conditional_mean,
        functionals.best_prediction: _best_prediction,
        functionals.irreducible_loss: lambda graph, targets: _reconstruction_loss(
            graph, _best_prediction(graph, targets), targets
        ),
        functionals.target_variance: _target_variance,
        functionals.mean_square: _mean_square,
        functionals.check_view_features: lambda graph, h: h,
        functionals.check_target_features: lambda graph, h: h,
    }
)
"""Exact version of each function of floats that the code of a side may name."""


def exact_version(function: Any, known: dict[int, Any] | None = None) -> Any:
    """Return a function whose code names the exact functions in place of those of floats, or a float as a Fraction.

    Functions and floats that it names in its module or its closure are replaced in the same way, and its constants are
    read as the decimals that they are written as; anything else stays as it is.
    """
    known = {} if known is None else known
    if isinstance(function, float) and math.isfinite(function):
        return Fraction(repr(float(function)))
    if isinstance(function, type | FunctionType) and function in _EXACT:
        return _EXACT[function]
    if not isinstance(function, FunctionType):
        return function
    if id(function) in known:
        return known[id(function)]
    names = _names(function.__code__)
    own_globals = {**function.__globals__, "float": _EXACT[float]} if "float" in names else dict(function.__globals__)
    cells = tuple(CellType() for _ in function.__closure__ or ())
    code = _with_exact_constants(function.__code__)
    found = FunctionType(code, own_globals, function.__name__, function.__defaults__, cells)
    found.__kwdefaults__ = function.__kwdefaults__
    found.__dict__.update(function.__dict__)
    known[id(function)] = found
    for name in names & function.__globals__.keys():
        own_globals[name] = exact_version(function.__globals__[name], known)
    for cell, original in zip(cells, function.__closure__ or ()):
        cell.cell_contents = exact_version(original.cell_contents, known)
    return found


def _with_exact_constants(code: CodeType) -> CodeType:
    """Return code whose constants are Fractions where they were floats: 0.1 is a tenth."""
    constants = (
        _with_exact_constants(one)
        if isinstance(one, CodeType)
        else exact_version(one)
        if isinstance(one, float)
        else one
        for one in code.co_consts
    )
    return code.replace(co_consts=tuple(constants))


def _names(code: CodeType) -> set[str]:
    nested = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*nested)


def exact_world(world: SmallWorld) -> dict[str, Any]:
    """Return the objects of a world in Fractions, with the law as whole numbers over its denominator where it has one.

    Raises
    ------
    NotRationalError
        If the world holds anything else than a law and real arrays.
    """
    objects: dict[str, Any] = {}
    if world.graph is not None:
        raise NotRationalError("the law of the images is not known")
    if world.law is not None:
        n = law_denominator(world.law)
        scaled = np.round(world.law * n) if n < 10**9 else world.law
        weights = fractions_of(scaled)
        objects["graph"] = ExactGraph(weights / _sum(weights), world.all_objects()["graph"])
    for name, value in world.objects.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            objects[name] = fractions_of(value)
        elif isinstance(value, float):
            objects[name] = Fraction(repr(float(value)))
        elif isinstance(value, np.ndarray) and value.dtype.kind in "iub":
            objects[name] = value
        else:
            raise NotRationalError(f"{name} is no array of real numbers")
    return objects


def exact_sides(theorem: Theorem, world: SmallWorld) -> tuple[Fraction, Fraction, bool]:
    """Return both sides as Fractions, and whether all assumptions were verified exactly too.

    Raises
    ------
    NotRationalError
        If a side is not a rational function of the world, or an assumption fails.
    """
    objects = exact_world(world)
    known: dict[int, Any] = {}
    with _LOCK, mock.patch.object(Fraction, "__float__", _float_refused_by_this_thread()):
        try:
            for name, derive in theorem.derived.items():
                if name not in objects:
                    objects[name] = call_with_named_objects(exact_version(derive, known), objects)
            lhs, rhs = (
                _as_fraction(call_with_named_objects(exact_version(side, known), objects))
                for side in (theorem.lhs, theorem.rhs)
            )
        except NotRationalError:
            raise
        except Exception as error:
            raise NotRationalError(f"{type(error).__name__}: {error}") from error
        verified = [_verified(exact_version(one, known), objects) for one in theorem.assumptions.values()]
    return lhs, rhs, all(verified)


def _float_refused_by_this_thread() -> Callable[[Fraction], float]:
    """Return a `Fraction.__float__` that raises in the calling thread, and converts in all others."""
    refusing = threading.get_ident()

    def to_float(value: Fraction) -> float:
        if threading.get_ident() == refusing:
            raise NotRationalError(f"{value} is turned into a float")
        return value.numerator / value.denominator

    return to_float


def _as_fraction(value: Any) -> Fraction:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, int | Fraction):
        return Fraction(value)
    raise NotRationalError(f"a side is {value!r}, no fraction")


def _verified(assumption: Callable[..., tuple[bool, str]], objects: Mapping[str, Any]) -> bool:
    try:
        holds, _ = call_with_named_objects(assumption, objects)
    except Exception:
        return False
    return bool(holds)
