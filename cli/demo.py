"""``pedigree demo``: from nothing to a breed named over HTTP, on this machine."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import click

from cli import completion
from cli.aliases import PRODUCTION, moving
from cli.client import Client, GaveUp, Json, ServiceError, json_of
from cli.data_folder import DataFolder
from cli.dataset_report import revision_of
from cli.datasets import add_builtin, add_source
from cli.errors import CommandError, Interrupted, StopSignal
from cli.options import known_architecture
from cli.pasted import PastedPath
from cli.runs import EPOCHS_ONLY, show_confused, show_epochs
from cli.saying import say, tell
from cli.stack import Stack, running_stack
from cli.tables import short_time, show_table
from cli.watch import queueing, watch
from cli.weights import NoWeights, ask_for_weights, weights_folder
from pedigree.finding import HERE

ARCH = "mobilenet_v2"
DRAWN: Json = {"presize": 160, "size": 128, "batch_size": 32, "freeze_epochs": 1, "epochs": 2}
PHOTOS: Json = {"presize": 256, "size": 192, "batch_size": 64, "freeze_epochs": 1, "epochs": 2}
FROM_SCRATCH: Json = {"pretrained": False, "freeze_epochs": 0, "base_lr": 1e-2}
"""What the demo trains with: small pictures and few epochs, for two cores and three minutes."""

PICTURES = 3
STARTS_AGAIN = "The same command starts again from the beginning."


@dataclass(frozen=True)
class Served:
    """The service that the demo talks to; ``stack`` where it is the demo's own."""

    client: Client
    stack: Stack | None = None


class StopSignalWhileFollowing(StopSignal):
    """The signal came while a job was followed, which outlives the demo."""

    def __init__(self, job: int) -> None:
        super().__init__()
        self.job = job


@click.command()
@click.option("--pets", type=PastedPath(), help="Folder (or archive) of real photos.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=HERE,
    show_default=True,
    help="Data folder; what the demo makes stays there. PEDIGREE_DATA is not asked for it: the demo puts its own model "
    "into production.",
)
@click.option(
    "--arch",
    default=ARCH,
    show_default=True,
    callback=known_architecture,
    shell_complete=completion.architectures,
    help="Architecture.",
)
@click.option("--epochs", type=click.IntRange(1, 1000), help="Epochs after the first, frozen one.")
@click.option(
    "--stay/--no-stay", default=None, help="Keep the page up at the end, until Ctrl-C  [default: stay on a terminal]."
)
@click.option("--again", hidden=True, help="What starts the service again, as the caller of the demo types it.")
def demo(pets: Path | None, data: Path, *, arch: str, epochs: int | None, stay: bool | None, again: str | None) -> None:
    """Train, examine and serve a classifier, and show each step."""
    began, folder = monotonic(), DataFolder.at(data)
    restart = again or f"pedigree up --data {shlex.quote(str(folder.root))}"
    with service(folder, restart) as served:
        run = walk(served.client, folder, pets, {"arch": arch, **({"epochs": epochs} if epochs else {})})
        heading(f"Done in {short_time(monotonic() - began)}")
        tell(f"Pictures, run and model stay in {folder.root}")
        stays = served.stack is not None and (is_watched() if stay is None else stay)
        told = "\n".join(what_is_left(served, run, restart, stays=stays))
        if served.stack is not None and stays:
            stay_up(served.stack, told)
        else:
            tell(told)
    if stays:
        tell(f"stopped; `{restart}` finds everything as it was")


def walk(client: Client, folder: DataFolder, pets: Path | None, wishes: Json) -> int:
    """From pictures to a breed named by a version in production; returns its run."""
    dataset = bring_pictures(client, pets)
    config = (PHOTOS if pets else DRAWN) | find_weights(folder, wishes["arch"])
    run = learn(client, dataset, config | wishes)
    examine(client, run)
    with moving(PRODUCTION):
        version = client.post("/models", {"run": run, "alias": PRODUCTION})["version"]
    heading(f"Run {run} is version {version} and in {PRODUCTION}")
    guess(client, run, version)
    return run


@contextmanager
def service(folder: DataFolder, restart: str) -> Iterator[Served]:
    """The stack that runs on the folder, or one started for as long as the demo lasts; ``restart`` starts it again."""
    stack = folder.running()
    if stack is not None:
        say(f"using the stack that runs at {stack['url']}")
        with Client(str(stack["url"])) as client:
            yield Served(client)
        return
    heading(f"Starting the service in {folder.root}")
    try:
        with running_stack(folder, tell) as started, Client(started.url) as client, saying_that_it_stops():
            say(f"The page is at {started.url}/ and shows what follows as it happens")
            yield Served(client, started)
    except GaveUp as error:
        raise GaveUp(error.detail, f"Its logs are in {folder.log('api').parent}; it is stopped.") from None
    except StopSignalWhileFollowing as told:
        raise Interrupted(how_it_goes_on(folder, told.job, restart)) from None
    except StopSignal:
        raise Interrupted(f"The demo was broken off, and its service is stopped. {STARTS_AGAIN}") from None


@contextmanager
def saying_that_it_stops() -> Iterator[None]:
    """A worker that puts its job down takes its time: say so before the stack is stopped."""
    try:
        yield
    except StopSignal:
        say("stopping the service…", err=True)
        raise


def how_it_goes_on(folder: DataFolder, job: int, restart: str) -> str:
    """What becomes of a job whose service has stopped with the demo, in words that work where the demo was typed."""
    return (
        f"The demo was broken off, and its service is stopped; job {job} waits in {folder.root}. "
        f"`{restart}` goes on with it, and the page that it names then shows it. {STARTS_AGAIN}"
    )


def follow_to_the_end(client: Client, job: int) -> None:
    """Watch a job of the demo.

    Raises:
        JobFailed: it failed.
        StopSignalWhileFollowing: a signal asked to stop the stack that the demo had started.
    """
    try:
        watch(client, job)
    except StopSignal:
        raise StopSignalWhileFollowing(job) from None


def bring_pictures(client: Client, pets: Path | None) -> str:
    """Add the photos, or have the sample drawn; returns the dataset's name."""
    name = "pets" if pets else "sample"
    if pets:
        heading(f"Adding the photos of {pets}")
        job = add_source(client, name, pets)
    else:
        heading("Drawing the sample: 37 breeds by their real names, but drawn, not photographed")
        job = add_builtin(client, name)
    follow_to_the_end(client, job["id"])
    found = client.get(f"/datasets/{name}")
    kind = "drawn pictures" if found["drawn"] else "photos"
    say(f"{found['items']} {kind} of {len(found['vocab'])} breeds, revision {revision_of(found)}")
    return name


def find_weights(folder: DataFolder, arch: str) -> Json:
    """Look for pretrained weights, fetching them where needed; returns what the configuration needs without them."""
    heading(f"Looking for pretrained weights of {arch}")
    try:
        found = ask_for_weights("find", arch, weights_folder(folder))
    except NoWeights as error:
        say(f"{error.detail}\nNO PRETRAINED WEIGHTS ARE WITHIN REACH: training from scratch, which learns little.")
        return FROM_SCRATCH
    say(f"{found.path} ({found.source})")
    return {}


def learn(client: Client, dataset: str, config: Json) -> int:
    """Train and show how it goes; returns the run."""
    heading(f"Training {config['arch']} on {dataset}")
    with queueing():
        job = client.post("/jobs", {"kind": "train", "dataset": dataset, "config": config, "name": "demo"})
    follow_to_the_end(client, job["id"])
    return int(job["run"])


def examine(client: Client, run: int) -> None:
    """Show the table of epochs and the pairs most confused."""
    heading(f"Run {run}, epoch by epoch")
    show_epochs(client.get(f"/runs/{run}/metrics", every=EPOCHS_ONLY)["epochs"])
    found = client.get(f"/runs/{run}/confusion", min_val=1)
    heading(f"Error rate {found['error_rate']:.4f} on {found['n']} photos kept apart; most confused")
    show_confused(found["most_confused"], least=1, most=8)


def guess(client: Client, run: int, version: int) -> None:
    """Send a few pictures that the run did not learn from, and show the true breed beside each answer.

    Raises:
        CommandError: a picture could not be predicted, or another run answered.
    """
    lines = client.call("GET", f"/runs/{run}/predictions").text.splitlines()
    rows = [json.loads(line) for line in lines]
    chosen = [rows[len(rows) * index // PICTURES] for index in range(PICTURES)]
    files = [_picture(client, run, row) for row in chosen]
    answer = json_of(client.call("POST", "/predict", files=files, params={"model": version}))
    if answer["model"]["run"] != run:
        raise CommandError(f"Run {answer['model']['run']} answered as version {version}, which is run {run}.")
    heading(f"POST /predict with {PICTURES} of the pictures kept apart")
    table = [
        [entry["filename"], row["actual"], entry["breed"], f"{entry['probability']:.1%}"]
        for row, entry in zip(chosen, answer["predictions"], strict=True)
        if "breed" in entry
    ]
    if len(table) < PICTURES:
        raise CommandError("A picture of the dataset could not be predicted.")
    show_table(("file", "true breed", "answer", "probability"), table)
    if answer["model"]["drawn"]:
        say("The pictures are drawn; this model says nothing about photographs.")


def is_watched() -> bool:
    """Whether a person is there, who can open the page and press Ctrl-C: a script waits for the demo's end."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def what_is_left(served: Served, run: int, restart: str, *, stays: bool) -> Iterator[str]:
    """Where to go on, and what becomes of the service."""
    if served.stack is not None and not stays:
        yield f"The service stops with the demo; `{restart}` starts it again, with the page and the model."
        return
    url = served.client.url
    yield f"The page is at {url}/ to try the model"
    yield f"The run that made the model is at {url}/ui/runs/{run}"
    yield f"Ctrl-C stops it; `{restart}` starts it again." if stays else "The service goes on: it ran before the demo."


def stay_up(stack: Stack, told: str) -> None:
    """Keep the service up, with its page, until a signal asks to stop."""
    with suppress(StopSignal):  # it may come as soon as it is told that it can
        tell(told)
        stack.keep_up()
    say("stopping the service…", err=True)


def heading(text: str) -> None:
    """A line that begins a step."""
    tell(f"\n» {text}")


def _picture(client: Client, run: int, row: Json) -> tuple[str, tuple[str, bytes]]:
    name = Path(str(row.get("path") or f"item-{row['item']}.jpg")).name
    try:
        content = client.call("GET", f"/runs/{run}/items/{row['item']}/image").content
    except ServiceError as error:
        raise CommandError(f"The picture of item {row['item']} is missing: {error.detail}") from None
    return "file", (name, content)
