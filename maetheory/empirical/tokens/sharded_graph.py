"""Mask graph distributed over a process group: each process holds the rows of a range of views."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, final

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from maetheory.core import Estimate, InputError
from maetheory.empirical.parallel.process_group import ProcessGroup
from maetheory.empirical.tokens.distributed_unique import distributed_unique_inverse, owner_rank_of_index
from maetheory.empirical.tokens.sharded_spectrum import sharded_spectrum
from maetheory.graph.labels import bayes_labels, label_disagreement
from maetheory.spectra import Spectrum

_EPS = float(np.finfo(float).eps)
_CHUNK_ENTRIES = 2**22


@final
@dataclass(frozen=True, eq=False)
class ShardedGraph:
    """Mask graph of images that are distributed over a process group, as held by one process.

    Views and targets have the indices they would have in one process. Each process owns a range of both, and the rows
    of the joint law of its views. All processes must call methods and properties, in the same order; the returned
    numbers are the same on every process.

    Attributes
    ----------
    process_group : ProcessGroup
    view_offsets, target_offsets : ndarray of int, shape (w + 1,)
        Process r owns the nodes from offset r up to offset r + 1.
    joint : csr_array, shape (n_r, N2)
        Rows of M(x₁, x₂) of this process's views; M sums to one over all processes.
    view_classes : csr_array, shape (n_r, r)
        Joint law of view and label of its image, for this process's views.
    target_classes : csr_array, shape (t_r, r)
        Joint law of target and label of its image, for this process's targets.
    n_pairs : int
        Images times masks, over all processes.
    """

    process_group: ProcessGroup
    view_offsets: np.ndarray
    target_offsets: np.ndarray
    joint: sparse.csr_array
    view_classes: sparse.csr_array
    target_classes: sparse.csr_array
    n_pairs: int

    @classmethod
    def from_hashes(
        cls,
        views: np.ndarray,
        targets: np.ndarray,
        labels: np.ndarray,
        mask_weights: np.ndarray,
        *,
        process_group: ProcessGroup | None = None,
    ) -> ShardedGraph:
        """Build the graph from the hashes of views and targets of the images that each process holds.

        Parameters
        ----------
        views, targets : ndarray of uint64, shape (n, m, 2)
            128-bit hashes of this process's n images under m masks; n may be 0, but not on every process.
        labels : ndarray of int, shape (n,)
            Class of each image.
        mask_weights : ndarray, shape (m,)
            Probability of each mask, the same on all processes; sums to one.
        process_group : ProcessGroup, optional
            All processes by default.

        Raises
        ------
        InputError
            If there is no process group, or no process has an image.
        """
        process_group = ProcessGroup.from_torch() if process_group is None else process_group
        n_images = int(process_group.all_reduce(len(views)))
        if not n_images:
            raise InputError("a graph needs images, but no process has any")
        weight = np.broadcast_to(mask_weights / n_images, views.shape[:2]).ravel()
        label = np.repeat(np.asarray(labels, np.int64), len(mask_weights))
        n_classes = int(process_group.all_reduce(label.max(initial=0), "max")) + 1
        view, view_offsets = distributed_unique_inverse(views.reshape(-1, 2), process_group)
        target, target_offsets = distributed_unique_inverse(targets.reshape(-1, 2), process_group)
        return cls(
            process_group,
            view_offsets,
            target_offsets,
            _aggregate_at_owner(process_group, view_offsets, view, target, weight, int(target_offsets[-1])),
            _aggregate_at_owner(process_group, view_offsets, view, label, weight, n_classes),
            _aggregate_at_owner(process_group, target_offsets, target, label, weight, n_classes),
            n_images * len(mask_weights),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of views N1 and of targets N2, of all processes."""
        return int(self.view_offsets[-1]), int(self.target_offsets[-1])

    @property
    def n_classes(self) -> int:
        """Largest label plus one."""
        return int(self.view_classes.shape[1])

    @cached_property
    def n_edges(self) -> int:
        """Number of pairs of view and target that occur."""
        return int(self.process_group.all_reduce(self.joint.nnz))

    @cached_property
    def _target_degrees(self) -> np.ndarray:
        """d₂ of all targets, shape (N2,)."""
        return self.process_group.all_reduce(np.asarray(self.joint.sum(0)))

    @property
    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Marginals d₁ and d₂ of the views and targets that this process owns, shapes (n_r,) and (t_r,)."""
        first, last = self.target_offsets[self.process_group.rank : self.process_group.rank + 2]
        return np.asarray(self.joint.sum(1)), self._target_degrees[first:last]

    @cached_property
    def normalized_block(self) -> sparse.csr_array:
        """Rows of Ā_M = D₁^-½ M D₂^-½ that this process owns, shape (n_r, N2)."""
        roots = (sparse.diags_array(part**-0.5) for part in (np.asarray(self.joint.sum(1)), self._target_degrees))
        one, two = roots
        return sparse.csr_array(one @ self.joint @ two)

    def spectrum(self, k: int, *, seed: int = 0) -> Spectrum:
        """Return the k largest singular values of Ā_M with their certificate, the same on every process.

        The root runs the solver and all processes multiply. Each process gets the rows of the vectors of its own views
        and targets.

        Raises
        ------
        InputError
            If k is not from 1 to min(N1, N2).
        """
        if not 1 <= k <= min(self.shape):
            raise InputError(
                f"k must lie between 1 and {min(self.shape)}, the smaller number of distinct views and "
                f"targets, but it is {k}"
            )
        return sharded_spectrum(
            self.process_group,
            self.normalized_block,
            (self.view_offsets, self.target_offsets),
            k,
            seed=seed,
            component_vectors=self._component_vectors(k) if self.n_components >= k else None,
        )

    def _component_vectors(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Local rows of √d on each of the k lowest components, normalised over all processes."""
        views, targets = self.components
        first, last = self.target_offsets[self.process_group.rank : self.process_group.rank + 2]
        chosen = np.flatnonzero(targets == np.arange(len(targets)))[:k]

        def normalised(names: np.ndarray, degree: np.ndarray) -> np.ndarray:
            vectors = np.sqrt(degree)[:, None] * (names[:, None] == chosen)  # (n, k)
            return vectors / np.sqrt(self.process_group.all_reduce((vectors**2).sum(0)))

        degrees = self.degrees
        return normalised(views, degrees[0]), normalised(targets[first:last], degrees[1])

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Component of each view of this process, shape (n_r,), and of every target, shape (N2,).

        A component is named by its lowest target. Each process finds the components of its own rows; then the lowest
        name of each target is all-reduced until no name changes.
        """
        n_rows, n_columns = self.joint.shape
        both: Any = sparse.block_array([[None, self.joint], [self.joint.T, None]], format="csr")
        count, member = connected_components(both, directed=False)
        name, before = np.arange(n_columns), np.full(n_columns, -1)
        while (name != before).any():
            before = name
            lowest = np.full(count, n_columns)
            np.minimum.at(lowest, member[n_rows:], name)
            name = self.process_group.all_reduce(lowest[member[n_rows:]], "min")
        return lowest[member[:n_rows]], name

    @cached_property
    def n_components(self) -> int:
        """Number of connected components, the multiplicity of the singular value 1."""
        name = self.components[1]
        return int((name == np.arange(len(name))).sum())

    def label_error(self) -> Estimate:
        """α = Pr[y(x₁) ≠ y(x̄)], as for `MaskGraph`."""
        return self._sum_over_processes(
            [label_disagreement(law, bayes_labels(law), self.n_pairs) for law in _dense_row_chunks(self.view_classes)]
        )

    def target_label_error(self) -> Estimate:
        """α₂ = Pr[y(x₂) ≠ y(x̄)], as for `MaskGraph`."""
        return self._sum_over_processes(
            [label_disagreement(law, bayes_labels(law), self.n_pairs) for law in _dense_row_chunks(self.target_classes)]
        )

    def pair_label_error(self) -> Estimate:
        """φ = Pr[y(x₁) ≠ y(x₁⁺)] of two views sharing a target, as for `MaskGraph`."""
        label = [bayes_labels(law) for law in _dense_row_chunks(self.view_classes)]
        edges = self.joint.tocoo()
        row, column = edges.coords
        of_view = np.concatenate([np.empty(0, np.int64), *label])[row]
        law = _aggregate_at_owner(self.process_group, self.target_offsets, column, of_view, edges.data, self.n_classes)
        return self._sum_over_processes([_pair_disagreement(part, self.n_pairs) for part in _dense_row_chunks(law)])

    def _sum_over_processes(self, parts: list[Estimate]) -> Estimate:
        local = [sum(part.value for part in parts), sum(part.error for part in parts)]
        value, error = self.process_group.all_reduce(np.array(local, np.float64)).tolist()
        return Estimate(value, error)


def _aggregate_at_owner(
    process_group: ProcessGroup,
    offsets: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    weight: np.ndarray,
    width: int,
) -> sparse.csr_array:
    """Send weights of (row, column) pairs to the owners of the rows and sum them there; shape (local rows, width)."""
    order = np.lexsort((column, row))
    row, column, weight = row[order], column[order], weight[order]
    new = np.flatnonzero(np.diff(row, prepend=-1) | np.diff(column, prepend=-1))
    row, column = row[new].astype(np.int64), column[new].astype(np.int64)
    weight = np.add.reduceat(weight, new) if len(new) else weight
    ends = np.searchsorted(owner_rank_of_index(row, offsets), np.arange(process_group.world_size + 1))
    message = np.stack([row, column, weight.view(np.int64)], axis=1)  # (E, 3)
    received = np.concatenate(process_group.all_to_all([message[a:b] for a, b in pairwise(ends)]))
    first, last = offsets[process_group.rank : process_group.rank + 2]
    index = np.int32 if max(last - first, width, len(received)) < 2**31 else np.int64
    coordinates = ((received[:, 0] - first).astype(index), received[:, 1].astype(index))
    weights = received[:, 2].copy().view(np.float64)
    return sparse.csr_array(sparse.coo_array((weights, coordinates), shape=(last - first, width)))


def _dense_row_chunks(law: sparse.csr_array) -> Iterator[np.ndarray]:
    """Yield the rows of a sparse law as dense arrays that fit in memory."""
    step = max(1, _CHUNK_ENTRIES // law.shape[1])
    for start in range(0, law.shape[0], step):
        yield law[start : start + step].toarray()


def _pair_disagreement(law: np.ndarray, n_terms: int) -> Estimate:
    degree = law.sum(1, keepdims=True)
    value = float((law * (degree - law) / degree).sum())
    return Estimate(value, _EPS * (n_terms + 4 * law.size) * value)
