"""Mistakes to plant: some loosen an error, a tolerance or a guard, others change a formula.

Each operator proposes, for a node of the syntax tree, pieces of code to put in its place.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from cosmic_ray.operators.binary_operator_replacement import operators as binary_operators
from cosmic_ray.operators.boolean_replacer import (
    ReplaceAndWithOr,
    ReplaceFalseWithTrue,
    ReplaceOrWithAnd,
    ReplaceTrueWithFalse,
)
from cosmic_ray.operators.comparison_operator_replacement import operators as comparison_operators
from cosmic_ray.operators.number_replacer import NumberReplacer as AnyNumberReplacer
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.operators.unary_operator_replacement import operators as unary_operators
from parso.python.tree import Name

_TOLERANCE_NAME = re.compile(r"(^|_)(eps|tolerance|epsilon)($|_)", re.IGNORECASE)
_ROUNDING_NAME = re.compile(
    _TOLERANCE_NAME.pattern + r"|(^|_)rounding($|_)|^(eigenvalue|projector)_error$", re.IGNORECASE
)
_LARGEST_TOLERANCE = 1e-3
_EXTREMES = {"max", "min", "maximum", "minimum"}
_WITH_ERROR = {"Estimate": 1, "Margin": 3}
_BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}


class Replacement(Operator):
    """Operator that puts one of several pieces of code in the place of a node."""

    @abstractmethod
    def replacements(self, node: Any) -> Sequence[str]:
        """Code to put in the place of a node, one piece per mutant."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Position of the node, once per replacement."""
        return ((node.start_pos, node.end_pos) for _ in self.replacements(node))

    def mutate(self, node: Any, index: int) -> Name:
        """Leaf that holds the replacement."""
        return Name(self.replacements(node)[index], node.start_pos, node.get_first_leaf().prefix)


class LoosenTolerance(Replacement):
    """Multiplies a small constant, or a named tolerance where it is used, by 10 and by 1000."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Products, in parentheses."""
        if node.type == "number":
            small = re.search(r"[.eE]", node.value) and 0 < abs(float(node.value)) <= _LARGEST_TOLERANCE
            return [f"({factor} * {node.value})" for factor in (10, 1000)] if small else []
        return [f"({factor} * {node.value})" for factor in (10, 1000)] if _is_tolerance_in_use(node) else []

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return a constant and a name."""
        return Example("x < 1e-9", "x < (10 * 1e-9)"), Example("x < 8 * _EPS", "x < 8 * (1000 * _EPS)", occurrence=1)


class DropTerm(Replacement):
    """Leaves out one term of a sum or difference."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Sum without one of its terms."""
        if node.type != "arith_expr" or any(leaf.type in ("string", "fstring_start") for leaf in _leaves(node)):
            return []
        parts = [child.get_code() for child in node.children]
        rest = "".join(parts[2:])
        first = rest if parts[1].strip() == "+" else f"-{rest}"
        return [
            _parenthesised(first),
            *(_parenthesised("".join(parts[:i] + parts[i + 2 :])) for i in range(1, len(parts), 2)),
        ]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Each of two terms."""
        return Example("x = a + e", "x = (e)"), Example("x = a + e", "x = (a)", occurrence=1)


class DropFactor(Replacement):
    """Leaves out one factor or divisor of a product."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Product without one of its factors."""
        if node.type != "term" or {child.get_code().strip() for child in node.children[1::2]} - {"*", "/"}:
            return []
        parts = [child.get_code() for child in node.children]
        without = ["".join(parts[:i] + parts[i + 2 :]) for i in range(1, len(parts), 2)]
        if parts[1].strip() == "*":
            without.insert(0, "".join(parts[2:]))
        return [_parenthesised(code) for code in without]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return a factor and a divisor."""
        return Example("x = a * b / c", "x = (b / c)"), Example("x = a * b / c", "x = (a * b)", occurrence=2)


class DropError(Replacement):
    """Replaces the error of an estimate, or the cost of a margin, by zero."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Return the zero that the constructor understands."""
        if node.type == "argument" and node.children[0].get_code().strip() in ("error", "cost"):
            already = node.children[-1].get_code().strip() in ("0.0", "0", "None")
            return [] if already or len(node.children) != 3 else [f"{node.children[0].value}=0 * ({_code(node, -1)})"]
        position = _WITH_ERROR.get(_called_name(_call_of(node)), -1)
        return [f"0 * ({node.get_code().strip()})"] if 0 < position == _argument_index(node) else []

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return a positional and a named error."""
        return Example("Estimate(x, e)", "Estimate(x, 0 * (e))"), Example("f(x, error=e)", "f(x, error=0 * (e))")


class DropExtreme(Replacement):
    """Leaves out one argument of a maximum or minimum."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Extreme of one argument less; the argument itself where one is left."""
        if node.type != "arglist" or _called_name(node.parent.parent) not in _EXTREMES:
            return []
        arguments = [child.get_code().strip() for child in node.children[::2]]
        plain = [child.type != "argument" for child in node.children[::2]]
        if sum(plain) < 2:
            return []
        left = [arguments[:i] + arguments[i + 1 :] for i, ok in enumerate(plain) if ok]
        return [", ".join([*kept, kept[0]] if len(kept) == 1 else kept) for kept in left]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Each of two arguments."""
        return Example("max(a, b)", "max(b, b)"), Example("np.maximum(a, b)", "np.maximum(a, a)", occurrence=1)


class SkipGuard(Replacement):
    """Never takes a branch that only raises, returns or continues."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Return the condition False."""
        branch = node.parent
        if branch is None or branch.type != "if_stmt" or node.type in ("keyword", "operator", "suite"):
            return []
        after = branch.children[branch.children.index(node) + 2 :]
        return ["False"] if after and _leaves_the_flow(after[0]) and branch.children.index(node) % 4 == 1 else []

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return a guard that raises."""
        return (Example("if x:\n    raise E\n", "if False:\n    raise E\n"),)


class MoveBoundary(Replacement):
    """Includes the boundary of a comparison, or excludes it."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Return the other operator."""
        inside = node.type == "operator" and node.parent.type == "comparison" and node.value in _BOUNDARY
        return [_BOUNDARY[node.value]] if inside else []

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Either way."""
        return Example("a < b", "a <= b"), Example("a >= b", "a > b")


class DropClause(Replacement):
    """Leaves out one clause of a conjunction or disjunction."""

    def replacements(self, node: Any) -> Sequence[str]:
        """Condition without one of its clauses."""
        if node.type not in ("and_test", "or_test"):
            return []
        word = f" {node.children[1].value} "
        clauses = [child.get_code().strip() for child in node.children[::2]]
        return [f"({word.join(clauses[:i] + clauses[i + 1 :])})" for i in range(len(clauses))]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Each of two clauses."""
        return Example("x = a and b", "x = (b)"), Example("x = a or b", "x = (a)", occurrence=1)


class NumberReplacer(AnyNumberReplacer):
    """Adds one to a number or subtracts one, except in a rounding error.

    The constant of a rounding error (4 ε n) is a bound on operations, and 5 is no less right; that the factor is there
    at all is what `LoosenTolerance` and `DropFactor` try.
    """

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Position of the number, twice."""
        return iter(()) if _is_in_rounding_error(node) else super().mutation_positions(node)


def _parenthesised(code: str) -> str:
    return f"({code.strip()})"


def _code(node: Any, index: int) -> str:
    return str(node.children[index].get_code().strip())


def _leaves(node: Any) -> Iterator[Any]:
    if hasattr(node, "children"):
        for child in node.children:
            yield from _leaves(child)
    else:
        yield node


def _call_of(node: Any) -> Any:
    """Call expression of which a node is a positional argument, or None."""
    trailer = node.parent.parent if node.parent is not None and node.parent.type == "arglist" else None
    return trailer.parent if trailer is not None and trailer.type == "trailer" else None


def _called_name(call: Any) -> str:
    """Last name before the parentheses of a call; empty if there is none."""
    if call is None or call.type not in ("atom_expr", "power"):
        return ""
    callee = [leaf.value for child in call.children[:-1] for leaf in _leaves(child)]
    return str(callee[-1]) if callee else ""


def _argument_index(node: Any) -> int:
    if node.type in ("argument", "operator"):
        return -1
    return sum(child.type != "operator" for child in node.parent.children[: node.parent.children.index(node)])


def _is_tolerance_in_use(node: Any) -> bool:
    """Whether a name is a tolerance that is read: not assigned, declared, imported, an attribute or a keyword."""
    if node.type != "name" or not _TOLERANCE_NAME.search(node.value) or node.is_definition():
        return False
    parent = node.parent
    if parent.type in ("trailer", "param", "import_as_name", "import_as_names", "import_from", "global_stmt"):
        return False
    return not (parent.type == "argument" and parent.children[0] is node)


def _is_in_rounding_error(node: Any) -> bool:
    product = node
    inside = ("arith_expr", "term", "factor", "power", "atom_expr", "trailer", "atom")
    while product.parent is not None and product.parent.type in inside:
        product = product.parent
    return any(leaf.type == "name" and _ROUNDING_NAME.search(leaf.value) for leaf in _leaves(product))


def _leaves_the_flow(suite: Any) -> bool:
    """Whether the first statement of a suite raises, returns or continues."""
    statements = [child for child in getattr(suite, "children", [suite]) if child.type != "newline"]
    first = statements[0] if statements else suite
    while first.type == "simple_stmt":
        first = first.children[0]
    return first.type in ("raise_stmt", "return_stmt", "continue_stmt") or (
        first.type == "keyword" and first.value in ("return", "continue", "raise")
    )


_CHANGED_SIGNS = {"Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul"}
_REVERSED = {"Lt_Gt", "Gt_Lt", "LtE_GtE", "GtE_LtE", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"}


def _named(operators: Any, endings: set[str]) -> list[type[Operator]]:
    return [found for found in operators() if any(found.__name__.endswith(f"Operator_{end}") for end in endings)]


LOOSENING: tuple[type[Operator], ...] = (
    LoosenTolerance,
    DropTerm,
    DropFactor,
    DropError,
    DropExtreme,
    SkipGuard,
    MoveBoundary,
    DropClause,
)
"""Mistakes that loosen an error, a tolerance or a guard."""

FORMULA: tuple[type[Operator], ...] = (
    *_named(binary_operators, _CHANGED_SIGNS),
    *_named(comparison_operators, _REVERSED),
    *_named(unary_operators, {"Delete_USub", "Delete_Not", "USub_Delete", "Not_Delete"}),
    NumberReplacer,
    ReplaceAndWithOr,
    ReplaceOrWithAnd,
    ReplaceTrueWithFalse,
    ReplaceFalseWithTrue,
)
"""Mistakes that change a formula."""

KINDS = {"loosening": LOOSENING, "formula": FORMULA}
OPERATORS = {operator.__name__: operator for kind in KINDS.values() for operator in kind}
