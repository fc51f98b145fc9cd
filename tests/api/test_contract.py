"""The contract as people read it, at /docs."""

import re
from importlib.resources import files

from tests.api.web import TestClient


def test_swagger_comes_from_its_own_package(client: TestClient) -> None:
    text = client.get("/docs").text
    named = set(re.findall(r'(?:src|href)="(docs/[^"]+)"', text))
    assert named == {"docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/contract.js"}
    for name in named:
        assert client.get(f"/{name}").status_code == 200
    there = (files("fastapi_swagger") / "resources" / "swagger-ui-bundle.js").read_bytes()
    assert client.get("/docs/swagger-ui-bundle.js").content == there
    assert client.get("/docs/main.py").status_code == 404
    assert client.get("/docs/..%2Fcontract.html").status_code == 404
