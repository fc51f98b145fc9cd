import os
from pathlib import Path

import pytest

from ml.data.bundle import Bundle, Folder, write_bundle
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.errors import DatasetUnusable, Stopped
from tests.ml.pictures import dataset, encoded, fill, jpeg, picture, png_header


def scan(folder: Path, rule: LabelRule | None = None, limits: Limits | None = None) -> Manifest:
    return scan_folder(folder, rule or LabelRule(), name="pets", limits=limits)


def codes(manifest: Manifest) -> dict[str, str]:
    return {exclusion.path: exclusion.code for exclusion in manifest.exclusions}


def test_every_file_is_an_item_or_an_exclusion(tmp_path: Path) -> None:
    fill(tmp_path, ["pug_1.jpg", "pug_2.jpg", "boxer_1.jpg"])
    broken = {
        "cut_1.jpg": (jpeg(200, 160)[:2000], "truncated"),
        "text_1.jpg": (b"I am a pet", "not_an_image"),
        "empty_1.jpg": (b"", "not_an_image"),
        "huge_1.jpg": (png_header(20_000, 20_000), "too_many_pixels"),
        "tiny_1.jpg": (encoded(picture(1, 1), "PNG"), "too_small"),
        "noname.jpg": (jpeg(), "no_label"),
        "notes.txt": (b"notes", "not_an_image"),
        "fat_1.jpg": (jpeg() + bytes(100_000), "too_many_bytes"),
    }
    for name, (data, _) in broken.items():
        (tmp_path / name).write_bytes(data)
    found = scan(tmp_path, limits=Limits(max_bytes=50_000))
    assert [item.path for item in found.items] == ["boxer_1.jpg", "pug_1.jpg", "pug_2.jpg"]
    assert codes(found) == {name: code for name, (_, code) in broken.items()}


def test_disguised_and_odd_coloured_files_are_items_and_said(tmp_path: Path) -> None:
    fill(tmp_path, ["pug_1.jpg"])
    for number, (form, mode) in enumerate(
        [("GIF", "P"), ("PNG", "RGBA"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P")]
    ):
        (tmp_path / f"odd_{number}.jpg").write_bytes(encoded(picture(mode=mode), form))
    found = scan(tmp_path)
    assert [item.format for item in found.items if item.label == "odd"] == ["GIF", "PNG", "JPEG", "JPEG", "PNG"]
    disguised = [("odd_0.jpg", "GIF"), ("odd_1.jpg", "PNG"), ("odd_4.jpg", "PNG")]
    examples = [{"path": path, "format": form} for path, form in disguised]
    assert found.summary()["disguised"] == {"count": 3, "examples": examples}
    assert found.summary()["modes"] == {"CMYK": 1, "L": 1, "P": 2, "RGB": 1, "RGBA": 1}


def test_hidden_files_are_passed_over_and_each_link_and_special_file_is_an_exclusion(tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside", ["secret_1.jpg"])
    folder = fill(
        tmp_path / "pets", ["pug_1.jpg", "boxer_1.jpg", ".hidden_1.jpg", ".git/pug_9.jpg", "__MACOSX/._pug_1.jpg"]
    )
    os.mkfifo(folder / "pipe_1.jpg")
    links = {
        "again_1.jpg": folder / "pug_1.jpg",
        "gone_1.jpg": folder / "nothing.jpg",
        "loop": folder,
        "out_1.jpg": outside / "secret_1.jpg",
        "outdir": outside,
        "self_1.jpg": folder / "self_1.jpg",
        "to_pipe_1.jpg": folder / "pipe_1.jpg",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    found = scan(folder)
    assert [item.path for item in found.items] == ["again_1.jpg", "boxer_1.jpg", "pug_1.jpg"]
    assert {exclusion.code for exclusion in found.exclusions} == {"not_a_file"}
    assert [(exclusion.path, exclusion.detail) for exclusion in found.exclusions] == [
        ("gone_1.jpg", "this is a link to nothing, or to itself"),
        ("loop", "this is a link to a folder, whose files count under their own names"),
        ("out_1.jpg", "this is a link that leads out of the folder"),
        ("outdir", "this is a link that leads out of the folder"),
        ("pipe_1.jpg", "this is a pipe, a socket or a device"),
        ("self_1.jpg", "this is a link to nothing, or to itself"),
        ("to_pipe_1.jpg", "this is a link to a pipe, a socket or a device"),
    ]


def test_a_folder_that_only_links_to_another_is_told_so(tmp_path: Path) -> None:
    outside = fill(tmp_path / "outside", ["pug_1.jpg", "boxer_1.jpg"])
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "images").symlink_to(outside)
    with pytest.raises(DatasetUnusable, match=r"images: not_a_file") as refused:
        scan(tmp_path / "pets")
    assert refused.value.hint is not None
    assert "cp -rL" in refused.value.hint


def test_a_name_that_is_not_utf8_is_an_exclusion_that_json_can_hold(tmp_path: Path) -> None:
    fill(tmp_path, ["pug_1.jpg", "boxer_1.jpg", "größe_1.jpg"])
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9_1.jpg")).write_bytes(jpeg())
    found = scan(tmp_path)
    assert codes(found) == {r"caf\xe9_1.jpg": "no_label"}
    assert Manifest.model_validate_json(found.model_dump_json()).revision == found.revision


def test_folders_can_name_the_breeds(tmp_path: Path) -> None:
    fill(tmp_path, ["train/pug/a.jpg", "train/boxer/b.JPG", "loose.jpg"])
    found = scan(tmp_path, LabelRule(kind="folder"))
    assert {item.path: item.label for item in found.items} == {"train/pug/a.jpg": "pug", "train/boxer/b.JPG": "boxer"}
    assert codes(found) == {"loose.jpg": "no_label"}


def test_items_are_sorted_by_path_over_folders(tmp_path: Path) -> None:
    fill(tmp_path, ["b/pug_1.jpg", "a.b/pug_2.jpg", "a/boxer_1.jpg", "Z_1.jpg"])
    assert [item.path for item in scan(tmp_path).items] == ["Z_1.jpg", "a.b/pug_2.jpg", "a/boxer_1.jpg", "b/pug_1.jpg"]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no usable photo"),
        (["notes.txt"], r"notes\.txt: not_an_image"),
        (["pug_1.jpg"], "only one usable photo"),
        (["pug_1.jpg", "pug_2.jpg"], r"all 2 usable photos have the same label \(pug\)"),
        (["a.jpg", "b.jpg"], r"none of the 2 photos gets a label \(for example a\.jpg: "),
    ],
)
def test_a_folder_that_cannot_be_trained_on_is_refused(tmp_path: Path, names: list[str], says: str) -> None:
    with pytest.raises(DatasetUnusable, match=says) as caught:
        scan(fill(tmp_path, names))
    assert caught.value.hint


def test_one_breed_will_do_where_it_is_for_what_has_others(tmp_path: Path) -> None:
    found = scan_folder(fill(tmp_path, ["pug_1.jpg", "pug_2.jpg"]), LabelRule(), name="pets", one_breed=True)
    assert found.vocab == ("pug",)
    assert "all 2 usable photos have the same label (pug)" in found.notes[0]


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable, match="not a folder"):
        scan(tmp_path / "nothing")


def test_progress_reaches_the_number_of_files(tmp_path: Path) -> None:
    fill(tmp_path, ["pug_1.jpg", "boxer_1.jpg", "x.txt"])
    told: list[tuple[int, int]] = []
    scan_folder(tmp_path, LabelRule(), name="pets", on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_bundle_holds_the_same_bytes_and_is_the_same_each_time(tmp_path: Path) -> None:
    manifest, folder = dataset(tmp_path / "pets")
    write_bundle(tmp_path / "pets", manifest, tmp_path / "one.tar")
    (tmp_path / "pets" / manifest.items[0].path).touch()
    write_bundle(tmp_path / "pets", manifest, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    bundle = Bundle(tmp_path / "one.tar", manifest)
    assert [bundle.read(i) for i in range(6)] == [folder.read(i) for i in range(6)]
    bundle.close()
    bundle.close()


def test_writing_a_bundle_tells_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    manifest, _ = dataset(tmp_path / "pets")
    told: list[tuple[int, int]] = []

    def stop_at_4(done: int, total: int) -> None:
        told.append((done, total))
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        write_bundle(tmp_path / "pets", manifest, tmp_path / "out" / "pets.tar", on_progress=stop_at_4)
    assert told == [(1, 6), (2, 6), (3, 6), (4, 6)]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_changed_since_the_scan_is_noticed(tmp_path: Path) -> None:
    manifest, folder = dataset(tmp_path / "pets")
    (tmp_path / "pets" / manifest.items[2].path).write_bytes(jpeg(seed=99))
    with pytest.raises(DatasetUnusable, match="not the file that was scanned"):
        folder.read(2)
    with pytest.raises(DatasetUnusable, match="not the file that was scanned"):
        write_bundle(tmp_path / "pets", manifest, tmp_path / "out" / "pets.tar")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    manifest, _ = dataset(tmp_path)
    (tmp_path / manifest.items[0].path).unlink()
    with pytest.raises(DatasetUnusable, match="cannot be read any more"):
        Folder(tmp_path, manifest).read(0)


def test_a_broken_or_foreign_bundle_is_refused(tmp_path: Path) -> None:
    manifest, _ = dataset(tmp_path / "pets")
    path = tmp_path / "pets.tar"
    write_bundle(tmp_path / "pets", manifest, path)
    other, _ = dataset(tmp_path / "others", breeds=3)
    with pytest.raises(DatasetUnusable, match="does not hold breed2_0"):
        Bundle(path, other)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(jpeg(40, 30, 0)[200:220], b"x" * 20))
    with pytest.raises(DatasetUnusable, match="not the file that was scanned"):
        Bundle(path, manifest).read(0)
    for broken in (whole[:3000], b"", b"no tar" * 200):
        path.write_bytes(broken)
        with pytest.raises(DatasetUnusable):
            Bundle(path, manifest)
