"""What `pedigree up` finds when it asks whether the service can work."""

from typing import Any

import pytest

from cli.readiness import is_open, unready_parts
from tests.cli.service import Answer, serving

FINE = dict.fromkeys(("database", "broker", "artifacts"), "ok")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer({"status": "ready", "parts": {**FINE, "model": "ok"}}), {}),
        (Answer({"parts": {**FINE, "model": "no model is in production"}}, 503), {}),
        (Answer({"parts": {**FINE, "broker": "does not answer"}}, 503), {"broker": "does not answer"}),
    ],
)
def test_every_part_but_the_model_must_be_ready(answer: Answer, found: dict[str, Any]) -> None:
    with serving({"GET /readyz": [answer]}) as service:
        assert unready_parts(service.url) == found


def test_a_service_that_does_not_say_is_named_too() -> None:
    with serving({"GET /readyz": [Answer("<html>")]}) as service:
        assert unready_parts(service.url) == {"readiness": f"{service.url}/readyz does not answer"}


@pytest.mark.parametrize(
    ("answer", "found"),
    [(Answer({"is_open": True}), True), (Answer({"is_open": False}), False), (Answer({"detail": "away"}, 503), False)],
)
def test_it_is_called_open_where_it_says_so(answer: Answer, found: bool) -> None:
    with serving({"GET /session": [answer]}) as service:
        assert is_open(service.url) is found
