"""The paper's figures: each file computes a table of what is drawn, then draws exactly that table."""

from maetheory.figures.features import draw_scatter, scatter
from maetheory.figures.image_mask_ratio import image_mask_ratios
from maetheory.figures.image_mask_ratio_panels import SHAPE as MASK_RATIO_SHAPE
from maetheory.figures.image_mask_ratio_panels import SIZE as MASK_RATIO_SIZE
from maetheory.figures.image_mask_ratio_panels import draw_image_mask_ratios
from maetheory.figures.masking import draw_masked_images, masked_images, masked_pair
from maetheory.figures.score_against_accuracy import (
    GRID_OF_SCORES,
    draw_score_against_accuracy,
    score_against_accuracy,
)
from maetheory.figures.spectra import (
    draw_effective_ranks,
    draw_log_spectra,
    effective_ranks,
    log_spectra,
)
from maetheory.figures.style import COLOURS, paper_style, save_figure
from maetheory.figures.training import draw_training, training_curves
from maetheory.figures.uniformity_sweep import draw_uniformity_sweep, uniformity_sweep

__all__ = [
    "COLOURS",
    "GRID_OF_SCORES",
    "MASK_RATIO_SHAPE",
    "MASK_RATIO_SIZE",
    "draw_effective_ranks",
    "draw_image_mask_ratios",
    "draw_log_spectra",
    "draw_masked_images",
    "draw_scatter",
    "draw_score_against_accuracy",
    "draw_training",
    "draw_uniformity_sweep",
    "effective_ranks",
    "image_mask_ratios",
    "log_spectra",
    "masked_images",
    "masked_pair",
    "paper_style",
    "save_figure",
    "scatter",
    "score_against_accuracy",
    "training_curves",
    "uniformity_sweep",
]
