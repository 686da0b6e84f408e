"""HTML pages escape every text."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from maetheory.reports import Section, write_page

HTML_TEXT = '<script>alert("ρ")</script>'


def test_every_text_is_escaped(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"png")
    section = Section(HTML_TEXT, HTML_TEXT, [(picture, HTML_TEXT)], [pd.DataFrame({HTML_TEXT: [HTML_TEXT]})])
    page = (
        write_page(tmp_path / "page.html", HTML_TEXT, HTML_TEXT, [section], {HTML_TEXT: HTML_TEXT})
        .read_bytes()
        .decode("utf-8")
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 10
    assert 'alt="&lt;script&gt;alert(&#34;ρ&#34;)&lt;/script&gt;"' in page
    assert not list(tmp_path.glob(".*"))
