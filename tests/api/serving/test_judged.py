"""What POST /predict says of how far its answer can be trusted."""

import json
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI

from api.http.cors import MAY_READ
from api.serving.lines import LINES
from api.serving.sentences import sentence
from ml.judge.calibration import Calibration
from ml.judge.familiarity import KnownPictures, fit_familiarity
from ml.judge.judgement import Judgement
from ml.run_files import JUDGEMENT
from store.db.models import Interpretation
from tests.api.records import Records, jpeg
from tests.api.serving.test_predict import GREEN, classifier_of, send
from tests.api.web import TestClient

PURPLE = jpeg((200, 0, 200))


def colours_known() -> KnownPictures:
    """Pure colours, whose features the fake classifier takes for what it sees."""
    chance = np.random.default_rng(0)
    targets = np.arange(60) % 3
    features = np.eye(3)[targets] + chance.normal(0, 0.05, (60, 3))
    return KnownPictures(features.astype(np.float32), 3, targets, features[None, :30].astype(np.float32))


def written(folder: Path, *, pictures: int = 99) -> bytes:
    """A judgement at temperature 2, whose validation side holds pure colours."""
    known = colours_known()
    familiarity = fit_familiarity(known, 3)
    assert familiarity is not None
    familiar = np.sort(familiarity.measure(known.features))
    of_truth = np.sort(np.linspace(0.02, 0.98, pictures))
    Judgement("cross_entropy", Calibration(0.5), of_truth, familiarity, familiar).write(folder / JUDGEMENT)
    return (folder / JUDGEMENT).read_bytes()


def judged(client: TestClient, records: Records, folder: Path, *, pictures: int = 99) -> None:
    run = records.served()
    records.artifact(run, JUDGEMENT, written(folder, pictures=pictures))
    assert client.post("/models", json={"run": run.id, "alias": "production"}).status_code == 201


def test_probabilities_are_calibrated_and_the_raw_ones_stand_beside_them(
    client: TestClient, records: Records, app: FastAPI, tmp_path: Path
) -> None:
    judged(client, records, tmp_path)
    answer = send(client, GREEN).json()
    (found,) = answer["predictions"]
    assert answer["model"]["calibrated"] is True
    raw = np.array(list(found["raw_probabilities"].values()))
    halved = np.sqrt(raw)  # softmax at temperature 2
    assert list(found["probabilities"].values()) == pytest.approx(halved / halved.sum())
    assert found["raw_probability"] == found["raw_probabilities"]["Birman"] > found["probability"]
    assert found["top"][0] == {"breed": "Birman", "probability": found["probability"]}
    classifier = classifier_of(app)
    assert classifier.judgement is not None


def test_a_picture_of_nothing_known_is_said_to_be_none_of_the_breeds(
    client: TestClient, records: Records, tmp_path: Path
) -> None:
    judged(client, records, tmp_path)
    answer = send(client, GREEN, PURPLE).json()
    pet, other = answer["predictions"]
    assert answer["refused_share"] == 0.05
    assert (pet["known"], other["known"]) == (True, False)
    assert pet["known_score"] > 0.05 >= other["known_score"] > 0
    assert (pet["sure"], other["sure"]) == (True, False)
    assert (pet["sentence"], other["sentence"]) == ("Birman", "probably none of the 3 breeds")


def test_a_set_has_the_breeds_that_are_likely_enough(client: TestClient, records: Records, tmp_path: Path) -> None:
    judged(client, records, tmp_path)
    # 99 pictures from 0.02 to 0.98: the second smallest is 0.0298.
    answer = send(client, GREEN, query="?coverage=0.98&top_k=1").json()
    (found,) = answer["predictions"]
    assert answer["coverage"] == {"asked": 0.98, "photos": 99, "note": None}
    expected = sorted((breed for breed, p in found["probabilities"].items() if p >= 0.0298), reverse=True)
    assert found["set"][0] == "Birman"
    assert sorted(found["set"], reverse=True) == expected
    assert send(client, GREEN).json()["predictions"][0]["set"] is None


def test_too_few_pictures_for_a_coverage_give_all_breeds_and_say_so(
    client: TestClient, records: Records, tmp_path: Path
) -> None:
    judged(client, records, tmp_path, pictures=9)
    answer = send(client, GREEN, query="?coverage=0.95").json()
    assert len(answer["predictions"][0]["set"]) == 3
    note = "9 validation photos are too few for a coverage of 0.95, which takes 19: each set has all breeds"
    assert answer["coverage"]["note"] == note
    assert send(client, GREEN, query="?coverage=0.9").json()["coverage"]["note"] is None

    def told_with_lines(coverage: float) -> dict[str, str]:
        sent = {"files": {"file": ("green.jpg", GREEN)}, "headers": {"Accept": LINES}}
        headers = client.post(f"/predict?coverage={coverage}", **sent).headers
        return {name: value for name, value in headers.items() if name.startswith("pedigree-")}

    few, enough = told_with_lines(0.95), told_with_lines(0.9)
    assert few.pop("pedigree-coverage-note") == note
    assert (few["pedigree-coverage"], few["pedigree-coverage-photos"]) == ("0.95", "9")
    assert few | {"pedigree-coverage": "0.9"} == enough
    about = client.post("/predict?coverage=0.9", files={"file": ("green.jpg", GREEN)}).json()
    told = about["model"] | {"tta": about["tta"], "refused_share": about["refused_share"]}
    del told["note"]  # it says in a sentence what `scores` says in a word
    told |= {"coverage": about["coverage"]["asked"], "coverage_photos": about["coverage"]["photos"]}
    assert enough == {f"pedigree-{name.replace('_', '-')}": str(value).lower() for name, value in told.items()}
    assert (enough["pedigree-calibrated"], enough["pedigree-refused-share"]) == ("true", "0.05")
    assert set(few) < set(MAY_READ["Access-Control-Expose-Headers"].lower().split(", ")), "pages elsewhere read them"


@pytest.mark.parametrize("coverage", ["0.4", "1", "nan", "x"])
def test_a_coverage_that_makes_no_sense_is_refused(client: TestClient, records: Records, coverage: str) -> None:
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    assert send(client, GREEN, query=f"?coverage={coverage}").status_code == 422


def test_a_model_that_left_nothing_answers_as_before_and_says_so(client: TestClient, records: Records) -> None:
    client.post("/models", json={"run": records.served().id, "alias": "production"})
    answer = send(client, GREEN).json()
    (found,) = answer["predictions"]
    assert answer["model"]["calibrated"] is False
    assert (found["known"], found["known_score"]) == (None, None)
    assert found["probabilities"] == found["raw_probabilities"]
    refused = send(client, GREEN, query="?coverage=0.9")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_ready")
    assert refused.json()["hint"] == "Leave coverage out, or train the run again."


@pytest.mark.parametrize("tta", [False, True])
def test_a_run_of_before_is_calibrated_by_its_predictions_unless_they_are_averages(
    client: TestClient, records: Records, *, tta: bool
) -> None:
    run = records.served()
    rows = [
        {"actual": actual, "probabilities": {"Abyssinian": 0.1, "Birman": 0.8, "pug": 0.1}}
        for actual in ["Birman"] * 12 + ["pug"] * 8
    ]
    records.artifact(run, "predictions.jsonl", "\n".join(map(json.dumps, rows)).encode())
    with records.sessions.begin() as session:
        session.get_one(Interpretation, (run.id, run.dataset_id)).tta = tta
    client.post("/models", json={"run": run.id, "alias": "production"})
    answer = send(client, GREEN).json()
    (found,) = answer["predictions"]
    assert answer["model"]["calibrated"] is not tta
    assert (found["probability"] < found["raw_probability"]) is not tta
    assert found["known"] is None


@pytest.mark.parametrize(
    ("likeliest", "sure", "known", "words"),
    [
        ([("Birman", 0.9), ("pug", 0.1)], True, True, "Birman"),
        ([("shiba_inu", 0.9), ("pug", 0.1)], True, None, "shiba inu"),
        ([("Birman", 0.49), ("Ragdoll", 0.4), ("pug", 0.1)], False, True, "not sure between Birman and Ragdoll"),
        ([("Birman", 0.4), ("Ragdoll", 0.3), ("pug", 0.1)], False, None, "not sure between Birman, Ragdoll and pug"),
        ([("Birman", 0.99), ("pug", 0.01)], False, False, "probably none of the 37 breeds"),
        ([("Birman", 0.3)], False, True, "not sure that it is Birman"),
    ],
)
def test_the_sentence_names_as_many_breeds_as_it_takes(
    likeliest: list[tuple[str, float]], words: str, *, sure: bool, known: bool | None
) -> None:
    assert sentence(likeliest, 37, sure=sure, known=known) == words


def test_a_model_of_one_breed_says_that_it_is_not_that() -> None:
    assert sentence([("Birman", 1.0)], 1, sure=False, known=False) == "probably no Birman"
