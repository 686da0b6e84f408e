"""Test what the page of a comparison of objectives says of ranks and of classes in the plane."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from maetheory.experiments.studies.objectives_page import summary_sentence, untrained_rank_sentence
from maetheory.figures.tsne import class_separation


def ledger(random: tuple[float, ...], mae: tuple[float, ...], umae: tuple[float, ...]) -> pd.DataFrame:
    rows = [
        {"objective": name, "seed": seed, "metric": metric, "readout": "cls", "value": value}
        for name, ranks in (("random", random), ("MAE", mae), ("U-MAE", umae))
        for seed, rank in enumerate(ranks)
        for metric, value in (("effective_rank", rank), ("umae_uniformity", 0.5))
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("mae", "words"),
    [
        (
            (25.0, 26.0),
            "rises above that of untrained networks (25.5 and 11.0), against the direction of the paper (8.54 and",
        ),
        ((5.0, 6.0), "falls below that of untrained networks (5.5 and 11.0), in the direction of the paper"),
        (
            (9.0, 11.0),
            "is not separated by the seeds from that of untrained networks (10.0 and 11.0), unlike the paper",
        ),
    ],
)
def test_the_rank_of_mae_is_compared_with_untrained_networks_and_the_paper(mae, words):
    found = ledger((10.0, 12.0), mae, (40.0, 41.0))
    assert words in untrained_rank_sentence(found)
    assert words in summary_sentence(found)


def test_without_untrained_networks_nothing_is_compared():
    found = ledger((), (25.0, 26.0), (40.0, 41.0))
    assert untrained_rank_sentence(found) == ""
    assert summary_sentence(found).endswith("in every seed. 2 seeds each.")


def test_silhouette_tells_classes_apart_and_mixed():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 50)
    apart = rng.normal(size=(100, 2)) * 0.01 + label[:, None] * 10
    frames = [
        pd.DataFrame({"objective": name, "x": plane[:, 0], "y": plane[:, 1], "label": label})
        for name, plane in (("apart", apart), ("mixed", rng.normal(size=(100, 2))))
    ]
    found = class_separation(pd.concat(frames))
    assert found["apart"] > 0.99
    assert abs(found["mixed"]) < 0.05
    assert np.isnan(class_separation(frames[0].assign(label=0))["apart"])
