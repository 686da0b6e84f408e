"""Law of a world model: a state and an action predict the next state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from maetheory.core import InputError
from maetheory.masks.prediction import Outcome, PredictionLaw, check_weights


@final
@dataclass(frozen=True, eq=False)
class ActionLaw(PredictionLaw):
    """State and action give the next state, with one joint law of state and next state for each action.

    States are images of a single symbol. A view holds the state and the action, a target the next state, so that the
    graph joins states and actions that lead to the same state. `of_action` is the law of one action, whose graph is
    that of its joint law.

    Parameters
    ----------
    transitions : ndarray, shape (actions, S, S)
        Pr[x⁺ | x, a]; every row is a distribution over next states.
    weights : sequence of float, optional
        Of the actions, the same in every state: positive, of sum one; all equal by default.

    Raises
    ------
    InputError
        If a row is no distribution within 1e-9, or the weights are none. `outcomes` raises it for states that are not
        single symbols below S.

    References
    ----------
    Cui, Zhang, Wen and Wang 2026, arXiv 2606.27014, whose M̄(a) is the normalised matrix of the graph of one action.

    Examples
    --------
    >>> from maetheory.data.finite_world import FiniteWorld
    >>> from maetheory.graph import MaskGraph
    >>> stay, swap = np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> law = ActionLaw(np.stack([stay, swap]))
    >>> world = FiniteWorld([[0], [1]], [0.5, 0.5], None, [[0.0], [1.0]])
    >>> MaskGraph.enumerate(world, law).shape, MaskGraph.enumerate(world, law.of_action(0)).joint.toarray().tolist()
    ((4, 2), [[0.5, 0.0], [0.0, 0.5]])
    """

    _why_no_masks: ClassVar[str] = "it shows states and actions"

    transitions: np.ndarray
    weights: Sequence[float] | None = None

    def __post_init__(self) -> None:
        rows = np.asarray(self.transitions, float)
        if rows.ndim != 3 or 0 in rows.shape or rows.shape[1] != rows.shape[2]:
            raise InputError(f"transitions must have the shape (actions, states, states), but it is {rows.shape}")
        sums = rows.sum(2)
        if not ((rows >= 0).all() and (np.abs(sums - 1) <= 1e-9).all()):
            raise InputError(
                f"each row of transitions must be a distribution over next states, but the least entry is "
                f"{rows.min():.3g} and the sums run from {sums.min():.9g} to {sums.max():.9g}"
            )
        object.__setattr__(self, "transitions", rows)
        check_weights(self.weights, len(rows), "each action")

    @property
    def n_patches(self) -> int:  # type: ignore[override]  # read-only here; a dataclass field in other laws
        """One: a state is a single symbol."""
        return 1

    @property
    def n_outcomes(self) -> int:
        """Number of maps of states to next states that the actions draw, over all actions."""
        return sum(len(lengths) for lengths, _ in self._maps())

    @property
    def shows_patches(self) -> bool:
        """False: a view holds a state and an action."""
        return False

    def outcomes(self, states: np.ndarray) -> Iterator[Outcome]:
        """Yield each action with each map of states to next states that it draws.

        One number, uniform from 0 to 1, decides the next state of every state by its cumulative distribution, so that
        between two neighbouring values of these distributions every state has one next state.
        """
        n_states = self.transitions.shape[1]
        if states.shape[1] != 1 or states.min(initial=0) < 0 or states.max(initial=0) >= n_states:
            raise InputError(f"states must be single symbols from 0 to {n_states - 1}, one for each row of transitions")
        weights = check_weights(self.weights, len(self.transitions), "each action")
        for action, (lengths, following) in enumerate(self._maps()):
            view = np.column_stack([states[:, 0], np.full(len(states), action)])
            for length, successors in zip(lengths, following, strict=True):
                yield Outcome(float(weights[action] * length), view, successors[states])

    def of_action(self, action: int) -> ActionLaw:
        """Return the law of a single action, or raise InputError if there is no such action."""
        if not 0 <= action < len(self.transitions):
            raise InputError(f"actions run from 0 to {len(self.transitions) - 1}, but it is {action}")
        return ActionLaw(self.transitions[action : action + 1])

    def joints(self, start: np.ndarray) -> np.ndarray:
        """Return the joint law of state and next state under each action, for states drawn from `start` (S,).

        Returns
        -------
        ndarray, shape (actions, S, S)
        """
        return np.asarray(start, float)[:, None] * self.transitions

    def _maps(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Probabilities (m,) and next states (m, S) of the maps of each action."""
        found = []
        for rows in self.transitions:
            ends = np.minimum(np.cumsum(rows, axis=1), 1.0)  # (S, S)
            last = ends.shape[1] - 1 - np.argmax(rows[:, ::-1] > 0, axis=1)  # the last possible next state
            ends[np.arange(ends.shape[1]) >= last[:, None]] = 1.0
            cuts = np.unique(np.concatenate([[0.0], ends.ravel()]))
            following = np.stack([np.searchsorted(row, cuts[:-1], side="right") for row in ends], axis=1)
            found.append((np.diff(cuts), following))
        return found
