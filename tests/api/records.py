"""Rows and files as finished work leaves them, for tests of what reads them."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from ml.config import FineTune, resolve
from ml.data.bundle import write_bundle
from ml.data.manifest import LabelRule
from ml.data.scan import scan_folder
from store.artifacts import ArtifactStore
from store.db.datasets import add_dataset
from store.db.jobs import append_event, change_state, claim, create_job
from store.db.models import Dataset, Job, Run
from store.db.records import (
    StepRecord,
    record_artifact,
    record_batches,
    record_epoch,
    record_final,
    record_interpretation,
)
from store.keys import bundle_key, manifest_key, run_key
from store.states import State

VOCAB = ["Abyssinian", "Birman", "pug"]
DIVERGED = {"code": "loss_diverged", "detail": "NaN at step 3", "hint": "Lower the learning rate."}
MATRIX = [[5, 2, 0], [1, 6, 0], [0, 3, 4]]


def jpeg(colour: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 30)) -> bytes:
    """A real JPEG of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", quality=95)
    return out.getvalue()


class Records:
    """Makes rows and artifacts."""

    def __init__(self, sessions: sessionmaker[Session], artifacts: ArtifactStore) -> None:
        self.sessions = sessions
        self.artifacts = artifacts

    def dataset(self, name: str = "pets", *, drawn: bool = False, vocab: Sequence[str] = VOCAB) -> Dataset:
        """A dataset's row alone."""
        with self.sessions.begin() as session:
            return add_dataset(
                session,
                name=name,
                revision=f"revision-of-{name}",
                drawn=drawn,
                label_rule={"kind": "regex", "regex": r"(.+)_\d+.jpg$"},
                vocab=list(vocab),
                items=21,
                summary={"items": 21, "per_breed": dict.fromkeys(vocab, 7)},
            )

    def dataset_with_photos(self, folder: Path, name: str = "photos", *, drawn: bool = False) -> Dataset:
        """A dataset with its manifest and its bundle; item 0 is red, item 1 green."""
        folder.mkdir()
        (folder / "Birman_1.jpg").write_bytes(jpeg((200, 0, 0)))
        (folder / "Birman_2.jpg").write_bytes(jpeg((0, 200, 0)))
        (folder / "pug_1.jpg").write_bytes(jpeg((0, 0, 200)))
        return self.dataset_of(folder, name, drawn=drawn)

    def dataset_of(self, folder: Path, name: str, *, drawn: bool = False) -> Dataset:
        """A dataset of the pictures in a folder, as its import would make it."""
        manifest = scan_folder(folder, LabelRule(), name=name)
        bundle = folder.parent / f"{name}.tar"
        write_bundle(folder, manifest, bundle)
        self.artifacts.put_file(bundle_key(manifest.revision), bundle)
        self.artifacts.put_bytes(manifest_key(manifest.revision), manifest.model_dump_json().encode())
        with self.sessions.begin() as session:
            return add_dataset(
                session,
                name=name,
                revision=manifest.revision,
                drawn=drawn,
                label_rule=manifest.rule.model_dump(mode="json"),
                vocab=list(manifest.vocab),
                items=len(manifest.items),
                summary=manifest.summary(),
            )

    def run(self, dataset: Dataset, *, kind: str = "train", **config: Any) -> tuple[Run, Job]:  # noqa: ANN401 - config fields
        """A queued run."""
        resolved = resolve(FineTune(**{"arch": "resnet18", "batch_size": 4, **config}))
        with self.sessions.begin() as session:
            run = Run(kind=kind, name="a run", dataset_id=dataset.id, config=resolved.model_dump(mode="json"))
            session.add(run)
            session.flush()
            job = create_job(session, kind=kind, run_id=run.id, max_attempts=3)
            session.refresh(run)
        return run, job

    def move(self, job: Job, *states: State) -> None:
        """Take a job through states."""
        for state in states:
            with self.sessions.begin() as session:
                if state == State.RUNNING:
                    assert claim(session, job.id, worker="a worker", lease_seconds=60)
                else:
                    assert change_state(session, job.id, state, error=DIVERGED if state == State.FAILED else None)

    def event(self, job: Job, event: str, data: dict[str, Any]) -> int:
        """One more event of a job."""
        with self.sessions.begin() as session:
            return append_event(session, job.id, event, data)

    def finished(self, dataset: Dataset | None = None, *, error_rate: float = 0.25, **config: Any) -> Run:  # noqa: ANN401 - as above
        """A run that has succeeded, with figures, interpretation and predictions, without model files."""
        run, job = self.run(dataset or self.dataset(), **config)
        self.move(job, State.RUNNING)
        self.finish(run, job, error_rate=error_rate)
        return run

    def finish(self, run: Run, job: Job, *, error_rate: float = 0.25) -> None:
        """What a training in hand leaves when it succeeds."""
        rows = [
            json.dumps({"item": item, "probabilities": dict(zip(VOCAB, (0.5, 0.3, 0.2), strict=True))})
            for item in range(3)
        ]
        self.artifact(run, "predictions.jsonl", "\n".join(rows).encode())
        with self.sessions.begin() as session:
            epoch: dict[str, Any] = {
                "phase": 0,
                "epoch": 0,
                "train_loss": 1.5,
                "valid_loss": 0.9,
                "error_rate": error_rate,
            }
            record_epoch(session, run.id, **{**epoch, "seconds": 2.0, "images_per_second": 10.0})
            step: dict[str, Any] = {"phase": 0, "raw_loss": 2.0, "lr": [1e-4, 1e-3, 1e-2], "momentum": 0.9}
            record_batches(
                session, run.id, [StepRecord(**{**step, "step": n, "train_loss": 1.9 - n}) for n in range(2)]
            )
            record_final(session, run.id, valid_loss=0.9, error_rate=error_rate)
            record_interpretation(
                session,
                run.id,
                dataset_id=run.dataset_id,
                job_id=job.id,
                vocab=list(VOCAB),
                matrix=MATRIX,
                items=[_item(0, 0.1), _item(1, 3.5), _item(2, float("inf"))],
                valid_loss=0.9,
                error_rate=error_rate,
                tta=False,
            )
        self.move(job, State.SUCCEEDED)

    def artifact(self, run: Run, name: str, data: bytes) -> None:
        """A file of a run."""
        stored = self.artifacts.put_bytes(run_key(run.id, name), data)
        with self.sessions.begin() as session:
            record_artifact(session, run.id, name, key=stored.key, sha256=stored.sha256, size=stored.bytes)

    def served(self, dataset: Dataset | None = None, *, content: bytes = b"weights", **config: Any) -> Run:  # noqa: ANN401 - as above
        """A finished run with model files that the fake classifier reads."""
        run = self.finished(dataset, **config)
        self.model(run, content)
        return run

    def model(self, run: Run, content: bytes = b"weights") -> None:
        """Model files that the fake classifier reads."""
        self.artifact(run, "model.safetensors", content)
        about = {"arch": "resnet18", "vocab": VOCAB, "drawn": run.dataset.drawn, "loss": run.config["loss"]}
        self.artifact(run, "model.json", json.dumps(about).encode())


def _item(item: int, loss: float) -> dict[str, Any]:
    return {
        "item": item,
        "path": f"Birman_{item}.jpg",
        "actual": "Birman",
        "predicted": "pug",
        "loss": loss,
        "probability_predicted": 0.9,
        "probability_actual": float(np.exp(-loss)),
    }
