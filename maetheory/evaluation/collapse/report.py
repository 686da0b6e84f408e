"""Measure the collapse of a model's features and tabulate it with baselines."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from maetheory.core import InputError, Progress, no_progress
from maetheory.core.summaries import summary_html, summary_text
from maetheory.evaluation.collapse.measurement import measure_model
from maetheory.evaluation.collapse.metric_specs import DEFAULT_METRICS, select_metrics
from maetheory.evaluation.collapse.random_initialisation import NO_RANDOM_INIT
from maetheory.evaluation.collapse.table_forms import compact_table, long_table
from maetheory.evaluation.collapse.tables import metric_table, sample_size_table, spectra_table
from maetheory.evaluation.collapse.untrained_comparison import UntrainedMeasurements, measure_untrained
from maetheory.evaluation.features.collapse_inputs import collapse_inputs
from maetheory.evaluation.features.encode import Readout
from maetheory.evaluation.features.feature_sets import GivenFeatures, Layers, collect_features
from maetheory.evaluation.features.foreign_model import ChannelValues
from maetheory.evaluation.features.foreign_output import OutputPart
from maetheory.masks import MaskLaw


@dataclass(frozen=True)
class CollapseMeasurements:
    """Tables of what was measured on a model's features, with notes.

    Attributes
    ----------
    table : DataFrame
        One row per readout, layer, metric and convention; see `collapse_report`.
    spectra : DataFrame
        readout, layer, who ("checkpoint" or a baseline), index from 1, singular_value (uncentred, over √n; that of
        noise is scaled to the same mean square).
    growth : DataFrame
        readout, layer, who, metric, images, n, value: effective rank and RankMe of random subsets of the images.
    notes : tuple of str
        What to know before quoting a number.
    untrained : UntrainedMeasurements
        The untrained networks, for `measure_collapse` of another checkpoint of the same architecture.
    """

    table: pd.DataFrame
    spectra: pd.DataFrame
    growth: pd.DataFrame
    notes: tuple[str, ...]
    untrained: UntrainedMeasurements = field(default_factory=UntrainedMeasurements, repr=False)

    def to_frame(self, *, compact: bool = True) -> pd.DataFrame:
        """Return the table in a narrow form: to read (`compact_table`), or one row for each number (`long_table`)."""
        return compact_table(self.table) if compact else long_table(self.table)

    def _facts(self) -> tuple[str, dict[str, str]]:
        table = self.table
        readouts = ", ".join(map(str, table.readout.unique()))
        title = (
            f"CollapseMeasurements: {table.metric.nunique()} metrics of {readouts}, {int(table.images.max()):,} images"
        )
        last = table[(table.layer == table.layer.iloc[-1]) & (table.metric == "effective_rank")]
        ranks = [f"{one.readout} {one.value:.4g} of {one.d}" for one in last.drop_duplicates("readout").itertuples()]
        facts = {"effective rank": "; ".join(ranks)} if ranks else {}
        return title, facts | {
            "tables": f"table ({len(table)} rows), to_frame(), spectra, growth; notes ({len(self.notes)})"
        }

    def __repr__(self) -> str:
        return summary_text(*self._facts())

    def _repr_html_(self) -> str:
        return summary_html(*self._facts())


def collapse_report(
    encoder: Any,
    images: Any = None,
    *,
    readouts: Sequence[Readout] | None = None,
    readout: Readout | OutputPart | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    layers: Layers = "last",
    final_norm: bool = True,
    metrics: Sequence[str] | None = None,
    full: bool = False,
    conventions: Literal["default", "all"] = "default",
    law: MaskLaw | None = None,
    n_initialisations: int = 5,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
    untrained_images: int | None = None,
    untrained: UntrainedMeasurements | None = None,
    twins: int | None = None,
) -> pd.DataFrame:
    """Return the metrics of a model's features, or of features that are given as an array, as a table.

    `compact_table` and `long_table` are narrower forms of it: one to read, one to plot.

    Parameters
    ----------
    encoder, images
        ``collapse_report(encoder, images)``, or ``collapse_report(Z)`` of features (n, d), one row per image.
    readouts, readout, prefix_tokens, mean, std, layers, final_norm, metrics, full, conventions, law
        What is measured; `measure_collapse` describes each.
    n_initialisations, seed, batch, progress, untrained_images, untrained, twins
        How it is measured; likewise.

    Returns
    -------
    DataFrame
        One row per readout, layer, metric and convention: readout, layer, final_norm, metric, convention, value, error,
        low, high, method (of the interval), limit, limit_low, limit_high, no_limit, n (rows), images, d, and each
        baseline (random_init, shuffled, noise), all but noise with ``_low`` and ``_high``; NaN where there is none, and
        `note` says why. The random-initialisation baseline follows the rule of the checkpoint's code base, random_rule,
        on random_images of the images; random_init_low and random_init_high are the prediction interval of a further
        network on these images, and random_init_error is the part of it that is due to the number of images.
        random_span_low and random_span_high enclose it and those of the other usual rules, of which random_lowest and
        random_highest reach furthest; same_images ± same_images_error is the model's own value on these images, to
        compare with. The span is given for effective_rank, mean_cosine and stable_rank only, the metrics that
        `assess_collapse` reads.

        The value is that of these images, as its publication defines it; `error` is two standard errors, the change
        to expect from another sample of as many images. Ranks of few images are also biased downwards, by more than
        that; the interval of a metric of moments is therefore that of the n → ∞ value. With eight times as many rows
        as dimensions the interval of an effective rank contained it in 91 to 97 of 100 draws, depending on the
        spectrum. The interval of a metric of rows or views is centred at the value itself. `limit` is the n → ∞ value
        itself, with the same interval, where the extrapolation is valid; elsewhere no_limit says why it is not.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((60, 1, 4, 4))
    >>> table = collapse_report(lambda pixels: pixels.flatten(1), images, metrics=["mean_cosine"])
    >>> bool(table.low[0] < table.value[0] < table.high[0])
    True
    >>> features = images.reshape(60, 16)
    >>> bool(abs(collapse_report(features, metrics=["mean_cosine"]).value[0] - table.value[0]) < 1e-6)
    True
    """
    return measure_collapse(
        encoder,
        images,
        readouts=readouts,
        readout=readout,
        prefix_tokens=prefix_tokens,
        mean=mean,
        std=std,
        layers=layers,
        final_norm=final_norm,
        metrics=metrics,
        full=full,
        conventions=conventions,
        law=law,
        n_initialisations=n_initialisations,
        seed=seed,
        batch=batch,
        progress=progress,
        untrained_images=untrained_images,
        untrained=untrained,
        twins=twins,
    ).table


def measure_collapse(
    encoder: Any,
    images: Any = None,
    *,
    readouts: Sequence[Readout] | None = None,
    readout: Readout | OutputPart | None = None,
    prefix_tokens: int | None = None,
    mean: ChannelValues | None = None,
    std: ChannelValues | None = None,
    layers: Layers = "last",
    final_norm: bool = True,
    metrics: Sequence[str] | None = None,
    full: bool = False,
    conventions: Literal["default", "all"] = "default",
    law: MaskLaw | None = None,
    n_initialisations: int = 5,
    seed: int = 0,
    batch: int | None = None,
    progress: Progress = no_progress,
    untrained_images: int | None = None,
    untrained: UntrainedMeasurements | None = None,
    twins: int | None = None,
) -> CollapseMeasurements:
    """Measure the features of a model, and if `full` its baselines: untrained networks, shuffled columns and noise.

    Of several layers the last named is measured completely, the others from moments alone.

    Parameters
    ----------
    encoder : anything `encode` takes, or features of shape (n, d)
        An array, tensor or DataFrame of floating-point features is measured as it is; then there are no images, and no
        initialisation to compare with.
    images : anything `encode` takes, at least 3
        ImageSet, array, tensor, list of PIL images, Dataset or DataLoader; labels are not read.
    readouts : sequence of "cls", "mean", "tokens", optional
        By default cls and mean, or mean only for an encoder without a cls token. Tokens are streamed into moments.
    readout : "cls", "mean", "tokens", or a key, index or callable, optional
        A single readout; or of another library's model the part of its output, of which `readouts` are taken if it
        holds tokens.
    prefix_tokens, mean, std : optional
        Of another library's model, as for `encode`.
    layers : "last", "all", int, or several
    final_norm : bool, default True
        Whether to apply the encoder's final norm, in every layer.
    metrics : sequence of str, optional
        Names of metrics; by default the six default metrics, or all if `full`.
    full : bool, default False
        Whether to measure baselines too.
    conventions : "default" or "all"
    law : MaskLaw, optional
        Masks of the four views of an image for LiDAR and mask-pair alignment; by default a quarter of the patches is
        visible.
    n_initialisations : int, default 5
        Number of untrained networks drawn by the rule of the checkpoint's code base; each takes as long as the model
        itself. Their mean is the baseline, and its interval is the prediction interval of a further network: wide for
        few networks, unbounded for one. Of each other usual rule half as many are drawn, rounded up, and only the
        metrics that `assess_collapse` reads are measured.
    seed : int
        Seed of the initial weights, the groups of images, the shuffles and the masks.
    batch : int, optional
        Batch size; by default as large as memory allows.
    progress : Progress
    untrained_images : int, optional
        Number of images, drawn at random, on which untrained networks and the model are compared. On fewer than all,
        untrained networks are measured with the metrics that `assess_collapse` reads only, and spectra and
        ranks by sample size have no random-initialisation baseline. All by default.
    untrained : UntrainedMeasurements, optional
        Those of an encoder of the same architecture and code base on the same images, to be used again.
    twins : int, optional
        Old name of `n_initialisations`; it warns.

    Raises
    ------
    InputError
        If there are fewer than three images, `n_initialisations` is below 1, features hold NaN or infinity (in how many
        rows), or a readout, layer or metric does not exist.
    """
    if twins is not None:
        warnings.warn("twins was renamed; use n_initialisations", DeprecationWarning, stacklevel=2)
        n_initialisations = twins
    if n_initialisations < 1:
        raise InputError(f"n_initialisations must be at least 1, but it is {n_initialisations}")
    names = metrics if metrics is not None else (None if full else DEFAULT_METRICS)
    specs = select_metrics(names, every_convention=conventions == "all")
    inputs = collapse_inputs(
        encoder,
        images,
        readouts=readouts,
        readout=readout,
        prefix_tokens=prefix_tokens,
        mean=mean,
        std=std,
        progress=progress,
    )
    encoder, images = inputs.encoder, inputs.images
    passes: dict[str, Any] = {
        "readouts": inputs.readouts,
        "layers": layers,
        "final_norm": final_norm,
        "batch": batch,
        "seed": seed,
        "progress": progress,
    }
    settings = {**passes, "law": law}
    features = collect_features(encoder, images, **passes, **inputs.options)
    model = measure_model(
        encoder, images, specs, with_baselines=full, feature_sets=features, **settings, **inputs.options
    )
    if not full:
        untrained = UntrainedMeasurements()
    elif untrained is None:
        untrained = measure_untrained(
            encoder, images, specs, n_initialisations, n_images=untrained_images, feature_sets=features, **settings
        )
    else:
        untrained = untrained.beside(encoder, images, feature_sets=features, **settings)
    without_network = isinstance(encoder, GivenFeatures)  # of which the notes of the inputs speak already
    no_baseline = full and not untrained.models and not without_network
    notes = (*inputs.notes, *model.notes, *((NO_RANDOM_INIT,) if no_baseline else ()))
    return CollapseMeasurements(
        metric_table(specs, model, untrained, final_norm),
        spectra_table(model, untrained),
        sample_size_table(model, untrained),
        notes,
        untrained,
    )
