"""The page's scripts and styles at the address that names what is in them."""

import re

import pytest

from api.routes.page import DIGEST, DOCUMENT, FOLDER
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


def test_the_document_names_every_module_so_that_none_waits_for_another() -> None:
    ahead = re.findall(rf'<link rel="modulepreload" href="{{{{up}}}}assets/of/{DIGEST}/([^"]+)">', DOCUMENT)
    assert sorted(ahead) == sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.js"))
