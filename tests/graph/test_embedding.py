"""Views are embedded by the singular vectors of their graph, new views by their targets."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelPropagation

from maetheory.core import InputError
from maetheory.data import worlds
from maetheory.graph import MaskGraph, MaskGraphEmbedding
from maetheory.masks import UniformMasks

EPS = float(np.finfo(float).eps)


@pytest.fixture(scope="module")
def graph() -> MaskGraph:
    return MaskGraph.enumerate(worlds.mixture(6, 3, 3, 0.2, seed=1), UniformMasks(6, 3), "dropped")


def mixture() -> MaskGraph:
    return MaskGraph.enumerate(worlds.mixture(6, 3, 3, 0.15), UniformMasks(6, 3), "dropped")


@pytest.mark.parametrize("k", [1, 4, 27])
def test_features_are_the_scaled_singular_vectors(graph: MaskGraph, k: int) -> None:
    embedding = MaskGraphEmbedding(k).fit(graph)
    found, (d1, d2) = graph.spectrum(k), graph.degrees
    np.testing.assert_array_equal(embedding.singular_values_, found.values)
    np.testing.assert_array_equal(embedding.embedding_, found.left * found.values / np.sqrt(d1)[:, None])
    np.testing.assert_array_equal(MaskGraphEmbedding(k).fit_transform(graph), embedding.embedding_)
    dense = graph.normalized_matrix.toarray()
    best = np.linalg.svd(dense, compute_uv=False)[:k]
    rows = np.sqrt(d1)[:, None] * embedding.embedding_  # F, of least ‖Ā − FFᵀ‖
    missed = np.linalg.norm(dense @ dense.T - rows @ rows.T) ** 2
    assert missed == pytest.approx(np.linalg.norm(dense @ dense.T) ** 2 - (best**4).sum(), abs=1e4 * EPS)
    assert embedding.target_embedding_.shape == (len(d2), k)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_matrix])
def test_the_views_of_the_graph_are_embedded_where_they_were(graph: MaskGraph, form: type) -> None:
    embedding = MaskGraphEmbedding(6).fit(form(graph.joint.toarray()))
    size = np.abs(embedding.target_embedding_).max()
    for rows in (graph, form(graph.joint.toarray()), form(1e6 * graph.joint.toarray())):
        np.testing.assert_allclose(embedding.transform(rows), embedding.embedding_, atol=1e3 * EPS * size)
    one = embedding.transform(graph.joint.toarray()[3])
    np.testing.assert_allclose(one, embedding.embedding_[3:4], atol=1e3 * EPS * size)


def test_a_mixture_of_views_lies_at_their_mean(graph: MaskGraph) -> None:
    embedding = MaskGraphEmbedding(4).fit(graph)
    joint, d1 = graph.joint.toarray(), graph.degrees[0]
    blend = (joint[0] + 3 * joint[5]) / (d1[0] + 3 * d1[5])
    weights = np.array([d1[0], 3 * d1[5]]) / (d1[0] + 3 * d1[5])
    np.testing.assert_allclose(embedding.transform(blend)[0], weights @ embedding.embedding_[[0, 5]], atol=1e-12)


def test_a_held_out_view_lands_where_the_whole_graph_puts_it(graph: MaskGraph) -> None:
    """Leaving out one of 27 views changes the graph, and the distances of that view to the others, only a little."""
    joint = graph.joint.toarray()
    rare = int(np.argmin(graph.degrees[0]))
    rest = np.delete(joint, rare, axis=0)
    assert (rest.sum(0) > 0).all()
    embedding = MaskGraphEmbedding(3).fit(rest / rest.sum())
    whole = MaskGraphEmbedding(3).fit_transform(graph)
    distance = np.linalg.norm(embedding.embedding_ - embedding.transform(joint[rare]), axis=1)
    expected = np.linalg.norm(np.delete(whole, rare, axis=0) - whole[rare], axis=1)
    assert np.abs(distance - expected).max() < 0.05 * expected.max()


def test_labels_propagate_over_the_embedding_of_a_mixture() -> None:
    """Two labelled views per class determine the labels of all views; in a shuffled embedding they do not."""
    graph = mixture()
    truth, mass = graph.view_labels, graph.degrees[0]
    known = np.full(len(truth), -1)
    for label in range(3):
        known[np.flatnonzero(truth == label)[np.argsort(mass[truth == label])[-2:]]] = label
    z = MaskGraphEmbedding(3).fit_transform(graph)
    few = known >= 0
    for rows, enough in ((z, True), (np.random.default_rng(0).permutation(z), False)):
        spread = LabelPropagation(gamma=1, max_iter=5000).fit(rows, known).transduction_
        read = LogisticRegression().fit(rows[few], known[few]).predict(rows)
        assert (mass[spread == truth].sum() > 0.99) == (mass[read == truth].sum() > 0.99) == enough


def test_it_is_a_scikit_learn_transformer(graph: MaskGraph) -> None:
    embedding = MaskGraphEmbedding(3, seed=4)
    assert clone(embedding).get_params() == {"k": 3, "seed": 4} == embedding.get_params()
    with pytest.raises(NotFittedError):
        embedding.transform(graph)
    again = clone(embedding.set_params(k=2)).fit(graph)
    assert again.embedding_.shape == (graph.shape[0], 2)
    assert list(again.get_feature_names_out()) == ["maskgraphembedding0", "maskgraphembedding1"]
    assert not hasattr(embedding, "embedding_")
    joint, labels = mixture().joint.toarray(), mixture().view_labels
    pipe = make_pipeline(MaskGraphEmbedding(3), LogisticRegression(C=100)).fit(joint, labels)
    assert (pipe.predict(joint) == labels).all()


def test_what_is_no_view_is_refused(graph: MaskGraph) -> None:
    embedding = MaskGraphEmbedding().fit(graph)
    n2 = graph.shape[1]
    with pytest.raises(InputError, match=f"over the {n2} targets of the fitted graph, but their shape is"):
        embedding.transform(np.ones((2, n2 + 1)))
    for wrong in (-np.ones((1, n2)), np.full((1, n2), np.nan)):
        with pytest.raises(InputError, match="negative or non-finite"):
            embedding.transform(wrong)
    with pytest.raises(InputError, match="row 1 is zero"):
        embedding.transform(np.stack([np.ones(n2), np.zeros(n2)]))
    with pytest.raises(InputError, match="k"):
        MaskGraphEmbedding(10**6).fit(graph)
    with pytest.raises(InputError, match="sum to 1"):
        MaskGraphEmbedding().fit(np.ones((2, 2)))


WITHOUT_TORCH = """
import sys
import numpy as np
from maetheory import metrics
from maetheory.graph import MaskGraph, MaskGraphEmbedding, alignment_loss
Z = np.random.default_rng(0).normal(size=(40, 6))
moments = metrics.Moments(6).update(Z)
for measure in (metrics.effective_rank, metrics.rankme, metrics.stable_rank, metrics.participation_ratio,
                metrics.nesum, metrics.condition_number, metrics.iso_score, metrics.matrix_entropy, metrics.vendi,
                metrics.mean_cosine, metrics.direction_std, metrics.umae_uniformity, metrics.self_cluster):
    measure(Z), measure(moments)
for measure in (metrics.uniformity, metrics.coherence, metrics.twonn):
    measure(Z)
metrics.alignment(Z, Z + 1), metrics.linear_cka(Z, Z**2), metrics.lidar(Z.reshape(10, 4, 6))
metrics.acr(Z.reshape(10, 4, 6))
metrics.alpha_req(Z, ranks=(1, 5)), metrics.bootstrap(metrics.mean_cosine, Z, np.random.default_rng(0))
graph = MaskGraph.from_joint(np.full((3, 4), 1 / 12), labels=[0, 1, 0])
MaskGraphEmbedding(2).fit_transform(graph), alignment_loss(graph, np.ones((3, 2))), graph.label_error()
print("torch" in sys.modules)
"""


def test_metrics_and_graphs_of_plain_arrays_never_import_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
