import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from ml.config import AddedBreeds, LossName, ResolvedConfig
from ml.data.bundle import Folder
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from ml.decode.images import Limits
from ml.errors import DatasetUnusable, Stopped
from ml.fetch.weights import load_state
from ml.judge.judgement import Judgement
from ml.learn.added_files import AddResult
from ml.learn.adding import add_breeds
from ml.learn.examine import interpret
from ml.learn.new_breeds import NewPhotos
from ml.learn.new_rows import MOST_MOVED, Examples, TrainedRows, fit_layer, held_apart
from ml.learn.setup import Paths
from ml.reporting import Progress
from ml.serve.classifier import Classifier
from tests.ml.learn.test_training import Listener, config, train

LAST = "1.8.weight"
NEW = {"Abyssinian": (200, 200, 60), "collie": (60, 200, 200)}
"""One before and one between the breeds that were trained, in the order of the alphabet."""


def painted(folder: Path, breeds: dict[str, tuple[int, int, int]], photos: int = 4) -> Path:
    folder.mkdir()
    chance = np.random.default_rng(1)
    for breed, colour in breeds.items():
        for number in range(photos):
            noise = chance.integers(-40, 40, (48 + number, 64, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{breed}_{number}.jpg")
    return folder


def photos_of(folder: Path) -> NewPhotos:
    manifest = scan_folder(folder, LabelRule(), name=folder.name, one_breed=True)
    return NewPhotos(manifest, Folder(folder, manifest))


def with_breeds(parent: ResolvedConfig, fresh: Sequence[NewPhotos]) -> ResolvedConfig:
    added = tuple(
        AddedBreeds(dataset=one.manifest.name, revision=one.manifest.revision, breeds=one.manifest.vocab)
        for one in fresh
    )
    return parent.model_copy(update={"recipe": "add_breeds", "phases": (), "added": added})


@dataclass(frozen=True)
class Trained3:
    """A model of three breeds: its photos, what it left, and its config."""

    photos: Path
    left: Path
    config: ResolvedConfig


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Trained3:
    folder = tmp_path_factory.mktemp("parent")
    chosen = config(recipe="probe", epochs=6, lr_max=1e-2)
    photos = painted(
        folder / "pictures", {"Birman": (200, 60, 60), "pug": (60, 200, 60), "boxer": (60, 60, 200)}, photos=12
    )
    train(photos, folder / "left", chosen)
    return Trained3(photos, folder / "left", chosen)


def add(
    parent: Trained3, out: Path, fresh: Sequence[NewPhotos], listener: Listener | None = None, left: Path | None = None
) -> AddResult:
    own = photos_of(parent.photos)
    return add_breeds(
        with_breeds(parent.config, fresh),
        own.manifest,
        own.source,
        fresh,
        paths=Paths(cache=parent.photos.parent / "cache", weights=None, work=out),
        reporter=listener or Listener(),
        parent=left or parent.left,
        device="cpu",
    )


def test_new_breeds_come_to_a_model_whose_other_weights_stay(parent: Trained3, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fresh = [photos_of(painted(tmp_path / "fresh", NEW))]
    listener = Listener()
    result = add(parent, out, fresh, listener)

    vocab = ["Abyssinian", "Birman", "boxer", "collie", "pug"]
    assert json.loads((out / "model.json").read_text())["vocab"] == vocab
    before, after = (load_state(run / "model.safetensors") for run in (parent.left, out))
    assert all(torch.equal(before[name], after[name]) for name in before if name != LAST)
    assert torch.equal(after[LAST][[1, 2, 4]], before[LAST])

    told = result.added
    assert [(one.breed, one.photos) for one in told.breeds] == [("Abyssinian", 4), ("collie", 4)]
    assert (told.photos, told.folds, told.known_photos) == (8, 4, 7)
    assert told.wrong == sum(one.wrong for one in told.breeds)
    assert told.low <= told.error_rate <= told.high
    (plan,) = listener.plans
    assert (plan.valid_items, plan.steps) == (7, 0)

    # What is kept of the validation side is what serving answers.
    classifier = Classifier.load(out, "cpu")
    for line in (out / "predictions.jsonl").read_text().splitlines():
        row = json.loads(line)
        prepared = classifier.prepare((parent.photos / row["path"]).read_bytes(), Limits())
        assert classifier.scores(list(classifier.run([prepared]))) == pytest.approx(
            list(row["probabilities"].values()), abs=0.02
        )
    judgement = Judgement.read(out / "judgement.safetensors")
    assert judgement.pictures == 7 + 8
    assert judgement.familiarity is not None
    assert len(judgement.familiarity.means) == 5


def test_what_is_told_of_new_breeds_is_of_photos_that_nothing_was_fitted_on(parent: Trained3, tmp_path: Path) -> None:
    """Photos of one breed under two names: rows that saw them tell them apart, and no other can."""
    alike = {"collie": (60, 200, 200), "corgi": (60, 200, 200), "akita": (60, 200, 200), "husky": (60, 200, 200)}
    fresh = [photos_of(painted(tmp_path / "fresh", alike, 5))]
    result = add(parent, tmp_path / "out", fresh)
    assert result.added.error_rate > 0.5
    assert result.added.high > 0.75
    ((reading, path),) = result.left_out
    assert reading.error_rate == pytest.approx(result.added.error_rate)
    assert reading.vocab == ["Birman", "akita", "boxer", "collie", "corgi", "husky", "pug"]
    assert len(path.read_text().splitlines()) == 20


def test_more_breeds_come_beside_those_that_came_before(parent: Trained3, tmp_path: Path) -> None:
    first, second = (photos_of(painted(tmp_path / breed, {breed: colour}, 3)) for breed, colour in NEW.items())
    add(parent, tmp_path / "one", [first])
    result = add(parent, tmp_path / "two", [first, second], left=tmp_path / "one")
    weights = load_state(tmp_path / "two" / "model.safetensors")[LAST]
    assert torch.equal(weights[[1, 2, 4]], load_state(parent.left / "model.safetensors")[LAST])
    assert [one.breed for one in result.added.breeds] == ["Abyssinian", "collie"]
    assert [len(reading.items) for reading, _ in result.left_out] == [3, 3]
    # The whole can be examined again, as any run's.
    own, listener = photos_of(parent.photos), Listener()
    again = interpret(
        with_breeds(parent.config, [first, second]),
        own.manifest,
        own.source,
        paths=Paths(cache=parent.photos.parent / "cache", weights=None, work=tmp_path / "again"),
        reporter=listener,
        model=tmp_path / "two",
        device="cpu",
    )
    assert again.reading.vocab == result.fit.reading.vocab
    assert [row["predicted"] for row in again.reading.items] == [row["predicted"] for row in result.fit.reading.items]


@pytest.mark.thorough
def test_what_a_run_of_before_did_not_keep_is_looked_at_again(parent: Trained3, tmp_path: Path) -> None:
    left, fresh = tmp_path / "left", [photos_of(painted(tmp_path / "fresh", {"collie": NEW["collie"]}, 2))]
    left.mkdir()
    shutil.copy(parent.left / "model.safetensors", left)
    again, kept = (add(parent, tmp_path / out, fresh, left=of) for out, of in (("again", left), ("kept", parent.left)))
    assert again.fit.reading.error_rate == kept.fit.reading.error_rate
    assert again.added.known_error_before == kept.added.known_error_before
    assert again.added.refused is None
    new = (load_state(tmp_path / out / "model.safetensors")[LAST] for out in ("again", "kept"))
    torch.testing.assert_close(*new, rtol=0.01, atol=0.01)


def test_a_breed_of_one_photo_is_refused(parent: Trained3, tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable, match="'Abyssinian' has too few photos to learn from: 1"):
        add(parent, tmp_path / "out", [photos_of(painted(tmp_path / "fresh", NEW, 1))])


class _StopAt(Listener):
    """Wants to stop once a stage has begun."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage, self.reached = stage, False

    def on_progress(self, progress: Progress) -> None:
        self.reached |= progress.stage == self.stage

    def should_stop(self) -> bool:
        return self.reached


def test_photos_of_which_the_network_makes_no_finite_numbers_are_refused(parent: Trained3, tmp_path: Path) -> None:
    """One such photo would make the answers to all pictures no numbers."""
    left = shutil.copytree(parent.left, tmp_path / "left")
    weights = load_state(left / "model.safetensors")
    norm = next(name for name in weights if name.endswith("running_var"))
    weights[norm].fill_(float("nan"))
    save_file(weights, left / "model.safetensors")
    with pytest.raises(DatasetUnusable, match="for 8 of the new photos the network gives values that are no finite"):
        add(parent, tmp_path / "out", [photos_of(painted(tmp_path / "fresh", NEW))], left=left)
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("stage", ["features", "train"])
def test_an_addition_stops_where_it_is_asked_to(parent: Trained3, tmp_path: Path, stage: str) -> None:
    with pytest.raises(Stopped):
        add(parent, tmp_path / "out", [photos_of(painted(tmp_path / "fresh", NEW))], _StopAt(stage))
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_rows_tell_new_breeds_apart_and_leave_the_trained_rows(loss: LossName) -> None:
    chance = torch.Generator().manual_seed(0)
    centres = torch.eye(6, dtype=torch.float64)[:5] * 3
    targets = torch.arange(5).repeat_interleave(4)
    read = centres[targets] + torch.randn(20, 6, generator=chance, dtype=torch.float64) * 0.3
    trained = TrainedRows(
        torch.eye(6, dtype=torch.float64)[[0, 2, 4]] * 2 - 0.3, torch.tensor([0, 2, 4]), torch.tensor([1, 3])
    )
    layer = fit_layer(loss, trained, Examples(read, targets))
    assert torch.equal(layer[[0, 2, 4]], trained.rows)
    assert torch.equal((read @ layer.T).argmax(1), targets)
    assert torch.equal(layer, fit_layer(loss, trained, Examples(read, targets)))


def test_new_rows_are_as_strong_as_known_photos_let_them_be() -> None:
    chance = torch.Generator().manual_seed(0)
    trained = TrainedRows(torch.eye(4, dtype=torch.float64)[:2] * 3, torch.tensor([0, 1]), torch.tensor([2]))
    targets = torch.arange(2).repeat_interleave(200)
    read = torch.eye(4, dtype=torch.float64)[targets] + torch.randn(400, 4, generator=chance, dtype=torch.float64) * 0.2
    layer = trained.layer(torch.tensor([[1.5, 1.5, 1.0, 0.0]], dtype=torch.float64))
    held = held_apart(layer, trained, Examples(read, targets))
    assert torch.equal(held[:2], trained.rows)
    right = (read @ trained.rows.T).argmax(1) == targets
    lost = (right & ((read @ held.T).argmax(1) != targets)).sum()
    assert lost == int(MOST_MOVED * 400) == 3
