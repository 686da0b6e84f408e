"""Two narrow forms of the table of `collapse_report`: a compact one to read, and a long one to plot."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from maetheory.core import InputError

KEYS = ("readout", "layer", "metric", "convention")
_OPTIONAL_KEYS = ("checkpoint", *KEYS)  # records of several checkpoints name each

QUANTITIES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "value": ("value", "low", "high"),
        "limit": ("limit", "limit_low", "limit_high"),
        "random_init": ("random_init", "random_init_low", "random_init_high"),
        "random_span": ("", "random_span_low", "random_span_high"),
        "same_images": ("same_images", "same_images_error", ""),
        "shuffled": ("shuffled", "shuffled_low", "shuffled_high"),
        "noise": ("noise", "", ""),
    }
)
"""Quantity of the long form -> columns of its value and of the ends of its interval, "" where there is none."""


def compact_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table of `collapse_report` that say how much, how surely, and compared with what.

    Parameters
    ----------
    table : DataFrame
        As `collapse_report` returns it, or the records of `maetheory collapse` (``records.csv``, ``--json``).

    Returns
    -------
    DataFrame
        One row per readout, layer, metric and convention: value, error, limit, random_init and its interval, shuffled,
        images; columns without any number are left out, and so is a layer or convention that is the same in all rows.

    Raises
    ------
    InputError
        If the table is no such table.

    Examples
    --------
    >>> from maetheory.evaluation import collapse_report
    >>> rows = np.random.default_rng(0).normal(size=(60, 4))
    >>> list(compact_table(collapse_report(rows, metrics=["mean_cosine", "stable_rank"])))
    ['metric', 'convention', 'value', 'error', 'limit', 'images']
    """
    keys = _key_columns(table)
    names = ("value", "error", "limit", "random_init", "random_init_low", "random_init_high", "shuffled", "images")
    told = [name for name in names if name in table and table[name].notna().any()]
    varying = [name for name in keys if name == "metric" or table[name].nunique(dropna=False) > 1]
    return table[[*varying, *told]].reset_index(drop=True)


def long_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each number of a table of `collapse_report`, as seaborn and pandas' groupby take it.

    Parameters
    ----------
    table : DataFrame
        As for `compact_table`.

    Returns
    -------
    DataFrame
        readout, layer, metric, convention, quantity (value, limit, random_init, random_span, same_images, shuffled,
        noise), value, low, high and images. Numbers that were not measured have no row. random_span has an interval
        only.

    Raises
    ------
    InputError
        If the table is no such table.

    Examples
    --------
    >>> from maetheory.evaluation import collapse_report
    >>> rows = np.random.default_rng(0).normal(size=(60, 4))
    >>> long_table(collapse_report(rows, metrics=["effective_rank"])).quantity.tolist()
    ['value', 'limit']
    """
    keys = _key_columns(table)
    parts = []
    for quantity, (name, low, high) in QUANTITIES.items():
        value, ends = _column(table, name), (_column(table, low), _column(table, high))
        if quantity == "same_images":  # which has an error in place of an interval
            ends = (value - ends[0], value + ends[0])
        on = "random_images" if quantity in ("random_init", "random_span", "same_images") else "images"
        part = table[keys].assign(quantity=quantity, value=value, low=ends[0], high=ends[1])
        part["images"] = _column(table, on).fillna(table.images)
        parts.append(part[part[["value", "low"]].notna().any(axis=1)])
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _key_columns(table: pd.DataFrame) -> list[str]:
    missing = [name for name in (*KEYS, "value", "error", "images") if name not in table]
    if missing:
        raise InputError(
            f"the table must be one of collapse_report, but it has no column {', '.join(missing)}; its columns are "
            f"{', '.join(map(str, table.columns)) or 'none'}"
        )
    return [name for name in _OPTIONAL_KEYS if name in table]


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series(np.nan, index=table.index)
