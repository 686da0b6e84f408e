"""One call from data to a picture: `plot` computes the table of a figure, makes its axes and draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from maetheory.core import InputError
from maetheory.core.unknown_names import unknown_name_error
from maetheory.figures.closed_form_rank import draw_closed_form_rank
from maetheory.figures.collapse import (
    draw_effective_rank_by_layer,
    draw_effective_rank_by_sample_size,
    draw_feature_spectra,
    effective_rank_by_layer,
    effective_rank_by_sample_size,
    feature_spectra,
)
from maetheory.figures.effective_rank_through_training import draw_training_curves, training_curves
from maetheory.figures.guarantee import draw_guarantee
from maetheory.figures.image_mask_ratio import image_statistics_by_mask_ratio
from maetheory.figures.image_mask_ratio_panels import FIGURE_SIZE, draw_image_statistics_by_mask_ratio, mask_ratio_axes
from maetheory.figures.initialisation import MEASURES, draw_initialisation, initialisation
from maetheory.figures.masked_images import draw_masked_images, masked_images, masked_pair
from maetheory.figures.score_against_accuracy import FIGURE_SIZE as SCORE_SIZE
from maetheory.figures.score_against_accuracy import draw_score_against_accuracy, score_against_accuracy, score_axes
from maetheory.figures.spectra import OURS, draw_effective_ranks, draw_log_spectra, effective_ranks, log_spectra
from maetheory.figures.statement_sides import draw_statement_sides, statement_sides
from maetheory.figures.style import paper_style, save_figure
from maetheory.figures.training_length import draw_training_length
from maetheory.figures.tsne import draw_tsne, tsne_embedding
from maetheory.figures.uniformity_sweep import draw_uniformity_sweep, uniformity_sweep

Grid = tuple[int, int]
Size = tuple[float, float]


@dataclass(frozen=True)
class DataFigure:
    """A figure of given data: how its table is computed, its layout, and how it is drawn.

    Attributes
    ----------
    compute : callable
        Takes the data and returns the table that is drawn.
    draw : callable
        ``draw(axes, frame)``, where `axes` is what `arrange` returns.
    arrange : callable
        ``arrange(frame)`` returns rows and columns of panels, the size in inches, and options of `Figure.subplots`.
    """

    compute: Callable[..., pd.DataFrame]
    draw: Callable[[Figure, Any, pd.DataFrame], None]
    arrange: Callable[[pd.DataFrame], tuple[Grid, Size, dict[str, Any]]]


def plot(name: str, *data: Any, out: str | Path | None = None, **options: Any) -> Figure:
    """Compute and draw a figure of your data, and return it.

    Parameters
    ----------
    name : str
        With the data that it takes:

        - ``"effective_rank"``, ``"log_singular_values"``: mapping from objective ("random", "MAE", "U-MAE", "SimMIM",
          "U-SimMIM") to one array of features (N, d) per seed. Figures 1(c) and 1(b), beside the paper's.
        - ``"feature_scatter"``: mapping from objective to features (N, d), and labels (N,).
        - ``"effective_rank_through_training"``: mapping from objective to one log (list of records) per seed.
        - ``"uniformity_sweep"``, ``"initialisation"``: a ledger of `read_published_ledgers`.
        - ``"closed_form_rank"``: the table of `maetheory.experiments.closed_form_rank`.
        - ``"guarantee"``: the table of `maetheory.experiments.guarantee`.
        - ``"training_length"``: the table of `maetheory.reports.training_length_table`.
        - ``"score_against_accuracy"``: scores of mask laws, ledger and correlations.
        - ``"image_mask_ratio"``: training and test images, as `maetheory.data.load_images` returns
          them, and the side of a patch in pixels.
        - ``"masked_images"``, ``"masked_pair"``: images, side of a patch, and a NumPy generator.
        - ``"feature_spectra"``, ``"effective_rank_by_layer"``, ``"effective_rank_by_sample_size"``: mapping from the
          name of a checkpoint to ``spectra``, ``table`` or ``growth`` of its `CollapseMeasurements`.
        - ``"statement_sides"``: a statement, by name, by number of the paper, or one of your own.
        - ``"mask_graph"``, ``"mask_ratio"``, ``"sampled_graph"``, ``"slack_and_tightness"``, ``"uniformity_weight"``,
          ``"downstream_bounds"``, ``"latent_levels"``, ``"trained_spectrum"``, ``"bounds_through_training"``,
          ``"downstream_through_training"``: no data; the first seven take seconds and the last three train.
    *data
        What the figure takes; or a single DataFrame, the table of an earlier call or a published CSV file, which is
        drawn as it is.
    out : path, optional
        Folder into which ``name.svg``, ``name.png`` and ``name.csv`` are written.
    **options
        Of the function that computes the table, such as ``seed=1``.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it; its axes can be changed, and ``savefig`` writes it.

    Raises
    ------
    InputError
        If the name is unknown, or the figure takes other data.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> figure = plot("effective_rank", {"MAE": [rng.normal(size=(50, 8))]})
    >>> [axes.get_title() for axes in figure.axes][0]
    'this run'
    """
    known = _theory_figures() if name not in DATA_FIGURES else DATA_FIGURES
    if name not in known:
        raise unknown_name_error("figure", name, [*DATA_FIGURES, *known], listed_by="maetheory figure")
    spec = known[name]
    frame = _table(name, spec, data, options)
    with paper_style():
        try:
            figure = _draw(spec, frame)
        except (KeyError, AttributeError) as error:
            if not any(frame is one for one in data):  # then the mistake is ours
                raise
            raise InputError(
                f"the table lacks what the figure {name} draws ({error}); it must be one that an earlier call or a "
                "published CSV file gives"
            ) from error
        if out is not None:
            save_figure(figure, frame, Path(out), name)
    return figure


def _draw(spec: DataFigure, frame: pd.DataFrame) -> Figure:
    (rows, columns), size, layout = spec.arrange(frame)
    figure = plt.figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **layout) if rows else None
    spec.draw(figure, axes, frame)
    return figure


def _table(name: str, spec: DataFigure, data: tuple[Any, ...], options: dict[str, Any]) -> pd.DataFrame:
    """Return the table to draw: the one given, or the one computed from data."""
    if len(data) == 1 and isinstance(data[0], pd.DataFrame) and "experiment" not in data[0]:  # which a ledger has
        return data[0]
    try:
        return spec.compute(*data, **options)
    except (TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"the figure {name} takes other data: {error}; help(maetheory.figures.plot) lists what each takes"
        ) from error


def _flat(draw: Callable[..., None]) -> Callable[[Figure, Any, pd.DataFrame], None]:
    return lambda figure, axes, frame: draw(list(axes.flat), frame)


def _grid(rows: int, columns: int, size: Size) -> Callable[[pd.DataFrame], tuple[Grid, Size, dict[str, Any]]]:
    return lambda frame: ((rows, columns), size, {})


def _rank_layout(frame: pd.DataFrame) -> tuple[Grid, Size, dict[str, Any]]:
    bars = frame[frame.source == OURS].objective.nunique()
    return (1, 2), (2.3 + 0.9 * bars, 3.0), {"width_ratios": [max(bars, 1), 3]}


def _panel_rows(rows: Callable[[pd.DataFrame], int]) -> Callable[[pd.DataFrame], tuple[Grid, Size, dict[str, Any]]]:
    def arrange(frame: pd.DataFrame) -> tuple[Grid, Size, dict[str, Any]]:
        n, columns = rows(frame), frame.checkpoint.nunique()
        return (n, columns), (max(4.4, 3.4 * columns), 2.9 * n), {}

    return arrange


def _draw_scatter(figure: Figure, axes: Any, frame: pd.DataFrame) -> None:
    names = list(frame.objective.unique())
    draw_tsne(dict(zip(names, axes.flat, strict=True)), frame, dict.fromkeys(names, ""))
    for ax in axes.flat:
        ax.set_xlabel("")  # which names the accuracy of a probe


def _draw_sweep(figure: Figure, axes: Any, frame: pd.DataFrame) -> None:
    draw_uniformity_sweep(list(axes.flat), frame)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)


def _draw_initialisation(figure: Figure, axes: Any, frame: pd.DataFrame) -> None:
    draw_initialisation(list(axes.flat), frame)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)


def _theory_figures() -> Mapping[str, DataFigure]:
    """Return the figures that need no data; importing their module takes a second."""
    from maetheory.figures.theory_figures import THEORY_FIGURES

    def entries() -> Iterator[tuple[str, DataFigure]]:
        for name, spec in THEORY_FIGURES.items():
            rows, columns = spec.n_rows, spec.n_panels // spec.n_rows

            def draw(figure: Figure, axes: Any, frame: pd.DataFrame, spec: Any = spec) -> None:
                spec.draw(axes.flat[0] if spec.n_panels == 1 else list(axes.flat), frame)

            yield name, DataFigure(spec.compute, draw, _grid(rows, columns, spec.size))

    return dict(entries())


DATA_FIGURES: Mapping[str, DataFigure] = {
    "effective_rank": DataFigure(effective_ranks, _flat(draw_effective_ranks), _rank_layout),
    "log_singular_values": DataFigure(log_spectra, _flat(draw_log_spectra), _grid(1, 2, (6.5, 3.4))),
    "feature_scatter": DataFigure(
        tsne_embedding,
        _draw_scatter,
        lambda frame: ((1, frame.objective.nunique()), (0.6 + 2.95 * frame.objective.nunique(), 3.2), {}),
    ),
    "effective_rank_through_training": DataFigure(
        training_curves, lambda figure, axes, frame: draw_training_curves(axes.flat[0], frame), _grid(1, 1, (4.0, 3.0))
    ),
    "uniformity_sweep": DataFigure(uniformity_sweep, _draw_sweep, _grid(2, 2, (6.5, 5.4))),
    "initialisation": DataFigure(
        initialisation, _draw_initialisation, _grid(1, len(MEASURES), (2.4 * len(MEASURES), 3.0))
    ),
    "closed_form_rank": DataFigure(
        lambda table: table,
        lambda figure, axes, frame: draw_closed_form_rank(axes.flat[0], frame),
        lambda frame: ((1, 1), (6.5, 0.8 + 0.36 * frame.change.nunique()), {}),
    ),
    "guarantee": DataFigure(
        lambda table: table,
        lambda figure, axes, frame: draw_guarantee(axes.flat, frame),
        lambda frame: ((1, n := frame.dataset.nunique()), (0.7 + 3.0 * n, 4.2), {"sharey": True}),
    ),
    "training_length": DataFigure(
        lambda table: table,
        lambda figure, axes, frame: draw_training_length(axes, frame),
        lambda frame: ((n := len(frame.groupby(["metric", "readout"])), 2), (6.5, 2.0 * n), {"sharex": True}),
    ),
    "score_against_accuracy": DataFigure(
        score_against_accuracy,
        lambda figure, axes, frame: draw_score_against_accuracy(score_axes(figure), frame),
        _grid(0, 0, SCORE_SIZE),
    ),
    "image_mask_ratio": DataFigure(
        image_statistics_by_mask_ratio,
        lambda figure, axes, frame: draw_image_statistics_by_mask_ratio(mask_ratio_axes(figure, frame), frame),
        _grid(0, 0, FIGURE_SIZE),
    ),
    "masked_images": DataFigure(
        masked_images,
        lambda figure, axes, frame: draw_masked_images(axes, frame),
        lambda frame: ((frame.image.nunique(), frame.mask_ratio.nunique()), (6.5, 1.4 * frame.image.nunique()), {}),
    ),
    "masked_pair": DataFigure(
        masked_pair,
        lambda figure, axes, frame: draw_masked_images(axes, frame),
        lambda frame: ((2, frame.mask_ratio.nunique()), (6.5, 2.8), {}),
    ),
    "feature_spectra": DataFigure(
        feature_spectra, _flat(draw_feature_spectra), _panel_rows(lambda frame: frame.readout.nunique())
    ),
    "effective_rank_by_layer": DataFigure(
        effective_rank_by_layer, _flat(draw_effective_rank_by_layer), _panel_rows(lambda frame: 1)
    ),
    "effective_rank_by_sample_size": DataFigure(
        effective_rank_by_sample_size, _flat(draw_effective_rank_by_sample_size), _panel_rows(lambda frame: 1)
    ),
    "statement_sides": DataFigure(
        statement_sides, lambda figure, axes, frame: draw_statement_sides(axes.flat[0], frame), _grid(1, 1, (4.2, 3.8))
    ),
}
"""Figures of given data, by name; those of `THEORY_FIGURES` need none."""

MADE_BY: Mapping[str, str] = {
    **dict.fromkeys(
        ("effective_rank", "log_singular_values", "feature_scatter", "effective_rank_through_training"),
        "maetheory reproduce",
    ),
    "uniformity_sweep": "maetheory reproduce --preset digits-uniformity",
    "initialisation": "maetheory reproduce --preset digits-initialisation",
    "closed_form_rank": "python -m maetheory.experiments.closed_form_rank --into FOLDER",
    "guarantee": "python -m maetheory.experiments.guarantee --dataset digits --into FOLDER",
    "training_length": "maetheory reproduce --preset digits-length",
    "score_against_accuracy": "maetheory reproduce --preset mask-laws-digits",
    "image_mask_ratio": "maetheory mask-ratio --data digits --out FOLDER",
    "masked_pair": "maetheory mask-ratio --data digits --out FOLDER",
    "masked_images": 'figures.plot("masked_images", load_images("digits").limit(3), 2, np.random.default_rng(0))',
    **dict.fromkeys(
        ("feature_spectra", "effective_rank_by_layer", "effective_rank_by_sample_size"),
        "maetheory collapse FILE --data IMAGES --out FOLDER",
    ),
    "statement_sides": 'figures.plot("statement_sides", "3.4")',
}
"""Figure of given data -> command, or call in Python, that makes such data and draws it."""
