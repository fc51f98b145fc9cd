"""What a soak judges by: when memory and handles are flat, and how answers are counted."""

import json

import httpx
import pytest

from benchmarks.soak.flat import Life, Sample, courses
from benchmarks.soak.kills import SPARED
from benchmarks.soak.photos import Answers, outcome, was_away
from benchmarks.soak.report import Report
from tests.faults.check import Finding

HOUR = 3600.0


def life(part: str, seconds: float, mib: float, growth: float = 0.0, handles: int = 10) -> Life:
    """A process with a sample every five seconds, whose memory grows by so many MiB from its start to its end."""
    ages = [5.0 * number for number in range(int(seconds / 5) + 1)]
    return Life(part, 1, [Sample(age, age, mib + growth * age / seconds, handles, 0) for age in ages])


def is_flat(lives: list[Life], figure: str = "mib") -> list[bool]:
    return [one.is_flat for one in courses(lives, HOUR) if one.figure == figure]


@pytest.mark.parametrize(("growth", "flat"), [(0.0, True), (100.0, True), (250.0, False), (-500.0, True)])
def test_a_long_life_may_grow_by_a_tenth_and_20_mib_from_its_first_third_to_its_last(growth: float, flat: bool) -> None:
    # Two thirds of what is left of the growth after the warm-up lie between the two medians.
    assert is_flat([life("api-2", HOUR, 900.0, growth)]) == [flat]


def test_what_is_taken_while_a_process_warms_up_is_no_growth() -> None:
    samples = [Sample(age, age, 50.0 if age < 300 else 900.0, 10, 0) for age in range(0, 3600, 5)]
    assert is_flat([Life("api-2", 1, samples)]) == [True]


def test_short_lives_are_compared_at_equal_age() -> None:
    even = [life("api-1", 90.0, 500.0, 300.0) for _ in range(9)]
    assert is_flat(even) == [True]
    rising = [life("api-1", 90.0, 500.0 + 20 * number, 300.0) for number in range(9)]
    assert is_flat(rising) == [False]


def test_lives_that_end_early_or_are_few_say_nothing() -> None:
    assert is_flat([life("api-1", 70.0, 500.0 + 100 * number) for number in range(9)]) == []
    assert is_flat([life("api-1", 90.0, 500.0 + 100 * number) for number in range(5)]) == []


def test_handles_that_are_never_given_back_are_seen() -> None:
    leak = Life("api-2", 1, [Sample(age, age, 900.0, 30 + int(age / 120), 0) for age in range(0, 3600, 5)])
    assert is_flat([leak], "handles") == [False]
    assert is_flat([leak]) == [True]


def answer(
    status: int, probability: float = 0.9, breed: str = "pug", headers: dict[str, str] | None = None
) -> httpx.Response:
    body = {"predictions": [{"breed": breed, "top": [{"probability": probability}]}]}
    return httpx.Response(status, headers=headers, content=json.dumps(body))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(200), "right"),
        (answer(200, 0.9004), "right"),
        (answer(200, 0.95), "wrong"),
        (answer(200, breed="Birman"), "wrong"),
        (answer(503), "failed"),
        (answer(503, headers={"Retry-After": "2"}), "again"),
        (answer(429, headers={"Retry-After": "2"}), "again"),
        (answer(500, headers={"Retry-After": "2"}), "failed"),
        (answer(404), "failed"),
        (httpx.Response(200, content=b'{"predictions": []}'), "failed"),
        (httpx.Response(200, content=b"half an ans"), "failed"),
    ],
)
def test_an_answer_is_held_against_the_first_one(said: httpx.Response, expected: str) -> None:
    assert outcome(said, ("pug", 0.9)) == expected


@pytest.mark.parametrize(
    ("sent", "killed", "answered", "expected"),
    [
        (5.0, None, 4.0, False),  # nobody killed it
        (5.0, 6.0, 4.0, True),  # it was killed while it had the request
        (7.0, 6.0, 4.0, True),  # nor has its successor answered anyone yet
        (9.0, 6.0, 8.0, False),  # its successor did
        (1.0, 2.0, None, True),
    ],
)
def test_a_broken_request_is_the_kill_s_fault_until_the_successor_answers(
    sent: float, killed: float | None, answered: float | None, expected: bool
) -> None:
    assert was_away(sent, killed, answered) == expected


def report(answers: Answers, lives: list[Life] | None = None, findings: list[Finding] | None = None) -> Report:
    nothing: dict[str, int] = {}
    seen = [life(part, HOUR, 90.0) for part in SPARED]
    return Report(
        {"jobs": 1}, "a machine", HOUR, 5.0, {"train": 1}, 0, [], {"succeeded": 1}, {1: 1}, {"API": 2}, nothing,
        answers, courses(seen if lives is None else lives, HOUR), findings or [],
    )  # fmt: skip


def test_a_soak_is_well_only_where_nothing_failed_and_all_is_flat() -> None:
    answers = Answers(right=2, seconds=[0.01, 0.03], moments=[1.0, 4.0])
    assert report(answers).is_well()
    assert report(answers).told()["photos"]["longest_seconds_without_an_answer"] == 3.0
    assert not report(Answers()).is_well(), "no photo was answered"
    assert not report(Answers(right=2, wrong=["another breed"])).is_well()
    assert not report(Answers(right=2, failed=["500"])).is_well()
    assert len(report(answers, []).failures()) == len(SPARED), "nobody looked"
    lives = [life("api-2", HOUR, 900.0, 400.0), life("worker-2", HOUR, 90.0), life("worker-light", HOUR, 90.0)]
    rising = report(answers, lives, [Finding("lost", "job 7")])
    assert len(rising.failures()) == 2
    assert "| lost | 1 |" in rising.tables()
    assert "| api-2 | MiB | 1, long | 60 |" in rising.tables()
