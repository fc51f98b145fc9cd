import re
from pathlib import Path

import plotly

import api
from tests.api.web import TestClient

FOLDER = Path(str(api.__file__)).parent / "page"
SCRIPTS = (FOLDER / "page.js").read_text() + (FOLDER / "figures.js").read_text()


def test_the_page_and_its_files_are_served(client: TestClient) -> None:
    for path, kind, word in (
        ("/", "text/html", "<title>Pedigree</title>"),
        ("/page.css", "text/css", "prefers-color-scheme"),
        ("/page.js", "text/javascript", "EventSource"),
        ("/figures.js", "text/javascript", "Plotly.react"),
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert word in answer.text


def test_the_page_uses_nothing_from_elsewhere_and_nothing_that_its_policy_forbids() -> None:
    page = (FOLDER / "index.html").read_text()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) == {"/page.css", "/page.js", "data:,"}
    assert set(re.findall(r'(?:src = |from )"([^"]+)"', SCRIPTS)) == {"/figures.js", "/plotly.min.js"}
    assert not re.search(r"<script(?![^>]*src)|<style|\son\w+=|\sstyle=", page)
    assert not re.search(r"https?://", SCRIPTS)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", SCRIPTS)


def test_plotly_comes_from_its_own_package_and_is_not_in_ours(client: TestClient) -> None:
    answer = client.get("/plotly.min.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.content == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 50_000


def test_plotly_writes_no_style_into_the_page() -> None:
    # Plotly looks for an element of this name and class; without it, it would add rules that the page's policy forbids.
    assert re.search(
        r'<link[^>]*id="plotly.js-style-global" class="no-inline-styles"', (FOLDER / "index.html").read_text()
    )
    assert b"no-inline-styles" in (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()


def test_every_element_that_the_script_names_is_in_the_page() -> None:
    page, script = (FOLDER / "index.html").read_text(), (FOLDER / "page.js").read_text()
    there = set(re.findall(r'id="([\w-]+)"', page))
    assert set(re.findall(r'byId\("([\w-]+)"\)', script)) <= there
    assert set(re.findall(r'<label for="([\w-]+)"', page)) <= there
