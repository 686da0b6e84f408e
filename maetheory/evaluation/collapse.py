"""How far have features collapsed, in numbers that say how they were made and beside what to read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from torch import Tensor

from maetheory.core import InputError, Progress, silent
from maetheory.data import ImageSet
from maetheory.evaluation.baselines import BASELINES, NO_TWIN, noise_value, random_twin, shuffled
from maetheory.evaluation.curves import growth_table, spectra_table
from maetheory.evaluation.encode import Readout
from maetheory.evaluation.mask_views import default_law, mask_views, view_images
from maetheory.evaluation.measures import QUICK, Measure, Measured, measures, of_population, of_rows
from maetheory.evaluation.populations import Layers, Population, populations
from maetheory.masks import MaskLaw

Views = dict[Any, np.ndarray]
NOTHING = Measured(np.nan, np.nan, np.nan, "")


@dataclass(frozen=True)
class Collapse:
    """What a model's features were measured to be.

    Attributes
    ----------
    table : DataFrame
        One row per readout, layer, metric and convention; see `collapse_report`.
    spectra : DataFrame
        readout, layer, who ("checkpoint" or a baseline), index from 1, singular_value (uncentred, over √n; noise is
        scaled to the same mean square).
    growth : DataFrame
        readout, layer, who, metric, images, n, value: effective rank and RankMe of random subsets of the images.
    notes : tuple of str
        What to know before quoting a number.
    """

    table: pd.DataFrame
    spectra: pd.DataFrame
    growth: pd.DataFrame
    notes: tuple[str, ...]


def collapse_report(encoder: Any, images: ImageSet | np.ndarray | Tensor, **options: Any) -> pd.DataFrame:
    """Measure the features of a model.

    Parameters
    ----------
    encoder, images, **options
        As for `measure_collapse`.

    Returns
    -------
    DataFrame
        One row per readout, layer, metric and convention: readout, layer, final_norm, metric, convention, value, error,
        low, high, method (how the band of two standard errors was found), n (rows), images, d, and each baseline,
        all but noise with ``_low`` and ``_high``; NaN where there is none, `note` says why. `error` is half the width
        of the band. Ranks of few images are too low besides, by more than the band; `metrics.jackknife` with
        `corrected` takes that into account.
    """
    return measure_collapse(encoder, images, **options).table


def measure_collapse(
    encoder: Any,
    images: ImageSet | np.ndarray | Tensor,
    *,
    readouts: Sequence[Readout] | None = None,
    layers: Layers = "last",
    final_norm: bool = True,
    metrics: Sequence[str] | None = None,
    full: bool = False,
    conventions: Literal["default", "all"] = "default",
    law: MaskLaw | None = None,
    seed: int = 0,
    batch: int = 256,
    progress: Progress = silent,
) -> Collapse:
    """Measure the features of a model, beside its random twin, shuffled columns and noise when `full`.

    Of several layers the last named is measured whole, the others by moments alone.

    Parameters
    ----------
    encoder : anything `encode` takes
    images : ImageSet, or array or tensor of shape (N, C, H, W), N at least 3
    readouts : sequence of "cls", "mean", "tokens", optional
        By default cls and mean, or mean only where there is no cls token. Tokens are streamed into moments.
    layers : "last", "all", int, or several
    final_norm : bool, default True
        Whether the encoder's final norm is applied, in every layer.
    metrics : sequence of str, optional
        Names of metrics; by default six quick ones, or all when `full`.
    full : bool, default False
        Whether baselines are measured too.
    conventions : "default" or "all"
    law : MaskLaw, optional
        What LiDAR's and mask-pair alignment's four views of an image see; by default a quarter of the patches.
    seed : int
        Of the twin's weights, the groups of images, the shuffles and the masks.
    batch : int
    progress : Progress

    Raises
    ------
    InputError
        If there are fewer than three images, features hold NaN or infinity (in how many rows), or a readout, layer or
        metric does not exist.
    """
    names = metrics if metrics is not None else (None if full else QUICK)
    chosen = measures(names, every_convention=conventions == "all")
    how: dict[str, Any] = {"readouts": readouts, "layers": layers, "final_norm": final_norm, "seed": seed,
                           "batch": batch, "progress": progress}  # fmt: skip
    own = populations(encoder, images, **how)
    twin = random_twin(encoder, seed=seed) if full else None
    others = populations(twin, images, **how) if twin is not None else (None,) * len(own)
    last = own[-1].layer
    views, twin_views, notes = _views(encoder, twin, images, own, chosen, law, how)
    rows = []
    for done, (one, other) in enumerate(zip(own, others, strict=True)):
        progress(done, len(own), f"measuring {one.readout}, layer {one.layer}")
        null = shuffled(one, seed=seed) if full else None
        exact = one.layer == last
        for measure in chosen:
            if measure.needs == "views":
                found = (
                    _view_row(measure, views.get(one.readout), twin_views.get(one.readout), full, seed)
                    if exact
                    else None
                )
            else:
                found = _row(measure, one, other, null, exact, seed) if exact or measure.needs == "moments" else None
            if found is not None:
                rows.append({"readout": one.readout, "layer": one.layer, "final_norm": final_norm,
                             "metric": measure.metric, "convention": measure.convention, **found})  # fmt: skip
    table = pd.DataFrame(rows)
    notes = (*_notes(own), *notes, *((NO_TWIN,) if full and twin is None else ()))
    return Collapse(table, spectra_table(own, others, full, seed), growth_table(own, others, full), notes)


def _row(measure: Measure, own: Population, twin: Population | None, null: Population | None, exact: bool,
         seed: int) -> dict[str, Any]:  # fmt: skip
    """Return the numbers of a metric of moments or rows, and of its baselines."""
    band = measure.needs == "moments"
    found = of_population(measure, own, exact=exact)
    beside = {
        "random_twin": of_population(measure, twin, exact=exact, band=band) if twin is not None else NOTHING,
        "shuffled": of_population(measure, null, exact=False, band=band) if null is not None else NOTHING,
    }
    noise = np.nan
    if null is not None:
        noise = noise_value(measure, (own.n if band else len(own.rows), own.d), seed=seed)
    return _record(found, beside, noise, own.n if band else len(own.rows), own.images, own.d)


def _view_row(measure: Measure, views: np.ndarray | None, twin: np.ndarray | None, full: bool,
              seed: int) -> dict[str, Any] | None:  # fmt: skip
    """Return the numbers of a metric of masked views, and of its baselines; None where there are no views."""
    if views is None:
        return None
    n, q, d = views.shape
    found = of_rows(measure, views)
    note = f"{q} masks of {n} images" + (f"; {found.note}" if found.note else "")
    beside, noise = {"random_twin": NOTHING, "shuffled": NOTHING}, np.nan
    if full:
        rng = np.random.default_rng(seed)
        mixed = rng.permuted(views.reshape(n * q, d), axis=0).reshape(n, q, d)
        beside = {"random_twin": NOTHING if twin is None else of_rows(measure, twin),
                  "shuffled": of_rows(measure, mixed)}  # fmt: skip
        noise = noise_value(measure, (n, q, d), seed=seed)
    return _record(found._replace(note=note), beside, noise, n * q, n, d)


def _record(found: Measured, beside: dict[str, Measured], noise: float, n: int, images: int, d: int) -> dict[str, Any]:
    record: dict[str, Any] = {"value": found.value, "error": (found.high - found.low) / 2, "low": found.low,
                              "high": found.high, "method": found.method, "n": n, "images": images, "d": d}  # fmt: skip
    for name in BASELINES[:-1]:
        record |= {name: beside[name].value, f"{name}_low": beside[name].low, f"{name}_high": beside[name].high}
    return record | {"noise": noise, "note": found.note}


def _views(encoder: Any, twin: Any, images: Any, own: Sequence[Population], chosen: Sequence[Measure],
           law: MaskLaw | None, how: dict[str, Any]) -> tuple[Views, Views, tuple[str, ...]]:  # fmt: skip
    """Return the masked views of a model and of its twin, and why there are none."""
    if not any(measure.needs == "views" for measure in chosen):
        return {}, {}, ()
    law = law or default_law(encoder)
    if law is None:
        return {}, {}, ("LiDAR and mask-pair alignment need masked views, which a callable does not give",)
    pixels = images.images if isinstance(images, ImageSet) else images
    seen = pixels[view_images(len(pixels), own[-1].d, how["seed"])]
    readouts = [one.readout for one in own if one.layer == own[-1].layer]
    options = {name: how[name] for name in ("final_norm", "seed", "batch", "progress")}

    def of(model: Any) -> Views:
        return mask_views(model, seen, law, readouts=readouts, layer=own[-1].layer, **options)  # type: ignore[arg-type]

    try:
        return of(encoder), of(twin) if twin is not None else {}, ()
    except InputError as error:
        return {}, {}, (f"LiDAR and mask-pair alignment are left out: {error}",)


def _notes(own: Sequence[Population]) -> list[str]:
    """Say which populations repeat rows, and which were streamed."""
    notes = []
    for one in own:
        if one.layer != own[-1].layer:
            continue
        if one.streamed is None and (repeated := len(one.rows) - len(np.unique(one.rows, axis=0))):
            notes.append(f"{repeated} of the {one.n} rows of {one.readout} repeat another row")
        if one.streamed is not None:
            notes.append(f"{one.readout}: moments of all {one.n} rows were streamed; metrics of rows and shuffled "
                         f"columns take {len(one.rows)} rows at random")  # fmt: skip
    return notes
