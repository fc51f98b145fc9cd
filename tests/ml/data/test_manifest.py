from typing import get_args

import pytest
from pydantic import ValidationError

from ml.breeds import BREEDS, species_of
from ml.data.manifest import Exclusion, ExclusionCode, Item, LabelRule, Manifest
from tests.ml.facts import cases, facts


def item(path: str, label: str = "pug", digest: str = "0" * 64, form: str = "JPEG") -> Item:
    return Item(path=path, label=label, sha256=digest, width=40, height=30, bytes=9, format=form, mode="RGB")


def manifest(*items: Item, **more: object) -> Manifest:
    return Manifest.model_validate({"name": "pets", "items": items, **more})


def test_the_default_rule_reads_the_labels_of_the_original() -> None:
    for case in cases("labels_vocab"):
        assert LabelRule(regex=r"(.+)_\d+.jpg$").label_of(case["file"]) == case.get("label"), case


def test_the_vocabulary_is_sorted_as_the_originals() -> None:
    for case in facts("labels_vocab")["vocab"]:
        items = [item(f"{number:05}.jpg", label) for number, label in enumerate(case["labels"])]
        assert list(manifest(*items).vocab) == case["vocab"]


def test_the_folder_rule_takes_the_parents_name() -> None:
    rule = LabelRule(kind="folder")
    assert rule.label_of("train/pug/a.jpg") == "pug"
    assert rule.label_of("a.jpg") is None


def test_a_manifest_whose_rule_is_not_accepted_any_more_can_be_read() -> None:
    old = manifest(item("a.jpg"), rule={"kind": "regex", "regex": r"^(.+)\b_\d++\.jpg\Z"})
    assert Manifest.model_validate_json(old.model_dump_json()) == old


def test_a_manifest_of_before_calls_the_perceptual_hash_otherwise() -> None:
    new = manifest(item("a.jpg").model_copy(update={"perceptual_hash": "ab" * 16}))
    old = new.model_dump_json().replace('"perceptual_hash"', '"fingerprint"')
    assert Manifest.model_validate_json(old) == new
    assert Manifest.model_validate_json(new.model_dump_json()) == new


def test_a_group_that_matches_nothing_is_no_label() -> None:
    assert LabelRule(regex=r"(x*)_\d").label_of("_1") is None
    assert LabelRule(regex=r"(a)?b").label_of("b") is None


def test_the_revision_depends_on_paths_labels_and_contents_only() -> None:
    first = manifest(item("a.jpg"), item("b.jpg"))
    assert first.revision == manifest(item("a.jpg"), item("b.jpg"), drawn=True, name="others").revision
    others = [
        manifest(item("a.jpg"), item("c.jpg")),
        manifest(item("a.jpg"), item("b.jpg", "boxer")),
        manifest(item("a.jpg"), item("b.jpg", digest="1" * 64)),
    ]
    assert len({first.revision, *(other.revision for other in others)}) == 4


def test_it_survives_json() -> None:
    first = manifest(item("a.jpg"), exclusions=[Exclusion(path="b", code="no_label", detail="why")])
    again = Manifest.model_validate_json(first.model_dump_json())
    assert again == first
    assert again.revision == first.revision


@pytest.mark.parametrize("path", ["../a.jpg", "/a.jpg", "a/../../b.jpg", "", "a\0b"])
def test_a_path_outside_the_dataset_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        item(path)


def test_unsorted_or_repeated_items_are_refused() -> None:
    for paths in (("b.jpg", "a.jpg"), ("a.jpg", "a.jpg")):
        with pytest.raises(ValidationError):
            manifest(*map(item, paths))


def test_the_summary_counts_and_shows_at_most_twenty_examples() -> None:
    left_out = [Exclusion(path=f"x{n}", code="no_label", detail="why") for n in range(25)]
    found = manifest(item("a.jpg", "b"), item("b.jpg", "a", form="GIF"), item("c.JPEG", "a"), exclusions=left_out)
    summary = found.summary()
    assert summary["per_breed"] == {"a": 2, "b": 1}
    assert summary["formats"] == {"GIF": 1, "JPEG": 2}
    assert summary["sizes"]["width"] == {"min": 40, "median": 40, "max": 40}
    assert summary["disguised"] == {"count": 1, "examples": [{"path": "b.jpg", "format": "GIF"}]}
    assert summary["exclusions"]["no_label"]["count"] == 25
    assert len(summary["exclusions"]["no_label"]["examples"]) == 20


def test_what_was_left_out_is_one_line_with_the_most_frequent_reason_first() -> None:
    left_out = [Exclusion(path=f"x{n}", code="no_label" if n else "truncated", detail="why") for n in range(12)]
    assert manifest(item("a.jpg"), exclusions=left_out).left_out() == "12 files left out: 11 without a label, 1 broken"
    assert manifest(item("a.jpg"), exclusions=left_out[:1]).left_out() == "1 file left out: 1 broken"
    assert manifest(item("a.jpg")).left_out() is None


def test_every_reason_for_leaving_out_has_words() -> None:
    for code in get_args(ExclusionCode):
        left_out = [Exclusion(path="x", code=code, detail="why")]
        assert (manifest(item("a.jpg"), exclusions=left_out).left_out() or "").startswith("1 file left out: 1 ")


def test_there_are_37_breeds_of_two_species() -> None:
    names = [breed.name for breed in BREEDS]
    assert len(set(names)) == 37
    assert names == sorted(names)
    assert set(facts("labels_vocab")["vocab"][0]["vocab"]) <= set(names)
    assert [species_of(name) for name in ("Birman", "pug", "hamster")] == ["cat", "dog", None]
    assert sum(breed.species == "cat" for breed in BREEDS) == 12
