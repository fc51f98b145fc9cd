"""Renewing an interpretation: with copies, on another dataset, and put down in the middle."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ml.learn.examine
from ml.config import ResolvedConfig, TrainSettings, resolve, train_config
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.data.split import make_split, training_pictures
from ml.errors import DatasetUnusable, OutOfMemory, Stopped
from ml.learn.checkpoint import save_tensors
from ml.learn.examine import interpret
from ml.learn.model import BreedNet, build_model
from ml.learn.setup import Paths
from ml.reading.metrics import Reading
from ml.reporting import NullReporter, Progress
from tests.ml.pictures import fill

BREEDS = ("Birman", "boxer", "pug")


class Listener(NullReporter):
    """Remembers the progress; stops after a number of batches where one is given."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told: list[Progress] = []
        self.before: list[Progress] = []
        self.logs: list[str] = []
        self.stop_after = stop_after

    def on_progress(self, progress: Progress) -> None:
        (self.told if progress.in_batches else self.before).append(progress)

    def on_log(self, message: str) -> None:
        self.logs.append(message)

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.told) >= self.stop_after


def pictures(folder: Path, breeds: tuple[str, ...] = BREEDS, each: int = 8) -> tuple[Manifest, Folder]:
    fill(folder, (f"{breed}_{number}.jpg" for breed in breeds for number in range(each)))
    manifest = scan_folder(folder, LabelRule(), name=folder.name)
    return manifest, Folder(folder, manifest)


def config(**changes: object) -> ResolvedConfig:
    small = {"arch": "mobilenet_v3_small", "pretrained": False, "presize": 40, "size": 32, "batch_size": 4}
    return resolve(train_config.validate_python({**small, "precision": "fp32", "valid_pct": 0.4, **changes}))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with random weights for the three breeds."""
    torch.manual_seed(1)
    folder = tmp_path / "model"
    folder.mkdir()
    save_tensors(build_model("mobilenet_v3_small", 3, None).state_dict(), folder / "model.safetensors", {})
    return folder


def look(
    model: Path,
    found: tuple[Manifest, Folder],
    listener: Listener | None = None,
    **options: Any,  # noqa: ANN401 - interpret's own
) -> tuple[Reading, list[dict[str, Any]]]:
    work = model.parent / "work"
    result = interpret(
        options.pop("config", config()),
        *found,
        paths=Paths(cache=model.parent / "cache", weights=None, work=work),
        reporter=listener or Listener(),
        model=model,
        device="cpu",
        **options,
    )
    rows = [json.loads(line) for line in result.files["predictions.jsonl"].read_text().splitlines()]
    return result.reading, rows


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_averaging_reads_the_same_pictures_and_says_so(tmp_path: Path, model: Path, loss: str) -> None:
    found, listener = pictures(tmp_path / "pets"), Listener()
    chosen = config(loss=loss)
    plain, _ = look(model, found, config=chosen)
    averaged, rows = look(model, found, listener, config=chosen, tta=True)
    assert (plain.tta, averaged.tta) == (False, True)
    assert [row["item"] for row in averaged.items] == [row["item"] for row in plain.items]
    assert [row["item"] for row in rows] == list(
        make_split(found[0], TrainSettings(valid_pct=0.4, split_seed=42)).valid
    )
    assert averaged.valid_loss != plain.valid_loss
    sums = [sum(row["probabilities"].values()) for row in rows]
    assert (sums == pytest.approx([1] * len(sums))) == (loss == "cross_entropy")
    steps = 5 * 3  # nine pictures, four a batch, five passes
    assert [one.step for one in listener.told] == list(range(steps + 1))
    assert {one.steps for one in listener.told} == {steps}
    unknown, *left = [one.eta_seconds for one in listener.told]
    assert (unknown, left[-1]) == (None, 0)
    assert all(seconds is not None and seconds > 0 for seconds in left[:-1])


def test_while_pictures_are_presized_the_time_left_is_that_stages_alone(tmp_path: Path, model: Path) -> None:
    listener = Listener()
    look(model, pictures(tmp_path / "pets"), listener)
    assert {(one.stage, one.eta_seconds) for one in listener.before} == {("presize", None)}
    assert listener.before[-1].stage_eta_seconds == 0


def test_the_same_interpretation_twice_is_the_same(tmp_path: Path, model: Path) -> None:
    found = pictures(tmp_path / "pets")
    assert look(model, found, tta=True) == look(model, found, tta=True)


def test_another_dataset_is_predicted_whole_in_the_models_own_vocabulary(tmp_path: Path, model: Path) -> None:
    learned, _ = pictures(tmp_path / "pets")
    other = pictures(tmp_path / "others", ("boxer", "pug"), each=5)
    reading, rows = look(model, other, learned=learned)
    assert reading.vocab == list(BREEDS)
    assert [row["item"] for row in reading.items] == list(range(10))
    assert [sum(row) for row in reading.matrix] == [0, 5, 5]
    assert {row["actual"] for row in rows} == {"boxer", "pug"}
    assert list(rows[0]["probabilities"]) == list(BREEDS)


def test_pictures_that_the_model_was_trained_on_are_marked(tmp_path: Path, model: Path) -> None:
    learned, _ = pictures(tmp_path / "pets")
    split = make_split(learned, TrainSettings(valid_pct=0.4, split_seed=42))
    trained, kept_apart = (learned.items[side[0]] for side in (split.train, split.valid))
    others = tmp_path / "others"
    fill(others, ["pug_100.jpg"], sizes=((50, 40),))
    for number, item in enumerate((trained, kept_apart)):
        (others / f"{item.label}_{200 + number}.jpg").write_bytes((tmp_path / "pets" / item.path).read_bytes())
    manifest = scan_folder(others, LabelRule(), name="others")
    reading, rows = look(model, (manifest, Folder(others, manifest)), learned=learned)
    marked = {row["path"] for row in reading.items if row["trained_on"]}
    assert marked == {f"{trained.label}_200.jpg"}
    assert {row["path"] for row in rows if row["trained_on"]} == marked


def test_what_earlier_runs_were_trained_on_is_marked_too_on_whatever_dataset(tmp_path: Path, model: Path) -> None:
    learned, _ = pictures(tmp_path / "pets")
    other = pictures(tmp_path / "others", each=5)
    own_side = training_pictures(learned, TrainSettings(valid_pct=0.4, split_seed=42))
    earlier = frozenset(next([item.sha256] for item in other[0].items if item.sha256 not in own_side))
    reading, rows = look(model, other, learned=learned, earlier=earlier)
    known = [item.sha256 in own_side | earlier for item in other[0].items]
    assert [row["trained_on"] for row in reading.items] == known
    assert [row["trained_on"] for row in rows] == [row["trained_on"] for row in reading.items]
    # On its own dataset: the validation side of a model that comes from a run with another split.
    own = (learned, Folder(tmp_path / "pets", learned))
    before = training_pictures(learned, TrainSettings(valid_pct=0.4, split_seed=7))
    reading, _ = look(model, own, earlier=before)
    marked = {row["item"] for row in reading.items if row["trained_on"]}
    valid = make_split(learned, TrainSettings(valid_pct=0.4, split_seed=42)).valid
    assert marked == set(valid) & set(make_split(learned, TrainSettings(valid_pct=0.4, split_seed=7)).train)
    assert 0 < len(marked) < len(valid) == len(reading.items)
    assert "trained_on" not in look(model, own)[0].items[0]


def test_a_breed_that_the_model_does_not_know_is_named(tmp_path: Path, model: Path) -> None:
    learned, _ = pictures(tmp_path / "pets")
    other = pictures(tmp_path / "others", ("Beagle", "pug"), each=2)
    with pytest.raises(DatasetUnusable, match="'others' has 1 of its breeds unknown to the model: 'Beagle'"):
        look(model, other, learned=learned)


@pytest.mark.parametrize("tta", [False, True])
def test_it_can_be_put_down_between_two_batches(tmp_path: Path, model: Path, tta: bool) -> None:
    listener = Listener(stop_after=2)
    with pytest.raises(Stopped):
        look(model, pictures(tmp_path / "pets"), listener, tta=tta)
    assert len(listener.told) == 2
    assert not (tmp_path / "work" / "predictions.jsonl").exists()


@pytest.mark.parametrize("tta", [False, True])
def test_what_the_memory_does_not_hold_is_predicted_in_halves_with_the_same_draws(
    tmp_path: Path, model: Path, tta: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pictures(tmp_path / "pets")
    whole, _ = look(model, found, tta=tta)
    seen: list[int] = []

    def build(arch: str, classes: int, state: dict[str, Tensor] | None) -> BreedNet:
        def refuse(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen.append(len(inputs[0]))
            if len(inputs[0]) > 2:
                message = "CUDA out of memory."
                raise torch.OutOfMemoryError(message)

        network = build_model(arch, classes, state)
        network.register_forward_pre_hook(refuse)
        return network

    monkeypatch.setattr(ml.learn.examine, "build_model", build)
    listener = Listener()
    halved, _ = look(model, found, listener, tta=tta)
    assert listener.logs == ["the memory does not hold a batch of 4: each batch is now predicted in two halves"]
    passes = 5 if tta else 1
    # nine pictures, four a batch
    assert seen == [4, *[2, 2, 2, 2, 1] * passes]
    assert [one.step for one in listener.told] == [0, *range(5 * passes + 1)]
    assert [row["predicted"] for row in halved.items] == [row["predicted"] for row in whole.items]
    assert [row["loss"] for row in halved.items] == pytest.approx([row["loss"] for row in whole.items], rel=1e-4)
    # what is known not to fit is not tried
    seen.clear()
    again = Listener()
    assert look(model, found, again, tta=tta, accumulation=2)[0] == halved
    assert (max(seen), again.logs) == (2, [])


def test_what_does_not_fit_in_halves_either_is_out_of_memory(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> BreedNet:
        message = "CUDA out of memory."
        raise torch.OutOfMemoryError(message)

    monkeypatch.setattr(ml.learn.examine, "build_model", refuse)
    with pytest.raises(OutOfMemory, match="mobilenet_v3_small at size 32 and batch_size 4 does not fit the memory"):
        look(model, pictures(tmp_path / "pets"))
