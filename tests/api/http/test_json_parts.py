"""What is counted of a JSON body before anything of it is built."""

import json
import random

import pytest

from api.http.json_parts import JsonTooDeep, PartsCount
from tests.api.web import TestClient

SIGNS = ["a", ",", "[", "{", '"', "\\", "\\\\", '\\"', "\n", "ü", "\u2222", "\u0122"]


def drawn(draw: random.Random, depth: int = 0) -> object:
    kind = draw.randrange(4 if depth < 4 else 2)
    if kind == 2:
        return [drawn(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind == 3:
        return {text(draw): drawn(draw, depth + 1) for _ in range(draw.randrange(4))}
    return text(draw) if kind else draw.randrange(100)


def text(draw: random.Random) -> str:
    return "".join(draw.choices(SIGNS, k=draw.randrange(6)))


def parts_of(value: object) -> int:
    """Opening brackets and commas, as the text is written."""
    if not isinstance(value, (list, dict)):
        return 0
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(0, len(value) - 1) + sum(map(parts_of, inside))


def is_within(most: int, pieces: list[bytes]) -> bool:
    count = PartsCount(most)
    try:
        for piece in pieces:
            count.add(piece)
    except JsonTooDeep:
        return False
    return True


@pytest.mark.parametrize("seed", range(300))
def test_only_what_opens_and_separates_values_counts_wherever_the_body_is_cut(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret
    value = [drawn(draw) for _ in range(4)]
    body = json.dumps(value, ensure_ascii=draw.random() < 0.5).encode()
    places = sorted(draw.randrange(len(body) + 1) for _ in range(draw.randrange(20)))
    pieces = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    parts = parts_of(value)
    assert is_within(parts, pieces)
    assert not is_within(parts - 1, pieces)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_nothing_hides_in_another_encoding(encoding: str) -> None:
    body = json.dumps(["\u0122", *range(3000)], ensure_ascii=False).encode(encoding)
    assert not is_within(2000, [body])


def test_names_with_commas_are_no_more_than_others(client: TestClient) -> None:
    names = [f"Birman, blue, {number}_1.jpg" for number in range(1500)]
    answer = client.post("/label-rules/try", json={"names": names})
    assert answer.status_code == 200, answer.text
    assert answer.json()["photos"] == len(names)
