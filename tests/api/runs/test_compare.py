from typing import Any

import pytest
from sqlalchemy import select

from ml.reading.mcnemar import exact_p
from store.db.models import Dataset, Interpretation
from store.states import State
from tests.api.answered import answered
from tests.api.records import Records
from tests.api.web import TestClient

# Photo by photo: 3 both right, 9 only the second, 1 only the first, 2 neither.
FIRST = [True] * 3 + [False] * 9 + [True] + [False] * 2
SECOND = [True] * 3 + [True] * 9 + [False] + [False] * 2


def compared(client: TestClient, *runs: int) -> dict[str, Any]:
    answer = client.get(f"/runs/compare?runs={','.join(map(str, runs))}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_two_runs_of_the_same_photos_are_held_against_each_other(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    one = answered(records, dataset, FIRST, arch="resnet18", rates=[0.9, 0.7])
    other = answered(records, dataset, SECOND, arch="resnet34")
    found = compared(client, one.id, other.id)
    assert [run["id"] for run in found["runs"]] == [one.id, other.id]
    (pair,) = found["pairs"]
    assert (pair["runs"], pair["obstacle"], pair["differences"], pair["note"]) == ([one.id, other.id], None, [], None)
    outcomes = pair["outcomes"]
    names = ("n", "both_right", "only_first", "only_second", "both_wrong", "verdict")
    assert [outcomes[name] for name in names] == [15, 3, 1, 9, 2, "second"]
    assert outcomes["p_value"] == exact_p(1, 9)
    assert outcomes["sentence"].startswith(f"Run {other.id} is better than run {one.id} beyond chance")
    assert found["caution"] is None
    assert found["curves"][0] == {
        "run": one.id,
        "phase": [0, 0],
        "epoch": [0, 1],
        "train_loss": [1.8, 1.4],
        "valid_loss": [0.9, 0.7],
        "error_rate": [0.9, 0.7],
        "seconds": [2.0, 2.0],
    }
    (back,) = compared(client, other.id, one.id)["pairs"]
    assert (back["outcomes"]["only_first"], back["outcomes"]["verdict"]) == (9, "first")


def test_settings_stand_beside_each_other_and_those_that_differ_are_marked(
    client: TestClient, records: Records
) -> None:
    dataset = records.dataset()
    one = answered(records, dataset, FIRST, arch="resnet18", epochs=2)
    other = answered(records, dataset, SECOND, arch="resnet34", epochs=5)
    search, _ = records.run(dataset, kind="lr_find")
    settings = {row["field"]: row for row in compared(client, one.id, other.id, search.id)["settings"]}
    differing = {name for name, row in settings.items() if row["differs"]}
    assert differing == {"arch", "phases.1.epochs"}
    assert settings["arch"]["values"] == ["resnet18", "resnet34", "resnet18"]
    assert settings["phases.1.epochs"]["values"] == [2, 5, 2]
    assert settings["dataset.name"]["values"] == ["pets"] * 3
    assert settings["augment.max_rotate"] == {"field": "augment.max_rotate", "values": [10.0] * 3, "differs": False}


@pytest.mark.parametrize(
    ("config", "items", "differences"),
    [
        ({"split_seed": 7}, range(1, 16), [("split_seed", 42, 7)]),
        ({"valid_pct": 0.3}, range(2, 17), [("valid_pct", 0.2, 0.3)]),
    ],
)
def test_runs_of_other_validation_photos_are_not_tested_and_what_differs_is_named(
    client: TestClient, records: Records, config: dict[str, Any], items: range, differences: list[Any]
) -> None:
    dataset = records.dataset()
    one = answered(records, dataset, FIRST)
    other = answered(records, dataset, SECOND, items=items, **config)
    (pair,) = compared(client, one.id, other.id)["pairs"]
    assert (pair["outcomes"], pair["obstacle"]) == (None, "other_photos")
    assert [tuple(row.values()) for row in pair["differences"]] == differences
    answer = client.get(f"/runs/compare/items?runs={one.id},{other.id}&which=both_wrong")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_comparable")


def test_the_same_positions_in_another_revision_are_other_photos(client: TestClient, records: Records) -> None:
    one = answered(records, records.dataset("pets"), FIRST)
    other = answered(records, records.dataset("others"), SECOND)
    (pair,) = compared(client, one.id, other.id)["pairs"]
    assert pair["outcomes"] is None
    assert [row["field"] for row in pair["differences"]] == ["dataset.name", "dataset.revision"]


def test_runs_before_and_after_a_review_are_held_against_its_labels_on_the_photos_of_both(
    client: TestClient, records: Records
) -> None:
    before, after = records.dataset("pets"), records.dataset("reviewed")
    with records.sessions.begin() as session:
        session.get_one(Dataset, after.id).made_from = {"revision": before.revision, "job": 1}
    one = answered(records, before, [True, True, False])
    other = answered(records, after, [True, False, True], items=[1, 2, 3])
    (pair,) = compared(client, one.id, other.id)["pairs"]
    names = ("n", "both_right", "only_first", "only_second", "both_wrong")
    assert [pair["outcomes"][name] for name in names] == [2, 1, 0, 0, 1]
    assert pair["note"].startswith("labels were reviewed between the two runs")
    # The photo of item 2 has another label by now, which the second run did not see.
    with records.sessions.begin() as session:
        reading = session.scalars(select(Interpretation).where(Interpretation.run_id == other.id)).one()
        relabelled = {"photos/pug_2.jpg": "Birman"}
        reading.items = [row | {"actual": relabelled.get(row["path"], row["actual"])} for row in reading.items]
    (back,) = compared(client, other.id, one.id)["pairs"]
    assert [back["outcomes"][name] for name in names] == [2, 2, 0, 0, 0]
    answer = client.get(f"/runs/compare/items?runs={one.id},{other.id}&which=both_wrong")
    assert (answer.status_code, answer.json()["items"]) == (200, [])


def test_other_settings_that_choose_the_same_photos_do_not_stand_in_the_way(
    client: TestClient, records: Records
) -> None:
    dataset = records.dataset()
    one = answered(records, dataset, FIRST, split_seed=1)
    other = answered(records, dataset, SECOND, split_seed=2, tta=True)
    (pair,) = compared(client, one.id, other.id)["pairs"]
    assert pair["outcomes"]["n"] == 15
    assert pair["note"] == f"the answers of run {other.id} are averages over augmented copies, and the other's are not"


def test_a_run_without_answers_is_compared_by_its_settings_alone(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    one = answered(records, dataset, FIRST)
    waiting, job = records.run(dataset)
    search, _ = records.run(dataset, kind="lr_find")
    found = compared(client, one.id, waiting.id, search.id)
    notes = [pair["note"] for pair in found["pairs"]]
    assert [pair["obstacle"] for pair in found["pairs"]] == ["no_answers"] * 3
    assert notes[0] == f"run {waiting.id} has no answers for its validation photos yet: it waits for a worker"
    assert notes[1] == f"run {search.id} is a search for a rate and answers for no photo"
    assert found["curves"][1]["epoch"] == []
    answer = client.get(f"/runs/compare/items?runs={waiting.id},{one.id}&which=only_first")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
    records.move(job, State.RUNNING, State.FAILED)
    assert "yet" not in compared(client, one.id, waiting.id)["pairs"][0]["note"]


def test_many_tests_at_once_come_with_a_caution(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    runs = [answered(records, dataset, FIRST).id for _ in range(3)]
    found = compared(client, *runs)
    assert [pair["runs"] for pair in found["pairs"]] == [runs[:2], runs[::2], runs[1:]]
    assert found["caution"] == "These are 3 tests, and each takes chance for more once in 20 times."


@pytest.mark.parametrize(
    ("which", "items"),
    [("only_first", [12]), ("only_second", list(range(3, 12))), ("both_wrong", [13, 14])],
)
def test_photos_that_only_one_run_got_right_come_in_pages(
    client: TestClient, records: Records, which: str, items: list[int]
) -> None:
    dataset = records.dataset()
    one, other = answered(records, dataset, FIRST), answered(records, dataset, SECOND)
    path = f"/runs/compare/items?runs={one.id},{other.id}&which={which}&limit=2"
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(path + (f"&cursor={cursor}" if cursor else "")).json()
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next_cursor"]
    assert [row["item"] for row in found] == items
    first = found[0]
    assert first["path"] == f"photos/pug_{items[0]}.jpg"
    assert first["image"] == f"/runs/{one.id}/items/{items[0]}/image"
    predicted = {"only_first": ["pug", "Birman"], "only_second": ["Birman", "pug"], "both_wrong": ["Birman", "Birman"]}
    assert [answer["predicted"] for answer in first["answers"]] == predicted[which]
    assert [answer["run"] for answer in first["answers"]] == [one.id, other.id]


@pytest.mark.parametrize(
    ("runs", "status"),
    [("1", 422), ("1,1", 422), ("1,x", 422), ("1,2,3,4,5,6,7", 422), ("0,1", 422), ("", 422), ("1,99", 404)],
)
def test_what_cannot_be_compared_is_refused(client: TestClient, records: Records, runs: str, status: int) -> None:
    answered(records, records.dataset(), FIRST)
    for path in ("/runs/compare", "/runs/compare/figures/curves"):
        answer = client.get(f"{path}?runs={runs}")
        assert answer.status_code == status, answer.text
        assert answer.json()["hint"]
    assert client.get("/runs/compare").status_code == 422
    assert client.get("/runs/compare/items?runs=1,2,3&which=both_wrong").status_code == 422


def test_the_curves_lie_over_each_other_for_plotly_and_as_a_picture(client: TestClient, records: Records) -> None:
    dataset = records.dataset()
    one = answered(records, dataset, FIRST, rates=[0.5, 0.25])
    waiting, _ = records.run(dataset)
    path = f"/runs/compare/figures/curves?runs={one.id},{waiting.id}"
    figure = client.get(path).json()
    assert [trace["y"] for trace in figure["data"]] == [[0.5, 0.25], [0.5, 0.25]]
    assert [trace["showlegend"] for trace in figure["data"]] == [True, False]
    said = figure["layout"]["meta"]["alt"]
    assert f"Error rate of run {one.id} after each epoch: 50.0 %, 25.0 %." in said
    assert f"Without an epoch so far: run {waiting.id}." in said
    picture = client.get(path.replace("curves", "curves.png"))
    assert (picture.headers["content-type"], picture.content[:4]) == ("image/png", b"\x89PNG")
    assert client.get(path.replace("curves", "loss")).status_code == 404
