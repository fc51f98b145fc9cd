"""Names and lists of labels that would cost far more than their length."""

import sys
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Literal

import pytest

from ml.data import heartbeat, labels, rule_trial, similar_labels
from ml.data.given_split import split_level
from ml.data.label_csv import MAX_LINE_CHARS, LabelList, Row, read_label_list
from ml.data.labels import NOT_UTF8, find_labels
from ml.data.manifest import LabelRule
from ml.data.path_parts import parts_of, suffix_of
from ml.data.rule_trial import try_rule
from ml.data.similar_labels import similar_groups
from ml.errors import DatasetUnusable

MARKS = "\u0315\u0300"
"""Marks that composing has to put in order: time by the square of how many there are."""
BY_LIST = LabelRule(kind="csv")
PLENTY = 60.0


class Stop(Exception):
    pass


class Looked(dict[str, Row]):
    """The rows of a list that count the letters of what is looked up."""

    letters = 0

    def __contains__(self, name: object) -> bool:
        self.letters += len(str(name))
        return super().__contains__(name)


@pytest.mark.parametrize(
    "row", ["a" + MARKS * 25_000 + ",pug", "a.jpg,a" + MARKS * 25_000, "b/a" + MARKS * 600 + ",pug"]
)
def test_long_texts_are_left_out_before_they_are_composed(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    composed, normalize = list[str](), unicodedata.normalize

    def noted(form: Literal["NFC"], text: str) -> str:
        composed.append(text)
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", noted)
    found = read_label_list(f"filename,label\n{row}\nb.jpg,pug\n".encode())
    assert (list(found.rows), found.report.unusable.count) == (["b.jpg"], 1)
    assert max(map(len, composed)) < 20


def test_a_label_that_is_short_once_composed_is_taken() -> None:
    text = unicodedata.normalize("NFD", "한" * 200)
    assert read_label_list(f"{text}.jpg,{text}".encode()).rows["한" * 200 + ".jpg"].label == "한" * 200


def test_a_deep_path_is_looked_for_by_few_ends() -> None:
    rows = Looked({"d/1.jpg": Row("pug", None, 1), "e/2": Row("pug", None, 2)})
    listed = LabelList(rows)
    deep = "d/" * 10_000
    assert listed.name_for(f"{deep}1.jpg") == "d/1.jpg"
    assert listed.name_for(f"{deep}e/2.jpg") == "e/2"
    rows.letters = 0
    assert listed.name_for(f"{deep}3.jpg") is None
    assert rows.letters < 3 * len(deep)


@pytest.mark.parametrize(
    ("name", "in_list"), [("x/a.tar.jpg", "a.tar"), (".jpg", ".jpg"), ("a.", "a."), ("x/..jpg", "."), ("x.y/a", "a")]
)
def test_a_name_without_its_suffix_is_that_of_the_file(name: str, in_list: str) -> None:
    assert LabelList({in_list: Row("pug", None, 1)}).name_for(name) == in_list


def test_levels_are_looked_at_in_one_pass() -> None:
    paths = ["train/" * 500 + "1.jpg", *(f"x/{number}.jpg" for number in range(100))]
    assert split_level(iter(paths)) == 1


@pytest.mark.parametrize(
    ("rule", "signs"), [(LabelRule(kind="folder"), 5), (LabelRule(kind="folder", merge=True), 5), (BY_LIST, 5)]
)
def test_every_step_of_a_search_gives_signs_of_life(
    rule: LabelRule, signs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By folder: its level, labels, notes, composing, comparing; by list: level, names, rows, composing, comparing."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.0)
    names, beats = [f"{number}/a.jpg" for number in range(50)], list[int]()
    listed = LabelList({name: Row(name, None, 1) for name in names}) if rule == BY_LIST else None
    find_labels(names, rule, listed, lambda: beats.append(1))
    assert len(beats) == signs * len(names)


def test_the_reading_of_a_list_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.0)

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        read_label_list(b"a.jpg,pug\n" * 10, heartbeat=stop)
    with pytest.raises(DatasetUnusable, match="names and the list of labels take too long"):
        try_rule(["a.jpg"], BY_LIST, tables={"a.csv": b"a.jpg,pug\n"}, seconds=-1.0, rule_seconds=PLENTY)
    with pytest.raises(DatasetUnusable, match="names take too long"):
        try_rule(["a/1.jpg"], LabelRule(kind="folder"), seconds=-1.0, rule_seconds=PLENTY)


def test_the_time_of_a_rule_is_that_of_matching_alone() -> None:
    """A list and folders cost time by their length; only a regex may cost any."""
    names, tables = ["a/1.jpg", "labels.csv"], {"labels.csv": b"1.jpg,pug\n"}
    for rule in (BY_LIST, LabelRule(kind="folder")):
        assert try_rule(names, rule, tables=tables, seconds=PLENTY, rule_seconds=-1.0).labelled == 1
    with pytest.raises(DatasetUnusable, match=r"the label rule .* took"):
        try_rule(names, LabelRule(), seconds=PLENTY, rule_seconds=-1.0)


def test_the_comparison_of_labels_gives_signs_of_life_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.0)
    worked, normalize = list[str](), unicodedata.normalize

    def noted(form: Literal["NFKC"], text: str) -> str:
        worked.append(text)
        return normalize(form, text)

    def stop_once_at_it() -> None:
        if worked:
            raise Stop

    monkeypatch.setattr(unicodedata, "normalize", noted)
    with pytest.raises(Stop):
        similar_groups(["pug", "Pug", "boxer"], heartbeat.Heartbeat(stop_once_at_it))
    assert len(worked) < 4


@pytest.mark.parametrize("rule", [BY_LIST, LabelRule(kind="folder"), LabelRule(kind="folder", level=2), LabelRule()])
def test_a_trial_calls_few_functions_for_each_name(rule: LabelRule) -> None:
    """It goes through 200,000 of them, with a list as long, in the time that an answer may take."""
    names = [f"train/breed {number % 3}/photo_{number}.jpg" for number in range(200)]
    tables = {"labels.csv": "".join(f"photo_{number}.jpg,pug\n" for number in range(50, 250)).encode()}
    calls = Counter[str]()
    sys.setprofile(lambda _frame, event, _what: calls.update([event]))
    try:
        try_rule([*names, "labels.csv"], rule, tables=tables, seconds=PLENTY, rule_seconds=PLENTY)
    finally:
        sys.setprofile(None)
    assert calls["call"] + calls["c_call"] < 150 * len(names)


@pytest.mark.parametrize(
    "path",
    ["a/b/c.jpg", "c.jpg", "./a/./c.jpg", "a//c.jpg", "/a/c.jpg", "//a/c", "a/c.jpg/", "a/c.jpg/.", "", ".", "a/.."],
)
def test_the_parts_of_a_path_are_those_of_pathlib(path: str) -> None:
    assert parts_of(path) == PurePosixPath(path).parts


@pytest.mark.parametrize("name", ["a.JPG", "a.b.jpg", ".jpg", "a.", "a", "..jpg", "a..", ".a.jpg"])
def test_the_suffix_of_a_name_is_that_of_pathlib(name: str) -> None:
    assert suffix_of(f"x.y/{name}") == PurePosixPath(name).suffix


def test_a_line_of_very_many_cells_is_read_by_its_first() -> None:
    assert read_label_list(b"filename,label" + b"," * 5000 + b"x\na.jpg,pug\n").rows["a.jpg"].label == "pug"


def test_the_columns_are_found_among_all_and_then_all_lines_are_read_by_them() -> None:
    wide = b"," * 5000
    assert read_label_list(b"filename" + wide + b"label\na.jpg" + wide + b"pug\n").rows["a.jpg"].label == "pug"


@pytest.mark.parametrize("rule", [LabelRule(), LabelRule(kind="folder"), LabelRule(kind="csv")])
def test_names_in_no_known_encoding_get_no_label_and_are_shown(rule: LabelRule) -> None:
    names = ["pug/pug_1.jpg", "L\udcf6we/L\udcf6we_1.jpg", "L\udcf6we.csv", "labels.csv"]
    found = try_rule(names, rule, tables={"labels.csv": b"pug_1.jpg,pug\n"}, seconds=PLENTY, rule_seconds=PLENTY)
    assert [(one.name, one.label) for one in found.examples] == [("pug/pug_1.jpg", "pug")]
    assert [(one.name, one.why) for one in found.without_label] == [(r"L\xf6we/L\xf6we_1.jpg", NOT_UTF8)]
    assert (found.photos, found.others) == (2, 2)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("{0}/a.jpg", id="folders of their own"),
        pytest.param("{0}/pug/a.jpg", id="folders of one name"),
        pytest.param("b/{1}{0}/a.jpg", id="folders alike"),
        pytest.param("{2}{0}_1.jpg", id="labels in two compositions"),
        pytest.param("L\udcf6we{0}_1.jpg", id="names in no known encoding"),
    ],
)
def test_no_sort_takes_all_names_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other thread waits for one, and the event loop is one of them."""
    sizes = [0]

    def noted(each: Iterable[str], **how: object) -> list[str]:
        found: list[str] = sorted(each, **how)  # type: ignore[call-overload]  # whatever it is given
        sizes.append(len(found))
        return found

    for module in (labels, rule_trial, similar_labels):
        monkeypatch.setattr(module, "sorted", noted, raising=False)
    names = [name.format(n // 2, "Bb"[n % 2], ("o\u0308", "ö")[n % 2]) for n in range(200)]
    names += [f"{n}/x/pug/a.jpg" for n in range(100)]
    for rule in (LabelRule(), LabelRule(kind="folder"), LabelRule(kind="folder", merge=True)):
        try_rule(names, rule, seconds=PLENTY, rule_seconds=PLENTY)
    assert max(sizes) < 50


@pytest.mark.parametrize("rule", [BY_LIST, LabelRule(kind="folder"), LabelRule()])
def test_labels_that_are_alike_are_one_object(rule: LabelRule) -> None:
    """The garbage collector goes through each object while nothing else runs."""
    names = [f"{side}/pug/pug_{number}.jpg" for side in ("train", "valid") for number in range(50)]
    listed = LabelList({name: Row("pug", None, 1) for name in names}) if rule == BY_LIST else None
    found = find_labels(names, rule, listed).by_path
    assert len({id(label) for label in found.values()}) == len(set(found.values())) == 2


def test_a_trial_keeps_few_examples_of_very_many() -> None:
    labels = [f"a{number:09b}".translate({48: "-", 49: "_"}) for number in range(300)]
    names = [f"{label}_1.jpg" for label in labels]
    found = try_rule([*names, *(f"{n}.jpg" for n in range(30))], LabelRule(), seconds=PLENTY, rule_seconds=PLENTY)
    assert (found.labelled, found.unlabelled, len(found.examples), len(found.without_label)) == (300, 30, 20, 20)
    assert [len(group) for group in found.similar] == [20]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize(
    ("row", "says"),
    [
        pytest.param(b"," * (8 << 20), "line 3: the line has more than 65536 characters", id="cells"),
        pytest.param(b"b.jpg,pug" + b" " * MAX_LINE_CHARS, "line 3: the line has more than 65536 char", id="a cell"),
        pytest.param(b'b.jpg,"' + b"END" * MAX_LINE_CHARS, "line 3: a quotation mark makes lines 3 to ", id="a quote"),
    ],
)
def test_a_row_of_any_length_is_refused_before_it_is_read(row: bytes, says: str, end: bytes) -> None:
    data = end.join([b"filename,label", b"a.jpg,pug", row.replace(b"END", b"x" + end), b"c.jpg,pug"])
    tracemalloc.start()
    try:
        with pytest.raises(DatasetUnusable, match=f"cannot be read at {says}"):
            read_label_list(data)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_the_limit_of_a_row_is_that_of_each(end: str) -> None:
    quoted = f'"pug{end}",,' + "x" * (MAX_LINE_CHARS // 2)
    found = read_label_list(end.join([f"a.jpg,{quoted}", f"b.jpg,{quoted}", f"c.jpg,{quoted}", "d.jpg,pug"]).encode())
    assert [row.line for row in found.rows.values()] == [2, 4, 6, 7]


def test_lines_without_anything_give_signs_of_life_and_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.0)
    beats = list[int]()
    read_label_list(b"a.jpg,pug\n" + b",,\n" * 50, heartbeat=lambda: beats.append(1))
    assert len(beats) > 50
    monkeypatch.setattr("ml.data.label_csv._MAX_LINES", 50)
    with pytest.raises(DatasetUnusable, match="more than 50 lines, empty ones among them"):
        read_label_list(b"a.jpg,pug\n" + b",,\n" * 50)


@pytest.mark.parametrize(
    ("encoding", "wrong", "name"),
    [(None, b"\xf6", "utf-8"), ("shift_jis", b"\xff", "shift_jis"), ("utf-16", b"\x00\xdc", "utf-16")],
)
def test_a_byte_that_is_in_no_known_encoding_is_told_by_its_place(
    encoding: str | None, wrong: bytes, name: str
) -> None:
    good = (
        "a.jpg,名\r\n".encode(encoding or "utf-8")
        + "b.jpg,pug\r\n".encode((encoding or "utf-8") + "-le" * (encoding == "utf-16")) * 5000
    )
    with pytest.raises(DatasetUnusable, match=rf"is not {name} \(byte {len(good)}\)"):
        read_label_list(good + wrong + good, encoding)


@pytest.mark.parametrize(("path", "says"), [(None, "came to no list of labels"), ("x.csv", "as far as the list of la")])
def test_a_list_that_was_not_reached_is_not_said_to_be_missing(path: str | None, says: str) -> None:
    rule = LabelRule(kind="csv", csv=path)
    with pytest.raises(DatasetUnusable, match=says):
        try_rule(["a.jpg"], rule, complete=False, seconds=PLENTY, rule_seconds=PLENTY)
