"""Self-contained HTML page with embedded pictures and the provenance of its numbers."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from maetheory.core import atomic_write

_CSS = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.7rem} h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #ddd}
img{max-width:100%;height:auto} .table{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem} td,th{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #eee}
th{border-bottom:2px solid #999} pre{background:#f6f6f6;padding:.8rem;overflow-x:auto;font-size:.8rem}
"""


class Section(NamedTuple):
    """One section of the page.

    Attributes
    ----------
    title : str
    text : str
        One paragraph.
    pictures : sequence of (Path, str)
        PNG files with their alternative texts.
    tables : sequence of DataFrame
    """

    title: str
    text: str = ""
    pictures: Sequence[tuple[Path, str]] = ()
    tables: Sequence[pd.DataFrame] = ()


def write_page(
    path: Path, title: str, introduction: str, sections: Sequence[Section], provenance: Mapping[str, Any]
) -> Path:
    """Write an HTML page atomically.

    Parameters
    ----------
    path : Path
        File to write.
    title, introduction : str
    sections : sequence of Section
    provenance : mapping
        Recipe, code, versions and machine, shown at the end of the page.

    Returns
    -------
    Path
        `path`.
    """
    body = [f"<h1>{html.escape(title)}</h1>", f"<p>{html.escape(introduction)}</p>"]
    for section in sections:
        body += _section_html(section)
    shown = html.escape(json.dumps(provenance, indent=1))
    body.append(
        f"<h2>Provenance</h2><details><summary>Recipe, code, versions, machine</summary><pre>{shown}</pre></details>"
    )
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{_CSS}</style></head><body>{''.join(body)}</body></html>\n"
    )
    with atomic_write(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def _section_html(section: Section) -> list[str]:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.text:
        parts.append(f"<p>{html.escape(section.text)}</p>")
    for picture, description in section.pictures:
        data = base64.b64encode(picture.read_bytes()).decode()
        parts.append(f'<img alt="{html.escape(description)}" src="data:image/png;base64,{data}">')
    return parts + [f'<div class="table">{table.to_html(index=False, border=0)}</div>' for table in section.tables]
