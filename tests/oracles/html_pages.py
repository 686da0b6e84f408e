"""A reader of HTML pages that checks what every page of a report promises."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

VOID = frozenset({"meta", "link", "img", "br", "hr"})
"""Elements of HTML that have no end."""


class PageReader(HTMLParser):
    """Elements of a page with their attributes, and those that were not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.misplaced: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misplaced.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        """The page without its marks, on one line."""
        return " ".join("".join(self.texts).split())

    @property
    def pictures(self) -> list[str]:
        """What is said of each picture to those who do not see it."""
        return [
            attributes.get("aria-label", "") or attributes.get("alt", "")
            for tag, attributes in self.elements
            if tag in ("svg", "img")
        ]


def check_page(text: str) -> PageReader:
    """Fail unless a page is well formed, described and self-contained."""
    page = PageReader(text)
    assert page.misplaced == []
    assert page.open == []
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert ids
    assert max(ids.values()) == 1
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href"):
            address = attributes.get(name, "data:")
            assert address.startswith(("#", "data:")), (tag, address[:80])
            assert not address.startswith("#") or address[1:] in ids
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name) is None or attributes[name] in ids
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"].strip()
        if tag == "img":
            assert attributes["alt"].strip()
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert not re.search(r"url\((?!#)|@import|https?://", re.sub(r"<pre.*?</pre>", "", text, flags=re.S))
    return page
