"""HTML pages: texts are escaped, pictures described, nothing is fetched, and equal input gives equal bytes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from html_pages import check_page

from maetheory.core.glossary import GLOSSARY
from maetheory.figures.style import paper_style, plain_label, save_figure
from maetheory.reports import Picture, Section, Statement, Table, write_page
from maetheory.reports.page import MAX_SVG_LENGTH
from maetheory.reports.page_terms import TermLinks, identifier, page_terms

HTML_TEXT = '<script>alert("ρ")</script>'
HOSTILE = (
    "</style><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "'\" onload='x",
    "&lt;b&gt;",
    "a\x00\x1b[31m\u202eb",
    "\udcff",
)


def draw(folder: Path, name: str, points: int = 5, label: str = "a curve") -> tuple[Path, Path]:
    x = np.linspace(0, 1, points)
    with paper_style():
        figure, ax = plt.subplots(figsize=(3, 2))
        ax.scatter(x, np.sin(40 * x), s=3, color="black")
        ax.set(title=plain_label(label), facecolor="white")
        svg, png, _ = save_figure(figure, pd.DataFrame({"x": x}), folder, name)
    return svg, png


def written(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def test_every_text_is_escaped(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"png")
    section = Section(HTML_TEXT, HTML_TEXT, [(picture, HTML_TEXT)], [pd.DataFrame({HTML_TEXT: [HTML_TEXT]})])
    text = written(write_page(tmp_path / "page.html", HTML_TEXT, HTML_TEXT, [section], {HTML_TEXT: HTML_TEXT}))
    assert text.count("<script") == 1  # the page's own
    assert text.count("&lt;script&gt;") == 14
    assert 'alt="&lt;script&gt;alert(&#34;ρ&#34;)&lt;/script&gt;"' in text
    assert not list(tmp_path.glob(".*"))
    check_page(text)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_outside_are_shown_and_do_nothing(name: str, tmp_path: Path) -> None:
    """A run folder, a file, a key of a checkpoint or a class may have any name."""
    svg, _ = draw(tmp_path, "plot", label=name)
    rows = np.array([[name, "yes"], ["b", "undecided"]], dtype=object)  # Arrow's strings refuse a lone surrogate
    table = Table(pd.DataFrame(rows, columns=pd.Index([name, "verdict"], dtype=object), dtype=object), name)
    section = Section(name, f"{name}\n\n{name}", [Picture(svg, name, name)], [table], [name])
    text = written(
        write_page(tmp_path / "page.html", name, name, [section], {name: name}, reading=[Statement(name, name, [name])])
    )
    page = check_page(text)
    assert Counter(tag for tag, _ in page.elements)["script"] == 1
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    shown = (
        name.replace("\x00", r"\u0000")
        .replace("\x1b", r"\u001b")
        .replace("\u202e", r"\u202e")
        .replace("\udcff", r"\udcff")
    )
    assert page.texts.count(shown) >= 8


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    svg, _ = draw(tmp_path, "plot")
    section = Section(
        "Mask ratio", "the effective rank", [Picture(svg, "a curve")], [pd.DataFrame({"metric": ["lidar"]})]
    )
    pages = [
        write_page(tmp_path / name, "a", "b", [section], {"seed": 1}).read_bytes() for name in ("a.html", "b.html")
    ]
    assert pages[0] == pages[1]


def test_pictures_are_inline_and_take_the_colours_of_the_theme(tmp_path: Path) -> None:
    svg, _ = draw(tmp_path, "plot")
    sections = [Section("one", pictures=[Picture(svg, "the curve rises to 1"), Picture(svg, "again")])]
    text = written(write_page(tmp_path / "page.html", "a", "", sections, {}))
    page = check_page(text)  # of which each identifier is unique, though the picture is there twice
    labels = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    assert labels == ["the curve rises to 1", "again"]
    assert "currentColor" in text
    assert "var(--surface)" in text
    inside = text[text.index("<svg") : text.rindex("</svg>")]
    assert not re.search("#000000|#ffffff|<metadata|<style", inside)
    assert len(text) < 2 * len(written(svg)) + 30_000


def test_a_picture_of_very_many_points_is_shown_as_pixels(tmp_path: Path) -> None:
    svg, png = draw(tmp_path, "plot", points=12_000)
    section = Section("one", pictures=[Picture(svg, "twelve thousand points")])
    text = written(write_page(tmp_path / "page.html", "a", "", [section], {}))
    page = check_page(text)
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == ["twelve thousand points"]
    assert len(text) < MAX_SVG_LENGTH
    png.unlink()  # a picture without pixels stays as it is
    assert "<svg" in written(write_page(tmp_path / "page.html", "a", "", [section], {}))


def test_results_stand_before_tables_and_contents_name_every_section(tmp_path: Path) -> None:
    sections = [Section("First", tables=[pd.DataFrame({"a": [1.23456, np.nan]})]), Section("Second", "words")]
    text = written(
        write_page(tmp_path / "page.html", "a", "method", sections, {}, reading=[Statement("It holds.", "By 2.")])
    )
    check_page(text)
    places = [text.index(part) for part in ("<h1>", "It holds.", "method", "<table", 'id="provenance"')]
    assert places == sorted(places)
    assert re.findall(r'<li><a href="#([\w-]+)">', text) == ["result", "section-1", "section-2", "provenance"]
    assert "1.235" in text
    assert ">nan<" not in text.lower()


def test_words_of_the_glossary_are_links_to_their_meanings(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"metric": ["effective_rank", "lidar", "lidar"], "n → ∞": ["1", "2", "3"], "mean": ["a", "b", "c"]}
    )
    section = Section("One", "The effective rank; the effective rank again; a mean.", tables=[Table(table, "A table.")])
    text = written(write_page(tmp_path / "page.html", "a", "", [section], {}))
    check_page(text)
    links = re.findall(r'<a class="term"[^>]*>([^<]*)</a>', text)
    assert links == ["effective rank", "n → ∞", "mean", "effective_rank", "lidar"]
    assert "exponential of the entropy of singular values" in text
    assert "exp of the entropy of the eigenvalues" in text  # the first sentence of the metric's docstring


def test_terms_have_places_of_their_own_and_one_meaning_for_each_spelling() -> None:
    places = Counter(map(identifier, page_terms()))
    assert max(places.values()) == 1
    spellings = Counter(word.lower() for term in page_terms() for word in term.in_text)
    assert max(spellings.values()) == 1
    cells = Counter(text for term in page_terms() for text in {term.name, *term.in_text, *term.in_tables})
    assert max(cells.values()) == 1


def test_only_whole_words_are_linked() -> None:
    terms = TermLinks()
    assert terms.link("subcls cls.pth cls_token noise vacuously", set()).count("<a") == 1
    assert [term.name for term in terms.used] == ["cls, mean"]


def test_the_glossary_of_the_documentation_is_that_of_the_pages() -> None:
    page = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [f"| {term.name} | {term.meaning} | {term.also_called} |".replace("|  |", "| |") for term in GLOSSARY]
    table = "\n".join(["| symbol or word | meaning | also called |", "|---|---|---|", *rows])
    assert table in page, f"the table of docs/glossary.md should be:\n{table}"
