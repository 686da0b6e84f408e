"""Self-contained HTML page with embedded pictures and the provenance of its numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined

from maetheory.core import atomic_write

# Every text is escaped by the environment; the tables are HTML already, whose texts pandas has escaped.
_TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.7rem} h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #ddd}
img{max-width:100%;height:auto} .table{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem} td,th{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #eee}
th{border-bottom:2px solid #999} pre{background:#f6f6f6;padding:.8rem;overflow-x:auto;font-size:.8rem}
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
{% for section in sections %}
<h2>{{ section.title }}</h2>
{% if section.text %}
<p>{{ section.text }}</p>
{% endif %}
{% for picture, description in section.pictures %}
<img alt="{{ description }}" src="data:image/png;base64,{{ picture | file_as_base64 }}">
{% endfor %}
{% for table in section.tables %}
<div class="table">{{ table.to_html(index=False, border=0) | safe }}</div>
{% endfor %}
{% endfor %}
<h2>Provenance</h2>
<details><summary>Recipe, code, versions, machine</summary><pre>{{ provenance }}</pre></details>
</body>
</html>
"""


def _file_as_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


_ENVIRONMENT = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
)
_ENVIRONMENT.filters["file_as_base64"] = _file_as_base64
_PAGE = _ENVIRONMENT.from_string(_TEMPLATE)


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
    page = _PAGE.render(
        title=title, introduction=introduction, sections=sections, provenance=json.dumps(provenance, indent=1)
    )
    with atomic_write(path) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")  # a path may be no UTF-8
    return path
