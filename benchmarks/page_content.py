"""What a service holds after a long while of use: a data folder with so much content that pages have real work.

7,390 drawn photos; 1,000 runs with epochs, steps and answers for their validation photos, the last of which has 20,000
steps and answers for every photo; versions, aliases, and 200 jobs more. Only the model is trained, for a moment.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session, sessionmaker

from api.schemas.studies import SearchRequest
from benchmarks.page_photos import draw_photos
from ml.config import FineTune, ResolvedConfig, resolve
from ml.data.bundle import write_bundle
from ml.data.manifest import LabelRule, Manifest
from ml.data.scan import scan_folder
from ml.data.split import random_split
from ml.reading.metrics import Reading, read_predictions
from ml.serve.machine import machine_kind
from store.artifacts import ArtifactStore, StoredFile
from store.db.aliases import set_alias
from store.db.datasets import add_dataset
from store.db.jobs import create_job
from store.db.models import Artifact, Batch, Dataset, Epoch, Interpretation, Job, Run, ServingChoice, Worker
from store.db.records import StepRecord, record_artifact, record_batches
from store.db.registry import register
from store.db.session import make_engine, make_sessions
from store.db.studies import add_study
from store.db.study_tables import StudyTrial
from store.keys import bundle_key, manifest_key, run_key
from store.settings import Settings
from store.states import State
from worker.reading_record import record_reading

PHOTOS = 7390
RUNS = 1000
LONG_STEPS = 20_000
LONG_EPOCHS = 40
STEPS, STEPS_AN_EPOCH = 276, 46
"""Of every other run."""
JOBS = 200
TRIALS = 20
SPACE = {"base_lr": {"low": 1e-4, "high": 1e-2, "log": True}}
VERSIONS = 6
PATTERNS = 8
"""So many runs' answers are made up; every other run has those of one of these."""
VALID_PCT, SPLIT_SEED = 0.2, 42
ARCHS = ("resnet34", "resnet50", "resnet18", "mobilenet_v2")
TAGS = ("baseline", "augmented", "try", "good")
NAME = "pets"
FILES = ("model.safetensors", "model.json", "judgement.safetensors")
TINY = ("arch=resnet18", "pretrained=false", "recipe=one_cycle", "epochs=1", "freeze=false", "size=64", "presize=96")
CONTENT = "content.json"
_BATCH_ROWS = 4000


@dataclass(frozen=True)
class Content:
    """Which of it the pages are asked for."""

    dataset: str
    long_run: int
    other_runs: tuple[int, ...]
    version: int
    search: int


def content_of(folder: Path, environment: Mapping[str, str]) -> Content:
    """What the folder holds; it is made where there is none yet, in some minutes."""
    kept = folder / CONTENT
    subprocess.run([sys.executable, "-m", "migrations"], env=environment, check=True)
    if not kept.exists():
        made = Making(Settings.model_validate(dict(environment)), folder).all()
        kept.write_text(json.dumps(vars(made)))
    found = json.loads(kept.read_text())
    return Content(**{**found, "other_runs": tuple(found["other_runs"])})


class Making:
    """Makes it, step by step."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.engine = make_engine(settings)
        self.sessions: sessionmaker[Session] = make_sessions(self.engine)
        self.artifacts = ArtifactStore(settings.artifacts_url)
        self.folder = folder
        self.random = np.random.default_rng(13)

    def all(self) -> Content:
        """All of it."""
        manifest, dataset = self._dataset()
        model = self._model()
        runs = self._runs(dataset)
        long, rest = runs[-1], runs[:-1]
        valid = random_split(PHOTOS, VALID_PCT, SPLIT_SEED).valid
        patterns = [self._answers(manifest, valid, 0.04 + 0.01 * n) for n in range(PATTERNS)]
        for run, (reading, file) in zip(rest, patterns, strict=False):
            self._interpreted(run, dataset, reading, file)
        self._copy_answers(rest)
        self._interpreted(long, dataset, *self._answers(manifest, range(PHOTOS), 0.03))
        self._histories(rest)
        self._long_history(long)
        versions = self._versions([*rest[-VERSIONS + 1 :], long], model)
        self._jobs(rest)
        search = self._search(dataset.id, rest[-TRIALS:])
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        self.engine.dispose()
        return Content(NAME, long, tuple(rest[:3]), versions[-1], search)

    def _dataset(self) -> tuple[Manifest, Dataset]:
        photos = self.folder / "photos"
        _say("photos")
        draw_photos(photos, PHOTOS)
        _say("dataset")
        manifest = scan_folder(photos, LabelRule(), name=NAME, drawn=True)
        bundle = self.folder / "images.tar"
        write_bundle(photos, manifest, bundle)
        self.artifacts.put_file(bundle_key(manifest.revision), bundle)
        bundle.unlink()
        self.artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
        with self.sessions.begin() as session:
            dataset = add_dataset(
                session,
                name=NAME,
                revision=manifest.revision,
                drawn=True,
                label_rule=manifest.rule.model_dump(mode="json"),
                vocab=list(manifest.vocab),
                items=len(manifest.items),
                summary=manifest.summary(),
            )
        return manifest, dataset

    def _model(self) -> Path:
        """Files of a model that answers, though it has learned next to nothing."""
        _say("model")
        few, out = self.folder / "few", self.folder / "model"
        few.mkdir(exist_ok=True)
        for path in sorted((self.folder / "photos").glob("*_?.jpg")):
            (few / path.name).write_bytes(path.read_bytes())
        words = [word for one in TINY for word in ("--set", one)]
        command = [sys.executable, "-m", "ml", "train", str(few), "--out", str(out), "--device", "cpu", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return out

    def _runs(self, dataset: Dataset) -> list[int]:
        _say("runs")
        began = datetime.now(UTC) - timedelta(days=200)
        configs = [_config(arch) for arch in ARCHS]
        with self.sessions.begin() as session:
            return [self._run(session, dataset, n, configs[n % len(ARCHS)], began) for n in range(RUNS)]

    def _run(self, session: Session, dataset: Dataset, n: int, config: ResolvedConfig, began: datetime) -> int:
        is_long = n == RUNS - 1
        at = began + timedelta(hours=4 * n)
        steps = LONG_STEPS if is_long else STEPS
        error = 0.03 if is_long else float(self.random.uniform(0.04, 0.3))
        run = Run(
            kind="train",
            name=f"{config.arch} try {n}",
            note="What was tried here, in a sentence or two." if n % 7 == 0 else None,
            tags=sorted({TAGS[n % 4], TAGS[n // 4 % 4]}),
            dataset_id=dataset.id,
            config=_long(config).model_dump(mode="json") if is_long else config.model_dump(mode="json"),
            device="a processor",
            precision="fp32",
            precision_reason="a processor trains in fp32",
            versions={"torch": "2"},
            plan={
                "steps": steps,
                "train_items": PHOTOS - int(VALID_PCT * PHOTOS),
                "valid_items": int(VALID_PCT * PHOTOS),
            },
            train_loss=error * 3,
            valid_loss=error * 4,
            error_rate=error,
            created_at=at,
        )
        session.add(run)
        session.flush()
        job = create_job(session, kind="train", run_id=run.id, max_attempts=3, state=State.SUCCEEDED)
        job.created_at, job.started_at, job.finished_at = at, at, at + timedelta(minutes=5 + n % 50)
        job.attempt = 1
        return run.id

    def _answers(self, manifest: Manifest, items: Sequence[int], error: float) -> tuple[Reading, StoredFile]:
        """A reading of made-up scores, and the file of predictions as a training leaves it."""
        number = {breed: place for place, breed in enumerate(manifest.vocab)}
        targets = np.array([number[manifest.items[i].label] for i in items])
        scores = self._scores(targets, len(manifest.vocab), error)
        losses = -np.log(np.maximum(scores[np.arange(len(items)), targets], 1e-12))
        paths = [manifest.items[i].path for i in items]
        reading = read_predictions(scores, losses, targets, vocab=manifest.vocab, items=items, paths=paths)
        lines = (
            json.dumps({**row, "probabilities": dict(zip(manifest.vocab, of, strict=True))})
            for row, of in zip(reading.items, scores.tolist(), strict=True)
        )
        name = f"answers-{len(items)}-{error:.2f}/predictions.jsonl"
        return reading, self.artifacts.put_bytes(run_key(0, name), ("\n".join(lines) + "\n").encode())

    def _scores(self, targets: NDArray[np.int64], breeds: int, error: float) -> NDArray[np.float64]:
        """Sure of the label mostly; where it is wrong, as sure of one of the breed's two look-alikes."""
        logits = self.random.normal(0, 1, (len(targets), breeds))
        wrong = self.random.random(len(targets)) < error
        alike = (targets + self.random.integers(1, 3, len(targets))) % breeds
        logits[np.arange(len(targets)), np.where(wrong, alike, targets)] += self.random.uniform(4, 9, len(targets))
        grown = np.exp(logits - logits.max(1, keepdims=True))
        found: NDArray[np.float64] = grown / grown.sum(1, keepdims=True)
        return found

    def _interpreted(self, run: int, dataset: Dataset, reading: Reading, file: StoredFile) -> None:
        with self.sessions.begin() as session:
            job = session.scalars(select(Job).where(Job.run_id == run)).one()
            record_reading(session, run, reading, dataset_id=dataset.id, job_id=job.id)
            record_artifact(session, run, "predictions.jsonl", key=file.key, sha256=file.sha256, size=file.bytes)

    def _copy_answers(self, runs: Sequence[int]) -> None:
        """The other runs have the answers of the first few."""
        _say("answers")
        first, other = runs[:PATTERNS], runs[PATTERNS:]
        for table, names in (
            (Interpretation, ("dataset_id", "job_id", "vocab", "matrix", "items", "valid_loss", "error_rate", "tta")),
            (Artifact, ("name", "key", "sha256", "bytes")),
        ):
            columns = [table.__table__.c[name] for name in names]
            source = select(Run.id, *columns).join(
                table, table.__table__.c.run_id == first[0] + (Run.id - first[0]) % PATTERNS
            )
            with self.sessions.begin() as session:
                session.execute(insert(table).from_select(["run_id", *names], source.where(Run.id.in_(other))))

    def _histories(self, runs: Sequence[int]) -> None:
        """Epochs, and steps whose losses fall."""
        _say("histories")
        all_epochs, epoch = _numbers(STEPS // STEPS_AN_EPOCH)
        all_steps, step = _numbers(STEPS)
        epochs = select(
            Run.id,
            func.least(epoch, literal_column("1")),
            func.greatest(epoch - 1, literal_column("0")),
            Run.train_loss * (1 + 3.0 / (epoch + 1)),
            Run.valid_loss * (1 + 2.0 / (epoch + 1)),
            func.least(Run.error_rate * (1 + 2.0 / (epoch + 1)), literal_column("1.0")),
            literal(40.0),
            literal(160.0),
        )
        loss = Run.train_loss * (1 + 60.0 / (step + 20))
        steps = select(
            Run.id,
            step,
            func.least(step // STEPS_AN_EPOCH, literal_column("1")),
            loss * (0.8 + 0.4 * func.random()),
            loss,
            literal_column("ARRAY[0.00001, 0.0003, 0.003]"),
            literal(0.9),
        )
        rates = ["train_loss", "valid_loss", "error_rate", "seconds", "images_per_second"]
        figures = ["raw_loss", "train_loss", "lr", "momentum"]
        with self.sessions.begin() as session:
            wanted = Run.id.in_(runs)
            session.execute(
                insert(Epoch).from_select(
                    ["run_id", "phase", "epoch", *rates], epochs.join(all_epochs, true()).where(wanted)
                )
            )
            session.execute(
                insert(Batch).from_select(
                    ["run_id", "step", "phase", *figures], steps.join(all_steps, true()).where(wanted)
                )
            )

    def _long_history(self, run: int) -> None:
        steps = [self._step(number) for number in range(LONG_STEPS)]
        each = LONG_STEPS // LONG_EPOCHS
        rows = [
            {
                "run_id": run,
                "phase": int(number > 0),
                "epoch": max(0, number - 1),
                "train_loss": steps[(number + 1) * each - 1].train_loss,
                "valid_loss": 1.2 * steps[(number + 1) * each - 1].train_loss,
                "error_rate": 0.03 + 0.5 / (number + 1) ** 2,
                "seconds": 38.0,
                "images_per_second": 160.0,
            }
            for number in range(LONG_EPOCHS)
        ]
        with self.sessions.begin() as session:
            for start in range(0, LONG_STEPS, _BATCH_ROWS):
                record_batches(session, run, steps[start : start + _BATCH_ROWS])
            session.execute(insert(Epoch), rows)

    def _step(self, number: int) -> StepRecord:
        loss = 0.1 + 3.5 / (1 + number / 400)
        phase = int(number >= LONG_STEPS // LONG_EPOCHS)
        top = 1e-3 * (0.01 + np.sin(np.pi * (number + 1) / LONG_STEPS))
        return StepRecord(
            step=number,
            phase=phase,
            raw_loss=float(loss * self.random.uniform(0.6, 1.5)),
            train_loss=float(loss),
            lr=[float(top / 100), float(top / 10), float(top)],
            momentum=0.9,
        )

    def _versions(self, runs: Sequence[int], model: Path) -> list[int]:
        _say("versions")
        stored = {
            name: self.artifacts.put_file(run_key(0, name), model / name) for name in FILES if (model / name).exists()
        }
        versions = []
        for run in runs:
            with self.sessions.begin() as session:
                for name, file in stored.items():
                    record_artifact(session, run, name, key=file.key, sha256=file.sha256, size=file.bytes)
                versions.append(register(session, run).version.id)
        with self.sessions.begin() as session:
            for version in versions:
                session.add(ServingChoice(version=version, machine=machine_kind("cpu"), reason="nothing was measured"))
                set_alias(session, "production", version)
            set_alias(session, "shadow", versions[0])
        return versions

    def _jobs(self, runs: Sequence[int]) -> None:
        """Interpretations: most have ended, some wait behind one that is at work. No worker is really there."""
        _say("jobs")
        later = datetime.now(UTC) + timedelta(days=365)
        with self.sessions.begin() as session:
            for lane in ("train", "light"):
                session.add(Worker(name=f"worker of {lane}", lanes=[lane], lease_until=later))
            for n in range(JOBS):
                state = State.QUEUED if n >= JOBS - JOBS // 4 else State.FAILED if n % 10 == 0 else State.SUCCEEDED
                job = create_job(
                    session, kind="interpret", run_id=runs[n], payload={"tta": True}, max_attempts=3, state=state
                )
                if state == State.FAILED:
                    job.error = {
                        "code": "out_of_memory",
                        "detail": "the memory is full",
                        "hint": "Use smaller batches.",
                    }
                if n == JOBS - JOBS // 4:
                    job.state, job.attempt, job.worker, job.lease_until = State.RUNNING, 1, "worker of train", later
                    job.started_at = datetime.now(UTC)

    def _search(self, pets: int, runs: Sequence[int]) -> int:
        """A search whose trials were the last runs."""
        _say("search")
        wanted = {"kind": "search", "dataset": NAME, "space": SPACE, "trials": TRIALS, "minutes": 60}
        asked = SearchRequest.model_validate(wanted).plan().model_dump(mode="json", by_alias=True)
        errors = self.random.uniform(0.04, 0.3, len(runs)).tolist()
        with self.sessions.begin() as session:
            job = create_job(session, kind="search", payload={"dataset_id": pets}, max_attempts=3)
            study = add_study(session, job.id, dataset_id=pets, name=None, asked=asked)
            job.state, study.ended_by, study.best_trial = State.SUCCEEDED, "trials", errors.index(min(errors)) + 1
            for number, (run, error) in enumerate(zip(runs, errors, strict=True), 1):
                settings = {"base_lr": float(10 ** self.random.uniform(-4, -2))}
                of = {"study_id": job.id, "number": number, "run_id": run, "settings": settings}
                session.add(StudyTrial(**of, outcome="done", curve=[2 * error, error], value=error))
            return job.id


def _numbers(count: int) -> tuple[FromClause, ColumnElement[int]]:
    """Rows of the numbers from 0, and the number in each."""
    rows = func.generate_series(0, count - 1).table_valued(column("n", Integer)).render_derived()
    return rows, rows.c.n


def _config(arch: str) -> ResolvedConfig:
    return resolve(FineTune(arch=arch, epochs=STEPS // STEPS_AN_EPOCH - 1, freeze_epochs=1))


def _long(config: ResolvedConfig) -> ResolvedConfig:
    return resolve(FineTune(arch=config.arch, batch_size=12, epochs=LONG_EPOCHS - 1, freeze_epochs=1))


def _say(what: str) -> None:
    sys.stderr.write(f"making {what} …\n")
