"""A graph put together from three laws is refused unless they are laws and agree, at both sides of each tolerance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from maetheory.core import InputError
from maetheory.graph import MaskGraph
from maetheory.graph.joint_law import check_laws

TOLERANCE = 1e-9
JOINT = np.array([[0.25, 0.25], [0.0, 0.5]])
PARTS = ("joint", "image_views", "image_targets")


def laws() -> dict[str, sparse.csr_array]:
    """Return three laws that agree: each view is an image of its own, and targets are what the views predict."""
    views = np.diag(JOINT.sum(1))
    return {
        "joint": sparse.csr_array(JOINT),
        "image_views": sparse.csr_array(views),
        "image_targets": sparse.csr_array(JOINT),
    }


def refusal(changed: dict[str, sparse.csr_array]) -> str:
    """Return the sentence with which laws are refused, or "" if they are not."""
    try:
        check_laws(**changed)
    except InputError as error:
        return str(error)
    return ""


def test_laws_that_agree_pass() -> None:
    assert not refusal(laws())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("sign", [1, -1])
def test_each_law_may_miss_one_by_a_billionth(part: str, sign: int) -> None:
    for size, passes in ((0.9, True), (1.1, False), (400, False)):
        changed = laws()
        changed[part] = changed[part] * (1 + sign * size * TOLERANCE)
        said = refusal(changed)
        assert (not said) == passes
        assert passes or said.startswith(f"{part} must be a law, finite, non-negative and with sum 1")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e-300])
def test_one_wrong_entry_is_refused(part: str, wrong: float) -> None:
    changed = laws()
    changed[part] = changed[part].copy()
    changed[part].data[0] = wrong
    assert refusal(changed).startswith(f"{part} must be a law")


@pytest.mark.parametrize("part", PARTS)
def test_a_negative_entry_is_refused_although_the_sum_is_one(part: str) -> None:
    changed = laws()
    law = changed[part].toarray()
    law[0, 0] += 0.25
    law[0, 1] -= 0.25 + law[0, 1] + 1e-3
    law[1, 1] += 1 - law.sum()
    changed[part] = sparse.csr_array(law)
    assert abs(changed[part].sum() - 1) < TOLERANCE
    assert refusal(changed).startswith(f"{part} must be a law")


def test_a_dense_law_is_told_of_from_joint() -> None:
    assert "use from_joint" in refusal(laws() | {"joint": JOINT})


@pytest.mark.parametrize(("part", "what"), [("image_views", "views"), ("image_targets", "targets")])
def test_masses_agree_to_a_billionth(part: str, what: str) -> None:
    for size, passes in ((0.9 * TOLERANCE, True), (1.1 * TOLERANCE, False)):
        changed = laws()
        moved = changed[part].toarray()
        moved[1, 1] += size
        moved[0, 0] -= size
        changed[part] = sparse.csr_array(moved)
        said = refusal(changed)
        assert (not said) == passes
        assert passes or f"the same masses of {what}" in said


def test_laws_of_other_sizes_are_refused() -> None:
    wider = sparse.csr_array(np.pad(JOINT, ((0, 0), (0, 1))))
    assert "the same masses of targets" in refusal(laws() | {"image_targets": wider})


@pytest.mark.parametrize("what", ["view", "target"])
def test_a_view_or_target_without_mass_is_named(what: str) -> None:
    joint = np.array([[0.5, 0.5], [0.0, 0.0]]) if what == "view" else np.array([[0.5, 0.0], [0.5, 0.0]])
    views, targets = np.diag(joint.sum(1)), joint
    changed = {"joint": joint, "image_views": views, "image_targets": targets}
    said = refusal({name: sparse.csr_array(law) for name, law in changed.items()})
    assert said == f"every {what} must have mass, but {what} 1 has none"


def test_a_graph_built_by_hand_is_checked() -> None:
    graph = MaskGraph.from_joint(JOINT, labels=[0, 1])
    graph.check_parts()
    with pytest.raises(InputError, match="joint must be a law"):
        replace(graph, joint=graph.joint * 2).check_parts()
