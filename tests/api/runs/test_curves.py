"""What a run says of its curves, over HTTP."""

from typing import Any

import pytest

from store.db.models import Run
from store.db.records import record_epoch
from tests.api.figure_records import searched, searching, trained
from tests.api.records import VOCAB, Records
from tests.api.web import TestClient


@pytest.fixture
def run(records: Records) -> Run:
    """A finished run with two phases."""
    found = records.finished(records.dataset(), epochs=2)
    trained(records, found, steps=30)
    return found


def test_a_run_says_what_its_curves_say(client: TestClient, run: Run) -> None:
    curves = client.get(f"/runs/{run.id}").json()["curves"]
    assert [(one["phase"], one["word"]) for one in curves] == [
        (0, "too_few_epochs"),
        (1, "still_improving"),
        (None, "still_improving"),
    ]
    assert "15.0 % to 10.0 %" in curves[1]["sentence"]


def diverging(records: Records, run: Run) -> None:
    """Two phases of one epoch each, at which the training loss rises above what guessing gives."""
    trained(records, run, steps=0)
    with records.sessions.begin() as session:
        for phase, loss in enumerate((4.5, 5.8)):
            figures: dict[str, Any] = {"train_loss": loss, "valid_loss": 98.5, "error_rate": 0.6}
            record_epoch(
                session, run.id, **{"phase": phase, "epoch": 0, **figures, "seconds": 2.0, "images_per_second": 10.0}
            )


def test_the_curves_know_the_breeds_the_loss_and_the_rates_of_the_run(client: TestClient, records: Records) -> None:
    given, _ = records.run(records.dataset(), epochs=1, base_lr=0.1, loss="binary_cross_entropy")
    diverging(records, given)
    first, second, whole = client.get(f"/runs/{given.id}").json()["curves"]
    assert "even odds on every breed (ln 2 = 0.69)" in first["sentence"]
    assert "up to 0.1 in this phase" in first["sentence"]
    assert [one["word"] for one in (first, second, whole)] == ["rate_too_high"] * 3
    assert "up to 0.05 in this phase" in second["sentence"]
    assert whole["sentence"].endswith("The highest learning rate was 0.1.")


def test_the_curves_know_a_rate_that_a_search_found(client: TestClient, records: Records) -> None:
    run = searching(records, epochs=1)
    diverging(records, run)
    assert "the learning rate is" in client.get(f"/runs/{run.id}").json()["curves"][1]["sentence"]
    rate = searched(records, run).rate
    assert rate is not None
    second = client.get(f"/runs/{run.id}").json()["curves"][1]["sentence"]
    assert f"guessing every breed alike (ln {len(VOCAB)} = 1.10)" in second
    assert f"up to {rate / 2:.3g} in this phase" in second


def test_a_run_without_epochs_has_no_curves_to_read(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset())
    assert client.get(f"/runs/{run.id}").json()["curves"] == []
