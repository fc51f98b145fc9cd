"""The image classification chapter, step by step, as jobs of a running service.

    pedigree up &
    pedigree datasets add pets FOLDER
    python examples/chapter5.py --dataset pets --arch resnet18 --scale 0.25

Nothing but HTTP: every step is a request that anyone could send, and every figure is read back from the record.
``--scale`` shortens the trainings for small machines: 0.25 makes 12 epochs 3, and every training keeps at least one.
Prints Markdown, and saves the pictures and figures into ``--out``.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
POLL_SECONDS = 1.0
EPOCHS_HEADER = "| phase | epoch | train_loss | valid_loss | error_rate | time |\n|--:|--:|--:|--:|--:|--:|"
FIGURES = {"train": ("loss", "schedule", "confusion", "reliability"), "lr_find": ("lr-find",)}


@dataclass
class Walk:
    """The service, the chapter's choices, and what came of each step (title, run, error rate, seconds)."""

    http: httpx.Client
    options: argparse.Namespace
    results: list[tuple[str, int, float | None, float]] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The dataset's path in the service."""
        return f"/datasets/{self.options.dataset}"

    def epochs(self, full: int) -> int:
        """The chapter's number of epochs, scaled, at least one."""
        scale: float = self.options.scale
        return max(1, round(full * scale))

    def get(self, path: str, **params: str | int) -> Any:  # noqa: ANN401  # JSON
        """The JSON at a path."""
        return checked(self.http.get(path, params=params)).json()

    def save(self, path: str, name: str, **params: str | int) -> None:
        """Keep a picture of the service."""
        answer = checked(self.http.get(path, params=params, headers={"Accept": "image/png"}))
        (self.options.out / name).write_bytes(answer.content)
        say(f"![{name}]({name})")

    def settings(self) -> Json:
        """What every training of the chapter shares."""
        chosen = {name: getattr(self.options, name) for name in ("arch", "size", "presize", "batch_size")}
        return chosen | {"lr_sweep": {"steps": self.options.sweep_steps, "sweeps": self.options.sweeps}}

    def train(self, title: str, config: Json, *, from_run: int | None = None) -> Json:
        """Run a training and show its table; what a continued run does not name it has from its parent."""
        shared = self.settings() if from_run is None else {}
        request = {"kind": "train", "dataset": self.options.dataset, "config": shared | config, "name": title}
        run = self.run(title, request | {"from_run": from_run})
        say(EPOCHS_HEADER)
        for row in self.get(f"/runs/{run['id']}/metrics")["epochs"]:
            cells = [row["phase"] + 1, row["epoch"]]
            cells += [f"{row[name]:.6f}" for name in ("train_loss", "valid_loss", "error_rate")]
            say("| " + " | ".join(map(str, [*cells, clock(row["seconds"])])) + " |")
        say()
        for reading in run["curves"]:
            say(f"- {reading['sentence']}")
        say()
        return run

    def find_rate(self, title: str, *, freeze: bool, from_run: int | None = None) -> Json:
        """Search a learning rate and show the suggestions."""
        shared = self.settings() if from_run is None else {"lr_sweep": self.settings()["lr_sweep"]}
        request = {"kind": "lr_find", "dataset": self.options.dataset, "config": shared | {"freeze": freeze}}
        run = self.run(title, request | {"from_run": from_run})
        found: Json = self.get(f"/runs/{run['id']}/lr-find")
        say("| suggestion | learning rate | spread in decades |\n|---|--:|--:|")
        for name, rate in found["suggestions"].items():
            spread = found["spread_decades"][name]
            shown = found["reasons"].get(name, "none") if rate is None else f"{rate:.2e}"
            say(f"| {name} | {shown} | {'' if spread is None else f'{spread:.2f}'} |")
        say(f"\n**{found['agreement']}**: {found['agreement_reason']}\n")
        return found

    def run(self, title: str, request: Json) -> Json:
        """Post a job, wait for its end, save its figures, and return its run."""
        say(f"\n## {title}\n")
        job = checked(self.http.post("/jobs", json=request)).json()
        started = time.monotonic()
        job = self.wait(job["id"])
        run: Json = self.get(f"/runs/{job['run']}")
        say(f"Run {run['id']}, {run['device']}, {run['precision']}: {json.dumps(request['config'])}\n")
        seconds = time.monotonic() - started
        self.results.append((title, run["id"], run["error_rate"], seconds))
        for name in FIGURES[run["kind"]]:
            self.save(f"/runs/{run['id']}/figures/{name}.png", f"run-{run['id']}-{name}.png")
        say()
        return run

    def wait(self, job_id: int) -> Json:
        """Follow a job on standard error until it has ended."""
        with live_line() as show:
            while True:
                job: Json = self.get(f"/jobs/{job_id}")
                if job["state"] in {"succeeded", "failed", "cancelled"}:
                    break
                at = job["progress"] or {}
                left = "" if at.get("eta_seconds") is None else f", {clock(at['eta_seconds'])} left"
                show(f"job {job_id}: {job['state']} {at.get('stage') or ''} {at.get('step')}/{at.get('steps')}{left}")
                time.sleep(POLL_SECONDS)
        if job["state"] != "succeeded":
            sys.exit(f"job {job_id} {job['state']}: {job['error']}")
        return job


def main() -> None:
    """Walk the chapter."""
    options = _parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with httpx.Client(base_url=options.url, timeout=120) as http:
        walk = Walk(http, options)
        look(walk)
        first_model(walk)
        learning_rate(walk)
        unfreezing(walk)
        discriminative(walk)
        deeper(walk)
        compare(walk)


def look(walk: Walk) -> None:
    """The data, before anything is trained on it."""
    say("## Look at the data\n")
    dataset = walk.get(walk.dataset)
    say(f"{dataset['items']} pictures of {len(dataset['vocab'])} breeds, revision {dataset['revision'][:12]}.\n")
    walk.save(f"{walk.dataset}/batch.png", "batch.png")
    walk.save(f"{walk.dataset}/presizing.png", "presizing.png")
    say("\n## One picture through every step\n")
    say("```json\n" + json.dumps(walk.get(f"{walk.dataset}/summary"), indent=1) + "\n```")


def first_model(walk: Walk) -> None:
    """A first model and what it confuses."""
    run = walk.train("fine_tune(2)", {"recipe": "fine_tune", "epochs": walk.epochs(2)})
    confusion = walk.get(f"/runs/{run['id']}/confusion", min_val=2)
    say("| actual | predicted | count |\n|---|---|--:|")
    for pair in confusion["most_confused"][:10]:
        say(f"| {pair['actual']} | {pair['predicted']} | {pair['count']} |")
    worst = walk.get(f"/runs/{run['id']}/top-losses", k=3)
    say("\n| actual | predicted | loss | probability of the prediction | of the truth |\n|---|---|--:|--:|--:|")
    for item in worst:
        chances = f"{item['probability_predicted']:.3f} | {item['probability_actual']:.5f}"
        say(f"| {item['actual']} | {item['predicted']} | {item['loss']:.2f} | {chances} |")


def learning_rate(walk: Walk) -> None:
    """A rate that is too high, and one that was looked for."""
    walk.train("base_lr 0.1: too high", {"recipe": "fine_tune", "epochs": 1, "base_lr": 0.1})
    found = walk.find_rate("Find a learning rate", freeze=True)
    rate = found["suggestions"]["steep"] or found["rate"] or 3e-3
    walk.train(f"fine_tune(2) at {rate:.2e}", {"recipe": "fine_tune", "epochs": walk.epochs(2), "base_lr": rate})


def unfreezing(walk: Walk) -> None:
    """The head first; then find a rate again and go on with everything."""
    head = walk.train(
        "The head, fit_one_cycle(3, 3e-3)",
        {"recipe": "one_cycle", "epochs": walk.epochs(3), "lr_max": 3e-3, "freeze": True},
    )
    walk.find_rate("Find again, unfrozen", freeze=False, from_run=head["id"])
    walk.train(
        "Unfrozen, fit_one_cycle(6, 1e-5)",
        {"recipe": "one_cycle", "epochs": walk.epochs(6), "lr_max": 1e-5, "freeze": False},
        from_run=head["id"],
    )


def discriminative(walk: Walk) -> None:
    """Low rates for the early layers, higher ones for the late."""
    phases = [
        {"freeze": True, "epochs": walk.epochs(3), "lr_max": 3e-3},
        {"freeze": False, "epochs": walk.epochs(12), "lr_max": [1e-6, 1e-4]},
    ]
    walk.train("Head, then 12 epochs at 1e-6 to 1e-4", {"recipe": "phases", "phases": phases})


def deeper(walk: Walk) -> None:
    """More layers, in mixed precision."""
    config = {"recipe": "fine_tune", "epochs": walk.epochs(6), "freeze_epochs": walk.epochs(3)}
    deep = {"arch": walk.options.deep_arch, "batch_size": walk.options.deep_batch_size}
    walk.train(f"{walk.options.deep_arch} in mixed precision", config | deep)


def compare(walk: Walk) -> None:
    """All trainings side by side."""
    say("\n## Side by side\n\n| step | run | error_rate | time |\n|---|--:|--:|--:|")
    for title, run, error_rate, seconds in walk.results:
        shown = "" if error_rate is None else f"{error_rate:.6f}"
        say(f"| {title} | {run} | {shown} | {clock(seconds)} |")


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, or the end of the walk with the service's own sentence."""
    if answer.is_error:
        answer.read()
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        sys.exit(f"{answer.request.url}: {problem.get('detail') or answer.status_code} {problem.get('hint') or ''}")
    return answer


def clock(seconds: float) -> str:
    """Minutes and seconds, as 01:30."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def say(line: str = "") -> None:
    """A line of the report, at once."""
    print(line, flush=True)


@contextmanager
def live_line() -> Iterator[Any]:
    """A line on standard error that is written over; nothing where that is no terminal."""
    terminal = sys.stderr.isatty()

    def show(text: str) -> None:
        if terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    yield show
    show("")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    url = os.environ.get("PEDIGREE_URL", "http://127.0.0.1:8000")
    parser.add_argument("--url", default=url, help="the service (default: PEDIGREE_URL)")
    parser.add_argument("--dataset", required=True, help="a dataset of the service")
    parser.add_argument("--out", type=Path, default=Path("chapter5"), help="folder for pictures and figures")
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the chapter's numbers of epochs")
    parser.add_argument("--arch", default="resnet34")
    parser.add_argument("--deep-arch", default="resnet50")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--presize", type=int, default=460)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--deep-batch-size", type=int, default=32)
    parser.add_argument("--sweep-steps", type=int, default=100, help="steps of one sweep of the rate finder")
    parser.add_argument("--sweeps", type=int, default=3)
    return parser


if __name__ == "__main__":
    main()
