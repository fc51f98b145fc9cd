import re
from pathlib import Path

import plotly
import pytest
from fastapi import FastAPI

import api
from api.schemas.jobs import JobOut
from api.schemas.runs import Confusion, InterpretationOut, TopLoss
from tests.api.web import TestClient

FOLDER = Path(str(api.__file__)).parent / "page"
PAGE = (FOLDER / "index.html").read_text()
STYLE = (FOLDER / "page.css").read_text()
MODULES = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.js"))}
SCRIPTS = "\n".join(MODULES.values())
MOST_LINES = 200


@pytest.mark.parametrize(
    ("path", "kind", "word"),
    [
        ("/", "text/html", "<title>Pedigree</title>"),
        ("/page.css", "text/css", "prefers-color-scheme"),
        *((f"/{name}", "text/javascript", "import" if name == "page.js" else "export") for name in MODULES),
    ],
)
def test_the_page_and_its_files_are_served(client: TestClient, path: str, kind: str, word: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    # The files belong together: after an upgrade none may come from the browser's cache unasked.
    assert answer.headers["cache-control"] == "no-cache"
    assert word in answer.text


@pytest.mark.parametrize("path", ["/nothing.js", "/index.html", "/..%2Fpage.js", "/..%2f..%2f__init__.js"])
def test_nothing_else_is_served_beside_the_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_every_module_is_there_and_exports_what_is_taken_from_it() -> None:
    for text in MODULES.values():
        for names, source in re.findall(r'^import \{([^}]+)\} from "/([\w.]+)";$', text, re.MULTILINE):
            exported = re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", MODULES[source], re.MULTILINE)
            assert {name.strip() for name in names.split(",")} <= set(exported), source
    imported = set(re.findall(r'from "/([\w.]+)"', SCRIPTS))
    assert imported | {"page.js"} == set(MODULES)


def test_modules_are_short_enough_to_be_read() -> None:
    assert {name for name, text in MODULES.items() if len(text.splitlines()) > MOST_LINES} == set()


def test_the_page_uses_nothing_from_elsewhere_and_nothing_that_its_policy_forbids() -> None:
    assert set(re.findall(r'(?:src|href)="([^"]+)"', PAGE)) == {"/page.css", "/page.js", "data:,"}
    assert set(re.findall(r'(?:src: |^import .* from )"([^"]+)"', SCRIPTS, re.MULTILINE)) == {
        *(f"/{name}" for name in MODULES if name != "page.js"),
        "/plotly.min.js",
    }
    assert not re.search(r"<script(?![^>]*src)|<style|\son\w+=|\sstyle=", PAGE)
    assert not re.search(r"https?://", SCRIPTS)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", SCRIPTS)
    assert not re.search(r"srcdoc|DOMParser|createContextualFragment|setHTML|\bstyle:", SCRIPTS)


def test_plotly_comes_from_its_own_package_and_is_not_in_ours(client: TestClient) -> None:
    answer = client.get("/plotly.min.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.content == (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 50_000


def test_plotly_writes_no_style_into_the_page() -> None:
    # Plotly looks for an element of this name and class; without it, it would add rules that the page's policy forbids.
    assert re.search(r'<link[^>]*id="plotly.js-style-global" class="no-inline-styles"', PAGE)
    assert b"no-inline-styles" in (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_bytes()


def test_every_element_that_the_scripts_name_is_in_the_page() -> None:
    there = set(re.findall(r'id="([\w-]+)"', PAGE))
    named = set(re.findall(r'(?:byId|fill|getElementById)\("([\w-]+)"', SCRIPTS))
    assert len(named) > 30
    assert named <= there
    assert set(re.findall(r'<label for="([\w-]+)"', PAGE)) <= there
    labels = set(re.findall(r'aria-labelledby="([\w-]+)"', PAGE))
    assert labels <= there


def test_every_address_that_the_scripts_ask_is_a_route(app: FastAPI) -> None:
    routes = [re.sub(r"\{\w+\}", "[^/]+", path) for path in app.openapi()["paths"]]
    asked = re.findall(r'(?:ask\(|EventSource\(|const base = |path: )["`](/[^"`]+)["`]', SCRIPTS)
    # What is put in after a word is the query, what is put in after a slash is a part of the path.
    bare = [re.sub(r"(?<=\w)\$\{.*$", "", path.partition("?")[0]) for path in asked]
    paths = {re.sub(r"\$\{[^}]+\}", "x", path) for path in bare}
    assert {"/runs", "/runs/x", "/runs/x/top-losses", "/runs/x/lr-find", "/jobs", "/jobs/x/events"} <= paths
    assert {path for path in paths if not any(re.fullmatch(route, path) for route in routes)} == set()


@pytest.mark.parametrize(
    ("module", "model", "fields"),
    [
        ("reading.js", Confusion, "tta side trained_on error_rate note drawn most_confused per_class"),
        ("reading.js", TopLoss, "item actual predicted probability_actual probability_predicted image trained_on"),
        ("reading.js", InterpretationOut, "side dataset"),
        ("parts.js", JobOut, "state progress error"),
    ],
)
def test_what_must_be_said_beside_a_figure_is_read_from_fields_that_the_service_has(
    module: str, model: type[Confusion] | type[TopLoss] | type[InterpretationOut] | type[JobOut], fields: str
) -> None:
    for field in fields.split():
        assert re.search(rf"\b{field}\b", MODULES[module]), field
        assert field in model.model_fields


def test_errors_have_a_line_of_their_own_that_nothing_else_writes() -> None:
    assert re.search(r'<p id="trouble" role="alert"></p>', PAGE)
    assert {name for name, text in MODULES.items() if '"trouble"' in text} == {"service.js"}
    assert {name for name, text in MODULES.items() if 'byId("served")' in text} == {"served.js"}


def test_a_runs_late_answer_is_dropped_before_anything_of_it_is_shown() -> None:
    for asked in re.findall(r"await ask\(`/runs/\$\{id\}`\);\n(.*)\n", MODULES["run.js"]):
        assert asked.strip() == "if (id !== chosen) return;"
    # What the button does and what the title says change in one function that waits for nothing.
    (facts,) = re.findall(r"^function showFacts\(run\) \{\n(.*?)^\}", MODULES["run.js"], re.MULTILINE | re.DOTALL)
    assert "await" not in facts
    assert 'byId("run-title")' in facts
    assert "register(run.id)" in facts
    assert SCRIPTS.count('byId("run-title")') == SCRIPTS.count('byId("register").onclick') == 1


def test_on_a_narrow_window_the_runs_are_cards() -> None:
    (narrow,) = re.findall(r"@media \(max-width: 40rem\) \{\n(.*?)^\}", STYLE, re.MULTILINE | re.DOTALL)
    assert re.search(r"#runs tbody tr \{ display: flex; flex-wrap: wrap", narrow)
    assert "#runs .progress { flex-basis: 100%" in narrow
