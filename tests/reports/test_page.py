"""Nothing that a name, a class or a caption says can become part of the page's own markup."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from maetheory.reports import Section, write_page

NASTY = '<script>alert("ρ")</script>'


def test_every_text_is_escaped(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"png")
    section = Section(NASTY, NASTY, [(picture, NASTY)], [pd.DataFrame({NASTY: [NASTY]})])
    page = write_page(tmp_path / "page.html", NASTY, NASTY, [section], {NASTY: NASTY}).read_bytes().decode("utf-8")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 10
    assert 'alt="&lt;script&gt;alert(&quot;ρ&quot;)&lt;/script&gt;"' in page
    assert not list(tmp_path.glob(".*"))
