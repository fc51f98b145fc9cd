import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from api.datasets import trials
from api.datasets.archive_readers import ArchiveReaders
from api.datasets.trials import Trials
from api.schemas.uploads import RuleOnUpload
from ml.unpack import listing
from ml.unpack.archive import MAX_FILES
from ml.unpack.listing import Listing
from store.errors import StateConflict, TooBusy
from tests.api.datasets.test_uploads_tus import archive, begin, send, whole
from tests.api.records import jpeg
from tests.api.web import TestClient

NAMES = ["Birman_1.jpg", "pug_1.jpg", "pug_2.jpg", "Pug_3.jpg", "readme.txt", "odd.jpg", ".hidden_1.jpg"]


def tar(files: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.GNU_FORMAT, encoding="utf-8") as packed:  # type: ignore[call-overload]  # any of its modes
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def test_a_rule_is_tried_on_names(client: TestClient) -> None:
    found = client.post("/label-rules/try", json={"names": NAMES}).json()
    assert (found["photos"], found["others"], found["labelled"], found["unlabelled"]) == (5, 1, 4, 1)
    assert {one["label"]: one["count"] for one in found["counts"]} == {"pug": 2, "Birman": 1, "Pug": 1}
    assert found["counts"][0]["label"] == "pug"
    assert [one["label"] for one in found["examples"][:3]] == ["Birman", "Pug", "pug"]
    assert [one["name"] for one in found["without_label"]] == ["odd.jpg"]
    assert found["similar"] == [["Pug", "pug"]]
    assert (found["split"], found["complete"], found["labels"]) == (None, True, 3)


def test_a_rule_by_folder_sees_the_given_split(client: TestClient) -> None:
    names = ["pets/train/pug/1.jpg", "pets/train/cat/1.jpg", "pets/valid/pug/2.jpg"]
    found = client.post("/label-rules/try", json={"names": names, "label_from": "folder"}).json()
    assert found["split"] == {"train": 2, "valid": 1}
    assert {one["label"] for one in found["counts"]} == {"pug", "cat"}


def test_labels_that_differ_in_case_may_be_merged(client: TestClient) -> None:
    found = client.post("/label-rules/try", json={"names": NAMES, "merge_labels": True}).json()
    assert (found["labels"], found["similar"]) == (2, [])


def test_a_rule_that_cannot_be_says_so_of_its_field(client: TestClient) -> None:
    answer = client.post("/label-rules/try", json={"names": NAMES, "regex": "(a"})
    assert (answer.status_code, answer.json()["field"]) == (400, "body.regex")
    assert client.post("/label-rules/try", json={"names": []}).status_code == 422
    assert client.post("/label-rules/try", json={"names": ["a"] * 1501}).status_code == 422
    listed = client.post("/label-rules/try", json={"names": NAMES, "label_from": "csv"})
    assert (listed.status_code, listed.json()["code"]) == (400, "trial_refused")


def test_a_rule_is_tried_on_an_upload_before_anything_is_imported(client: TestClient) -> None:
    place = whole(client, archive("a/pug_1.jpg", "a/pug_2.jpg", "b/Birman_1.jpg", "notes.txt"))
    by_name = client.post(f"{place}/try-labels", json={}).json()
    assert {one["label"]: one["count"] for one in by_name["counts"]} == {"pug": 2, "Birman": 1}
    by_folder = client.post(f"{place}/try-labels", json={"label_from": "folder"}).json()
    assert {one["label"]: one["count"] for one in by_folder["counts"]} == {"a": 2, "b": 1}
    assert client.get("/jobs").json()["items"] == []


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_list_of_labels_in_the_archive_is_tried(client: TestClient, mode: str) -> None:
    files = {"./x/1.jpg": jpeg(), "./x/2.jpg": jpeg(), "./labels.csv": b"filename,label\nx/1.jpg,pug\n"}
    place = whole(client, tar(files, mode))
    found = client.post(f"{place}/try-labels", json={"label_from": "csv"}).json()
    assert [(one["name"], one["label"]) for one in found["examples"]] == [("x/1.jpg", "pug")]
    assert [one["name"] for one in found["without_label"]] == ["x/2.jpg"]


def test_what_is_no_archive_is_told(client: TestClient) -> None:
    answer = client.post(f"{whole(client, b'no archive at all')}/try-labels", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "trial_refused")


def test_half_an_archive_is_not_tried(client: TestClient) -> None:
    place = begin(client, 100)
    send(client, place, 0, b"PK")
    assert client.post(f"{place}/try-labels", json={}).status_code == 409


def test_what_takes_too_long_to_read_is_tried_as_far_as_it_came(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "READ_SECONDS", -1.0)
    found = client.post(f"{whole(client, archive())}/try-labels", json={}).json()
    assert (found["complete"], found["photos"]) == (False, 0)


@pytest.mark.parametrize("asked", [{}, {"label_from": "folder"}, {"label_from": "csv"}, {"label_from": "path"}])
def test_names_in_no_known_encoding_are_told_and_read_by_the_one_given(
    client: TestClient, asked: dict[str, str]
) -> None:
    files = {"L\udcf6we/L\udcf6we_1.jpg": jpeg(), "pug/pug_1.jpg": jpeg(), "labels.csv": b"pug_1.jpg,pug\n"}
    place = whole(client, tar(files))
    answer = client.post(f"{place}/try-labels", json=asked)
    assert answer.status_code == 200, answer.text
    assert [one["name"] for one in answer.json()["without_label"]] == [r"L\xf6we/L\xf6we_1.jpg"]
    assert "`encoding`" in answer.json()["without_label"][0]["why"]
    read = client.post(f"{place}/try-labels", json={"label_from": "folder", "encoding": "latin-1"}).json()
    assert [one["label"] for one in read["examples"]] == ["Löwe", "pug"]


def test_a_name_with_a_dot_behind_its_slash_is_the_file(client: TestClient) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("labels.csv", b"b.jpg,pug\n")
        packed.writestr("b.jpg/.", jpeg())
    answer = client.post(f"{whole(client, out.getvalue())}/try-labels", json={"label_from": "csv"})
    assert [(one["name"], one["label"]) for one in answer.json()["examples"]] == [("b.jpg", "pug")]


def test_a_path_that_no_import_takes_is_refused_here_too(client: TestClient) -> None:
    answer = client.post(f"{whole(client, archive('d/' * 40 + 'pug_1.jpg'))}/try-labels", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "trial_refused")


def test_listings_are_held_as_far_as_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, read = Trials(ArchiveReaders(), 1 << 30), list[Path]()

    def noted(path: Path, **_how: object) -> Listing:
        read.append(path)
        return Listing(names=["pug_1.jpg"], bytes=9)

    monkeypatch.setattr(trials, "list_archive", noted)
    for _ in range(2):
        tried.on_upload("a", tmp_path / "a", RuleOnUpload())
    assert len(read) == 1
    monkeypatch.setattr(trials, "KEPT_BYTES", 17)
    for upload in ("b", "a", "a", "b"):
        tried.on_upload(upload, tmp_path / upload, RuleOnUpload())
    assert [path.name for path in read] == ["a", "b", "a", "b"]


def test_any_table_of_an_archive_can_be_tried_and_a_large_one_alone_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_LIST_BYTES", 100)
    files = {"x/pug_1.jpg": jpeg(), "features.csv": bytes(101)} | {f"{n}.csv": b"x,y\n" for n in range(9)}
    files |= {"meta/x.csv": b"pug_1.jpg,Pug\n", "labels.csv": b"pug_1.jpg,boxer\n"}
    place = whole(client, tar(files))

    def tried(label_from: str) -> list[str]:
        answer = client.post(f"{place}/try-labels", json={"label_from": label_from}).json()
        return [one["label"] for one in answer["examples"]] if "examples" in answer else [answer["detail"]]

    assert [tried(one) for one in ("name", "folder")] == [["pug"], ["x"]]
    assert [tried(one) for one in ("csv", "csv:meta/x.csv", "csv:labels.csv")] == [["boxer"], ["Pug"], ["boxer"]]
    assert tried("csv:features.csv") == [
        "the list of labels 'features.csv' has more than 8388608 bytes and cannot be tried"
    ]
    assert tried("csv:none.csv") == ["there is no list of labels 'none.csv'"]


def test_a_regex_has_time_for_as_many_ordinary_names_as_an_archive_may_have() -> None:
    """One costs up to 25 µs, and one that does not match is looked at twice."""
    assert MAX_FILES * 40e-6 <= trials.RULE_SECONDS < trials.TRIAL_SECONDS


def test_a_listing_that_had_no_time_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(archive("a/pug_1.jpg"))
    tried = Trials(ArchiveReaders(), 1 << 30)
    with monkeypatch.context() as busy:
        busy.setattr(trials, "READ_SECONDS", -1.0)
        assert not tried.on_upload("a", tmp_path / "a", RuleOnUpload()).complete
    found = tried.on_upload("a", tmp_path / "a", RuleOnUpload())
    assert (found.complete, found.photos) == (True, 1)


def test_a_listing_that_had_no_room_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(archive("a/pug_1.jpg", "b/pug_2.jpg"))
    monkeypatch.setattr(listing, "MAX_NAMES_BYTES", 15)
    tried = Trials(ArchiveReaders(), 1 << 30)
    assert [tried.on_upload("a", tmp_path / "a", RuleOnUpload()).photos for _ in range(2)] == [1, 1]
    (tmp_path / "a").unlink()
    assert not tried.on_upload("a", tmp_path / "a", RuleOnUpload()).complete


def test_a_listing_that_is_held_waits_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(archive("a/pug_1.jpg"))
    tried = Trials(ArchiveReaders(), 1 << 30)
    assert tried.on_upload("a", tmp_path / "a", RuleOnUpload()).photos == 1
    for _ in range(trials.AT_ONCE):
        tried._lists.take()
    assert tried.on_upload("a", tmp_path / "a", RuleOnUpload()).photos == 1
    with pytest.raises(TooBusy):
        tried.on_upload("b", tmp_path / "a", RuleOnUpload())


def test_an_upload_that_becomes_an_import_is_no_broken_archive(tmp_path: Path) -> None:
    with pytest.raises(StateConflict, match="becoming an import"):
        Trials(ArchiveReaders(), 1 << 30).on_upload("a", tmp_path / "gone", RuleOnUpload())


def test_a_trial_tells_of_names_whose_encoding_was_guessed(tmp_path: Path) -> None:
    raw = "柴犬_1.jpg".encode("cp932")
    (tmp_path / "a").write_bytes(archive("#" * len(raw)).replace(b"#" * len(raw), raw))
    found = Trials(ArchiveReaders(), 1 << 30).on_upload("a", tmp_path / "a", RuleOnUpload())
    assert "were read as cp437" in found.notes[-1]
