from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.jobs import append_event, change_state
from store.db.lanes import count_jobs
from store.db.paging import Page, encode_cursor
from store.db.reading import (
    events_after,
    get_job,
    get_run,
    interpretation_of,
    jobs_of_runs,
    list_jobs,
    state_of_run,
)
from store.db.run_list import RunQuery, list_runs
from store.errors import InvalidRequest, NotFound, NotReady, Request, WrongKind
from store.lanes import Lane
from store.states import State
from tests.store.rows import ERROR, claimed, make_job, make_run

Sessions = sessionmaker[Session]


def ids_of_all_pages(turn: Callable[[str | None], Page[Any]]) -> list[list[int]]:
    pages, cursor = [], None
    while True:
        page = turn(cursor)
        pages.append([row.id for row in page.items])
        if page.next_cursor is None:
            return pages
        cursor = page.next_cursor


def test_jobs_come_newest_first_in_pages(sessions: Sessions) -> None:
    with sessions.begin() as session:
        ids = [make_job(session).id for _ in range(5)]
        pages = ids_of_all_pages(lambda cursor: list_jobs(session, cursor=cursor, limit=2))
        assert pages == [ids[4:2:-1], ids[2:0:-1], ids[:1]]


def test_jobs_by_kind_and_state(sessions: Sessions) -> None:
    with sessions.begin() as session:
        waiting, running = make_job(session), make_job(session)
        other = make_job(session, run_id=make_run(session).id, kind="train")
        claimed(session, running.id)
        assert [job.id for job in list_jobs(session, state=State.RUNNING).items] == [running.id]
        assert [job.id for job in list_jobs(session, kind="train").items] == [other.id]
        assert [job.id for job in list_jobs(session, kind="import", state=State.QUEUED).items] == [waiting.id]
        assert count_jobs(session) == {
            (Lane.TRAIN, "queued"): 1,
            (Lane.LIGHT, "queued"): 1,
            (Lane.LIGHT, "running"): 1,
        }


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "AAAA",
        "é",
        encode_cursor((1, 2)),
        encode_cursor((None,)),
        encode_cursor((1.5,)),
        encode_cursor((2**60,)),
    ],
)
def test_a_cursor_of_another_list_is_refused(sessions: Sessions, cursor: str) -> None:
    with sessions.begin() as session, pytest.raises(InvalidRequest):
        list_jobs(session, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_limit_is_within_its_range(sessions: Sessions, limit: int) -> None:
    with sessions.begin() as session, pytest.raises(InvalidRequest, match=str(limit)):
        list_jobs(session, limit=limit)


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_runs_by_error_rate_put_the_unknown_last_on_every_page_size(sessions: Sessions, limit: int) -> None:
    with sessions.begin() as session:
        rates = [0.5, None, 0.1, 0.5, None, 0.3]
        ids = [make_run(session, error_rate=rate).id for rate in rates]
        turn = lambda cursor: list_runs(session, RunQuery(sort="error_rate"), cursor=cursor, limit=limit)  # noqa: E731 - read once
        found = [run_id for page in ids_of_all_pages(turn) for run_id in page]
        assert found == [ids[2], ids[5], ids[0], ids[3], ids[1], ids[4]]


def test_runs_by_what_they_are(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = make_run(session)
        second = make_run(session, dataset="dogs", config={"arch": "resnet34", "seed": 1})
        for run in (first, second):
            make_job(session, run_id=run.id, kind="train")
        claimed(session, state_of_run(session, second.id).id)
        assert [run.id for run in list_runs(session, RunQuery()).items] == [second.id, first.id]
        assert [run.id for run in list_runs(session, RunQuery(arch="resnet18")).items] == [first.id]
        assert [run.id for run in list_runs(session, RunQuery(dataset="dogs")).items] == [second.id]
        assert [run.id for run in list_runs(session, RunQuery(state=State.QUEUED)).items] == [first.id]
        assert list_runs(session, RunQuery(kind="lr_find")).items == []


def test_a_runs_own_job_is_not_its_interpretation(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run = make_run(session)
        own = make_job(session, run_id=run.id, kind="train")
        make_job(session, run_id=run.id, kind="interpret")
        assert state_of_run(session, run.id).id == own.id
        assert jobs_of_runs(session, [run.id, 99]).keys() == {run.id}


def test_events_after_an_id(sessions: Sessions) -> None:
    with sessions.begin() as session:
        job, other = make_job(session), make_job(session)
        first, second = (append_event(session, job.id, "log", {"message": word}) for word in "ab")
        append_event(session, other.id, "log", {"message": "c"})
        assert [event.id for event in events_after(session, job.id, first)] == [second]
        assert len(events_after(session, job.id, 0, limit=2)) == 2


def test_what_is_missing_says_why(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run, search = make_run(session), make_run(session, kind="lr_find")
        job = make_job(session, run_id=run.id, kind="train")
        make_job(session, run_id=search.id, kind="lr_find")
        with pytest.raises(NotFound):
            interpretation_of(session, 99)
        with pytest.raises(WrongKind, match="lr_find"):
            interpretation_of(session, search.id)
        with pytest.raises(NotReady, match=f"job {job.id} is queued"):
            interpretation_of(session, run.id)
        claimed(session, job.id)
        change_state(session, job.id, State.FAILED, error={**ERROR, "code": "job_crashed"})
        with pytest.raises(NotReady, match="failed") as raised:
            interpretation_of(session, run.id)
        assert raised.value.request == Request("POST", f"/jobs/{job.id}/resume")
        for read, kind in ((get_run, "runs"), (get_job, "jobs"), (state_of_run, "runs")):
            with pytest.raises(NotFound) as missing:
                read(session, 99)
            assert missing.value.request == Request("GET", f"/{kind}")
