"""Two theorems on planning with a joint-embedding world model, as claims on finite worlds with actions.

Cui, Zhang, Wen and Wang 2026, arXiv 2606.27014, theorems 4.1 and 4.2. A world is one joint law of state x and next
state x⁺ for each action, `joints` of shape (actions, states, states). A world model consists of features f of a next
state and the predictions g of the features of the next state from a state and an action. Its risk under an action a is
R(a) = ‖M̄(a) − G(a)Fᵀ‖²_F, where M̄(a) is the normalised joint law, and G(a), F have the rows √d₁(x) g(x, a) and
√d₂(x⁺ | a) f(x⁺).

Readings that the text leaves open, and that are ours: the goal x_g is uniform on the states; the planner takes the
action of the largest g(x, a)ᵀf(x_g), ties to the action of smallest regret; its value is the probability that the next
state is x_g; regret is the mean over x and x_g of the best value less its own. Where no world model is given, theorem
4.1 is checked on exact factors, of risk zero: there its right side is 0 for every constant c₀.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maetheory.masks import ActionLaw
from maetheory.theory import Theorem

SHAPES = {
    "joints": ("actions", "states", "states"),
    "predictions": ("actions", "states", "k"),
    "features": ("states", "k"),
}
_TIE = 1e-9


def transition(joints: np.ndarray) -> np.ndarray:
    """Pr[x⁺ | x, a], shape (actions, states, states)."""
    return joints / joints.sum(2, keepdims=True)


def risk(joints: np.ndarray, predictions: np.ndarray, features: np.ndarray) -> float:
    """Largest risk R(a) of the actions."""
    found = []
    for joint, g in zip(joints, predictions):
        d1, d2 = joint.sum(1), joint.sum(0)
        roots = np.sqrt(d1[:, None] * d2)
        normalised = np.divide(joint, roots, out=np.zeros_like(joint), where=roots > 0)
        found.append(((normalised - roots * (g @ features.T)) ** 2).sum())
    return float(max(found))


def chosen(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Value of the action of the largest score, over axis 0; of tied actions the best."""
    tied = scores >= scores.max(0) - _TIE * np.maximum(1.0, np.abs(scores).max(0))
    return np.where(tied, values, -np.inf).max(0)


def regret(joints: np.ndarray, predictions: np.ndarray, features: np.ndarray) -> float:
    """Regret of one step, with x from the first action's law of states and x_g uniform."""
    values = transition(joints)
    scores = predictions @ features.T  # (actions, states, k) @ (k, states)
    start = joints[0].sum(1)
    return float((start @ (values.max(0) - chosen(scores, values))).mean())


def regret_of_steps(joints: np.ndarray, predictions: np.ndarray, features: np.ndarray, steps: float) -> float:
    """Regret after T steps: the planner acts by its score in every step, the best policy knows the dynamics."""
    dynamics, scores = transition(joints), predictions @ features.T
    n_states = joints.shape[1]
    best = mine = np.eye(n_states)  # (state, goal)
    for _ in range(int(steps)):
        best = (dynamics @ best).max(0)
        mine = chosen(scores, dynamics @ mine)
    return float((joints[0].sum(1) @ (best - mine)).mean())


def exact_factors(joints: np.ndarray) -> dict[str, np.ndarray]:
    """Features and predictions of risk zero: f(x⁺) is the unit vector of x⁺, g(x, a) = Pr[x⁺ | x, a] / d₂(x⁺ | a)."""
    d2 = joints.sum(1, keepdims=True)
    predictions = np.divide(transition(joints), d2, out=np.zeros_like(joints), where=d2 > 0)
    return {"predictions": predictions, "features": np.eye(joints.shape[1])}


def with_laws(world: dict[str, Any]) -> dict[str, Any]:
    """Make every action's matrix a law with the same marginal of x."""
    joints = np.abs(world["joints"])
    rows = joints.sum(2, keepdims=True)
    transitions = np.where(rows > 0, joints / np.where(rows > 0, rows, 1), 1 / joints.shape[2])
    start = rows[0, :, 0] / rows[0].sum() if rows[0].sum() > 0 else np.full(joints.shape[1], 1 / joints.shape[1])
    return {**world, "joints": ActionLaw(transitions).joints(start)}


def sample(rng: np.random.Generator) -> dict[str, Any]:
    """Draw a law, and half of the time a world model of risk zero on it."""
    actions, states = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    joints = with_laws({"joints": rng.random((actions, states, states)) ** rng.integers(1, 4)})["joints"]
    if rng.random() < 0.5:
        return {"joints": joints}
    k = int(rng.integers(1, 4))
    return {
        "joints": joints,
        "predictions": rng.normal(size=(actions, states, k)),
        "features": rng.normal(size=(states, k)),
    }


def laws_of_one_start(joints: np.ndarray) -> tuple[bool, str]:
    """Whether every matrix is a law, all with one marginal of x."""
    marginals = joints.sum(2)
    far = float(np.abs(marginals - marginals[0]).max() + abs(marginals[0].sum() - 1))
    least = min(float(joints.min()), float(marginals.min()))
    holds = bool((joints >= 0).all() and far < 1e-9 and (marginals > 0).all())
    return holds, f"marginals of x differ by {far:.2g}, the least weight or mass of a state is {least:.2g}"


ONE_STEP = Theorem(
    slug="planning-regret-below-risk",
    statement="regret <= 2 c₀ √(max_a R(a)) for arbitrary f and g, c₀ = 1, x_g uniform",
    reference="Cui, Zhang, Wen and Wang 2026, theorem 4.1, as printed, in the reading of this file",
    objects=("joints",),
    optional=("predictions", "features"),
    shapes=SHAPES,
    derived={name: lambda joints, name=name: exact_factors(joints)[name] for name in ("predictions", "features")},
    lhs=regret,
    rhs=lambda joints, predictions, features: 2 * np.sqrt(risk(joints, predictions, features)),
    direction="<=",
    assumptions={"laws": laws_of_one_start},
    trivial=1.0,
    scale=lambda: 1.0,
    needs_graph=False,
    sample=sample,
    conform=with_laws,
)


def deterministic(joints: np.ndarray) -> tuple[bool, str]:
    """Whether each action leads each state to one next state."""
    least = float(transition(joints).max(2).min()) if (joints.sum(2) > 0).all() else 0.0
    return least > 1 - 1e-12, f"the likeliest next state has probability at least {least:.3g}"


def three_reached(joints: np.ndarray) -> tuple[bool, str]:
    """Whether some action reaches three next states."""
    most = int((joints.sum(1) > 0).sum(1).max())
    return most >= 3, f"at most {most} next states of one action"


def unit_norms(predictions: np.ndarray, features: np.ndarray) -> tuple[bool, str]:
    """Whether all features and predictions have norm one."""
    norms = np.concatenate([np.linalg.norm(rows, axis=-1).ravel() for rows in (predictions, features)])
    far = float(np.abs(norms - 1).max())
    return far < 1e-12, f"norms differ from 1 by at most {far:.2g}"


def sample_deterministic(rng: np.random.Generator) -> dict[str, Any]:
    """Draw deterministic dynamics of three to five states, at least three of them reached by the first action."""
    actions, states, k = int(rng.integers(2, 4)), int(rng.integers(3, 6)), int(rng.integers(1, 5))
    moves = rng.integers(0, states, (actions, states))
    moves[0] = rng.permutation(states)
    joints = rng.dirichlet(np.ones(states))[:, None] * np.eye(states)[moves]  # (actions, states, states)
    predictions, features = rng.normal(size=(actions, states, k)), rng.normal(size=(states, k))
    return {"joints": joints, "predictions": predictions, "features": features, "steps": float(rng.integers(1, 4))}


def with_unit_norms(world: dict[str, Any]) -> dict[str, Any]:
    """Divide features and predictions by their norms, and keep the likeliest next state of each state alone."""
    world = with_laws(world)
    likeliest = np.eye(world["joints"].shape[2])[world["joints"].argmax(2)]
    parts = {}
    for name in ("predictions", "features"):
        norms = np.linalg.norm(world[name], axis=-1, keepdims=True)
        axis = np.eye(world[name].shape[-1])[0]
        parts[name] = np.where(norms > 0, world[name] / np.where(norms > 0, norms, 1), axis)
    steps = float(np.clip(np.round(world["steps"]), 1, 5))
    return {**world, **parts, "joints": world["joints"].sum(2, keepdims=True) * likeliest, "steps": steps}


MANY_STEPS = Theorem(
    slug="planning-regret-of-steps-below-risk",
    statement="T-step regret <= 2 T c₃ √(max_a R(a)), c₃ = 1, norms one, deterministic dynamics, three states reached",
    reference="Cui, Zhang, Wen and Wang 2026, theorem 4.2, in the reading of this file",
    objects=("joints", "predictions", "features", "steps"),
    shapes={**SHAPES, "steps": ()},
    lhs=regret_of_steps,
    rhs=lambda joints, predictions, features, steps: 2 * int(steps) * np.sqrt(risk(joints, predictions, features)),
    direction="<=",
    assumptions={
        "laws": laws_of_one_start,
        "deterministic dynamics": deterministic,
        "three states reached": three_reached,
        "unit norms": unit_norms,
    },
    trivial=1.0,
    scale=lambda: 1.0,
    needs_graph=False,
    sample=sample_deterministic,
    conform=with_unit_norms,
)
