"""What labels an import finds, and what it says of them."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pytest

from ml.data.given_split import split_level
from ml.data.label_choice import choose_rule
from ml.data.label_csv import MAX_LABEL_CHARS, read_label_list
from ml.data.label_rules import RuleRefused
from ml.data.labels import find_labels
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.errors import DatasetUnusable
from tests.ml.pictures import fill

LOWCHEN = "Löwchen"


def scan(
    folder: Path, names: Iterable[str], rule: LabelRule | None = None, listed: str | bytes | None = None
) -> Manifest:
    """A folder of pictures under the names, and the list beside it, scanned."""
    fill(folder / "pets", names)
    beside = None
    if listed is not None:
        beside = folder / "beside.csv"
        beside.write_bytes(listed if isinstance(listed, bytes) else listed.encode())
    return scan_folder(folder / "pets", rule or LabelRule(), name="pets", labels=beside)


def labels(found: Manifest) -> dict[str, str]:
    return {item.path: item.label for item in found.items}


def sides(found: Manifest) -> dict[str, str | None]:
    return {item.path: item.split for item in found.items}


def noted(found: Manifest, words: str) -> str:
    """The one note with these words."""
    (note,) = [note for note in found.notes if words in note]
    return note


def test_the_default_rule_takes_every_suffix_of_pictures_in_any_case(tmp_path: Path) -> None:
    names = ["pug_1.jpg", "pug_2.JPG", "pug_3.Jpeg", "boxer_4.PNG", "a_b_1_2.webp"]
    assert labels(scan(tmp_path, names)) == dict(zip(names, ["pug", "pug", "pug", "boxer", "a_b_1"], strict=True))


def test_a_rule_may_ignore_case_and_one_that_does_not_is_told(tmp_path: Path) -> None:
    names = ["pug_1.jpg", "boxer_1.jpg", "pug_2.JPG"]
    assert len(scan(tmp_path / "one", names, LabelRule(regex=r"(?i)(.+)_\d+\.jpe?g$")).items) == 3
    found = scan(tmp_path / "other", names, LabelRule(regex=r"(.+)_\d+\.jpe?g$"))
    assert "1 names would match" in noted(found, "(?i)")


def test_names_that_a_rule_misses_by_case_alone_are_the_hint(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable) as refused:
        scan(tmp_path, ["pug_1.JPG", "boxer_1.JPG"], LabelRule(regex=r"(.+)_\d+.jpg$"))
    assert "(?i)" in str(refused.value.hint)


def test_a_slash_in_a_rule_on_names_is_told_and_read_on_paths(tmp_path: Path) -> None:
    rule = r"/([^/]+)_\d+.jpg$"
    with pytest.raises(DatasetUnusable) as refused:
        scan(tmp_path, ["pug_1.jpg", "boxer_1.jpg"], LabelRule(regex=rule))
    assert "label_from=path" in str(refused.value.hint)
    assert scan(tmp_path, [], LabelRule(regex=rule, over="path")).vocab == ("boxer", "pug")


def test_a_path_rule_sees_every_folder(tmp_path: Path) -> None:
    rule = LabelRule(regex=r"^([^/]+)/", over="path")
    assert scan(tmp_path, ["Birman/young/1.jpg", "pug/1.jpg"], rule).vocab == ("Birman", "pug")


def test_a_path_of_many_folders_is_read_whole(tmp_path: Path) -> None:
    deep = "/".join(["d" * 60] * 5) + "/x_1.jpg"
    found = scan(tmp_path, ["a_1.jpg", "b_1.jpg", deep], LabelRule(regex=r"([^/]+)_\d+.jpg$", over="path"))
    assert found.vocab == ("a", "b", "x")


@pytest.mark.parametrize(
    ("level", "vocab"), [(1, ("cats", "dogs")), (2, ("Birman", "pug")), (-1, ("a", "b")), (-2, ("Birman", "pug"))]
)
def test_the_label_is_any_folder_of_the_path(tmp_path: Path, level: int, vocab: tuple[str, ...]) -> None:
    rule = LabelRule(kind="folder", level=level)
    assert scan(tmp_path, ["cats/Birman/a/1.jpg", "dogs/pug/b/1.jpg"], rule).vocab == vocab


def test_folders_at_different_depths_are_told(tmp_path: Path) -> None:
    found = scan(tmp_path, ["Birman/kittens/1.jpg", "pug/1.jpg"], LabelRule(kind="folder"))
    assert found.vocab == ("kittens", "pug")
    assert "'pug' and 'Birman/kittens'" in noted(found, "folder:1")


def test_a_label_of_several_folders_is_told(tmp_path: Path) -> None:
    names = ["Birman/young/1.jpg", "Birman/old/1.jpg", "pug/young/1.jpg", "pug/old/1.jpg"]
    found = scan(tmp_path, names, LabelRule(kind="folder"))
    assert "'Birman/old' and 'pug/old'" in noted(found, "folder:-2")


@pytest.mark.parametrize("form", ["{breed}/{side}/{n}.jpg", "{side}/{breed}/{n}.jpg", "pets/{side}/{breed}/{n}.jpg"])
@pytest.mark.parametrize("names", [("train", "valid", "test"), ("Training", "VAL", "testing")])
def test_a_given_split_is_kept_and_is_no_label(tmp_path: Path, form: str, names: tuple[str, ...]) -> None:
    paths = {
        form.format(breed=breed, side=name, n=number): side
        for breed in ("Birman", "pug")
        for number, (name, side) in enumerate(zip(names, ("train", "valid", "test"), strict=True))
    }
    found = scan(tmp_path, paths, LabelRule(kind="folder"))
    assert (found.vocab, sides(found)) == (("Birman", "pug"), paths)
    assert found.summary()["split"] == {"train": 2, "valid": 2, "test": 2}
    assert "2 train, 2 valid, 2 test" in noted(found, "given split is kept")


def test_a_given_split_is_kept_with_a_rule_on_names(tmp_path: Path) -> None:
    found = scan(tmp_path, ["train/pug_1.jpg", "train/boxer_1.jpg", "val/pug_2.jpg", "extra/pug_3.jpg"])
    assert list(sides(found).values()) == [None, "train", "train", "valid"]
    assert "1 items of no side count as train" in noted(found, "given split")
    assert found.sides == {"train": 3, "valid": 1, "test": 0}


def test_pictures_for_validation_alone_are_no_split(tmp_path: Path) -> None:
    found = scan(tmp_path, ["pets/valid/Birman/1.jpg", "pets/valid/pug/1.jpg"], LabelRule(kind="folder"))
    assert (found.vocab, found.sides) == (("Birman", "pug"), None)
    assert noted(found, "none for training")


@pytest.mark.parametrize(
    ("paths", "level"),
    [
        (["test/1.jpg", "car/1.jpg"], None),
        (["train/1.jpg", "bus/1.jpg"], None),
        (["train/a/1.jpg", "test/a/1.jpg", "extra/a/1.jpg"], 0),
        (["a/train/1.jpg", "b/1.jpg"], 1),
        (["1.jpg"], None),
        ([], None),
    ],
)
def test_only_folders_of_a_whole_level_are_sides(paths: list[str], level: int | None) -> None:
    assert split_level(paths) == level


def test_whoever_names_the_level_of_the_sides_wants_them_as_labels(tmp_path: Path) -> None:
    found = scan(tmp_path, ["train/a/1.jpg", "test/a/1.jpg"], LabelRule(kind="folder", level=1))
    assert (found.vocab, found.sides) == (("test", "train"), None)


def test_a_split_changes_the_revision_and_none_leaves_it(tmp_path: Path) -> None:
    found = scan(tmp_path, ["train/pug_1.jpg", "val/boxer_1.jpg"])
    plain = found.model_copy(update={"items": tuple(item.model_copy(update={"split": None}) for item in found.items)})
    swapped = found.model_copy(
        update={"items": tuple(item.model_copy(update={"split": "train"}) for item in found.items)}
    )
    assert len({one.revision for one in (found, plain, swapped)}) == 3


def test_one_name_in_two_compositions_is_one_label_and_told(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", LOWCHEN)
    found = scan(tmp_path, [f"{LOWCHEN}_1.jpg", f"{apart}_2.jpg", "pug_1.jpg"])
    assert found.vocab == (LOWCHEN, "pug")
    assert LOWCHEN in noted(found, "NFC and NFD")


SPELT = ["Pug_1.jpg", "pug_2.jpg", "pug_3.jpg", "Great Dane_1.jpg", "great_dane_2.jpg", "boxer_1.jpg"]


def test_labels_that_look_alike_are_told_by_name_and_merged_where_asked(tmp_path: Path) -> None:
    found = scan(tmp_path / "one", SPELT)
    assert "'Pug' (1), 'pug' (2)" in noted(found, "merge_labels=true")
    assert found.summary()["similar_labels"] == [["Great Dane", "great_dane"], ["Pug", "pug"]]
    merged = scan(tmp_path / "other", SPELT, LabelRule(merge=True))
    assert merged.vocab == ("Great Dane", "boxer", "pug")
    assert merged.summary()["similar_labels"] == []
    assert "as 'pug'" in noted(merged, "were merged")


@pytest.mark.parametrize(
    ("one", "other"), [("Straße", "STRASSE"), ("a\u00a0b", "ab"), ("a\u200bb", "ab"), ("ＡＢ", "ab")]
)
def test_what_looks_alike_is_found_beyond_ascii(tmp_path: Path, one: str, other: str) -> None:
    assert len(scan(tmp_path, [f"{one}_1.jpg", f"{other}_2.jpg"]).summary()["similar_labels"]) == 1


def test_a_rule_has_a_limit_of_time_for_all_names_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.data.labels.RULE_SECONDS", 0.0)
    with pytest.raises(DatasetUnusable, match=r"the label rule .* took 0 s for"):
        scan(tmp_path, ["a_1.jpg", "b_1.jpg"])


def test_a_search_for_labels_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.data.heartbeat.HEARTBEAT_SECONDS", 0.0)

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        find_labels([f"a_{number}.jpg" for number in range(1000)], LabelRule(), None, stop)


def test_hidden_pictures_are_told(tmp_path: Path) -> None:
    found = scan(tmp_path, ["a_1.jpg", "b_1.jpg", ".data/c_1.jpg", ".d_1.jpg", "__MACOSX/._a_1.jpg"])
    assert len(found.items) == 2
    assert "2 photos were passed over" in noted(found, "dot")
    with pytest.raises(DatasetUnusable, match=r"no usable photo, and 2 photos .*\.data/a_1.jpg") as refused:
        scan(tmp_path / "all", [".data/a_1.jpg", ".data/b_1.jpg"])
    assert "do not begin with a dot" in str(refused.value.hint)


CSV = LabelRule(kind="csv")


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,pug\nb.jpg,boxer\n",
        "filename,label\r\na.jpg,pug\r\nb.jpg,boxer",
        "\ufefffilename;label;split\na.jpg;pug;train\nb.jpg;boxer;train\n",
        "label\tpath\npug\ta.jpg\nboxer\tb.jpg\n",
        '"a.jpg","pug"\n\n"b.jpg","boxer"\n',
        "id,breed\na,pug\nb,boxer\n",
        "sep=;\nfile;class\na.jpg;pug\nb.jpg;boxer",
        ".\\a.jpg,pug\n./b.jpg,boxer\n",
        " a.jpg , pug \n b.jpg , boxer \n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_list_is_read_however_a_spreadsheet_writes_it(tmp_path: Path, text: str, encoding: str) -> None:
    listed = text.removeprefix("\ufeff").encode("utf-16") if encoding == "utf-16" else text.encode()
    assert labels(scan(tmp_path, ["a.jpg", "b.jpg"], CSV, listed)) == {"a.jpg": "pug", "b.jpg": "boxer"}


def test_a_list_among_the_pictures_is_found_and_is_no_exclusion(tmp_path: Path) -> None:
    fill(tmp_path / "pets/photos", ["a.jpg", "b.jpg"])
    (tmp_path / "pets/labels.csv").write_text("photos/a.jpg,pug\nb.jpg,boxer\n")
    (tmp_path / "pets/other.csv").write_text("a.jpg,boxer\nb.jpg,pug\n")
    found = scan(tmp_path, [], CSV)
    assert list(labels(found).values()) == ["pug", "boxer"]
    assert [exclusion.path for exclusion in found.exclusions] == ["other.csv"]
    assert list(labels(scan(tmp_path, [], LabelRule(kind="csv", csv="other.csv"))).values()) == ["boxer", "pug"]


@pytest.mark.parametrize(
    ("names", "rule", "says"),
    [
        ([], CSV, "there is no list of labels"),
        (["a.csv", "b.tsv"], CSV, "there are 2 lists"),
        (["a.csv"], LabelRule(kind="csv", csv="../a.csv"), "there is no list of labels '../a.csv'"),
    ],
)
def test_a_list_that_is_not_there_is_told(tmp_path: Path, names: list[str], rule: LabelRule, says: str) -> None:
    fill(tmp_path / "pets", ["a.jpg", "b.jpg", *names])
    with pytest.raises(DatasetUnusable, match=says):
        scan(tmp_path, [], rule)


def test_a_list_nobody_asked_for_is_the_hint(tmp_path: Path) -> None:
    fill(tmp_path / "pets", ["labels.csv"])
    with pytest.raises(DatasetUnusable) as refused:
        scan(tmp_path, ["a.jpg", "b.jpg"])
    assert "give label_from=csv" in str(refused.value.hint)


def test_what_of_a_list_is_not_used_is_counted_with_examples(tmp_path: Path) -> None:
    listed = "a.jpg,pug\nb.jpg,boxer\na.jpg,pug\nc.jpg,pug\nc.jpg,boxer\nnone.jpg,pug\n1.jpg,pug\n,pug\nd.jpg,\n"
    listed += "e.jpg,pug,never\n"
    names = ["a.jpg", "b.jpg", "c.jpg", "x/1.jpg", "y/1.jpg", "unlisted.jpg"]
    found = scan(tmp_path, names, CSV, listed)
    assert labels(found) == {"a.jpg": "pug", "b.jpg": "boxer"}
    report = found.label_list
    assert report is not None
    assert (report.rows, report.repeated.examples, report.without_file.examples) == (7, ("a.jpg",), ("none.jpg",))
    assert report.contradicting.examples == ("c.jpg: lines 4 and 5",)
    assert report.ambiguous.examples == ("1.jpg",)
    assert report.unusable.examples == (
        "line 8: no name", "line 9: no label", "line 10: the split 'never' is not train, valid or test",
    )  # fmt: skip
    details = {exclusion.path: exclusion.detail for exclusion in found.exclusions}
    assert details["c.jpg"] == "the list of labels contradicts itself about it"
    assert "write the path" in details["x/1.jpg"]
    assert details["unlisted.jpg"] == "the list of labels does not name it"
    assert found.summary()["label_list"]["ambiguous"] == {"count": 1, "examples": ["1.jpg"]}
    assert noted(found, "does not name 1 of the images")


def test_a_list_gives_the_split(tmp_path: Path) -> None:
    found = scan(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], CSV, "a.jpg,pug,train\nb.jpg,boxer,Validation\nc.jpg,pug,\n")
    assert list(sides(found).values()) == ["train", "valid", None]


def test_names_of_a_list_are_compared_in_nfc(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", LOWCHEN)
    found = scan(tmp_path, [f"{apart}.jpg", "b.jpg"], CSV, f"{LOWCHEN}.jpg,{apart}\nb.jpg,pug\n")
    assert found.vocab == (LOWCHEN, "pug")


def test_a_formula_is_a_label_as_any_other(tmp_path: Path) -> None:
    found = scan(tmp_path, ["a.jpg", "b.jpg"], CSV, 'a.jpg,"=HYPERLINK(1,2)"\nb.jpg,@x\n')
    assert found.vocab == ("=HYPERLINK(1,2)", "@x")


@pytest.mark.parametrize("cell", ["p\0ug", "p\x1bug", '"p\nug"', "x" * (MAX_LABEL_CHARS + 1), "\x85p\x9bug"])
def test_odd_characters_make_a_line_unusable(cell: str) -> None:
    found = read_label_list(f"a.jpg,{cell}\nb.jpg,pug\n".encode())
    assert (list(found.rows), found.report.unusable.count) == (["b.jpg"], 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no line with a name and a label"),
        (b"filename,label\n", "no line with a name and a label"),
        (b"only one column\n", "no line with a name and a label .line 1: no label"),
        (b"a.jpg,L\xf6wchen\n", "is not utf-8"),
        (b'a.jpg,"' + b"x" * 200_000, "cannot be read at line"),
        (b"\xff\xfea", "is not utf-16"),
        (b"\0" * 1000, "no line with a name and a label"),
    ],
)
def test_what_is_no_list_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(DatasetUnusable, match=says):
        read_label_list(data)


def test_a_list_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.data.label_csv.MAX_ROWS", 3)
    with pytest.raises(DatasetUnusable, match="more than 3 lines"):
        read_label_list(b"a,b\n" * 4)
    monkeypatch.setattr("ml.data.label_csv.MAX_BYTES", 10)
    with pytest.raises(DatasetUnusable, match="has 12 bytes, at most 10"):
        read_label_list(b"a,b\n" * 3)


def test_a_list_in_another_encoding_is_read_where_it_is_named() -> None:
    assert read_label_list("a.jpg,Löwchen".encode("cp1252"), "cp1252").rows["a.jpg"].label == LOWCHEN


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({}, LabelRule()),
        ({"label_from": "folder"}, LabelRule(kind="folder")),
        ({"by_folder": True}, LabelRule(kind="folder")),
        ({"label_from": "folder:-2"}, LabelRule(kind="folder", level=-2)),
        ({"label_from": "csv"}, LabelRule(kind="csv")),
        ({"beside": True}, LabelRule(kind="csv")),
        ({"label_from": "csv:a/b.csv"}, LabelRule(kind="csv", csv="a/b.csv")),
        ({"label_from": "path", "regex": "(a)"}, LabelRule(regex="(a)", over="path")),
        ({"merge": True}, LabelRule(merge=True)),
    ],
)
def test_what_people_ask_for_is_a_rule(asked: dict[str, object], rule: LabelRule) -> None:
    assert choose_rule(**asked) == rule  # type: ignore[arg-type]  # the words are parameters here


@pytest.mark.parametrize(
    "asked",
    [
        {"label_from": "folder:0"},
        {"label_from": "folder:99999"},
        {"label_from": "csv:"},
        {"label_from": "nonsense"},
        {"label_from": "csv", "regex": "(a)"},
        {"beside": True, "regex": "(a)", "label_from": "name"},
        {"by_folder": True, "label_from": "path"},
        {"by_folder": True, "beside": True},
    ],
)
def test_what_cannot_be_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(RuleRefused):
        choose_rule(**asked)  # type: ignore[arg-type]  # as above
