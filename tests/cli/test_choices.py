"""``pedigree archs`` and ``pedigree config`` against answers as the service gives them."""

import json

import pytest

from api.schemas.architectures import ArchitectureOut
from api.schemas.config import ConfigOut
from ml.weights_found import FoundWeights
from tests.cli.service import Answer
from tests.cli.test_commands import ask

CONFIG = {"GET /config": [Answer(ConfigOut.of_models().model_dump(mode="json"))]}
HERE = ArchitectureOut.of("resnet34", FoundWeights("folder", "resnet34.safetensors"), None)
AWAY = ArchitectureOut.of("resnet50", None, None)
ARCHS = {"GET /architectures": [Answer({"items": [one.model_dump(mode="json") for one in (HERE, AWAY)]})]}


def test_architectures_are_a_table_with_their_cost_and_where_weights_lie(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _, _ = ask(capsys, monkeypatch, ARCHS, "archs")
    head, first, second = out.splitlines()
    assert code == 0
    assert head.split()[0] == "arch"
    assert first.split()[:4] == ["resnet34", "ResNet", "21.8", "1"]
    assert first.endswith("folder")
    assert second.split()[:4] == ["resnet50", "ResNet", "25.6", "1.12"]
    assert second.endswith("-")
    _, out, _, _ = ask(capsys, monkeypatch, ARCHS, "archs", "--in-reach", "--json")
    assert [one["name"] for one in json.loads(out)] == ["resnet34"]


def test_a_field_is_told_with_meaning_default_and_range(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _, _ = ask(capsys, monkeypatch, CONFIG, "config", "augment.max_warp")
    assert code == 0
    told = dict(line.split("  ", 1) for line in out.splitlines())
    assert told["default"].strip() == "0.2"
    assert told["may be"].strip() == "from 0 below 0.5 as a share"
    _, out, _, _ = ask(capsys, monkeypatch, CONFIG, "config", "epochs", "--json")
    assert {one["recipe"]: one["default"] for one in json.loads(out)} == {"fine_tune": 2, "one_cycle": 3, "probe": 10}


def test_all_fields_are_told_by_group_and_a_wrong_name_with_those_like_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _, _ = ask(capsys, monkeypatch, CONFIG, "config")
    for words in ("recipe fine_tune", "Changes of photos", "augment.p_lighting", "base_lr (fine_tune)", "tta"):
        assert words in out
    assert "from 1e-30 to 1e+30 or a pair of them or auto" in out
    code, _, err, _ = ask(capsys, monkeypatch, CONFIG, "config", "warp")
    assert (code, err) == (1, "pedigree: There is no field 'warp'. Like it: augment.max_warp.\n")
