"""``python -m ml``: what it prints, and how it ends when it is told to."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.ml.pictures import fill

SMALL = ("arch=mobilenet_v3_small", "pretrained=false", "presize=40", "size=32", "batch_size=4", "precision=fp32")
PATIENCE_SECONDS = 150


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


def test_lr_find_prints_the_record_and_then_a_table_of_the_suggestions(folder: Path) -> None:
    done = run(folder, "lr-find", "lr_sweep.steps=24", "lr_sweep.sweeps=2", "freeze=false")
    assert (done.returncode, done.stderr) == (0, "")
    plan, rate, heads, *rows = done.stdout.splitlines()
    assert json.loads(plan)["steps"] == 48
    content = json.loads(rate)["content"]
    assert (len(content["sweeps"]), content["freeze"]) == (2, False)
    assert heads.split() == ["middle", "word", "decades", "sweep", "1", "sweep", "2"]
    assert [row.split()[0] for row in rows[:4]] == ["minimum", "steep", "valley", "slide"]
    assert [row.split()[2] for row in rows[:4]] == list(content["agreements"].values())
    assert f"({content['agreement']}): {content['agreement_reason']}" in rows[4]
    assert rows[5:] == ([content["advice"]] if content["advice"] else [])


def test_what_is_wrong_with_a_sweep_is_one_line_and_status_1(folder: Path) -> None:
    short = run(folder, "lr-find", "lr_sweep.steps=12")
    assert (short.returncode, short.stdout) == (1, "")
    assert short.stderr.startswith("sweep_too_short: a sweep of 12 steps leaves fewer than 16 points")
    turned = run(folder, "lr-find", "lr_sweep.start_lr=20")
    assert (turned.returncode, turned.stdout) == (1, "")
    assert "start_lr 20.0 is not below end_lr 10.0" in turned.stderr
    assert turned.stderr.count("\n") == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
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


def test_a_training_without_a_rate_for_its_second_phase_says_so_and_leaves_the_first_one_s_model(folder: Path) -> None:
    phases = [{"freeze": True, "epochs": 1}, {"freeze": False, "epochs": 1, "lr_max": "auto"}]
    sweep = {"steps": 24, "sweeps": 1, "start_lr": 1e-12, "end_lr": 1e-11}
    settings = ("recipe=phases", f"phases={json.dumps(phases)}", f"lr_sweep={json.dumps(sweep)}")
    done = run(folder, "train", *settings)
    assert done.returncode == 1
    assert done.stderr.startswith("no_rate_found: the search for a learning rate before phase 2 has no answer")
    model = folder.parent / "out" / "model.safetensors"
    assert f"Go on with --model {model}. Give the rate as a number" in done.stderr
    assert model.exists()
