"""A look at a model keeps numbers, not features: those of every layer, the last layer's spectra, and its growth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maetheory.core import InputError, Progress
from maetheory.data import ImageSet
from maetheory.evaluation.baselines import noise_value, shuffled
from maetheory.evaluation.curves import growth_of, spectrum_of
from maetheory.evaluation.mask_views import default_law, mask_views, view_images
from maetheory.evaluation.measures import ENOUGH, Measure, Measured, of_population, of_rows
from maetheory.evaluation.populations import Layer, Population, populations
from maetheory.masks import MaskLaw

Views = Mapping[Any, NDArray[np.floating[Any]]]
Numbers = tuple[Measured | None, ...]


def no_spectrum() -> NDArray[np.float64]:
    """Return the empty spectrum of a layer that is not the deepest."""
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Place:
    """One readout in one layer, as it was seen.

    Attributes
    ----------
    readout : str
    layer : int or "last"
    images, n, kept, d : int
        Images, rows in all, rows that were kept, dimensions.
    numbers : tuple of Measured or None
        One for each measure; None where it is not measured here.
    shuffled : tuple of Measured or None
        The same of shuffled columns; empty where there were to be no baselines.
    noise : tuple of float
        The same of noise.
    spectrum, shuffled_spectrum : ndarray
        Singular values over √n, of the deepest layer only; else empty.
    growth : tuple of dict
        Ranks of growing parts of the images, of the deepest layer only.
    views : tuple of int, optional
        The shape (n, q, d) of the masked views of images.
    """

    readout: str
    layer: Layer
    images: int
    n: int
    kept: int
    d: int
    numbers: Numbers
    shuffled: Numbers = ()
    noise: tuple[float, ...] = ()
    spectrum: NDArray[np.float64] = field(default_factory=no_spectrum)
    shuffled_spectrum: NDArray[np.float64] = field(default_factory=no_spectrum)
    growth: tuple[dict[str, Any], ...] = ()
    views: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Look:
    """What was seen of one model, and what to know before quoting it."""

    places: tuple[Place, ...]
    notes: tuple[str, ...]


def look(
    model: Any, images: Any, chosen: Sequence[Measure], *, law: MaskLaw | None, full: bool, twin: bool = False,
    seed: int, progress: Progress, **how: Any,
) -> Look:  # fmt: skip
    """Measure every readout and layer of a model in one pass over images, and the last layer under masks.

    Parameters
    ----------
    model, images, law, seed, progress, **how
        As for `measure_collapse`.
    chosen : sequence of Measure
    full : bool
        Whether shuffled columns, noise and growth are measured too.
    twin : bool
        Whether this is only to compare with: without shuffled columns, noise, and bands of metrics of rows.
    """
    found = populations(model, images, seed=seed, progress=progress, **how)
    last = found[-1].layer
    views, notes = _views(model, images, found, chosen, law, seed=seed, progress=progress, **how)
    places = []
    for done, one in enumerate(found):
        progress(done, len(found), f"measuring {one.readout}, layer {one.layer}")
        seen = views.get(one.readout) if one.layer == last else None
        places.append(_place(one, seen, chosen, one.layer == last, full, twin, seed))
    return Look(tuple(places), (*_notes(found), *notes))


def _place(one: Population, views: NDArray[np.floating[Any]] | None, chosen: Sequence[Measure], exact: bool,
           full: bool, twin: bool, seed: int) -> Place:  # fmt: skip
    numbers = _with_views(of_population(chosen, one, exact=exact, row_bands=not twin), chosen, views)
    null = shuffled(one, seed=seed) if full and not twin else None
    nulls: Numbers = ()
    if null is not None:
        mixed = None if views is None else _mixed(views, seed)
        nulls = _with_views(of_population(chosen, null, exact=exact, row_bands=False), chosen, mixed)
    shape = None if views is None else views.shape
    return Place(
        one.readout, one.layer, one.images, one.n, len(one.rows), one.d, numbers, nulls,
        tuple(_noise(measure, number, one, shape, seed) for measure, number in zip(chosen, numbers, strict=True))
        if null is not None else (),
        spectrum_of(one) if exact else no_spectrum(),
        spectrum_of(null) if exact and null is not None else no_spectrum(),
        growth_of(one) if exact and full else (),
        shape,
    )  # fmt: skip


def _with_views(numbers: Numbers, chosen: Sequence[Measure], views: Any) -> Numbers:
    if views is None:
        return numbers
    return tuple(of_rows(measure, views) if measure.needs == "views" else number
                 for measure, number in zip(chosen, numbers, strict=True))  # fmt: skip


def _mixed(views: NDArray[np.floating[Any]], seed: int) -> NDArray[np.floating[Any]]:
    n, q, d = views.shape
    return np.random.default_rng(seed).permuted(views.reshape(n * q, d), axis=0).reshape(n, q, d)


def _noise(measure: Measure, number: Measured | None, one: Population, views: Any, seed: int) -> float:
    if number is None:
        return np.nan
    rows = one.n if measure.needs == "moments" else len(one.rows)
    return noise_value(measure, views if measure.needs == "views" else (rows, one.d), seed=seed)


def _views(model: Any, images: Any, found: Sequence[Population], chosen: Sequence[Measure], law: MaskLaw | None,
           *, seed: int, progress: Progress, **how: Any) -> tuple[Views, tuple[str, ...]]:  # fmt: skip
    """Return the masked views of a model in each readout, and why there are none."""
    if not any(measure.needs == "views" for measure in chosen):
        return {}, ()
    law = law or default_law(model)
    if law is None:
        return {}, ("LiDAR and mask-pair alignment need masked views, which a callable does not give",)
    pixels = images.images if isinstance(images, ImageSet) else images
    last = found[-1]
    readouts: Any = [one.readout for one in found if one.layer == last.layer]
    options = {name: how[name] for name in ("final_norm", "batch")}
    try:
        return mask_views(model, pixels[view_images(len(pixels), last.d, seed)], law, readouts=readouts,
                          layer=last.layer, seed=seed, progress=progress, **options), ()  # fmt: skip
    except InputError as error:
        return {}, (f"LiDAR and mask-pair alignment are left out: {error}",)


def _notes(found: Sequence[Population]) -> list[str]:
    """Say which populations repeat rows, are small, or were streamed."""
    notes = []
    for one in found:
        if one.layer != found[-1].layer:
            continue
        if one.streamed is None and (repeated := len(one.rows) - len(np.unique(one.rows, axis=0))):
            notes.append(f"{repeated} of the {one.n} rows of {one.readout} repeat another row")
        if one.n < ENOUGH * one.d:
            notes.append(f"{one.readout}: {one.n} rows are fewer than {ENOUGH} for each of {one.d} dimensions, too few "
                         "for the bands of ranks to hold what infinitely many images would give")  # fmt: skip
        if one.streamed is not None:
            notes.append(f"{one.readout}: moments of all {one.n} rows were streamed; metrics of rows and shuffled "
                         f"columns take {len(one.rows)} rows at random")  # fmt: skip
    return notes
