import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.data import near_duplicates as duplicates_module
from ml.data.manifest import Item, LabelRule, Manifest
from ml.data.near_duplicates import NEAR_BITS, across_split, count_pairs, find_near_duplicates, with_other_label
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.decode.perceptual_hash import perceptual_hash
from tests.ml.pictures import encoded, open_rgb, picture


def distance(one: Image.Image, other: Image.Image) -> int:
    return (int(perceptual_hash(one), 16) ^ int(perceptual_hash(other), 16)).bit_count()


def item(path: str, bits: int | None, *, label: str = "pug", content: int | None = None) -> Item:
    digest = hashlib.sha256(path.encode()).hexdigest() if content is None else f"{content:064x}"
    mark = None if bits is None else f"{bits:032x}"
    return Item(
        path=path,
        label=label,
        sha256=digest,
        width=9,
        height=9,
        bytes=9,
        format="JPEG",
        mode="RGB",
        perceptual_hash=mark,
    )


def manifest(*items: Item) -> Manifest:
    return Manifest(name="pets", items=items)


def pairs(*items: Item) -> list[tuple[int, int, str, int]]:
    return [
        (pair.first, pair.second, pair.kind, pair.distance) for pair in find_near_duplicates(manifest(*items)).pairs
    ]


BUSY = (1 << 128) // 3
"""Every other bit."""


def test_a_picture_saved_again_smaller_or_grey_keeps_its_hash_nearly() -> None:
    shot = picture(320, 240, seed=1)
    small = open_rgb(encoded(shot.resize((160, 120)), quality=40), Limits())
    assert distance(shot, small) <= NEAR_BITS
    assert distance(shot, shot.convert("L").convert("RGB")) == 0
    assert distance(shot, picture(320, 240, seed=2)) > 2 * NEAR_BITS


def test_each_half_of_the_hash_sees_one_direction() -> None:
    rising = np.tile(np.arange(0, 180, 2, dtype=np.uint8), (90, 1))
    across = Image.fromarray(rising).convert("RGB")
    down = Image.fromarray(np.ascontiguousarray(rising.T)).convert("RGB")
    assert perceptual_hash(across) == "f" * 16 + "0" * 16
    assert perceptual_hash(down) == "0" * 16 + "f" * 16


def test_near_are_those_within_the_bits_and_no_others() -> None:
    edge, beyond = BUSY ^ ((1 << NEAR_BITS) - 1), BUSY ^ ((1 << (NEAR_BITS + 1)) - 1)
    assert pairs(item("a", BUSY), item("b", edge)) == [(0, 1, "near", NEAR_BITS)]
    assert pairs(item("a", BUSY), item("b", beyond)) == []
    assert pairs(item("a", BUSY << 64 & (1 << 128) - 1), item("b", BUSY)) == []


def test_equal_files_are_byte_duplicates_only_and_come_first() -> None:
    found = pairs(item("a", BUSY, content=1), item("b", BUSY ^ 1, content=2), item("c", BUSY, content=1))
    assert found == [(0, 2, "byte", 0), (0, 1, "near", 1), (1, 2, "near", 1)]


def test_plain_pictures_are_nobodys_near_duplicates() -> None:
    plain = int(perceptual_hash(Image.new("RGB", (40, 30), (9, 200, 9))), 16)
    assert pairs(item("a", plain), item("b", plain), item("c", 3), item("d", 3)) == []
    assert pairs(item("a", plain, content=1), item("b", plain, content=1)) == [(0, 1, "byte", 0)]


def test_blocks_of_rows_meet_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    marks = [int.from_bytes(rng.bytes(16), "big") for _ in range(40)]
    items = [item(f"{place:02}", mark) for place, mark in enumerate([*marks, marks[3] ^ 7, marks[38] ^ 1])]
    whole = pairs(*items)
    assert whole == [(38, 41, "near", 1), (3, 40, "near", 3)]
    monkeypatch.setattr(duplicates_module, "_ROWS", 7)
    assert pairs(*items) == whole


def test_a_manifest_of_before_has_byte_duplicates_and_says_that_near_ones_are_unknown() -> None:
    found = find_near_duplicates(manifest(item("a", None, content=1), item("b", BUSY, content=1), item("c", BUSY)))
    assert not found.near_known
    counted = count_pairs(found.pairs, found)
    assert (counted.count, counted.byte, counted.near) == (1, 1, None)


def test_counting_ends_where_a_dataset_repeats_itself_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates_module, "MOST_PAIRS", 10)
    many = find_near_duplicates(manifest(*(item(f"{n}", BUSY) for n in range(8))))
    assert (len(many.pairs), many.complete) == (10, False)
    few = find_near_duplicates(manifest(*(item(f"{n}", BUSY, content=n // 2) for n in range(4))))
    assert (len(few.pairs), few.complete) == (6, True)


def test_duplicates_across_the_split_are_counted_and_so_are_the_pictures_they_give_away() -> None:
    rng = np.random.default_rng(0)
    items = [item(f"{n}", BUSY if n < 3 else int.from_bytes(rng.bytes(16), "big")) for n in range(6)]
    found = find_near_duplicates(manifest(*items))
    counted, hit = across_split(found, valid=[2, 5])
    assert [(pair.first, pair.second) for pair in counted.examples] == [(0, 2), (1, 2)]
    assert (counted.count, counted.near, hit) == (2, 2, 1)
    assert across_split(found, valid=[0, 1, 2])[0].count == 0


def test_duplicates_with_different_labels_are_told_apart() -> None:
    whole = manifest(item("a", BUSY), item("b", BUSY, label="boxer"), item("c", BUSY))
    found = with_other_label(find_near_duplicates(whole), whole)
    assert [(pair.first, pair.second) for pair in found.examples] == [(0, 1), (1, 2)]


def test_a_scan_takes_perceptual_hashes_and_the_revision_stays_what_it_was(tmp_path: Path) -> None:
    shot = picture(200, 150, seed=4)
    (tmp_path / "pug_1.jpg").write_bytes(encoded(shot, quality=95))
    (tmp_path / "pug_2.jpg").write_bytes(encoded(shot.resize((120, 90)), quality=60))
    (tmp_path / "boxer_1.jpg").write_bytes(encoded(picture(200, 150, seed=5)))
    found = scan_folder(tmp_path, LabelRule(), name="pets")
    assert [(pair.first, pair.second, pair.kind) for pair in find_near_duplicates(found).pairs] == [(1, 2, "near")]
    before = found.model_dump(mode="json")
    for one in before["items"]:
        del one["perceptual_hash"]
    old = Manifest.model_validate(before)
    assert old.revision == found.revision
    assert old.items[0].perceptual_hash is None


@pytest.mark.thorough
@pytest.mark.photos
def test_the_pet_photos_have_sixteen_near_duplicates(shared: Path) -> None:
    # Every one of them was looked at; the first strangers differ in 18 bits.
    folder = shared / "pets" / "images"
    names = sorted(path.name for path in folder.glob("*.jpg"))
    marks = [perceptual_hash(Image.open(io.BytesIO((folder / name).read_bytes())).convert("RGB")) for name in names]
    items = [item(name, int(mark, 16)) for name, mark in zip(names, marks, strict=True)]
    found = find_near_duplicates(manifest(*items))
    named = {(names[pair.first], names[pair.second]): pair.distance for pair in found.pairs}
    assert len(named) == 16
    assert named["Siamese_196.jpg", "Siamese_203.jpg"] == 0
    assert named["Bombay_107.jpg", "Bombay_19.jpg"] == 3
    assert named["Abyssinian_66.jpg", "Abyssinian_82.jpg"] == 14
