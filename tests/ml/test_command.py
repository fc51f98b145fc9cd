"""``python -m ml``: what it prints, and how it ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import save_file

from ml.command import main
from ml.learn.model import build_model
from tests.conftest import REPOSITORY
from tests.ml.pictures import fill
from tests.patience import PATIENCE_SECONDS

SMALL = ("arch=mobilenet_v3_small", "pretrained=false", "presize=40", "size=32", "batch_size=4", "precision=fp32")
Refused = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "pets", (f"{breed}_{n}.jpg" for breed in ("Birman", "pug") for n in range(12)))


def command(folder: Path, name: str, *settings: str) -> list[str]:
    chosen = [word for setting in (*SMALL, *settings) for word in ("--set", setting)]
    out = ["--out", str(folder.parent / "out")] if name == "train" else []
    cache = ["--cache", str(folder.parent / "cache"), "--device", "cpu"]
    return [sys.executable, "-m", "ml", name, str(folder), *out, *cache, *chosen]


def run(folder: Path, name: str, *settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, name, *settings),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


@pytest.mark.thorough
def test_lr_find_prints_the_record_and_then_a_table_of_the_suggestions(folder: Path) -> None:
    done = run(folder, "lr-find", "lr_sweep.steps=24", "lr_sweep.sweeps=2", "freeze=false")
    assert (done.returncode, done.stderr) == (0, "")
    plan, rate, heads, *rows = done.stdout.splitlines()
    assert json.loads(plan)["steps"] == 48
    content = json.loads(rate)["content"]
    assert (len(content["sweeps"]), content["freeze"]) == (2, False)
    assert heads.split() == ["middle", "word", "decades", "sweep", "1", "sweep", "2"]
    assert [row.split()[0] for row in rows[:4]] == ["minimum/10", "steep", "valley", "slide"]
    assert [row.split()[2] for row in rows[:4]] == list(content["agreements"].values())
    assert f"({content['agreement']}): {content['agreement_reason']}" in rows[4]
    assert rows[5:] == ([content["advice"]] if content["advice"] else [])


@pytest.mark.thorough
def test_what_is_wrong_with_a_sweep_is_one_line_and_status_1(folder: Path) -> None:
    short = run(folder, "lr-find", "lr_sweep.steps=12")
    assert (short.returncode, short.stdout) == (1, "")
    assert short.stderr.startswith("sweep_too_short: a sweep of 12 steps leaves fewer than 16 points")
    turned = run(folder, "lr-find", "lr_sweep.start_lr=20")
    assert (turned.returncode, turned.stdout) == (1, "")
    assert "lr_sweep.start_lr 20.0: it is not below end_lr 10.0. Lower start_lr" in turned.stderr
    assert turned.stderr.count("\n") == 1


@pytest.fixture
def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Refused]:
    """The one line that is said of a command that cannot be done."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run_here(*words: str) -> str:
        status = main([*command(folder, "train")[3:], *words])
        out, said = capsys.readouterr()
        assert (status, out, said.count("\n")) == (1, "", 1)
        return said

    yield run_here
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_folder_that_cannot_be_made_is_one_line(folder: Path, refused: Refused) -> None:
    occupied = folder.parent / "occupied"
    occupied.write_text("a file")
    assert refused("--out", str(occupied)) == (
        f"disk: {occupied}: File exists. Choose another --out or --cache, or free space.\n"
    )
    assert refused("--out", str(occupied / "below")).startswith(f"disk: {occupied / 'below'}: Not a directory")
    assert refused("--cache", str(occupied)).startswith(f"disk: {occupied}: File exists")


@pytest.mark.thorough
def test_a_disk_without_room_is_one_line(folder: Path) -> None:
    limited = ["bash", "-c", 'ulimit -f 8; exec "$@"', "-", *command(folder, "lr-find")]
    # Where coverage is measured it has no room for its data either, and says so on the same output.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        limited,
        cwd=REPOSITORY,
        env=unmeasured,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert (done.stderr.count("\n"), done.stderr.split(":")[0]) == (1, "disk")


def test_a_model_of_another_architecture_is_one_line(folder: Path, refused: Refused) -> None:
    model = folder.parent / "model.safetensors"
    save_file(build_model("resnet18", 2, None).state_dict(), model)
    said = refused("--model", str(model))
    assert said.startswith(
        "weights_invalid: model.safetensors is not a trained mobilenet_v3_small of 2 breeds: 0.0.0.weight"
    )
    save_file(build_model("mobilenet_v3_small", 3, None).state_dict(), model)
    assert "1.8.weight is [3, 512], it should be [2, 512]. Set arch" in refused("--model", str(model))
    model.unlink()
    assert "model.safetensors cannot be read as weights" in refused("--model", str(model))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--regex", "("], "config: the label rule '(' is no regular expression: missing ): (. Start from"),
        (
            ["--regex", "(?=a)(b)"],
            "config: the label rule '(?=a)(b)' uses (?=, a look-ahead, which RE2 does not have. W",
        ),
        (["--by-folder", "--regex", "(a)"], "config: both regex and by_folder are given. Give one of them."),
        (["--set", "epochs"], "config: --set: 'epochs' is not name=value"),
        (["--set", "augment=1", "--set", "augment.flip=true"], "config: --set: 'augment.flip=true' names a field of"),
        (["--set", "epochs=0"], "config: fine_tune.epochs 0: Input should be greater"),
    ],
)
def test_a_wrong_setting_is_one_line(refused: Refused, words: list[str], says: str) -> None:
    assert refused(*words).startswith(says)


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
def test_a_training_that_is_told_to_end_says_so_in_a_line_and_can_be_gone_on_with(
    how: signal.Signals, folder: Path
) -> None:
    endless = command(folder, "train", "epochs=1000", "freeze_epochs=1")
    process = subprocess.Popen(
        endless, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    events = [json.loads(process.stdout.readline())["event"] for _ in range(2)]
    assert events == ["plan", "epoch"]
    process.send_signal(how)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    again = "the same command again goes on from the last checkpoint in --out"
    assert said == f"stopped by {how.name}: {again}\n"
    assert process.returncode == 128 + how
    assert (folder.parent / "out" / "checkpoint" / "checkpoint.safetensors").exists()


@pytest.mark.thorough
def test_a_training_without_a_rate_for_its_second_phase_says_so_and_leaves_the_first_one_s_model(folder: Path) -> None:
    phases = [{"freeze": True, "epochs": 1}, {"freeze": False, "epochs": 1, "lr_max": "auto"}]
    sweep = {"steps": 24, "sweeps": 1, "start_lr": 1e-12, "end_lr": 1e-11}
    settings = ("recipe=phases", f"phases={json.dumps(phases)}", f"lr_sweep={json.dumps(sweep)}")
    done = run(folder, "train", *settings)
    assert done.returncode == 1
    assert done.stderr.startswith("no_rate_found: the search for a learning rate before phase 2 has no answer")
    model = folder.parent / "out" / "model.safetensors"
    assert f"Go on with --model {model} and another --out. Give the rate as a number" in done.stderr
    assert model.exists()
