"""What there is to choose from before a job is asked for."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from api.app import create_app
from api.schemas.config import ConfigOut
from api.schemas.jobs import JobRequest
from ml.architecture_facts import FACTS
from ml.architectures import ARCHITECTURES
from ml.config import FineTune, LrFind, train_config
from ml.presets import PRESETS
from store.code_version import code_version
from store.db.lanes import WorkerDevice, keep_worker
from store.db.paces import Machine, ModelKey, record_throughput
from store.lanes import Lane
from store.settings import Settings
from store.states import State
from tests.api.fake_classifier import FakeClassifier
from tests.api.figure_records import trained
from tests.api.records import Records
from tests.api.web import TestClient


def test_every_field_has_a_meaning_a_group_and_what_it_may_be(client: TestClient) -> None:
    told = client.get("/config").json()
    assert told["groups"][0] == "Training"
    for field in told["fields"]:
        assert field["meaning"], field["name"]
        assert field["group"] in told["groups"], field["name"]
        is_number = field["type"] in {"number", "whole number"}
        assert not is_number or field["least"] is not None or field["above"] is not None, field["name"]
        assert field["type"] != "choice" or field["choices"], field["name"]
    names = {field["name"] for field in told["fields"] if "train" in field["kinds"]}
    assert {"augment.max_warp", "lr_sweep.steps", "base_lr", "phases[].lr_max", "batch_size"} <= names
    warp = next(field for field in told["fields"] if field["name"] == "augment.max_warp")
    assert (warp["default"], warp["least"], warp["below"], warp["unit"]) == (0.2, 0, 0.5, "as a share")
    epochs = {field["recipe"]: field["default"] for field in told["fields"] if field["name"] == "epochs"}
    assert epochs == {"fine_tune": 2, "one_cycle": 3, "probe": 10}


def test_the_openapi_document_says_the_same_of_a_field_as_the_config(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    meanings = {field.name: field.meaning for field in ConfigOut.of_models().fields}
    assert schemas["FineTune"]["properties"]["batch_size"]["description"] == meanings["batch_size"]
    assert schemas["Augment"]["properties"]["max_warp"]["description"] == meanings["augment.max_warp"]


def test_a_default_is_the_models_own(client: TestClient) -> None:
    defaults = FineTune().model_dump(mode="json")
    for field in client.get("/config").json()["fields"]:
        if "train" in field["kinds"] and field["recipe"] in {None, "fine_tune"}:
            value = defaults
            for part in field["name"].split("."):
                value = value[part]
            assert field["default"] == value, field["name"]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_config_to_begin_with_is_one(preset: object, client: TestClient) -> None:
    told = next(one for one in client.get("/config").json()["presets"] if one["name"] == preset.name)  # type: ignore[attr-defined]
    if told["kind"] == "lr_find":
        LrFind.model_validate(told["config"])
    else:
        train_config.validate_python(told["config"])
    request = {"kind": told["kind"], "dataset": "pets", "config": told["config"]}
    assert TypeAdapter(JobRequest).validate_python(request).kind == told["kind"]


def test_architectures_say_what_they_cost_and_which_weights_are_here(
    settings: Settings, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "resnet18.safetensors").touch()
    run, _ = records.run(records.dataset(), arch="resnet50", batch_size=8)
    trained(records, run, steps=30)
    with records.sessions.begin() as session:
        for freeze, pace in ((True, 90.0), (False, 40.0)):
            record_throughput(
                session,
                ModelKey("resnet34", 460, 224, 64),
                Machine("cuda (a GPU)", "bf16"),
                precision_asked="auto",
                freeze=freeze,
                images_per_second=pace,
                valid_images_per_second=100.0,
                step_images_per_second=[pace],
                step_pictures=64,
                accumulation=1,
                peak_memory_bytes=5_000,
            )
    app = create_app(settings.model_copy(update={"weights": tmp_path}), load=FakeClassifier.load)
    with TestClient(app, base_url="http://localhost") as client:
        told = {one["name"]: one for one in client.get("/architectures").json()["items"]}
    assert set(told) == ARCHITECTURES
    assert told["resnet18"]["weights"] == {
        "in_reach": True,
        "place": "folder",
        "file": "resnet18.safetensors",
        "hint": None,
    }
    assert "pedigree weights fetch resnet50" in told["resnet50"]["weights"]["hint"]
    assert (told["resnet34"]["relative_cost"], told["resnet34"]["family"]) == (1.0, "ResNet")
    assert told["resnet34"]["parameters"] == FACTS["resnet34"].parameters
    measured = told["resnet34"]["measured"]
    assert (measured["images_per_second"], measured["run"], measured["peak_memory_bytes"]) == (40.0, None, 5_000)
    assert (told["resnet50"]["measured"]["run"], told["resnet50"]["measured"]["images_per_second"]) == (run.id, 10.0)
    assert told["swin_b"]["measured"] is None


def test_workers_say_what_they_compute_on_and_what_they_have_in_hand(client: TestClient, records: Records) -> None:
    assert client.get("/workers").json() == {"code_version": code_version(), "items": []}
    run, job = records.run(records.dataset())
    records.move(job, State.RUNNING)
    ending = client.get("/workers").json()["items"]
    assert [(one["name"], one["lanes"], one["device"]) for one in ending] == [("a worker", ["train"], None)]
    with records.sessions.begin() as session:
        keep_worker(session, "a worker", {Lane.TRAIN}, 60, WorkerDevice("gpu", "a GPU", 1 << 34))
        keep_worker(session, "host-2:17", frozenset(Lane), 60, code_version="0.1.0+other")
        keep_worker(session, "lost", {Lane.LIGHT}, -1)
    busy, free = client.get("/workers").json()["items"]
    assert (busy["device"], busy["device_kind"], busy["memory_bytes"]) == ("a GPU", "gpu", 1 << 34)
    assert (busy["job"]["job"], busy["job"]["run"], busy["job"]["kind"]) == (job.id, run.id, "train")
    assert busy["job"]["since"].endswith("Z")
    assert (free["host"], free["lanes"], free["job"], free["device"]) == ("host-2", ["light", "train"], None, None)
    assert (busy["code_version"], free["code_version"]) == (None, "0.1.0+other")
    with records.sessions.begin() as session:
        keep_worker(session, "a worker", {Lane.TRAIN}, 60)
    assert client.get("/workers").json()["items"][0]["device"] == "a GPU"
