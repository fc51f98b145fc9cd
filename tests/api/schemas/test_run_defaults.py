from typing import Any

import pytest

from api.schemas.run_defaults import changed_settings
from ml.config import FineTune, LrFind, OneCycle, Phases, resolve
from ml.config_phases import Phase
from tests.api.records import Records
from tests.api.web import TestClient


def _config(config: FineTune | OneCycle | Phases) -> dict[str, Any]:
    return resolve(config).model_dump(mode="json")


@pytest.mark.parametrize("config", [FineTune(), OneCycle(recipe="one_cycle")])
def test_a_recipe_left_alone_has_changed_nothing(config: FineTune | OneCycle) -> None:
    assert changed_settings(_config(config)) == {}
    assert changed_settings(LrFind().model_dump(mode="json")) == {}


def test_what_was_changed_stands_with_what_it_would_have_been() -> None:
    config = FineTune.model_validate({"arch": "resnet18", "batch_size": 8, "augment": {"flip": False}})
    assert changed_settings(_config(config)) == {"arch": "resnet34", "batch_size": 64, "augment.flip": True}
    search = LrFind(freeze=False, size=128)
    assert changed_settings(search.model_dump(mode="json")) == {"freeze": True, "size": 224}


def test_more_epochs_are_a_change_of_the_phases_and_phases_of_ones_own_have_no_default() -> None:
    assert list(changed_settings(_config(FineTune(epochs=3)))) == ["phases"]
    own = Phases(recipe="phases", phases=(Phase(freeze=True, epochs=1),))
    assert changed_settings(_config(own)) == {}


def test_a_record_of_before_a_setting_existed_and_one_that_says_it_as_a_whole_number_tell_of_no_change() -> None:
    config = _config(FineTune())
    del config["loss"]
    config["augment"]["max_rotate"] = 10
    config["gone_since"] = 3
    assert changed_settings(config) == {}


def test_the_runs_record_has_it(client: TestClient, records: Records) -> None:
    run, _ = records.run(records.dataset(), size=96, presize=128)
    found = client.get(f"/runs/{run.id}").json()
    assert found["changed"] == {"arch": "resnet34", "batch_size": 64, "presize": 460, "size": 224}
