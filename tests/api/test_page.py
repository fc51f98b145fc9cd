import re
from pathlib import Path

import api
from tests.api.web import TestClient

FOLDER = Path(str(api.__file__)).parent / "page"


def test_the_page_and_its_files_are_served(client: TestClient) -> None:
    for path, kind, word in (
        ("/", "text/html", "<title>Pedigree</title>"),
        ("/page.css", "text/css", "prefers-color-scheme"),
        ("/page.js", "text/javascript", "EventSource"),
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert word in answer.text


def test_the_page_uses_nothing_from_elsewhere_and_nothing_that_its_policy_forbids() -> None:
    page = (FOLDER / "index.html").read_text()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) == {"/page.css", "/page.js", "data:,"}
    assert not re.search(r"<script(?![^>]*src)|<style|\son\w+=|\sstyle=", page)
    script = (FOLDER / "page.js").read_text()
    # The one address is the name of the SVG namespace.
    assert re.findall(r"https?://[^\"]+", script) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_every_element_that_the_script_names_is_in_the_page() -> None:
    page, script = (FOLDER / "index.html").read_text(), (FOLDER / "page.js").read_text()
    there = set(re.findall(r'id="([\w-]+)"', page))
    assert set(re.findall(r'byId\("([\w-]+)"\)', script)) <= there
    assert set(re.findall(r'<label for="([\w-]+)"', page)) <= there
