"""The service below a path of its host, whether or not the proxy before it takes that path away."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from pydantic import ValidationError

from api.app import create_app
from api.routes.page import DIGEST
from store.settings import Settings
from tests.api.fake_classifier import FakeClassifier
from tests.api.http.test_gate import TRAIN
from tests.api.records import Records, jpeg
from tests.api.web import TestClient

ROOT = "/team/pedigree"
PASSED_ON = pytest.mark.parametrize("passed", ["", ROOT], ids=["taken away", "as it came"])


@pytest.fixture
def below(settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings.model_copy(update={"root_path": ROOT}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@PASSED_ON
@pytest.mark.parametrize("view", ["/ui/", "/ui/runs/3", "/ui/data/pets/review"])
def test_every_file_of_the_page_is_found_from_each_view(below: TestClient, passed: str, view: str) -> None:
    seen: set[str] = set()
    ahead = [passed + view]
    while ahead:
        path = ahead.pop()
        seen.add(path)
        answer = below.get(path)
        assert answer.status_code == 200, path
        found = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', answer.text) if path == passed + view else []
        if path.endswith(".js"):
            found += re.findall(r'^import .* from "([^"]+)";', answer.text, re.MULTILINE)
            if path.endswith("/views.js"):
                found += re.findall(r'^  \w+: "([^"]+\.js)",', answer.text, re.MULTILINE)
        assert not [one for one in found if one.startswith("/")], path
        ahead += {urljoin(path, one) for one in found} - seen - set(ahead)
    assets = {
        f"{passed}/ui/assets/of/{DIGEST}/{name}"
        for name in ("frame/page.css", "frame/page.js", "frame/stream.js", "run/losses.js")
    }
    assert assets <= seen


@PASSED_ON
def test_where_a_job_is_found_begins_with_the_path(below: TestClient, records: Records, passed: str) -> None:
    records.dataset()
    answer = below.post(f"{passed}/jobs", json=TRAIN)
    assert answer.headers["location"] == f"{ROOT}/jobs/1"
    assert below.get(answer.headers["location"]).json()["id"] == 1
    slashed = below.get(f"{passed}/jobs/", follow_redirects=False)
    assert (slashed.status_code, slashed.headers["location"]) == (307, f"http://localhost{ROOT}/jobs")


def test_the_page_without_its_slash_leads_to_the_page(below: TestClient) -> None:
    answer = below.get(ROOT, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"http://localhost{ROOT}/")


@PASSED_ON
def test_limits_and_open_paths_hold_there_too(below: TestClient, records: Records, passed: str) -> None:
    records.served()
    assert below.get(f"{passed}/healthz", headers={"host": "10.0.0.5"}).status_code == 200
    assert below.get(f"{passed}/jobs", headers={"host": "10.0.0.5"}).status_code == 400
    # More than JSON may have: the form's own limit is the larger one.
    files = {"file": ("a.jpg", jpeg() + bytes(2 * 1024 * 1024))}
    assert below.post(f"{passed}/predict", files=files).status_code != 413


def test_the_contract_says_where_it_is(below: TestClient) -> None:
    assert below.get("/openapi.json").json()["servers"] == [{"url": ROOT}]


@pytest.mark.parametrize("value", ["pedigree", "/a b", "/a/../b", "https://x/y", "//evil.example"])
def test_what_is_no_path_is_no_setting(settings: Settings, value: str) -> None:
    with pytest.raises(ValidationError, match="is not a path"):
        Settings.model_validate({**settings.model_dump(), "root_path": value})


@pytest.mark.parametrize(("value", "path"), [("", ""), ("/", ""), ("/pets/", "/pets")])
def test_a_slash_at_its_end_is_no_part_of_it(settings: Settings, value: str, path: str) -> None:
    assert Settings.model_validate({**settings.model_dump(), "root_path": value}).root_path == path
