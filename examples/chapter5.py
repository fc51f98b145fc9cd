"""The image classification chapter, step by step, as jobs of a running service.

    pedigree up &
    pedigree datasets add pets FOLDER
    python examples/chapter5.py --dataset pets --arch resnet18 --scale 0.25

Nothing but HTTP: every step is a request that anyone could send, and every figure is read back from the record.
``--scale`` shortens the trainings for small machines: 0.25 makes 12 epochs 3, and every training keeps at least one;
titles tell the epochs that ran, and in brackets the chapter's own. ``--looks-dataset sample`` shows the labelled batch
and the presizing of the drawn pictures instead of photos. Prints Markdown, and saves the pictures into ``--out``.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
POLL_SECONDS = 1.0
EPOCHS_HEADER = "| phase | epoch | train_loss | valid_loss | error_rate | time |\n|--:|--:|--:|--:|--:|--:|"
STEPS_HEADER = "| step | does | type | shape | dtype | range |\n|---|---|---|---|---|---|"
SUGGESTIONS = {"minimum": "minimum/10", "steep": "steep", "valley": "valley", "slide": "slide"}
"""Their keys, and the names of the figures."""
FIGURES = {"train": ("loss", "schedule", "confusion", "reliability"), "lr_find": ("lr-find",)}


@dataclass(frozen=True)
class Result:
    """What came of a step. ``training`` are the seconds of its epochs, ``job`` all that a worker spent on it."""

    title: str
    run: int
    error_rate: float | None
    training: float | None
    job: float


@dataclass
class Walk:
    """The service, the chapter's choices, and what came of each step."""

    http: httpx.Client
    options: argparse.Namespace
    results: list[Result] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The dataset's path in the service."""
        return f"/datasets/{self.options.dataset}"

    def epochs(self, full: int) -> int:
        """The chapter's number of epochs, scaled, at least one."""
        scale: float = self.options.scale
        return max(1, round(full * scale))

    def title(self, text: str, *full: int) -> str:
        """The text with the epochs that run, and the chapter's in brackets where these are others."""
        run = [self.epochs(number) for number in full]
        book = "" if run == list(full) else f" [{' and '.join(map(str, full))} in the chapter]"
        return text.format(*run) + book

    def get(self, path: str, **params: str | int) -> Any:  # noqa: ANN401  # JSON
        """The JSON at a path."""
        return checked(self.http.get(path, params=params)).json()

    def save(self, path: str, name: str) -> None:
        """Keep a picture of the service."""
        answer = checked(self.http.get(path, headers={"Accept": "image/png"}))
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
        for row in self.get(f"/runs/{run['id']}/metrics", every=1_000_000)["epochs"]:
            cells = [row["phase"] + 1, row["epoch"] + 1]
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
        config = shared | {"freeze": freeze}
        request = {"kind": "lr_find", "dataset": self.options.dataset, "config": config, "name": title}
        run = self.run(title, request | {"from_run": from_run})
        found: Json = self.get(f"/runs/{run['id']}/lr-find")
        say("| suggestion | learning rate | spread in decades |\n|---|--:|--:|")
        for name, label in SUGGESTIONS.items():
            rate, spread = found["suggestions"][name], found["spread_decades"][name]
            shown = "none" if rate is None else f"{rate:.2e}"
            say(f"| {label} | {shown} | {'' if spread is None else f'{spread:.2f}'} |")
        say(f"\n**{found['agreement']}**: {found['agreement_reason']}\n")
        if found["advice"]:
            say(f"{found['advice']}\n")
        for reason in dict.fromkeys(found["reasons"].values()):
            if reason != found["agreement_reason"]:
                names = [label for name, label in SUGGESTIONS.items() if found["reasons"].get(name) == reason]
                say(f"- {', '.join(names)}: {reason}")
        return found

    def run(self, title: str, request: Json) -> Json:
        """Post a job, wait for its end, save its figures, and return its run."""
        say(f"\n## {title}\n")
        job = self.wait(checked(self.http.post("/jobs", json=request)).json()["id"])
        run: Json = self.get(f"/runs/{job['run']}")
        where = f"{run['device']}, {run['precision']} ({run['precision_reason']})"
        say(f"Run {run['id']}, {where}: `{json.dumps(request['config'])}`\n")
        epochs = self.get(f"/runs/{run['id']}/metrics", every=1_000_000)["epochs"]
        training = sum(row["seconds"] for row in epochs) if epochs else None
        self.results.append(Result(title, run["id"], run["error_rate"], training, seconds_of(job)))
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
                show(f"job {job_id}: {job['state']}{position(job['progress'] or {})}")
                time.sleep(POLL_SECONDS)
        if job["state"] != "succeeded":
            sys.exit(f"job {job_id} {job['state']}: {job['error']}")
        return job


def main() -> None:
    """Walk the chapter."""
    options = make_parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with httpx.Client(base_url=options.url, timeout=120) as http:
        walk = Walk(http, options)
        look(walk)
        steps_of_a_picture(walk)
        first = first_model(walk)
        averaged(walk, first)
        learning_rate(walk)
        unfreezing(walk)
        discriminative(walk)
        deeper(walk, first)
        independent(walk)
        compare(walk)


def look(walk: Walk) -> None:
    """The data, before anything is trained on it."""
    say("## Look at the data\n")
    dataset = walk.get(walk.dataset)
    say(f"{dataset['items']} items of {len(dataset['vocab'])} breeds, revision {dataset['revision'][:12]}.\n")
    looked_at = walk.options.looks_dataset or walk.options.dataset
    if walk.get(f"/datasets/{looked_at}")["drawn"]:
        say(f"A labelled batch and the presizing, of the drawn pictures of {looked_at!r}:\n")
    for name in ("batch.png", "presizing.png"):
        walk.save(f"/datasets/{looked_at}/{name}", name)


def steps_of_a_picture(walk: Walk) -> None:
    """The chapter's summary: where a batch fails without a resize, and what goes on with one."""
    presize, size = walk.options.presize, walk.options.size
    say("\n## One picture through every step, without a resize\n")
    say_steps(walk.get(f"{walk.dataset}/summary", presize=presize, size=size, resize="false"))
    say(f"\n## The same with presize {presize} and size {size}\n")
    say_steps(walk.get(f"{walk.dataset}/summary", presize=presize, size=size))


def say_steps(summary: Json) -> None:
    """A table of the steps, and whether the batch came together."""
    say(STEPS_HEADER)
    for step in summary["steps"]:
        span = "" if step["low"] is None else f"{step['low']:.4g} to {step['high']:.4g}"
        shape = " x ".join(map(str, step["shape"]))
        say(f"| {step['name']} | {step['does']} | {step['type']} | {shape} | {step['dtype'] or ''} | {span} |")
    collated = summary["collated"]
    paths = " and ".join(collated["paths"])
    say(f"\n{paths} {'fit' if collated['fits'] else 'do not fit'} into one batch.")
    if not collated["fits"]:
        say(f"\n**Why**: {collated['reason']}\n\n**What to do**: {collated['fix']}")


def first_model(walk: Walk) -> Json:
    """A first model and what it confuses."""
    run = walk.train(walk.title("fine_tune({})", 2), {"recipe": "fine_tune", "epochs": walk.epochs(2)})
    confusion = walk.get(f"/runs/{run['id']}/confusion", min_val=2)
    say("| actual | predicted | count |\n|---|---|--:|")
    for pair in confusion["most_confused"][:10]:
        say(f"| {pair['actual']} | {pair['predicted']} | {pair['count']} |")
    worst = walk.get(f"/runs/{run['id']}/top-losses", k=3)
    say("\n| actual | predicted | loss | probability of the prediction | of the truth |\n|---|---|--:|--:|--:|")
    for item in worst:
        chances = f"{item['probability_predicted']:.3f} | {item['probability_actual']:.5f}"
        loss = "infinite" if item["loss"] is None else f"{item['loss']:.2f}"
        say(f"| {item['actual']} | {item['predicted']} | {loss} | {chances} |")
    return run


def averaged(walk: Walk, run: Json) -> None:
    """Predict the first run's validation photos again, each averaged over augmented copies."""
    say("\n### With test-time augmentation\n")
    request = {"kind": "interpret", "run": run["id"], "config": {"tta": True}}
    walk.wait(checked(walk.http.post("/jobs", json=request)).json()["id"])
    after = walk.get(f"/runs/{run['id']}/confusion")
    plain, n = run["error_rate"], after["n"]
    say("| scores | error_rate | wrong |\n|---|--:|--:|")
    for name, rate in (
        ("of the plain picture", plain),
        ("of four augmented copies and the plain", after["error_rate"]),
    ):
        say(f"| {name} | {rate:.6f} | {round(rate * n)} of {n} |")


def learning_rate(walk: Walk) -> None:
    """A rate that is too high, and one that was looked for."""
    walk.train("fine_tune(1, base_lr=0.1): too high", {"recipe": "fine_tune", "epochs": 1, "base_lr": 0.1})
    found = walk.find_rate("Find a learning rate", freeze=True)
    rate = found["suggestions"]["steep"] or found["rate"] or 3e-3
    title = walk.title(f"fine_tune({{}}, base_lr={rate:.2e})", 2)
    walk.train(title, {"recipe": "fine_tune", "epochs": walk.epochs(2), "base_lr": rate})


def unfreezing(walk: Walk) -> None:
    """The head first; then find a rate again and go on with everything."""
    head = walk.train(
        walk.title("The head, fit_one_cycle({}, 3e-3)", 3),
        {"recipe": "one_cycle", "epochs": walk.epochs(3), "lr_max": 3e-3, "freeze": True},
    )
    walk.find_rate("Find again, unfrozen", freeze=False, from_run=head["id"])
    walk.train(
        walk.title("Unfrozen, fit_one_cycle({}, 1e-5)", 6),
        {"recipe": "one_cycle", "epochs": walk.epochs(6), "lr_max": 1e-5, "freeze": False},
        from_run=head["id"],
    )


def discriminative(walk: Walk) -> None:
    """Low rates for the early layers, higher ones for the late."""
    phases = [
        {"freeze": True, "epochs": walk.epochs(3), "lr_max": 3e-3},
        {"freeze": False, "epochs": walk.epochs(12), "lr_max": [1e-6, 1e-4]},
    ]
    title = walk.title("Head: {}, then unfrozen: {} at 1e-6 to 1e-4", 3, 12)
    walk.train(title, {"recipe": "phases", "phases": phases})


def deeper(walk: Walk, first: Json) -> None:
    """More layers, in the mixed precision that "auto" chose for this device, where it has one."""
    arch, precision = walk.options.deep_arch, first["precision"]
    config = {"recipe": "fine_tune", "epochs": walk.epochs(6), "freeze_epochs": walk.epochs(3)}
    deep = {"arch": arch, "batch_size": walk.options.deep_batch_size, "precision": precision}
    kind = f"{precision} mixed precision" if precision != "fp32" else "fp32: no mixed precision on this device"
    walk.train(walk.title(f"{arch} in {kind}, fine_tune({{}}, freeze_epochs={{}})", 6, 3), config | deep)
    if precision == "fp32":
        say(f"Mixed precision was not asked for: {first['precision_reason']}.\n")


def independent(walk: Walk) -> None:
    """One sigmoid a breed: a picture that shows none of them, here a figure, can score low everywhere."""
    config = {"recipe": "one_cycle", "epochs": 1, "lr_max": 3e-3, "freeze": True, "loss": "binary_cross_entropy"}
    run = walk.train("The head with binary_cross_entropy, fit_one_cycle(1, 3e-3)", config)
    model = checked(walk.http.post("/models", json={"run": run["id"]})).json()
    item = walk.get(f"/runs/{run['id']}/top-losses", k=1000)[-1]
    pictures = [(item["actual"], item["image"]), ("a figure", f"/runs/{run['id']}/figures/loss.png")]
    files = [("file", (name, checked(walk.http.get(path)).content)) for name, path in pictures]
    answer = checked(walk.http.post("/predict", files=files, params={"model": model["version"]})).json()
    say("| picture | first guess | its score | sum of all scores |\n|---|---|--:|--:|")
    for one in answer["predictions"]:
        total = sum(one["probabilities"].values())
        say(f"| {one['filename']} | {one['breed']} | {one['probability']:.3f} | {total:.3f} |")
    say(f"\n{answer['model']['note']}")


def compare(walk: Walk) -> None:
    """All steps side by side."""
    say("\n## Side by side\n\nTimes from the record: of the epochs, and of the whole job without its wait.\n")
    say("| step | run | error_rate | training | job |\n|---|--:|--:|--:|--:|")
    for one in walk.results:
        error_rate = "" if one.error_rate is None else f"{one.error_rate:.6f}"
        training = "" if one.training is None else clock(one.training)
        say(f"| {one.title} | {one.run} | {error_rate} | {training} | {clock(one.job)} |")


def position(at: Json) -> str:
    """Where a job stands and what it or its stage still takes; nothing of what is not known yet."""
    said = f" {at['stage']}" if at.get("stage") else ""
    if at.get("steps"):
        said += f" {at.get('step') or 0}/{at['steps']}"
    if at.get("eta_seconds") is not None:
        return f"{said}, {clock(at['eta_seconds'])} left"
    stage = at.get("stage_eta_seconds")
    return said if stage is None else f"{said}, {clock(stage)} left of this stage"


def seconds_of(job: Json) -> float:
    """Between a job's start and its end."""
    start, end = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (end - start).total_seconds()


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


def make_parser() -> argparse.ArgumentParser:
    """What the walk can be told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    url = os.environ.get("PEDIGREE_URL", "http://127.0.0.1:8000")
    parser.add_argument("--url", default=url, help="the service (default: PEDIGREE_URL)")
    parser.add_argument("--dataset", required=True, help="a dataset of the service")
    parser.add_argument("--looks-dataset", help="whose pictures batch.png and presizing.png show (default: --dataset)")
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
