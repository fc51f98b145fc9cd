from pathlib import Path

from tests.api.records import Records, jpeg
from tests.api.web import TestClient


def test_the_photos_of_a_breed_come_in_pages_with_their_addresses(
    client: TestClient, records: Records, tmp_path: Path
) -> None:
    dataset = records.dataset_with_photos(tmp_path / "photos", "mine")
    first = client.get("/datasets/mine/items?breed=Birman&limit=1").json()
    assert [(one["item"], one["path"], one["breed"]) for one in first["items"]] == [(0, "Birman_1.jpg", "Birman")]
    assert (first["items"][0]["width"], first["items"][0]["height"]) == (40, 30)
    second = client.get(f"/datasets/mine/items?breed=Birman&limit=1&cursor={first['next_cursor']}").json()
    assert [one["path"] for one in second["items"]] == ["Birman_2.jpg"]
    assert second["next_cursor"] is None
    assert len(client.get("/datasets/mine/items").json()["items"]) == 3
    photo = client.get(second["items"][0]["image"])
    assert (photo.content, photo.headers["content-type"]) == (jpeg((0, 200, 0)), "image/jpeg")
    assert "immutable" in photo.headers["cache-control"]
    assert dataset.revision in second["items"][0]["image"]


def test_what_is_not_there_is_told(client: TestClient, records: Records, tmp_path: Path) -> None:
    records.dataset_with_photos(tmp_path / "photos", "mine")
    assert client.get("/datasets/mine/items?breed=poodle").status_code == 404
    assert client.get("/datasets/none/items").status_code == 404
    assert client.get("/datasets/mine/items/3/image").status_code == 404
    assert client.get("/datasets/mine/items/0/image?revision=other").status_code == 404
    assert client.get("/datasets/mine/items?cursor=x").status_code == 400


def test_a_list_says_how_uneven_the_breeds_are(client: TestClient, records: Records, tmp_path: Path) -> None:
    records.dataset_with_photos(tmp_path / "photos", "mine")
    told = client.get("/datasets").json()["items"][0]
    assert (told["fewest"], told["most"], told["runs"]) == (1, 2, 0)


def test_near_duplicates_say_which_items_they_are(client: TestClient, records: Records, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("Birman_1.jpg", "pug_1.jpg", "pug_2.jpg"):
        (folder / name).write_bytes(jpeg((0, 0, 200) if name == "pug_2.jpg" else (200, 0, 0)))
    records.dataset_of(folder, "mine")
    pair = client.get("/datasets/mine").json()["near_duplicates"]["labels_differ"]["examples"][0]
    places = {pair["first"]: pair["first_item"], pair["second"]: pair["second_item"]}
    paths = [one["path"] for one in client.get("/datasets/mine/items").json()["items"]]
    assert all(paths[place] == path for path, place in places.items())
