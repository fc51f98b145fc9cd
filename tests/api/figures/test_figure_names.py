"""Names in figures: whatever they look like to Plotly, and whatever letters they have."""

import re

import numpy as np
import pytest

from ml.look import typefaces
from store.db.models import Interpretation, Run
from tests.api.figure_records import searched, trained
from tests.api.figures.test_figures import NAMES, figure, picture
from tests.api.records import Records
from tests.api.web import TestClient


@pytest.fixture
def run(records: Records) -> Run:
    """A finished run with two phases."""
    found = records.finished(records.dataset(), epochs=2)
    trained(records, found, steps=30)
    return found


NAMES_THAT_MISLEAD = [
    ["1", "10", "2"],
    ["2024-01-01", "2024-02-01", "pug"],
    ["1e3", "0x10", "NaN"],
    ["a_b", "a b", "c_d"],
    ["true", "false", "null"],
]


def named(records: Records, vocab: list[str]) -> Run:
    run = records.finished(records.dataset("named", vocab=vocab))
    with records.sessions.begin() as session:
        session.get_one(Interpretation, (run.id, run.dataset_id)).vocab = vocab
    return run


@pytest.mark.parametrize("vocab", NAMES_THAT_MISLEAD, ids=lambda vocab: vocab[0])
def test_names_are_names_whatever_they_look_like(client: TestClient, records: Records, vocab: list[str]) -> None:
    found = figure(client, named(records, vocab), "confusion")
    assert [found["layout"][axis]["type"] for axis in ("xaxis", "yaxis")] == ["category", "category"]
    # A category of one name is one column.
    assert len(set(found["data"][0]["x"])) == len(set(found["data"][0]["y"])) == len(vocab)


@pytest.mark.parametrize("name", NAMES)
def test_no_axis_is_left_for_plotly_to_guess(client: TestClient, records: Records, run: Run, name: str) -> None:
    if name == "lr-find":
        with records.sessions.begin() as session:
            stored = session.get_one(Run, run.id)
            stored.kind = "lr_find"
        searched(records, run)
    layout = figure(client, run, name)["layout"]
    kinds = {axis: layout[axis].get("type") for axis in layout if re.fullmatch(r"[xy]axis\d*", axis)}
    assert len(kinds) > 1
    assert set(kinds.values()) <= {"linear", "log", "category"}


def test_letters_that_no_font_has_are_numbers_in_the_picture(
    client: TestClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typefaces, "_of_this_machine", dict)
    run = named(records, ["\N{CJK UNIFIED IDEOGRAPH-67F4}\N{CJK UNIFIED IDEOGRAPH-72AC}", "L\u00f6wchen", "pug"])
    plain = picture(client.get(f"/runs/{run.id}/figures/confusion.png").content)
    other = named_again(
        records, run, ["\N{CJK UNIFIED IDEOGRAPH-72AC}\N{CJK UNIFIED IDEOGRAPH-67F4}", "L\u00f6wchen", "pug"]
    )
    changed = picture(client.get(f"/runs/{other.id}/figures/confusion.png").content)
    # Boxes would be the same for both names.
    assert np.asarray(plain).shape == np.asarray(changed).shape
    assert not np.array_equal(np.asarray(plain), np.asarray(changed))
    # The browser has fonts of its own, and keeps the names.
    assert figure(client, run, "confusion")["data"][0]["x"][1] == "L\u00f6wchen"


def named_again(records: Records, run: Run, vocab: list[str]) -> Run:
    with records.sessions.begin() as session:
        session.get_one(Interpretation, (run.id, run.dataset_id)).vocab = vocab
    return run
