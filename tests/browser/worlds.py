"""A service as it is after some days of use, without a training: what the page has to show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.db.jobs import save_progress
from store.db.models import Dataset, Job, Run
from store.db.records import record_batches, record_epoch, record_interpretation
from store.states import State
from tests.api.figure_records import STEPS_AN_EPOCH, searched, step_record, trained
from tests.api.records import Records, jpeg

BREEDS = [
    f"{first}_{second}"
    for first in ("american", "english", "great", "miniature")
    for second in (
        "pit_bull_terrier",
        "cocker_spaniel",
        "setter",
        "pyrenees",
        "pinscher",
        "shorthair",
        "wirehaired_pointer",
        "bulldog",
        "coat",
    )
]
PHOTOS = 12


@dataclass(frozen=True)
class World:
    """One run of each kind. ``good`` has a model, figures and an interpretation on its own and another dataset."""

    pets: Dataset
    good: Run
    other: Run
    failed: Run
    search: Run
    running: Run
    job: Job
    queued: Run


def busy(records: Records, folder: Path) -> World:
    """All of them; nothing is in production."""
    pets = dataset_of(records, folder / "pets", "pets")
    good = finished(records, pets, arch="resnet18", size=128, presize=160, batch_size=8)
    read_on(records, good, pets)
    read_on(records, good, dataset_of(records, folder / "more-pets", "more-pets"))
    other = finished(records, pets)
    failed, job = records.run(pets)
    records.move(job, State.RUNNING, State.FAILED)
    search, job = records.run(pets, kind="lr_find")
    records.move(job, State.RUNNING)
    searched(records, search)
    records.move(job, State.SUCCEEDED)
    running, job = records.run(pets, epochs=2)
    records.move(job, State.RUNNING)
    trained(records, running, steps=10)
    queued, _ = records.run(pets)
    records.run(pets)
    return World(pets, good, other, failed, search, running, job, queued)


def dataset_of(records: Records, folder: Path, name: str) -> Dataset:
    """A dataset with its photos in the artifact store."""
    folder.mkdir(parents=True)
    for number in range(PHOTOS):
        colour = (20 * number, 255 - 20 * number, 90)
        (folder / f"{BREEDS[number]}_{number}.jpg").write_bytes(jpeg(colour, (120, 90)))
    return records.dataset_of(folder, name)


def finished(records: Records, dataset: Dataset, **config: Any) -> Run:  # noqa: ANN401 - config fields
    """A training that has ended well, with its figures."""
    run = records.served(dataset, epochs=2, **config)
    trained(records, run, steps=30)
    return run


def read_on(records: Records, run: Run, dataset: Dataset) -> None:
    """An interpretation with every breed and more top losses than are shown at first."""
    count = len(BREEDS)
    matrix = [[0] * count for _ in BREEDS]
    for i in range(count):
        matrix[i][i] = 29
        matrix[i][(i * 7 + 1) % count] += 1 + i % 3
    items = [
        {
            "item": number,
            "path": f"{BREEDS[number]}_{number}.jpg",
            "actual": BREEDS[number],
            "predicted": BREEDS[number + 1],
            "loss": 6.5 - number / 4,
            "probability_predicted": 0.9,
            "probability_actual": 0.01,
        }
        for number in range(PHOTOS)
    ]
    with records.sessions.begin() as session:
        record_interpretation(
            session,
            run.id,
            dataset_id=dataset.id,
            job_id=1,
            vocab=BREEDS,
            matrix=matrix,
            items=items,
            valid_loss=0.9,
            error_rate=0.0645,
            tta=False,
        )


def epoch_ends(records: Records, world: World, number: int) -> None:
    """The running run has another epoch behind it, as a worker writes it."""
    figures = {"train_loss": 0.5, "valid_loss": 0.4, "error_rate": 0.01 * number, "seconds": 2.0}
    epoch: dict[str, Any] = {"phase": 1, "epoch": number, **figures, "images_per_second": 10.0}
    with records.sessions.begin() as session:
        steps = range(STEPS_AN_EPOCH * (number + 1), STEPS_AN_EPOCH * (number + 2))
        record_batches(session, world.running.id, [step_record(step, ()) for step in steps])
        record_epoch(session, world.running.id, **epoch)
    records.event(world.job, "epoch", epoch)


def batches_come(records: Records, world: World, first: int) -> None:
    """The running run has made two more steps, as a worker writes them; no epoch has ended."""
    with records.sessions.begin() as session:
        record_batches(session, world.running.id, [step_record(step, ()) for step in (first, first + 1)])
    records.event(world.job, "batch", {"step": [first, first + 1], "train_loss": [0.5, 0.4], "lr": [1e-3, 1e-3]})


def progress(records: Records, job: Job, step: int) -> None:
    """A job has come to a step, as a worker writes it."""
    at = {"stage": "train", "phase": 0, "epoch": 0, "epochs": 3, "step": step, "steps": 30}
    with records.sessions.begin() as session:
        assert save_progress(session, job.id, 1, at)
