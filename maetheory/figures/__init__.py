"""Figures of the paper and of this project.

Each file has a function that computes the table of a figure and one that draws it. A drawing function computes
nothing: the CSV file saved beside a figure holds the numbers in it. The room is a flat list of figures, which do not
build on each other. Read `style` and `axes` first (colours, saving, shared ticks), then the figure in question.

- Finite worlds, listed by name in `theory_figures`: `mask_graph`, `mask_ratio`, `sampled_graph`, `slack_and_tightness`,
  `uniformity_weight`, `trained_spectrum`, `downstream_bounds`, `downstream_through_training` and
  `bounds_through_training`; `toy_runs` trains for two of them, `feature_kinds` names what two of them compare.
  `latent_levels` draws a table of `maetheory.theory`. `statement_sides` draws one statement on every world.
- Experiments: `spectra`, `effective_rank_through_training`, `tsne`, `uniformity_sweep` and `score_against_accuracy`.
- Images against the mask ratio: `image_mask_ratio`, whose table is made by `mask_ratio_distances`, `mask_ratio_graphs`
  and `mask_ratio_table`, and whose panels are `masked_images` and `image_mask_ratio_panels`.
- Checkpoints: `collapse` and `explained_directions`. The picture of the README: `overview`.
- `descriptions`: what a figure shows in words with its numbers, for those who do not see it.
- `plotting`: `plot` makes any of these in one call, from data or from a published table; `published` finds that table.

>>> import numpy as np
>>> from maetheory.figures import effective_ranks
>>> ranks = effective_ranks({"MAE": [np.eye(3)]})
>>> ranks[ranks.source == "ours"].effective_rank.round(6).tolist()
[3.0]
"""

from maetheory.core.renames import renamed
from maetheory.figures.effective_rank_through_training import draw_training_curves, training_curves
from maetheory.figures.image_mask_ratio import image_statistics_by_mask_ratio
from maetheory.figures.image_mask_ratio_panels import FIGURE_SIZE as MASK_RATIO_SIZE
from maetheory.figures.image_mask_ratio_panels import PANEL_GRID as MASK_RATIO_SHAPE
from maetheory.figures.image_mask_ratio_panels import draw_image_statistics_by_mask_ratio, mask_ratio_axes
from maetheory.figures.masked_images import draw_masked_images, masked_images, masked_pair
from maetheory.figures.plotting import plot
from maetheory.figures.published import published
from maetheory.figures.score_against_accuracy import FIGURE_SIZE as SCORE_SIZE
from maetheory.figures.score_against_accuracy import (
    draw_score_against_accuracy,
    score_against_accuracy,
    score_axes,
)
from maetheory.figures.spectra import (
    draw_effective_ranks,
    draw_log_spectra,
    effective_ranks,
    log_spectra,
)
from maetheory.figures.style import COLOURS, paper_style, save_figure
from maetheory.figures.tsne import draw_tsne, tsne_embedding
from maetheory.figures.uniformity_sweep import draw_uniformity_sweep, uniformity_sweep

__all__ = [
    "COLOURS",
    "MASK_RATIO_SHAPE",
    "MASK_RATIO_SIZE",
    "SCORE_SIZE",
    "draw_effective_ranks",
    "draw_image_statistics_by_mask_ratio",
    "draw_log_spectra",
    "draw_masked_images",
    "draw_score_against_accuracy",
    "draw_training_curves",
    "draw_tsne",
    "draw_uniformity_sweep",
    "effective_ranks",
    "image_statistics_by_mask_ratio",
    "log_spectra",
    "mask_ratio_axes",
    "masked_images",
    "masked_pair",
    "paper_style",
    "plot",
    "published",
    "save_figure",
    "score_against_accuracy",
    "score_axes",
    "training_curves",
    "tsne_embedding",
    "uniformity_sweep",
]

__getattr__ = renamed(
    __name__,
    {
        "draw_image_mask_ratios": "draw_image_statistics_by_mask_ratio",
        "draw_scatter": "draw_tsne",
        "draw_training": "draw_training_curves",
        "image_mask_ratios": "image_statistics_by_mask_ratio",
        "scatter": "tsne_embedding",
    },
)
