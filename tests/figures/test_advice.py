"""The figure of advice: a panel for each score, candidates in the order of the first, better to the right."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from maetheory.figures.advice import advice_size, draw_advice
from maetheory.figures.style import paper_style


def test_panels_share_the_order_of_the_first_score_and_better_is_right() -> None:
    rows = [
        ("tokens pair_label_error", name, value, -1, group)
        for name, value, group in (("b", 0.1, 1), ("a", 0.2, 1), ("c", 0.6, 2))
    ]
    rows += [("linear_mae_kept_share", name, value, 1, group) for name, value, group in (("c", 0.9, 1), ("b", 0.5, 2))]
    rows.append(("linear_mae_kept_share", "a", 0.4, 2, 2))
    frame = pd.DataFrame(rows, columns=["score", "candidate", "value", "direction", "group"])
    frame = frame.assign(low=frame.value - 0.05, high=frame.value + 0.05)
    panels, size = advice_size(frame)
    assert panels == 2
    with paper_style():
        figure = plt.figure(figsize=size, layout="constrained")
        first, second = figure.subplots(1, panels)
        draw_advice([first, second], frame)
        assert [label.get_text() for label in first.get_yticklabels()] == ["b", "a", "c"]
        assert first.get_title() == "φ, token graphs"
        assert first.xaxis_inverted()
        assert not second.xaxis_inverted()
        (dots,) = second.collections[1:]
        assert dots.get_offsets()[:, 0].tolist() == [0.5, 0.4, 0.9]
        colours = dots.get_facecolors()
        assert (colours[0] == colours[1]).all()
        assert (colours[0] != colours[2]).any()
    assert not plt.get_fignums()
