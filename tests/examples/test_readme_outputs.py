"""What the README shows is what the command prints: its own code, asked with the answers that the README tells of."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from cli import demo
from cli.client import Client
from cli.data_folder import DataFolder
from cli.epochs import WHOLE
from cli.progress_line import Look, progress_line
from cli.stack import Stack, workers_of_lanes
from tests.cli.service import Answer, serving
from tests.cli.test_commands import JOB, ask
from tests.examples.test_readme import FENCE, README, Sample, samples

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch
SCREEN, END = [text for _, text in FENCE.findall(README) if text.startswith(("» ", "Pictures, run"))]
PETS = {"name": "pets", "drawn": False, "items": 3389, "vocab": ["breed"] * 37}
VERSION = {
    "version": 1,
    "run": 1,
    "arch": "mobilenet_v2",
    "dataset": "pets",
    "drawn": False,
    "error_rate": 0.1315,
    "aliases": ["production"],
    "canaries": [],
    "created_at": "2026-11-25T12:53:00Z",
    "calibrated": True,
}
PAIRS = [("Egyptian_Mau", "Bengal", 6), ("Ragdoll", "Birman", 6), ("Persian", "Maine_Coon", 4)]
PAIRS += [("american_bulldog", "american_pit_bull_terrier", 3)]
"""The last is not shown; its names make the columns as wide as they are."""
CONFUSION = {
    "n": 677,
    "drawn": False,
    "side": "validation",
    "dataset": {"name": "pets"},
    "tta": False,
    "trained_on": 0,
    "error_rate": 0.1315,
    "most_confused": [{"actual": one, "predicted": other, "count": count} for one, other, count in PAIRS],
}
BIRMAN = {
    "filename": "Birman_10.jpg",
    "breed": "Birman",
    "species": "cat",
    "probability": 0.988,
    "sure": True,
    "top": [{"breed": "Birman", "probability": 0.988}, {"breed": "Siamese", "probability": 0.007}],
}
EPOCHS = [
    {"phase": 0, "epoch": 0, "train_loss": 2.0363, "valid_loss": 0.6208, "error_rate": 0.1817, "images_per_second": 41},
    {"phase": 1, "epoch": 0, "train_loss": 0.6657, "valid_loss": 0.4789, "error_rate": 0.1551, "images_per_second": 44},
    {"phase": 1, "epoch": 1, "train_loss": 0.4842, "valid_loss": 0.4167, "error_rate": 0.1315, "images_per_second": 40},
]
SECONDS = (68, 65, 71)
DEVICE = "cpu (2 threads), bf16 (this CPU has avx512_bf16), 126 steps"


def events(*told: tuple[str, Mapping[str, object]]) -> Answer:
    text = "".join(
        f"id: {id_}\nevent: {name}\ndata: {json.dumps(data)}\n\n" for id_, (name, data) in enumerate(told, 1)
    )
    return Answer(text, kind="text/event-stream")


def stages(*names: str) -> Iterator[tuple[str, dict[str, object]]]:
    for name in names:
        yield "progress", {"stage": name, **({"step": 1, "steps": 3389} if name in {"scan", "pack"} else {})}


STARTS: list[tuple[str, dict[str, object]]] = [("state", {"state": "queued"}), ("state", {"state": "running"})]
ENDS: tuple[str, dict[str, object]] = ("state", {"state": "succeeded"})
TRAINING = events(
    *STARTS,
    ("progress", {"stage": "presize", "step": 2893, "steps": 3389, "stage_eta_seconds": 1}),
    ("log", {"message": DEVICE}),
    ("progress", {"stage": "train", "step": 93, "steps": 126, "eta_seconds": 54, "images_per_second": 41}),
    *(("epoch", {**epoch, "seconds": seconds}) for epoch, seconds in zip(EPOCHS, SECONDS, strict=True)),
    ENDS,
)
ANSWERS: dict[str, dict[str, list[Answer]]] = {
    "datasets add": {
        "POST /datasets": [Answer({**JOB, "kind": "import"}, 202)],
        "GET /jobs/4/events": [events(*STARTS, *stages("unpack", "scan", "pack", "store"), ENDS)],
        "GET /jobs/4": [Answer({**JOB, "state": "succeeded"})],
        "GET /datasets/pets": [Answer(PETS)],
    },
    "train": {
        "POST /jobs": [Answer({**JOB, "id": 2, "run": 1}, 202)],
        "GET /jobs/2/events": [TRAINING],
        "GET /jobs/2": [Answer({**JOB, "state": "succeeded"})],
    },
    "runs confusion": {"GET /runs/1/confusion?min_val=2": [Answer(CONFUSION)]},
    "models register": {"POST /models": [Answer(VERSION, 201)]},
    "models list": {"GET /models?limit=20": [Answer({"items": [VERSION], "next_cursor": None})]},
    "predict": {"POST /predict?model=production": [Answer({"model": VERSION, "predictions": [BIRMAN]})]},
}
"""The service's answers from which the README's outputs come, by the command."""
SHOWN = [sample for sample in samples() if sample.text.startswith("pedigree ")]


@pytest.mark.parametrize("sample", SHOWN, ids=lambda sample: sample.text[:40])
def test_what_is_shown_below_a_command_is_what_it_prints(
    capsys: Capture, monkeypatch: Patch, tmp_path: Path, sample: Sample
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("photos/Birman_1.jpg", "Birman_10.jpg"):
        (tmp_path / name).write_bytes(b"a picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    _, *words = sample.text.replace("FOLDER", "photos").split()
    [answers] = [found for begins, found in ANSWERS.items() if " ".join(words).startswith(begins)]
    code, out, err, _ = ask(capsys, monkeypatch, answers, *words)
    assert (code, [line for line in err.splitlines() if not line.startswith("sending ")]) == (0, [])
    assert re.fullmatch(_abridged(sample.shown), out), out


def test_the_demos_screen_begins_as_it_is_shown(capsys: Capture, monkeypatch: Patch) -> None:
    """The lines of the README's terminal, each from the code that prints it."""
    folder = DataFolder(Path("/srv/pedigree/.pedigree"))
    stack = Stack(folder, print, url="http://127.0.0.1:8000")

    @contextmanager
    def started(*_: object) -> Iterator[Stack]:
        for name in ("postgres", "redis", "migrations", *workers_of_lanes(1), "repair", "api"):
            with stack._step(name):
                pass
        yield stack

    monkeypatch.setattr(demo, "running_stack", started)
    monkeypatch.setattr(DataFolder, "running", lambda _: None)
    with demo.service(folder, "make up"):
        pass
    drawn = {"name": "sample", "drawn": True, "items": 740, "vocab": ["breed"] * 37}
    drawn |= {"revision_number": 1, "revision": "9d9f222966c4" + "0" * 52}
    answers = {
        "POST /datasets/builtin": [Answer(JOB, 202)],
        "POST /jobs": [Answer(JOB, 202)],
        "GET /jobs/4/events": [events(ENDS)],
        "GET /jobs/4": [Answer({**JOB, "state": "succeeded"})],
        "GET /datasets/sample": [Answer(drawn)],
    }
    with serving(answers) as service, Client(service.url) as client:
        assert demo.bring_pictures(client, None) == "sample"
        demo.learn(client, "sample", {"arch": "mobilenet_v2"})
    said = [_timeless(line) for line in capsys.readouterr().out.splitlines()]
    progress = {"stage": "train", "step": 28, "steps": 54, "images_per_second": 19, "eta_seconds": 47}
    epoch = {"phase": 0, "epoch": 0, "train_loss": 3.9816, "valid_loss": 0.8495, "error_rate": 0.2568}
    said += [
        "cpu (2 threads), bf16 (this CPU has avx512_bf16), 54 steps",
        WHOLE.header(),
        WHOLE.row({**epoch, "images_per_second": 17, "seconds": 35}),
        click.unstyle(progress_line(progress, 79, Look(colours=False))),
    ]
    shown = [_timeless(line) for line in SCREEN.splitlines() if line and line != "…"]
    assert shown == list(dict.fromkeys(line for line in said if line in shown))


def test_the_demos_screen_ends_as_it_is_shown() -> None:
    folder = DataFolder(Path("/srv/pedigree/.pedigree"))
    with Client("http://127.0.0.1:8000") as client:
        left = demo.what_is_left(demo.Served(client, Stack(folder, print)), 1, "make up", stays=True)
        assert END.splitlines() == [f"Pictures, run and model stay in {folder.root}", *left]


def _abridged(shown: str) -> str:
    """A pattern for the whole output; a line of dots stands for any lines."""
    lines = [line for line in shown.splitlines() if line]
    return "".join("(.*\n)*" if line == "…" else f"{re.escape(line)}\n" for line in lines)


def _timeless(line: str) -> str:
    return re.sub(r"\(\d+\.\d s\)", "(… s)", line)
