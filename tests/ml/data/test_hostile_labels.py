"""Names and lists of labels that would cost far more than their length."""

import sys
import unicodedata
from collections import Counter
from pathlib import PurePosixPath
from typing import Literal

import pytest

from ml.data import heartbeat
from ml.data.given_split import split_level
from ml.data.label_csv import LabelList, Row, read_label_list
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
