"""A part of a file, the whole where the part is asked for otherwise, and a problem where it is not there."""

import pytest

from tests.api.web import TestClient

PATH = "/ui/assets/frame/page.css"


def test_a_part_comes_as_a_part(client: TestClient) -> None:
    whole = client.get(PATH).content
    part = client.get(PATH, headers={"Range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, whole[3:10])
    last = client.get(PATH, headers={"Range": "bytes=-5"})
    assert (last.status_code, last.content) == (206, whole[-5:])


@pytest.mark.parametrize(
    "asked",
    ["lines=1", "bytes=", "bytes=9-3", "bytes=a-b", "bytes=0-1,4-5", "bytes=-", "x", "bytes=" + "9" * 400 + "-"],
)
def test_what_is_no_range_of_bytes_gets_the_whole(client: TestClient, asked: str) -> None:
    answer = client.get(PATH, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, client.get(PATH).content)


def test_a_part_behind_the_end_is_a_problem(client: TestClient) -> None:
    answer = client.get(PATH, headers={"Range": "bytes=999999-"})
    assert (answer.status_code, answer.headers["content-type"]) == (416, "application/problem+json")
    assert answer.json()["code"] == "range_not_satisfiable"
