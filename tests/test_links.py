"""Every relative link of README and docs leads to a file of the repository, and on the site to a page that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maetheory.theory import THEOREMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def relative_links(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return [target for target in LINK.findall(prose) if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=[path.stem for path in PAGES])
def test_every_relative_link_leads_to_a_file_of_the_repository(page: Path) -> None:
    for target in relative_links(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        found = page.parent / path if path else page
        assert found.exists(), target
        assert not anchor or found.suffix != ".md" or anchor in anchors(found), target


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names below docs/generated: of what is quickly written, and of the pages of statements and metrics."""
    out = tmp_path_factory.mktemp("docs") / "generated"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        from generators.commands import command_page
        from generators.included import included_pages
        from generators.metrics import FROM_ROWS, MOMENT_METRICS, OTHERS

        included_pages(out, ROOT)
        command_page(out, ROOT)
    written = {path.relative_to(out).as_posix() for path in out.rglob("*.*")}
    written |= {f"metrics/{name}.rst" for name in (*MOMENT_METRICS, *FROM_ROWS, *OTHERS)}
    written |= {f"statements/{slug}.rst" for slug in THEOREMS} | {"statements/index.md"}
    sources = (DOCS / "generators" / f"{name}.py" for name in ("theorem_ledger", "verdicts", "comparison"))
    return written | set(
        re.findall(r'folder / "(\w+\.md)"', "".join(one.read_text(encoding="utf-8") for one in sources))
    )


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_every_link_to_a_generated_page_of_the_site_is_to_one_that_is_written(page: Path, site: set[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        from generators.site_links import with_links_to_site

    text = page.read_text(encoding="utf-8")
    for target in relative_links(with_links_to_site(text)):
        assert not target.startswith("generated/") or target.removeprefix("generated/") in site, target
    assert not any(target.startswith("generated/") for target in relative_links(text))
