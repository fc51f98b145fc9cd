"""``pedigree predictions`` and what belongs to it, against the real API."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from cli.predictions import _doubt
from store.artifacts import ArtifactStore
from store.keys import PHOTOS
from store.settings import Settings
from tests.api.conftest import until
from tests.api.records import Records, jpeg
from tests.cli.live_api import LiveApi, live_api
from tests.cli.test_commands import pedigree

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def live(
    settings: Settings, sessions: sessionmaker[Session], artifacts: ArtifactStore, tmp_path: Path
) -> Iterator[LiveApi]:
    """The API with a model in production and a dataset; photos are kept."""
    records = Records(sessions, artifacts)
    records.dataset_with_photos(tmp_path / "photos", "photos")
    records.served()
    with live_api(settings.model_copy(update={"keep_predictions": "photos"})) as api:
        yield api


def test_a_prediction_is_corrected_learned_from_and_forgotten(
    live: LiveApi, capsys: Capture, monkeypatch: Patch, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    monkeypatch.setenv("PEDIGREE_URL", live.url)

    def run(*words: str, code: int = 0) -> str:
        ended, out, err = pedigree(capsys, monkeypatch, *words)
        assert ended == code, err
        return out + err

    run("models", "register", "1", "--alias", "production")
    assert "No prediction is kept" in run("predictions", "list")
    (tmp_path / "a.jpg").write_bytes(jpeg((150, 20, 20)))
    said = run("predict", str(tmp_path / "a.jpg"), "--keep", "photo")
    (one,) = re.findall(r"kept as (\S+)", said)
    until(lambda: len(artifacts.keys_below(PHOTOS)) == 1)
    assert "Birman" not in run("predictions", "list", "--told")
    assert "contradicts the answer" in run("predictions", "feedback", one, "Birman")
    assert "none of the model's breeds" in run("predictions", "feedback", one, "quokka")
    run("predictions", "feedback", one, "none")
    assert "BREED is" in run("predictions", "feedback", one, "x" * 300, code=1)
    run("predictions", "feedback", one, "pug")
    shown = run("predictions", "show", one)
    assert [word in shown for word in ("Abyssinian", "pug", "quokka", "none", "Birman", "kept")] == [True] * 6
    assert one in run("predictions", "list", "--contradicted", "--since", "2020-01-01")
    assert json.loads(run("predictions", "list", "--agreed", "--json")) == []
    assert re.search(r"job \d+ adds them", run("datasets", "learn-from-feedback", "photos", "--no-wait"))
    drift = run("models", "drift", "1")
    assert "too few to say" in drift
    assert f"{one} is forgotten" in run("predictions", "forget", one)
    assert "there is no kept prediction" in run("predictions", "show", one, code=1)
    assert "0 predictions and 0 photos" in run("predictions", "forget", "--before", "2020-01-01")
    assert "Give a prediction" in run("predictions", "forget", code=1)


@pytest.mark.parametrize(
    ("sure", "known", "doubt"),
    [
        (True, True, ""),
        (True, None, ""),
        (False, True, "not sure"),
        (True, False, "probably none of the model's breeds"),
        (False, False, "probably none of the model's breeds"),
    ],
)
def test_an_unknown_picture_is_not_called_a_breed_alone(sure: bool, known: bool | None, doubt: str) -> None:
    assert _doubt({"sure": sure, "known": known}) == doubt


def test_where_nothing_is_kept_it_says_so(settings: Settings, capsys: Capture, monkeypatch: Patch) -> None:
    with live_api(settings) as api:
        monkeypatch.setenv("PEDIGREE_URL", api.url)
        _, out, _ = pedigree(capsys, monkeypatch, "predictions", "list")
    assert "PEDIGREE_KEEP_PREDICTIONS" in out
