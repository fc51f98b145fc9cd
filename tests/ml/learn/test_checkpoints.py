"""What becomes of a training whose checkpoints were damaged: the same numbers, and a word."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ml.config import ResolvedConfig, resolve, train_config
from ml.errors import CheckpointInvalid, Stopped
from ml.learn.checkpoint import LocalKeeper, read_checkpoint, save_tensors
from ml.learn.objective import Objective
from ml.learn.precision import Precision
from ml.learn.trainer import Trainer
from ml.reporting import BatchRecord, EpochRecord, NullReporter
from tests.ml.toys import FixedBatches, FixedValidation, toy, toy_inputs

TRIES = 100
STEPS = 12
NEWEST, BEFORE = "checkpoint.safetensors", "checkpoint-before.safetensors"
FROM_THE_START = "no kept checkpoint can be used: the training starts from the beginning"


class Watcher(NullReporter):
    """Hears sentences and figures; wants the training put down after so many steps."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.said: list[str] = []
        self.losses: dict[int, float] = {}
        self.epochs: list[tuple[int, int, float]] = []
        self.stop_at = stop_at

    def on_log(self, message: str) -> None:
        self.said.append(message)

    def on_batches(self, batches: list[BatchRecord]) -> None:  # type: ignore[override]
        self.losses |= {batch.step: batch.train_loss for batch in batches}

    def on_epoch(self, epoch: EpochRecord) -> None:
        self.epochs.append((epoch.phase, epoch.epoch, epoch.valid_loss))

    def should_stop(self) -> bool:
        return self.stop_at is not None and len(self.losses) >= self.stop_at


def config(weight_decay: float = 0.01) -> ResolvedConfig:
    asked = {"recipe": "fine_tune", "freeze_epochs": 1, "epochs": 2, "batch_size": 4, "weight_decay": weight_decay}
    return resolve(train_config.validate_python(asked))


def training(
    folder: Path,
    reporter: NullReporter,
    *,
    keep_each_step: bool = False,
    weight_decay: float = 0.01,
    precision: str = "fp32",
) -> Trainer:
    """Twelve steps in three epochs, always from the same first weights."""
    torch.manual_seed(0)
    x, y = toy_inputs(16)
    return Trainer(
        config=config(weight_decay),
        revision="r",
        model=toy(dropout=0.2),
        objective=Objective("cross_entropy"),
        training=FixedBatches(x, y, 4),
        validation=FixedValidation(*toy_inputs(8, seed=1)),
        device=torch.device("cpu"),
        precision=Precision(precision, "test"),
        reporter=reporter,
        keeper=LocalKeeper(folder / "kept"),
        work=folder,
        checkpoint_seconds=0.0 if keep_each_step else 1e9,
    )


def put_down(folder: Path, at: int) -> None:
    """A training that kept a checkpoint after every step until it was put down."""
    with pytest.raises(Stopped):
        training(folder, Watcher(at), keep_each_step=True).train()


def put_down_once(factory: pytest.TempPathFactory, at: int, into: Path) -> None:
    """The same, copied from the first that was put down there."""
    made = factory.getbasetemp() / f"put-down-{at}"
    if not made.exists():
        made.mkdir()
        put_down(made, at)
    shutil.copytree(made, into, dirs_exist_ok=True)


def resumed(folder: Path, *, weight_decay: float = 0.01) -> tuple[int, Watcher, dict[str, Tensor]]:
    """Where a training went on, what it said and its weights at the end."""
    watcher = Watcher()
    trainer = training(folder, watcher, weight_decay=weight_decay)
    trainer.restore()
    began = trainer.step
    trainer.train()
    return began, watcher, trainer.model.state_dict()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Watcher, dict[str, Tensor]]:
    """The training that nothing happened to."""
    began, watcher, weights = resumed(tmp_path_factory.mktemp("whole"))
    assert (began, len(watcher.losses), watcher.said) == (0, STEPS, [])
    return watcher, weights


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - no secret


def flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 8, 64))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def flip_in_header(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(8 + int.from_bytes(content[:8], "little"))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def blank(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    content[start : start + 512] = bytes(len(content[start : start + 512]))
    path.write_bytes(content)


def remove(path: Path, _: random.Random) -> None:
    path.unlink()


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (flip, flip_in_header, cut, blank, remove)


@pytest.mark.parametrize("seed", range(TRIES))
def test_a_damaged_checkpoint_never_gives_other_numbers(
    seed: int,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    whole: tuple[Watcher, dict[str, Tensor]],
) -> None:
    chance = seeded(seed)
    at = chance.randrange(2, STEPS)
    put_down_once(tmp_path_factory, at, tmp_path)
    files = [tmp_path / "kept" / name for name in (NEWEST, BEFORE)]
    damaged = files[: chance.choice((1, 1, 2))]
    contents = [file.read_bytes() for file in files]
    for file in damaged:
        chance.choice(DAMAGES)(file, chance)
    kept = {file: file.exists() for file in files}
    # A flip may hit a space of the header, or blank what is blank: then there is nothing to say.
    changed = [not file.exists() or file.read_bytes() != was for file, was in zip(files, contents, strict=True)]
    began, watcher, weights = resumed(tmp_path)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in whole[1].items())
    assert watcher.losses == {step: loss for step, loss in whole[0].losses.items() if step >= began}
    assert began == at or changed[0]
    # Where both are gone a folder knows of none; the record of a job does (tests/worker/test_checkpoints.py).
    assert bool(watcher.said) == (began != at and any(kept.values()))


def test_what_is_damaged_is_said_and_the_one_before_is_used(tmp_path: Path) -> None:
    put_down(tmp_path, 7)
    cut(tmp_path / "kept" / NEWEST, seeded(1))
    began, watcher, _ = resumed(tmp_path)
    first, second = watcher.said
    assert began == 6
    assert first.startswith("the checkpoint cannot be read")
    assert second == "the training goes on from the checkpoint before, at step 6"


def test_a_newest_that_is_missing_is_said(tmp_path: Path) -> None:
    put_down(tmp_path, 7)
    (tmp_path / "kept" / NEWEST).unlink()
    began, watcher, _ = resumed(tmp_path)
    assert began == 6
    assert watcher.said[0] == "the checkpoint checkpoint.safetensors is missing; it is not used"


def test_one_flipped_bit_of_a_weight_is_found(tmp_path: Path) -> None:
    """It is as plausible a number as it was before."""
    put_down(tmp_path, 4)
    path = tmp_path / "kept" / NEWEST
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointInvalid, match="does not match its checksum"):
        read_checkpoint(path, config=config(), revision="r")


def test_where_none_is_whole_the_training_starts_from_the_beginning_and_says_so(
    tmp_path: Path, whole: tuple[Watcher, dict[str, Tensor]]
) -> None:
    put_down(tmp_path, 7)
    for name in (NEWEST, BEFORE):
        flip(tmp_path / "kept" / name, seeded(1))
    began, watcher, weights = resumed(tmp_path)
    assert (began, watcher.said[-1], watcher.epochs) == (0, FROM_THE_START, whole[0].epochs)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in whole[1].items())


def test_the_bad_one_never_takes_the_place_of_the_good_one_before_it(tmp_path: Path) -> None:
    put_down(tmp_path, 7)
    flip(tmp_path / "kept" / NEWEST, seeded(2))
    watcher = Watcher(1)
    trainer = training(tmp_path, watcher, keep_each_step=True)
    trainer.restore()
    with pytest.raises(Stopped):
        trainer.train()
    assert trainer.step == 7
    cut(tmp_path / "kept" / NEWEST, seeded(3))
    began, _, _ = resumed(tmp_path)
    assert began == 6


def test_a_checkpoint_of_another_config_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    put_down(tmp_path, 2)
    began, watcher, _ = resumed(tmp_path, weight_decay=0.5)
    assert began == 0
    assert watcher.said[0] == "the checkpoint is of another config or dataset; it is not used"
    assert watcher.said[-1] == FROM_THE_START


def test_a_checkpoint_from_before_a_setting_existed_is_used_where_that_setting_is_at_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = ResolvedConfig.model_dump_json
    with monkeypatch.context() as before:
        before.setattr(
            ResolvedConfig, "model_dump_json", lambda one: written(one, exclude={"label_smoothing", "erase"})
        )
        put_down(tmp_path, 3)
    path = tmp_path / "kept" / NEWEST
    assert read_checkpoint(path, config=config(), revision="r").position.step == 3
    for changed in ({"label_smoothing": 0.1}, {"erase": 0.5}):
        with pytest.raises(CheckpointInvalid):
            read_checkpoint(path, config=config().model_copy(update=changed), revision="r")


@pytest.mark.parametrize("version", [2, 3])
def test_a_checkpoint_of_a_version_before_is_not_used_and_that_is_said(version: int, tmp_path: Path) -> None:
    about = {"format_version": str(version), "config": config().model_dump_json(), "revision": "r", "position": "{}"}
    save_tensors({"model/x": torch.zeros(3)}, tmp_path / "kept" / NEWEST, about)
    began, watcher, _ = resumed(tmp_path)
    assert began == 0
    assert watcher.said == [
        f"the checkpoint has format version {version}, this program reads 4; it is not used",
        FROM_THE_START,
    ]


@pytest.mark.parametrize(("before", "after"), [("fp32", "fp16"), ("fp16", "fp32")])
def test_a_training_goes_on_where_the_device_has_another_precision(tmp_path: Path, before: str, after: str) -> None:
    """A scaler that scaled nothing has no state, and one that scales takes none that is empty."""
    with pytest.raises(Stopped):
        training(tmp_path, Watcher(3), keep_each_step=True, precision=before).train()
    trainer = training(tmp_path, Watcher(), precision=after)
    trainer.restore()
    assert trainer.step == 3
    trainer.train()
