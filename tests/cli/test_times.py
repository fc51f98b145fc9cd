"""Times as the command prints them."""

import time
from collections.abc import Iterator

import pytest

from cli.times import local_time


@pytest.fixture(params=["Europe/Berlin", "UTC", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_a_time_is_the_local_one_and_names_its_zone(zone: str) -> None:
    written = {
        "Europe/Berlin": "2026-11-27 00:12 CET",
        "UTC": "2026-11-26 23:12 UTC",
        "Asia/Kolkata": "2026-11-27 04:42 IST",
    }
    assert local_time("2026-11-26T23:12:59.123456Z") == written[zone]


def test_summer_time_is_that_of_the_day_told(zone: str) -> None:
    written = {
        "Europe/Berlin": "2026-07-01 14:00 CEST",
        "UTC": "2026-07-01 12:00 UTC",
        "Asia/Kolkata": "2026-07-01 17:30 IST",
    }
    assert local_time("2026-07-01T12:00:00+00:00") == written[zone]
