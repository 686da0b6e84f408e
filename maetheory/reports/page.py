"""Self-contained HTML page: results, tables and pictures with captions, a glossary, and the origin of its numbers.

The page needs no network and, but for sorting tables and showing meanings beside words, no script. Names and texts are
escaped by the template; the template, the style sheet and the script lie in the folder `templates`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from maetheory.core import atomic_write
from maetheory.reports.inline_svg import inline_svg
from maetheory.reports.page_terms import TermLinks, identifier

MAX_SVG_LENGTH = 500_000
"""Characters of a vector picture; a larger one, such as a scatter of many points, is shown by its PNG."""
EMPTY_CELL = "–"
_ANSWERS = {"yes": "alarm", "refuted": "alarm", "no": "calm", "confirmed": "calm", "undecided": "open"}
"""Text of a cell -> how it is marked."""
_NUMBER = re.compile(r"(?:[+−-]?\d.{,24}|–|not run|not stated|)$")
_UNSEEN = {
    code: f"\\u{code:04x}"
    for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F))
} | {code: f"\\u{code:04x}" for code in (0x200E, 0x200F, *range(0x2066, 0x206A))}
"""Controls and changes of the direction of writing, which no name on a page may hold, -> how they are shown."""


class Picture(NamedTuple):
    """A picture of a page.

    Attributes
    ----------
    path : Path
        SVG or PNG file. An SVG that is too large is replaced by the PNG of the same name beside it.
    description : str
        What the picture shows, with its numbers, for those who do not see it.
    caption : str
        Sentence below the picture; the title of its section by default.
    """

    path: Path
    description: str
    caption: str = ""


class Table(NamedTuple):
    """A table of a page.

    Attributes
    ----------
    frame : DataFrame
        Its columns and texts are shown as they are; numbers have four digits.
    caption : str
        Sentence above the table; the title of its section by default.
    """

    frame: pd.DataFrame
    caption: str = ""


class Section(NamedTuple):
    """One section of the page.

    Attributes
    ----------
    title : str
    text : str
        Paragraphs, separated by empty lines.
    pictures : sequence of Picture, or of pairs (path, description)
    tables : sequence of Table or DataFrame
    points : sequence of str
        Sentences of a list, below the tables.
    """

    title: str
    text: str = ""
    pictures: Sequence[Picture | tuple[Path, str]] = ()
    tables: Sequence[Table | pd.DataFrame] = ()
    points: Sequence[str] = ()


class Statement(NamedTuple):
    """One result at the top of the page.

    Attributes
    ----------
    headline : str
        A few words that say it.
    text : str
        Sentences that support it.
    points : sequence of str
        More of them, as a list.
    """

    headline: str
    text: str = ""
    points: Sequence[str] = ()


def write_page(
    path: Path,
    title: str,
    introduction: str,
    sections: Sequence[Section],
    provenance: Mapping[str, Any],
    *,
    reading: Sequence[Statement] = (),
) -> Path:
    """Write an HTML page atomically; equal arguments give equal bytes.

    Parameters
    ----------
    path : Path
        File to write.
    title, introduction : str
    sections : sequence of Section
    provenance : mapping
        Recipe, code, versions and machine, shown at the end of the page.
    reading : sequence of Statement
        The results, shown before anything else.

    Returns
    -------
    Path
        `path`.
    """
    terms = TermLinks()
    shown = [_section_view(number, section, terms) for number, section in enumerate(_with_numbers(sections), 1)]
    linked: set[str] = set()
    page = _template("page.html.j2").render(
        title=title,
        reading=[
            {
                "headline": one.headline,
                "text": terms.link(one.text, linked),
                "points": [terms.link(point, linked) for point in one.points],
            }
            for one in reading
        ],
        introduction=terms.link(introduction, linked),
        sections=shown,
        terms=[(identifier(term), term) for term in terms.used],
        provenance=json.dumps(provenance, indent=1),
        style=Markup(_source("page.css")),
        script=Markup(_source("page.js")),
    )
    with atomic_write(path) as part:  # a path may be no UTF-8
        part.write_text(page.translate(_UNSEEN), encoding="utf-8", errors="backslashreplace")
    return path


def _with_numbers(sections: Sequence[Section]) -> list[tuple[Section, int, int]]:
    """Return each section with the numbers of its first picture and table on the page."""
    found, pictures, tables = [], 1, 1
    for section in sections:
        found.append((section, pictures, tables))
        pictures, tables = pictures + len(section.pictures), tables + len(section.tables)
    return found


def _section_view(number: int, numbered: tuple[Section, int, int], terms: TermLinks) -> dict[str, Any]:
    """Return what the template shows of a section."""
    section, first_picture, first_table = numbered
    linked: set[str] = set()
    return {
        "id": f"section-{number}",
        "title": section.title,
        "paragraphs": [terms.link(one, linked) for one in section.text.split("\n\n") if one],
        "points": [terms.link(one, linked) for one in section.points],
        "tables": [
            _table_view(place, Table(one) if isinstance(one, pd.DataFrame) else one, section.title, terms, linked)
            for place, one in enumerate(section.tables, first_table)
        ],
        "pictures": [
            _picture_view(place, Picture(*one), section.title, terms, linked)
            for place, one in enumerate(section.pictures, first_picture)
        ],
    }


def _picture_view(number: int, picture: Picture, title: str, terms: TermLinks, linked: set[str]) -> dict[str, Any]:
    return {
        "number": number,
        "caption": terms.link(picture.caption or title, linked),
        "element": _picture_element(picture.path, picture.description, f"p{number}-"),
    }


def _picture_element(path: Path, description: str, prefix: str) -> Markup:
    """Return a picture as an element that holds it: SVG as it is, PNG in base64."""
    if path.suffix == ".svg":
        element = inline_svg(path, description, prefix)
        if len(element) <= MAX_SVG_LENGTH or not path.with_suffix(".png").exists():
            return element
        path = path.with_suffix(".png")
    encoded = base64.b64encode(path.read_bytes()).decode()
    return Markup('<img class="plot" alt="{}" src="data:image/png;base64,{}">').format(description, encoded)


def _table_view(number: int, table: Table, title: str, terms: TermLinks, linked: set[str]) -> dict[str, Any]:
    """Return headings and cells of a table with their kinds; the cells of one column name the rows."""
    # as objects of Python: Arrow's strings refuse names that are no UTF-8
    texts = [[cell_text(value) for value in row] for row in table.frame.astype(object).to_numpy().tolist()]
    columns = list(zip(*texts, strict=True)) or [()] * table.frame.shape[1]
    numeric = ["number" if column and all(map(_NUMBER.match, column)) else "" for column in columns]
    key = _key_column(columns)
    return {
        "number": number,
        "caption": terms.link(table.caption or title, linked),
        "headings": [
            (terms.link_cell(str(name), linked), str(name), kind) for name, kind in zip(table.frame.columns, numeric)
        ],
        "rows": [
            [
                ("th" if place == key else "td", terms.link_cell(text, linked), _ANSWERS.get(text, ""), kind)
                for place, (text, kind) in enumerate(zip(row, numeric))
            ]
            for row in texts
        ],
    }


def cell_text(value: Any) -> str:
    """Return a cell of a table as text: numbers with four digits, nothing as a dash.

    Examples
    --------
    >>> cell_text(0.123456), cell_text(float("nan")), cell_text("a"), cell_text(12345)
    ('0.1235', '–', 'a', '12345')
    """
    if isinstance(value, (float, np.floating)):
        return EMPTY_CELL if np.isnan(value) else f"{value:.4g}"
    return EMPTY_CELL if value is None else str(value)


def _key_column(columns: Sequence[Sequence[str]]) -> int:
    """Return the column that names the rows: the first three's with most different texts."""
    return max(range(min(3, len(columns))), key=lambda place: len(set(columns[place])), default=0)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("maetheory.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _template(name: str) -> Template:
    return _environment().get_template(name)


def _source(name: str) -> str:
    """Return the text of a file beside the template."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
