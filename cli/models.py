"""``pedigree models`` and ``pedigree predict``."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path

import click

from cli import completion
from cli.aliases import PRODUCTION, canary, list_moves, moving, names_of, point, roll_back
from cli.client import Client, Json, json_of
from cli.csv_answers import pictures_of, write_csv
from cli.errors import CommandError, Interrupted
from cli.export import export
from cli.lazy import Group
from cli.many import predict_many
from cli.new_breeds import add_breeds
from cli.options import asked_first, json_lines_option, json_option, with_client
from cli.pasted import PastedPath
from cli.predictions import drift
from cli.saving import PngPath, save
from cli.saying import plain, say
from cli.shadow_report import show_shadow
from cli.tables import counted, show_json, show_table
from cli.times import local_time
from cli.version_report import show_version
from cli.watch import command

NO_VERSIONS = "There are no versions yet; `pedigree models register RUN --alias production` makes one of a run."
FILES_AT_ONCE = 32
DRAWN = "This model learned from drawn pictures; do not trust it with photographs."


@click.group(cls=Group)
def models() -> None:
    """Register runs to be served, and say which one is in production."""


models.add_command(export)


@models.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_models(client: Client, limit: int, as_json: bool) -> None:
    """List the registered versions."""
    found = client.items("/models", limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [
        [
            one["version"],
            one["run"],
            one["arch"],
            _dataset(one),
            one["error_rate"],
            names_of(one),
            local_time(one["created_at"]),
        ]
        for one in found
    ]
    show_table(("version", "run", "arch", "dataset", "error rate", "aliases", "registered"), rows, empty=NO_VERSIONS)


@models.command()
@click.argument("version", type=int, shell_complete=completion.versions)
@json_option
@with_client
def show(client: Client, version: int, as_json: bool) -> None:
    """Show a version, and what was measured to choose how it is run."""
    found = client.get(f"/models/{version}")
    if as_json:
        show_json(found)
    else:
        show_version(found)


@models.command()
@click.argument("run", type=int, shell_complete=completion.runs)
@click.option("--alias", shell_complete=completion.aliases, help="Point this alias at it, for example production.")
@json_option
@with_client
def register(client: Client, run: int, alias: str | None, as_json: bool) -> None:
    """Make a finished run a version that can be served; a run that is one keeps its number."""
    with _registering(alias):
        answer = client.call("POST", "/models", json={"run": run, "alias": alias})
    version = json_of(answer)
    if as_json:
        show_json(version)
        return
    known = " already" if answer.status_code == HTTPStatus.OK else ""
    names = f", known as {', '.join(version['aliases'])}" if version["aliases"] else ""
    say(f"run {run} is version {version['version']}{known}{names}")
    if version["drawn"]:
        say(DRAWN)


@contextmanager
def _registering(alias: str | None) -> Iterator[None]:
    """The service measures how the model is best run, and where it is to answer loads it, before it says so.

    Raises:
        Interrupted: the user broke it off.
    """
    if alias is not None:
        with moving(alias, "the service measures the model, and loads it"):
            yield
        return
    try:
        yield
    except KeyboardInterrupt:
        shows = f"{command('models', 'list')} shows whether the run is a version now"
        raise Interrupted(f"Broken off before the service had answered; {shows}.") from None


for _command in (add_breeds, point, roll_back, list_moves, canary, show_shadow, drift):
    models.add_command(_command)


def check_pictures(files: tuple[Path, ...], dataset: str | None, csv_file: Path | None) -> None:
    """There is something to look at."""
    if not files and csv_file is not None:
        raise CommandError("There is nothing to look at.", "Name pictures or a folder.")
    if not files and dataset is None:
        raise CommandError("There is nothing to look at.", "Name pictures, a folder, or a dataset with --dataset.")


@click.command()
@click.argument("files", nargs=-1, type=PastedPath())
@click.option("--dataset", shell_complete=completion.datasets, help="Answer for every picture of this dataset instead.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Of a dataset or folder: where the answers are saved, as CSV and lines of JSON  [default: here].",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="OUT",
    help="Write a row for each picture into this file as its answer comes; - is the standard output.",
)
@click.option(
    "--model", default=PRODUCTION, show_default=True, shell_complete=completion.models, help="An alias or a version."
)
@click.option("--tta", is_flag=True, help="Average each answer over four changed copies of the picture; takes longer.")
@click.option(
    "--coverage",
    type=click.FloatRange(0.5, 0.999),
    help="Also name the smallest set of breeds that holds the true one in this share of pictures, for example 0.95.",
)
@click.option(
    "--keep",
    type=click.Choice(["photo", "no"]),
    help="photo: keep the photos too, where the service keeps photos; no: keep nothing of this.",
)
@click.option(
    "--explain", "why", type=PngPath(), metavar="OUT.png", help="Save what in the one picture speaks for the breed."
)
@json_lines_option
@asked_first(check_pictures)
@with_client
def predict(
    client: Client,
    *,
    files: tuple[Path, ...],
    dataset: str | None,
    out: Path | None,
    csv_file: Path | None,
    model: str,
    tta: bool,
    coverage: float | None,
    keep: str | None,
    why: Path | None,
    as_json: bool,
) -> None:
    """Name the breed in each picture; a folder or a dataset goes as a job.

    With --csv pictures and folders are sent a few at a time and answered at once, without a job.
    """
    wishes = {"tta": "true" if tta else None, "coverage": None if coverage is None else str(coverage), "keep": keep}
    query = {name: wish for name, wish in wishes.items() if wish is not None}
    if csv_file is not None:
        _check_csv({"--dataset": dataset, "--out": out, "--explain": why, "--json": as_json or None})
        _predict_csv(client, files, {"model": model, **query}, csv_file)
        return
    many = [path for path in files if path.is_dir()]
    if dataset is not None or many:
        _check_many(files, dataset, tta=tta, coverage=coverage, keep=keep, why=why)
        predict_many(client, dataset if dataset is not None else files[0], model, out or Path(), as_json=as_json)
        return
    if out is not None:
        raise CommandError("--out is for the answers of a folder or a dataset.", "Leave it out.")
    if why is not None and len(files) != 1:
        raise CommandError(f"There are {len(files)} photos, and one is explained.", "Name one photo.")
    answers: list[Json] = []
    for part in in_parts(files):
        # All of them by one version, wherever its alias is pointed meanwhile.
        named = str(answers[0]["model"]["version"]) if answers else model
        answers.append(ask(client, part, {"model": named, **query}))
    entries = [entry for answer in answers for entry in answer["predictions"]]
    if as_json:
        show_json({**answers[0], "predictions": entries})
    else:
        show_predictions(answers[0], entries)
    if why is not None:
        why_picture = _why(client, files[0], str(answers[0]["model"]["version"]), entries[0]["breed"])
        save(why_picture, why, err=as_json)
    broken = sum("error" in entry for entry in entries)
    if broken:
        raise CommandError(f"{broken} of {counted(len(files), 'file', 'files')} could not be used.")


def _check_csv(named: dict[str, object]) -> None:
    wrong = [option for option, value in named.items() if value is not None]
    if wrong:
        raise CommandError(f"{wrong[0]} and --csv exclude each other.", "Leave one of them out.")


def _predict_csv(client: Client, files: tuple[Path, ...], query: dict[str, str], out: Path) -> None:
    def asked(part: tuple[Path, ...], model: str) -> Json:
        return ask(client, part, {**query, "model": model})

    count, broken, version = write_csv(in_parts(tuple(pictures_of(files))), asked, query["model"], out)
    by = "" if version is None else f" by version {version}"
    say(f"{counted(count, 'photo', 'photos')}{by}: {out}", err=True)
    if broken:
        raise CommandError(f"{broken} of {counted(count, 'file', 'files')} could not be used; see their rows.")


def _check_many(
    files: tuple[Path, ...],
    dataset: str | None,
    *,
    tta: bool,
    coverage: float | None,
    keep: str | None,
    why: Path | None,
) -> None:
    if len(files) + (dataset is not None) > 1:
        raise CommandError("A folder or a dataset is predicted alone.", "Name one folder, or one dataset.")
    named = {"--tta": tta, "--coverage": coverage is not None, "--keep": keep is not None, "--explain": why is not None}
    wrong = [option for option, is_there in named.items() if is_there]
    if wrong:
        raise CommandError(f"{wrong[0]} is for single pictures.", "Leave it out.")


def _why(client: Client, file: Path, version: str, breed: str) -> bytes:
    """The picture under the heat of what speaks for the breed, as PNG."""
    query = {"model": version, "breed": breed}
    headers = {"Content-Type": "application/octet-stream"}
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    answer = client.call("POST", "/predict/explain", content=content, params=query, headers=headers)
    return answer.content


def in_parts(files: tuple[Path, ...]) -> list[tuple[Path, ...]]:
    """Parts of much the same size: of several files none goes alone, since a lone broken one ends the command."""
    count = -(-len(files) // FILES_AT_ONCE)
    ends = [len(files) * number // count for number in range(count + 1)]
    return [files[start:end] for start, end in pairwise(ends)]


def ask(client: Client, files: tuple[Path, ...], query: dict[str, str]) -> Json:
    """Send pictures and return the service's answer.

    Raises:
        CommandError: a file cannot be read.
    """
    with ExitStack() as opened:
        # A name that is no text in UTF-8 goes with a question mark for what is none.
        names = [path.name.encode("utf-8", "replace").decode() for path in files]
        try:
            parts = [
                ("file", (name, opened.enter_context(path.open("rb")))) for name, path in zip(names, files, strict=True)
            ]
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from error
        answer: Json = json_of(client.call("POST", "/predict", files=parts, params=query))
    return answer


def show_predictions(answer: Json, entries: list[Json]) -> None:
    """Print a table of what the model is sure of; below it what it is not, and which files could not be used."""
    served = answer["model"]
    sure = [entry for entry in entries if "error" not in entry and entry["sure"]]
    if sure:
        show_table(("file", "breed", "species", "probability", "next"), [_row(entry) for entry in sure])
    for entry in entries:
        if "error" in entry:
            say(f"! {plain(entry['filename'])}: {entry['error']['detail']}")
        elif not entry["sure"]:
            say(f"{plain(entry['filename'])}: {plain(entry['sentence'])} ({', '.join(map(_guess, entry['top'][:3]))})")
    _show_sets(answer.get("coverage"), entries)
    for entry in entries:
        if entry.get("id"):
            say(f"{plain(entry['filename'])}: kept as {entry['id']}")
    say(f"by version {served['version']} ({served['arch']}, run {served['run']})")
    if not served["calibrated"]:
        say("Its probabilities are not calibrated: the run left nothing to do it with.")
    if served.get("note"):
        say(served["note"])
    if served["drawn"]:
        say(DRAWN)


def _show_sets(coverage: Json | None, entries: list[Json]) -> None:
    """The breeds of each picture's set."""
    if coverage is None:
        return
    for entry in entries:
        if "error" not in entry:
            say(f"{plain(entry['filename'])}: {', '.join(map(plain, entry['set'])) or 'no breed is likely enough'}")
    say(coverage["note"] or f"These sets hold the true breed in {coverage['asked']:.1%} of pictures of known breeds.")


def _row(entry: Json) -> list[object]:
    following = _guess(entry["top"][1]) if len(entry["top"]) > 1 else ""
    return [entry["filename"], entry["breed"], entry["species"] or "", f"{entry['probability']:.1%}", following]


def _guess(guess: Json) -> str:
    return f"{guess['breed']} {guess['probability']:.1%}"


def _dataset(version: Json) -> str:
    return f"{version['dataset']}{' (drawn)' if version['drawn'] else ''}"
