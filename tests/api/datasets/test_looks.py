import io
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi import FastAPI
from PIL import Image

from api.datasets import looks as looks_module
from ml.data.bundle import write_bundle
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.data.split import random_split
from ml.decode.images import Limits
from store.artifacts import ArtifactStore
from store.db.datasets import add_dataset
from store.keys import bundle_key, manifest_key
from tests.api.conftest import until
from tests.api.records import Records
from tests.api.web import TestClient
from tests.ml.pictures import encoded, picture
from tests.patience import PATIENCE_SECONDS

PICTURES = ("batch.png", "presizing.png")
EVERY = (*PICTURES, "summary")


@pytest.fixture
def pets(records: Records, tmp_path: Path) -> Manifest:
    """Ten pictures; Birman_3 is Birman_1 byte by byte, pug_2 is Birman_2 smaller, one is a GIF, two are left out."""
    folder = tmp_path / "pets"
    folder.mkdir()
    for number in range(1, 9):
        width, height = (160, 120) if number % 2 else (120, 160)
        breed = "Birman" if number < 5 else "boxer"
        (folder / f"{breed}_{number}.jpg").write_bytes(encoded(picture(width, height, seed=number)))
    (folder / "Birman_3.jpg").write_bytes((folder / "Birman_1.jpg").read_bytes())
    (folder / "pug_2.jpg").write_bytes(encoded(picture(120, 160, seed=2).resize((90, 120)), quality=60))
    (folder / "pug_1.jpg").write_bytes(encoded(picture(seed=20, mode="P"), "GIF"))
    (folder / "stray.jpg").write_bytes(encoded(picture()))
    (folder / "cut_1.jpg").write_bytes(encoded(picture(200, 160))[:1500])
    return _add(records, scan_folder(folder, LabelRule(), name="pets"), folder)


def _add(records: Records, manifest: Manifest, folder: Path | None, *, drawn: bool = False) -> Manifest:
    if folder is not None:
        bundle = folder.parent / "bundle.tar"
        write_bundle(folder, manifest, bundle)
        records.artifacts.put_file(bundle_key(manifest.revision), bundle)
    records.artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
    with records.sessions.begin() as session:
        add_dataset(
            session,
            name=manifest.name,
            revision=manifest.revision,
            drawn=drawn,
            label_rule=manifest.rule.model_dump(mode="json"),
            vocab=list(manifest.vocab),
            items=len(manifest.items),
            summary=manifest.summary(),
        )
    return manifest


def shown(client: TestClient, what: str, **query: Any) -> Image.Image:  # noqa: ANN401 - query values
    answer = client.get(f"/datasets/pets/{what}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.usefixtures("pets")
def test_a_dataset_says_what_is_in_it_and_what_was_left_out(client: TestClient) -> None:
    summary = client.get("/datasets/pets").json()["summary"]
    assert summary["per_breed"] == {"Birman": 4, "boxer": 4, "pug": 2}
    assert summary["sizes"]["width"] == {"min": 40, "median": 120, "max": 160}
    assert summary["disguised"] == {"count": 1, "examples": [{"path": "pug_1.jpg", "format": "GIF"}]}
    left_out = {code: one["examples"][0]["path"] for code, one in summary["exclusions"].items()}
    assert left_out == {"no_label": "stray.jpg", "truncated": "cut_1.jpg"}


def test_near_duplicates_are_named_across_the_split_and_under_other_labels(client: TestClient, pets: Manifest) -> None:
    paths = [item.path for item in pets.items]
    seen = set()
    for seed in range(12):
        pairs = client.get("/datasets/pets", params={"valid_pct": 0.5, "split_seed": seed}).json()["near_duplicates"]
        assert (pairs["valid_pct"], pairs["split_seed"], pairs["near_missing"]) == (0.5, seed, None)
        assert [pairs["anywhere"][name] for name in ("count", "byte", "near")] == [2, 1, 1]
        (contrary,) = pairs["labels_differ"]["examples"]
        assert (contrary["first"], contrary["second"]) == ("Birman_2.jpg", "pug_2.jpg")
        assert (contrary["first_label"], contrary["second_label"], contrary["kind"]) == ("Birman", "pug", "near")
        crossing = pairs["across_split"]
        assert crossing["count"] == crossing["valid_items"] == len(crossing["examples"])
        held = _held_out(pets, seed)
        for one in crossing["examples"]:
            assert one["second"] in held
            assert one["first"] in set(paths) - held
            seen.add((one["kind"], *sorted((one["first"], one["second"]))))
    assert seen == {("byte", "Birman_1.jpg", "Birman_3.jpg"), ("near", "Birman_2.jpg", "pug_2.jpg")}


def _held_out(manifest: Manifest, seed: int) -> set[str]:
    return {manifest.items[place].path for place in random_split(len(manifest.items), 0.5, seed).valid}


def test_a_dataset_of_before_says_why_near_duplicates_are_unknown_until_it_is_imported_again(
    client: TestClient, records: Records, pets: Manifest
) -> None:
    old = pets.model_dump(mode="json")
    for item in old["items"]:
        del item["perceptual_hash"]
    records.artifacts.put_bytes(manifest_key(pets.revision), json.dumps(old).encode())
    pairs = client.get("/datasets/pets").json()["near_duplicates"]
    assert (pairs["anywhere"]["byte"], pairs["anywhere"]["near"]) == (1, None)
    assert "import it again" in pairs["near_missing"]
    records.artifacts.put_bytes(manifest_key(pets.revision), pets.model_dump_json().encode())
    assert client.get("/datasets/pets").json()["near_duplicates"]["anywhere"]["near"] == 1


def test_a_dataset_whose_manifest_is_gone_is_shown_without_near_duplicates(
    client: TestClient, records: Records
) -> None:
    records.dataset("pets")
    found = client.get("/datasets/pets").json()
    assert found["near_duplicates"] is None
    assert "revision-of-pets" in found["near_duplicates_missing"]


@pytest.mark.usefixtures("pets")
def test_a_batch_shows_both_ways_one_or_the_other(client: TestClient) -> None:
    both, plain = shown(client, "batch.png", n=4), shown(client, "batch.png", n=4, augment="false")
    changed = shown(client, "batch.png", n=4, augment="true")
    assert both.height * both.width > 1.5 * plain.height * plain.width
    assert plain.size == changed.size
    assert plain.tobytes() != changed.tobytes()


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_light_or_dark_paper(client: TestClient, name: str) -> None:
    grounds = [shown(client, name, **query).getpixel((1, 1)) for query in ({}, {"scheme": "light"}, {"scheme": "dark"})]
    assert grounds == [(255, 255, 255), (255, 255, 255), (29, 32, 36)]
    assert client.get(f"/datasets/pets/{name}?scheme=sepia").status_code == 422


@pytest.mark.usefixtures("pets")
def test_a_batch_is_a_function_of_its_query(client: TestClient) -> None:
    first = shown(client, "batch.png", n=4, seed=1)
    assert first.tobytes() == shown(client, "batch.png", n=4, seed=1).tobytes()
    for other in ({"seed": 2}, {"split": "valid"}, {"split_seed": 7}):
        assert first.tobytes() != shown(client, "batch.png", **{"n": 4, "seed": 1, **other}).tobytes()


@pytest.mark.usefixtures("pets")
def test_a_side_with_fewer_pictures_is_shown_whole(client: TestClient) -> None:
    two = shown(client, "batch.png", split="valid", n=2)
    assert shown(client, "batch.png", split="valid", n=64).tobytes() == two.tobytes()


@pytest.mark.parametrize("what", PICTURES)
def test_drawn_pictures_are_said_to_be_drawn(client: TestClient, records: Records, pets: Manifest, what: str) -> None:
    photos = shown(client, what)
    _add(records, pets.model_copy(update={"name": "sample"}), None, drawn=True)
    answer = client.get(f"/datasets/sample/{what}")
    assert Image.open(io.BytesIO(answer.content)).height > photos.height
    assert client.get("/datasets/sample/summary").json()["drawn"]


@pytest.mark.usefixtures("pets")
def test_what_presizing_saves_is_drawn_for_an_item_and_a_seed(client: TestClient) -> None:
    first = shown(client, "presizing.png", item=3, seed=1)
    assert first.tobytes() == shown(client, "presizing.png", item=3, seed=1).tobytes()
    assert first.tobytes() != shown(client, "presizing.png", item=4, seed=1).tobytes()
    assert first.tobytes() != shown(client, "presizing.png", item=3, seed=2).tobytes()


def test_a_summary_has_every_step_and_what_to_add_where_no_resize_is_asked_for(
    client: TestClient, pets: Manifest
) -> None:
    found = client.get("/datasets/pets/summary", params={"item": 9, "presize": 64, "size": 48}).json()
    assert (found["dataset"], found["item"], found["drawn"]) == ("pets", 9, False)
    assert found["path"] == pets.items[9].path
    last = found["steps"][-1]
    assert (last["name"], last["shape"], last["dtype"]) == ("normalise", [2, 3, 48, 48], "float32")
    assert -2.2 < last["low"] < last["high"] < 2.7
    assert found["collated"] == {
        "fits": True,
        "items": [9, 0],
        "paths": ["pug_2.jpg", "Birman_1.jpg"],
        "shapes": [[64, 64, 3], [64, 64, 3]],
        "reason": None,
        "fix": None,
    }
    bare = client.get("/datasets/pets/summary", params={"resize": "false"}).json()
    assert bare["collated"]["fits"] is False
    assert bare["collated"]["shapes"] == [[120, 160, 3], [160, 120, 3]]
    assert "presize=460" in bare["collated"]["fix"]
    assert bare["steps"][-1]["name"] == "to tensor"


@pytest.mark.parametrize("what", ["", *(f"/{one}" for one in EVERY)])
def test_an_unknown_dataset_is_a_404_that_says_where_they_are_listed(client: TestClient, what: str) -> None:
    answer = client.get(f"/datasets/cats{what}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == "there is no dataset 'cats'"


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize("what", ["presizing.png", "summary"])
@pytest.mark.parametrize("item", [10, -1, 2**40])
def test_an_item_out_of_range_is_a_404_that_says_how_many_there_are(client: TestClient, what: str, item: int) -> None:
    answer = client.get(f"/datasets/pets/{what}", params={"item": item})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == f"dataset 'pets' has 10 items, and no item {item}"
    assert answer.json()["hint"] == "Give a number from 0 to 9."


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("batch.png", {"split": "test"}, "query.split"),
        ("batch.png", {"augment": "perhaps"}, "query.augment"),
        ("batch.png", {"seed": -1}, "query.seed"),
        ("batch.png", {"n": 0}, "query.n"),
        ("batch.png", {"n": 65}, "query.n"),
        ("batch.png", {"valid_pct": 1}, "query.valid_pct"),
        ("batch.png", {"valid_pct": "nan"}, "query.valid_pct"),
        ("batch.png", {"split_seed": 2**63}, "query.split_seed"),
        ("presizing.png", {"item": "first"}, "query.item"),
        ("presizing.png", {"seed": -1}, "query.seed"),
        ("summary", {"presize": 31}, "query.presize"),
        ("summary", {"size": 100_000}, "query.size"),
        ("summary", {"resize": "perhaps"}, "query.resize"),
    ],
)
def test_a_bad_query_names_its_field(client: TestClient, what: str, query: dict[str, Any], field: str) -> None:
    answer = client.get(f"/datasets/pets/{what}", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [one["field"] for one in answer.json()["errors"]] == [field]


@pytest.mark.usefixtures("pets")
def test_what_is_impossible_together_is_a_400(client: TestClient) -> None:
    empty = client.get("/datasets/pets/batch.png", params={"split": "valid", "valid_pct": 0.05})
    assert (empty.status_code, empty.json()["code"]) == (400, "invalid_request")
    assert empty.json()["detail"] == "valid_pct 0.05 of 10 items leaves none for validation"
    large = client.get("/datasets/pets/summary", params={"presize": 64, "size": 128})
    told = [large.json()[name] for name in ("field", "value", "detail")]
    assert (large.status_code, told) == (400, ["query.size", "128", "it is larger than presize 64"])


def _lose_the_bundle(store: Path, revision: str) -> None:
    (store / bundle_key(revision)).unlink()


def _lose_the_manifest(store: Path, revision: str) -> None:
    (store / manifest_key(revision)).unlink()


def _break_the_bundle(store: Path, revision: str) -> None:
    (store / bundle_key(revision)).write_bytes(b"no tar " * 1000)


def _change_a_picture(store: Path, revision: str) -> None:
    path = store / bundle_key(revision)
    data = bytearray(path.read_bytes())
    data[600:900] = bytes(300)
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [_lose_the_bundle, _lose_the_manifest, _break_the_bundle, _change_a_picture])
@pytest.mark.parametrize("what", EVERY)
def test_lost_or_changed_files_are_said_to_be_so_and_the_service_goes_on(
    client: TestClient, artifacts: ArtifactStore, pets: Manifest, harm: Callable[[Path, str], None], what: str
) -> None:
    harm(Path(artifacts.url.removeprefix("file://")), pets.revision)
    answer = client.get(f"/datasets/pets/{what}", params={"n": 64} if what == "batch.png" else {})
    assert (answer.status_code, answer.json()["code"]) == (500, "artifact_missing")
    assert client.get("/datasets/pets").status_code == 200


def test_a_bundle_that_goes_while_it_is_open_is_missed_too(
    client: TestClient, artifacts: ArtifactStore, pets: Manifest
) -> None:
    shown(client, "presizing.png")
    _lose_the_bundle(Path(artifacts.url.removeprefix("file://")), pets.revision)
    answer = client.get("/datasets/pets/presizing.png")
    assert (answer.status_code, answer.json()["code"]) == (500, "artifact_missing")


@pytest.mark.usefixtures("pets")
def test_too_many_looks_are_sent_away_while_the_rest_is_served(
    app: FastAPI, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(client, "presizing.png")
    inside, go_on = threading.Semaphore(0), threading.Event()

    def held(*_: object, **__: object) -> Image.Image:
        inside.release()
        go_on.wait(PATIENCE_SECONDS)
        return Image.new("RGB", (9, 9))

    monkeypatch.setattr(looks_module, "draw_presizing", held)
    with ThreadPoolExecutor(looks_module.MOST_WAITING) as pool:
        waiting = [pool.submit(client.get, "/datasets/pets/presizing.png") for _ in range(looks_module.MOST_WAITING)]
        for _ in range(looks_module.AT_ONCE):
            assert inside.acquire(timeout=PATIENCE_SECONDS)
        until(lambda: app.state.services.looks._turns._free._value == 0)
        refused = client.get("/datasets/pets/batch.png")
        assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
        assert refused.headers["retry-after"] == "1"
        assert client.get("/healthz").status_code == 200
        assert not inside.acquire(blocking=False)
        go_on.set()
        assert [answer.result().status_code for answer in waiting] == [200] * looks_module.MOST_WAITING
    monkeypatch.undo()
    shown(client, "presizing.png")


def test_looks_take_one_core_each_and_leave_the_others_to_the_rest(app: FastAPI) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        looks = looks_module.Looks(app.state.services.photos, Limits())
        assert looks._in_turn(torch.get_num_threads) == 1
        with ThreadPoolExecutor(1) as elsewhere:
            assert elsewhere.submit(torch.get_num_threads).result() == 3
        assert looks._in_turn(torch.get_num_threads) == 1
        looks.close()
    finally:
        torch.set_num_threads(before)
