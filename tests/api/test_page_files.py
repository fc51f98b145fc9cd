"""The page's scripts and styles at the address that names what is in them."""

import posixpath
import re

import pytest

from api.routes.page import DIGEST, FOLDER
from tests.api.web import TestClient


@pytest.mark.parametrize("name", ["frame/page.js", "frame/page.css"])
def test_what_an_address_names_by_its_content_is_kept_and_never_of_another_version(
    client: TestClient, name: str
) -> None:
    plain = client.get(f"/ui/assets/{name}")
    packed = client.get(f"/ui/assets/of/{DIGEST}/{name}", headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", plain.text)
    assert "immutable" in packed.headers["cache-control"]
    assert packed.headers["content-type"] == plain.headers["content-type"]
    as_it_is = client.get(f"/ui/assets/of/{DIGEST}/{name}", headers={"Accept-Encoding": "identity"})
    assert ("content-encoding" in as_it_is.headers, as_it_is.text) == (False, plain.text)
    other = client.get(f"/ui/assets/of/0123456789abcdef/{name}")
    assert (other.text, other.headers["cache-control"]) == (plain.text, "no-cache")


def ahead_of(client: TestClient, place: str) -> set[str]:
    named = rf'<link rel="modulepreload" href="[./]*assets/of/{DIGEST}/([^"]+)">'
    return set(re.findall(named, client.get(place).text))


@pytest.mark.parametrize(
    ("place", "view"),
    [
        ("/ui/", "home/home.js"),
        ("/ui/runs", "runs/runs.js"),
        ("/ui/runs/1", "run/run.js"),
        ("/ui/data/pets", "data/dataset.js"),
        ("/ui/data/pets/review", "review/review.js"),
        ("/ui/models/3", "models/model.js"),
        ("/ui/label", "label/label.js"),
        ("/ui/team", "team/team.js"),
        ("/ui/nowhere", "home/home.js"),
    ],
)
def test_the_document_names_each_module_of_its_view_so_that_none_waits_for_another(
    client: TestClient, place: str, view: str
) -> None:
    ahead = ahead_of(client, place)
    assert {"frame/page.js", "frame/parts.js", view} <= ahead
    for name in ahead:
        taken = re.findall(r'^import .* from "([^"]+)";$', (FOLDER / name).read_text(), re.MULTILINE)
        assert {posixpath.normpath(posixpath.join(posixpath.dirname(name), one)) for one in taken} <= ahead


def test_what_other_views_need_is_not_named(client: TestClient) -> None:
    assert not {name for name in ahead_of(client, "/ui/jobs") if name.split("/")[0] in {"review", "compare", "data"}}
