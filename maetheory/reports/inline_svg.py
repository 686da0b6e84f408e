"""Matplotlib's SVG files as elements of an HTML page, in the colours of its light or dark theme."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from markupsafe import Markup

_LEFT_OUT = frozenset({"metadata", "style", "title", "desc", "script"})
_THEME_COLOURS = {"#000000": "currentColor", "#ffffff": "var(--surface)"}
"""Ink and paper of a figure -> those of the page."""
_COLOURS = re.compile(r"#(?:000000|ffffff)\b")
_REFERENCES = re.compile(r"url\(#([^)]+)\)")
_LONG_DECIMALS = re.compile(r"(\.\d\d)\d+")
_ROUNDED = frozenset({"d", "x", "y"})
"""Attributes in points or in units of a font, of which two decimals are seen."""
POINTS_PER_INCH, PIXELS_PER_INCH = 72, 96


def inline_svg(path: Path, label: str, prefix: str) -> Markup:
    """Return an SVG file that Matplotlib wrote as an element of a page.

    Its background takes the colour of the page and black becomes the colour of the text, so that it is read in a light
    and in a dark theme. Metadata, and the style sheet, which would apply to the whole page, are left out.

    Parameters
    ----------
    path : Path
    label : str
        What the picture shows, for those who do not see it.
    prefix : str
        Start of all identifiers in it, different for each picture of a page.

    Raises
    ------
    OSError, xml.etree.ElementTree.ParseError
        If the file cannot be read, or is no XML.
    """
    root = ElementTree.parse(path).getroot()
    elements = list(root.iter())
    known = {name: f"{prefix}{number}" for number, name in enumerate(_referenced_names(elements))}
    for element in elements:
        element.tag = _local_name(element.tag)
        element.text = element.tail = None  # Matplotlib draws texts as paths
        element.attrib = {
            _local_name(name): value
            for name, value in ((name, _page_value(name, value, known)) for name, value in element.attrib.items())
            if value
        }
        for child in list(element):
            if _local_name(child.tag) in _LEFT_OUT:
                element.remove(child)
    width = float(root.attrib["viewBox"].split()[2]) / POINTS_PER_INCH * PIXELS_PER_INCH
    root.attrib = {
        "class": "plot",
        "role": "img",
        "aria-label": label,
        "viewBox": root.attrib["viewBox"],
        "style": f"--width: {width:.0f}px",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _local_name(name: str) -> str:
    """Return a name without its namespace, which HTML does not write."""
    return name.rpartition("}")[2]


def _referenced_names(elements: list[ElementTree.Element]) -> list[str]:
    """Return the identifiers that other elements refer to, each once, in order."""
    found: dict[str, None] = {}
    for element in elements:
        for name, value in element.attrib.items():
            if _local_name(name) == "href" and value.startswith("#"):
                found[value[1:]] = None
            found |= dict.fromkeys(_REFERENCES.findall(value))
    return list(found)


def _page_value(name: str, value: str, known: dict[str, str]) -> str:
    """Return the value of an attribute on the page; empty if it is left out."""
    name = _local_name(name)
    if name == "id":
        return known.get(value, "")
    if name == "href":
        return f"#{known[value[1:]]}" if value.startswith("#") else value if value.startswith("data:image/png") else ""
    if name.startswith("on"):
        return ""
    if name in _ROUNDED:
        value = _LONG_DECIMALS.sub(r"\1", value.replace("\n", ""))
    value = _COLOURS.sub(lambda found: _THEME_COLOURS[found[0]], value)
    return _REFERENCES.sub(lambda found: f"url(#{known[found[1]]})", value)
