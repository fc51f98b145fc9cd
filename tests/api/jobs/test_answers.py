"""The files that a predict job leaves, over HTTP."""

from hashlib import sha256

import pytest

from store.artifacts import ArtifactStore
from store.db.jobs import create_job
from store.keys import ANSWERS_CSV, ANSWERS_LINES
from store.states import State
from tests.api.records import Records
from tests.api.web import TestClient

CONTENT = b"path,breed\na.jpg,pug\n"
KEY = "jobs/1-1/predictions.csv"


@pytest.fixture
def path(records: Records) -> str:
    """Of the table that a job has left."""
    stored = records.artifacts.put_bytes(KEY, CONTENT)
    file = {"key": stored.key, "sha256": stored.sha256, "bytes": stored.bytes}
    with records.sessions.begin() as session:
        payload = {"answers": {ANSWERS_CSV: file}}
        job = create_job(session, kind="predict", payload=payload, max_attempts=1, state=State.SUCCEEDED).id
    return f"/jobs/{job}/answers/{ANSWERS_CSV}"


def test_a_table_comes_whole_under_a_name_of_its_own_with_its_sum(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    told = [answer.headers[name] for name in ("content-type", "content-length", "content-disposition", "etag")]
    job = path.split("/")[2]
    assert told == [
        "text/csv; charset=utf-8",
        str(len(CONTENT)),
        f'attachment; filename="job-{job}-predictions.csv"',
        f'"{sha256(CONTENT).hexdigest()}"',
    ]


def test_a_table_that_is_gone_or_cut_short_is_said_before_a_byte_is_sent(
    client: TestClient, path: str, artifacts: ArtifactStore
) -> None:
    artifacts.put_bytes(KEY, CONTENT[:-1])
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "artifact_missing")
    assert answer.json()["detail"] == f"artifact {KEY} has 20 bytes, the record says 21"
    artifacts.delete(KEY)
    assert client.get(path).json()["code"] == "artifact_missing"


def test_a_job_that_is_not_done_or_never_has_answers_says_so(client: TestClient, records: Records) -> None:
    with records.sessions.begin() as session:
        waiting = create_job(session, kind="predict", payload={}, max_attempts=1).id
        other = create_job(session, kind="import", max_attempts=1).id
    found = [client.get(f"/jobs/{job}/answers/{ANSWERS_LINES}").json() for job in (waiting, other)]
    assert [(one["status"], one["code"]) for one in found] == [(409, "not_ready"), (409, "wrong_kind")]


def test_an_archive_beside_an_upload_and_none_at_all_are_refused(client: TestClient) -> None:
    archive = ("pets.zip", b"PK")
    both = client.post("/jobs/archives", files={"archive": archive, "upload": (None, "an-upload")})
    assert (both.status_code, both.json()["field"]) == (400, "body.upload")
    assert both.json()["detail"] == "both archive and upload are given"
    nothing = client.post("/jobs/archives", files={"archive": ("pets.zip", b"")})
    assert (nothing.status_code, "no part `archive` with content" in nothing.json()["detail"]) == (400, True)
