"""Experiment names for the rows of Tables 1 and 2."""

from __future__ import annotations

from maetheory.data.paper import paper_numbers

TABLES = ("table1", "table2")


def experiment_name(table: str, dataset: str, backbone: str) -> str:
    """Return the name of the experiment that reproduces a row of a table.

    Examples
    --------
    >>> experiment_name("table1", "ImageNet-100", "ViT-Base")
    'table1-imagenet100-base'
    """
    return f"{table}-{dataset.lower().replace('-', '')}-{backbone.lower().removeprefix('vit-')}"


def experiment_names(table: str) -> tuple[str, ...]:
    """Return the names of the experiments of a table, in the order of the paper."""
    rows = paper_numbers(table)
    return tuple(dict.fromkeys(experiment_name(table, row.dataset, row.backbone) for row in rows.itertuples()))
