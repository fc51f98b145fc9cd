import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.keys import PHOTOS
from tests.api.conftest import until
from tests.api.kept.conftest import BLUE, GREEN, RED, ask
from tests.api.records import Records
from tests.api.web import TestClient


def stored(artifacts: ArtifactStore) -> int:
    return len(artifacts.keys_below(PHOTOS))


def test_nothing_is_kept_unless_the_operator_says_so(keeping: Callable[..., TestClient], records: Records) -> None:
    client = keeping(keep_predictions="no")
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    assert ask(client)["id"] is None
    assert client.get("/predictions").json()["items"] == []
    assert client.get("/predictions/keeping").json()["predictions"] == "no"
    refused = client.post("/predict", files={"file": RED}, params={"keep": "photo"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_kept_here")


def test_an_answer_is_kept_as_it_was_given(served: TestClient) -> None:
    said = ask(served)
    kept = served.get(f"/predictions/{said['id']}").json()
    assert kept["sha256"] == sha256(RED).hexdigest()
    assert (kept["bytes"], kept["version"], kept["asked"]) == (len(RED), 1, "production")
    assert {name: kept[name] for name in ("breed", "probability", "top", "sure")} == {
        name: said[name] for name in ("breed", "probability", "top", "sure")
    }
    assert (kept["photo"], kept["feedback"], kept["contradicted"], kept["history"]) == (False, None, False, [])
    assert kept["milliseconds"] > 0
    assert "mine.jpg" not in str(kept)
    listed = served.get("/predictions").json()["items"]
    assert listed == [{name: value for name, value in kept.items() if name != "history"}]


def test_a_request_may_opt_out_and_answers_alone_keep_no_photo(
    served: TestClient, keeping: Callable[..., TestClient], artifacts: ArtifactStore
) -> None:
    assert ask(served, keep="no")["id"] is None
    answers = keeping(keep_predictions="answers")
    assert served.post("/predict", files={"file": RED}, params={"keep": "everything"}).status_code == 422
    assert answers.post("/predict", files={"file": RED}, params={"keep": "photo"}).status_code == 409
    one = ask(answers)["id"]
    assert answers.get(f"/predictions/{one}").json()["photo"] is False
    missing = answers.get(f"/predictions/{one}/photo")
    assert (missing.status_code, stored(artifacts)) == (404, 0)


def test_each_picture_of_a_request_has_an_id_of_its_own_and_a_broken_one_none(served: TestClient) -> None:
    files = [("file", ("a.jpg", RED)), ("file", ("b.jpg", b"nothing")), ("file", ("c.jpg", GREEN))]
    first, broken, last = served.post("/predict", files=files, params={"tta": "true"}).json()["predictions"]
    assert "error" in broken
    for entry, data in ((first, RED), (last, GREEN)):
        assert served.get(f"/predictions/{entry['id']}").json()["sha256"] == sha256(data).hexdigest()


def test_a_photo_is_kept_once_where_it_is_asked_for(served: TestClient, artifacts: ArtifactStore) -> None:
    ids = [ask(served, keep="photo")["id"] for _ in range(2)] + [ask(served)["id"]]
    until(lambda: served.get(f"/predictions/{ids[0]}").json()["photo"])
    assert [served.get(f"/predictions/{one}").json()["photo"] for one in ids] == [True, True, False]
    photo = served.get(f"/predictions/{ids[1]}/photo")
    assert (photo.content, photo.headers["content-type"], stored(artifacts)) == (RED, "image/jpeg", 1)
    assert served.delete(f"/predictions/{ids[0]}").status_code == 204
    assert served.get(f"/predictions/{ids[1]}/photo").status_code == 200
    assert served.delete(f"/predictions/{ids[1]}").status_code == 204
    assert stored(artifacts) == 0
    assert served.delete(f"/predictions/{ids[1]}").status_code == 404


def test_feedback_is_one_word_the_last_and_finds_what_was_wrong(served: TestClient) -> None:
    right, wrong = ask(served)["id"], ask(served, BLUE)["id"]
    assert not served.post(f"/predictions/{right}/feedback", json={"breed": "Abyssinian"}).json()["contradicted"]
    for breed in ("pug", "Birman", "Birman"):
        said = served.post(f"/predictions/{wrong}/feedback", json={"breed": breed})
        assert said.status_code == 200, said.text
    found = said.json()
    assert [one["breed"] for one in found["history"]] == ["Birman", "pug"]
    assert (found["feedback"], found["contradicted"]) == (found["history"][0], True)
    contradicted = served.get("/predictions", params={"contradicted": "true"}).json()["items"]
    assert [one["id"] for one in contradicted] == [wrong]
    strange = served.post(f"/predictions/{wrong}/feedback", json={"breed": "  quokka "}).json()["feedback"]
    assert (strange["breed"], strange["of_vocabulary"]) == ("quokka", False)
    none = served.post(f"/predictions/{wrong}/feedback", json={"breed": None}).json()
    assert (none["feedback"]["breed"], none["feedback"]["of_vocabulary"], none["contradicted"]) == (None, None, True)
    assert [one["id"] for one in served.get("/predictions", params={"told": "true"}).json()["items"]] == [wrong, right]


@pytest.mark.parametrize(
    "body",
    ["{}", '{"breed": "pug", "more": 1}', '{"breed": 7}', '{"breed": "\\ud800"}']
    + [json.dumps({"breed": breed}) for breed in ("", "  ", "x" * 201, "a\nb", "a\0b", "a\u2028b")],
)
def test_useless_feedback_is_refused(served: TestClient, body: str) -> None:
    one = ask(served)["id"]
    kind = {"content-type": "application/json"}
    answer = served.post(f"/predictions/{one}/feedback", content=body, headers=kind)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert served.get(f"/predictions/{one}").json()["feedback"] is None


def test_what_is_not_there_is_not_found(served: TestClient) -> None:
    one = uuid4()
    for answer in (
        served.get(f"/predictions/{one}"),
        served.get(f"/predictions/{one}/photo"),
        served.post(f"/predictions/{one}/feedback", json={"breed": "pug"}),
        served.delete(f"/predictions/{one}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert served.get("/predictions/17").status_code == 422
    assert served.delete("/predictions").status_code == 422
    assert served.delete("/predictions", params={"before": "2026-01-01T00:00:00"}).status_code == 422
    assert served.get("/predictions", params={"since": "soon"}).status_code == 422
    assert served.get("/predictions", params={"cursor": "bm9uZQ"}).status_code == 400


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "253402300799", "0"])
def test_times_at_the_ends_of_the_calendar_are_times(served: TestClient, when: str) -> None:
    assert served.get("/predictions", params={"since": when}).json()["items"] == []
    assert served.delete("/predictions", params={"before": when}).json() == {"predictions": 0, "photos": 0}
    asked = {"since": when} if "T" in when else {"since": int(when)}
    assert served.post("/datasets/pets/from-feedback", json=asked).status_code == 409


@pytest.mark.parametrize("when", ["1e300", "99999-01-01T00:00:00Z", "-1e20", "NaN"])
def test_what_is_no_time_is_refused(served: TestClient, when: str) -> None:
    assert served.get("/predictions", params={"since": when}).status_code == 422


def test_all_from_before_a_time_is_forgotten(served: TestClient, artifacts: ArtifactStore) -> None:
    old = [ask(served, data, keep="photo")["id"] for data in (RED, GREEN)]
    until(lambda: stored(artifacts) == 2)
    then = datetime.now(UTC)
    new = ask(served, BLUE)["id"]
    served.get(f"/predictions/{new}")
    gone = served.delete("/predictions", params={"before": then.isoformat()})
    assert gone.json() == {"predictions": 2, "photos": 2}
    assert [one["id"] for one in served.get("/predictions").json()["items"]] == [new]
    assert (served.get(f"/predictions/{old[0]}").status_code, stored(artifacts)) == (404, 0)
    later = (then + timedelta(days=1)).isoformat()
    assert served.delete("/predictions", params={"before": later}).json() == {"predictions": 1, "photos": 0}


def test_a_flood_of_feedback_from_many_ends_in_one_word(served: TestClient) -> None:
    one = ask(served)["id"]
    served.get(f"/predictions/{one}")
    words = ["pug", "Birman", None] * 12
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda word: served.post(f"/predictions/{one}/feedback", json={"breed": word}), words))
    assert {answer.status_code for answer in answers} == {200}
    found = served.get(f"/predictions/{one}").json()
    assert found["feedback"] == found["history"][0]
    assert len(found["history"]) <= 20


def test_a_list_of_many_pages(served: TestClient, sessions: sessionmaker[Session]) -> None:
    ids = [ask(served)["id"] for _ in range(3)]
    served.get(f"/predictions/{ids[-1]}")
    with sessions.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM kept_predictions")) == 3
    page = served.get("/predictions", params={"limit": 2}).json()
    rest = served.get("/predictions", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert sorted(one["id"] for one in page["items"] + rest["items"]) == sorted(ids)
    assert rest["next_cursor"] is None
