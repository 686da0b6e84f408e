"""Test which images the t-SNE figure shows, and that classes are distinguishable."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from maetheory.core import InputError
from maetheory.figures import draw_tsne, tsne_embedding


def test_every_class_of_a_sorted_folder_is_shown_with_its_own_marker() -> None:
    labels = np.repeat(np.arange(100), 10)
    frame = tsne_embedding({"MAE": np.random.default_rng(0).normal(size=(1000, 3))}, labels, max_images=200)
    assert list(frame.label) == list(np.repeat(np.arange(100), 2))
    figure, ax = plt.subplots()
    draw_tsne({"MAE": ax}, frame, {"MAE": "50 %"})
    styles = {(tuple(marks.get_facecolor()[0]), marks.get_paths()[0].vertices.tobytes()) for marks in ax.collections}
    assert len(styles) == 100
    plt.close(figure)


@pytest.mark.parametrize("shape", [(1, 30, 3), (29, 3), (30,)])
def test_features_that_do_not_fit_the_labels_are_one_sentence(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"of 'MAE' must have shape \(images, dimensions\) with 30 images"):
        tsne_embedding({"MAE": np.zeros(shape)}, np.zeros(30, int))
