"""Counterexamples as documents that :mod:`check_counterexample` verifies without this package.

A counterexample is a world in which an assumption of a statement fails, and the claim with it: the statement needs the
assumption. The checker reads more statements than :mod:`check_certificate`, since it has to prove no equality, no
bound that is known without the statement, and no eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from maetheory.theory.certified import check_counterexample as checker
from maetheory.theory.certified.portable_worlds import NotPortableError, joint_text, matrix_text, stated_sides
from maetheory.theory.certified.verdicts import Certificate
from maetheory.theory.theorem import Theorem
from maetheory.theory.theorem_objects import Objects

FORMAT, VERSION = "maetheory counterexample", 1


def counterexample_document(
    theorem: Theorem, world_name: str, objects: Objects, certificate: Certificate
) -> dict[str, Any]:
    """Return a counterexample as a document for :mod:`check_counterexample`.

    Parameters
    ----------
    theorem : Theorem
        One of :data:`COUNTEREXAMPLE_STATEMENTS`.
    world_name : str
    objects : mapping
        Objects of the world, with its graph.
    certificate : Certificate
        Its result, INAPPLICABLE; the assumptions that fail are those that the document drops.

    Raises
    ------
    NotPortableError
        If the claim is not proved to fail, or the checker does not prove it.

    Examples
    --------
    >>> from maetheory.theory import THEOREMS, certify
    >>> rank = THEOREMS["aligned-features-have-rank-of-components"]
    >>> ((name, world),) = rank.broken().items()
    >>> document = counterexample_document(rank, name, world, certify(rank, **world))
    >>> document["without"], document["lhs"], document["rhs"]
    (['features are aligned'], ['2', '2'], ['1', '1'])
    """
    if theorem.slug not in _WORLDS:
        raise NotPortableError("the checker has no formulas for this statement")
    failing = [assumption.name for assumption in certificate.assumptions if not assumption.holds]
    if not failing or not certificate.slack.high < 0:
        raise NotPortableError("the world is no counterexample")
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "statement": theorem.slug,
        "claim": theorem.statement,
        "world_name": world_name,
        "verdict": "VIOLATED",
        "without": failing,
        "world": _WORLDS[theorem.slug](objects),
    }
    proof = checker.Counterexample(document)
    try:
        document.update(stated_sides(proof, checker.STATEMENTS[theorem.slug].split("; ")[0], certificate))
        proof.refute()
    except (ArithmeticError, LookupError, ValueError) as error:
        raise NotPortableError(f"the checker says: {error}") from None
    return document


def _world_of(*names: str) -> Callable[[Objects], dict[str, Any]]:
    """Return the function that writes a graph and some of the matrices."""
    return lambda objects: {"joint": joint_text(objects["graph"])} | {n: matrix_text(objects[n]) for n in names}


def _world_with_masks(objects: Objects) -> dict[str, Any]:
    masks = objects["masks"] if "masks" in objects else objects["graph"].target_masks
    numbers = np.unique(masks, axis=0, return_inverse=True)[1].ravel()
    return _world_of("features", "h", "targets")(objects) | {"masks": numbers.tolist()}


def _world_of_images(objects: Objects) -> dict[str, Any]:
    """Views and their images: the targets are the images, with their labels."""
    graph = objects["graph"]
    joint, labels = graph.image_views.toarray().T, np.asarray(graph.image_labels)
    return {
        "joint": matrix_text(joint),
        "labels": labels.tolist(),
        "features": matrix_text(np.asarray(objects["features"])),
    }


def _world_with_complement(objects: Objects) -> dict[str, Any]:
    return {"joint": joint_text(objects["graph"]), "complement": joint_text(objects["complement"])}


def _world_with_draws(objects: Objects) -> dict[str, Any]:
    return {"joint": joint_text(objects["graph"]), "draws": int(objects["draws"])}


def _world_of_gaussian_images(objects: Objects) -> dict[str, Any]:
    visible = np.asarray(objects["visible"]).astype(bool).tolist()
    return {"factor": matrix_text(objects["factor"]), "basis": matrix_text(objects["basis"]), "visible": visible}


_WORLDS: Mapping[str, Callable[[Objects], dict[str, Any]]] = MappingProxyType(
    {
        "asymmetric-alignment-bounds-alignment": _world_of("h", "h_g"),
        "full-collapse-costs-variance-given-the-mask": _world_with_masks,
        "aligned-features-have-rank-of-components": _world_of("features"),
        "votes-beat-views-when-errors-scatter": _world_of_images,
        "linear-decoder-optimum": _world_of("features", "h", "targets"),
        "linear-decoder-optimum-given-features": _world_of("features", "h", "targets"),
        "mask-ratio-duality": _world_with_complement,
        "unseen-component-costs-one": _world_of("sampled"),
        "sampled-spectrum-is-biased-upward": _world_with_draws,
        "gaussian-components-are-independent": _world_of_gaussian_images,
    }
)

COUNTEREXAMPLE_STATEMENTS = tuple(_WORLDS)
"""Statements whose counterexamples :mod:`check_counterexample` has formulas for."""
