"""Sphinx configuration: the pages beside this file, and those that `generators` writes from the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from generators import write_generated_pages  # noqa: E402  (the path is set above)
from generators.site_links import rewrite_source  # noqa: E402  (the path is set above)

import maetheory  # noqa: E402  (the path is set above)

project = "maetheory"
author = "maetheory contributors"
copyright = author
release = version = maetheory.__version__

extensions = [
    "generators.mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "generated/verdicts.md", "generated/comparison_numbers.md", "mutants.md"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are executed by `make notebooks`, which checks them
default_role = "code"
intersphinx_mapping: dict[str, tuple[str, None]] = {}  # the site is built without a network
suppress_warnings = ["ref.python"]  # types in docstrings are prose: "array, shape (N, d)" names no object
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings, with shapes and units
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
copybutton_exclude = ".linenos, .gp, .go"

html_math_renderer = "mathml"  # MathML needs no script, so formulas are shown without a network
html_theme = "furo"
html_title = "maetheory"
html_static_path = ["_static", "generated/static"]
html_css_files = ["maetheory.css"]
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}

write_generated_pages(HERE)


def setup(app: Any) -> None:
    """Let links of pages to files of the repository lead to the pages that the site has of them."""
    app.connect("source-read", rewrite_source)
