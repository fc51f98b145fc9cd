"""``pedigree predictions``: kept ones, what people said of them, and how they are forgotten."""

from datetime import UTC, datetime

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.errors import CommandError
from cli.lazy import Group
from cli.options import json_lines_option, json_option, with_client
from cli.saying import plain, say
from cli.tables import counted, show_json, show_table
from cli.times import local_time
from cli.watch import command, queueing, watch

NONE = "No prediction is kept that fits."
NOT_KEPT = "No predictions are kept: PEDIGREE_KEEP_PREDICTIONS is no where the service runs."
NONE_OF_THEM = "none"

TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group(cls=Group)
def predictions() -> None:
    """Look at kept predictions, say what is right, and forget them."""


@predictions.command("list")
@click.option("--unsure/--sure", default=None, help="Those that the model was not sure of, or was.")
@click.option("--unknown/--known", default=None, help="Those of no kind that the model knows, or the others.")
@click.option("--told/--untold", default=None, help="Those with feedback, or without.")
@click.option("--contradicted/--agreed", default=None, help="Those whose feedback differs from the answer, or not.")
@click.option("--version", type=click.IntRange(1), help="Those that this version answered.")
@click.option("--since", type=TIME, help="Those answered then or later, UTC.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_client
def list_predictions(
    client: Client, /, limit: int, version: int | None, since: datetime | None, as_json: bool, **flags: bool | None
) -> None:
    """List kept predictions, newest first."""
    asked = {name: str(wanted).lower() for name, wanted in flags.items() if wanted is not None}
    asked |= {} if version is None else {"version": str(version)}
    asked |= {} if since is None else {"since": _in_utc(since)}
    found = client.items("/predictions", limit=limit, **asked)
    if as_json:
        show_json(found)
        return
    empty = NOT_KEPT if client.get("/predictions/keeping")["predictions"] == "no" else NONE
    headings = ("id", "answered", "version", "breed", "probability", "said to be", "photo")
    show_table(headings, [_row(one) for one in found], empty=empty)


@predictions.command()
@click.argument("prediction", shell_complete=completion.predictions)
@json_option
@with_client
def show(client: Client, prediction: str, as_json: bool) -> None:
    """Show a kept prediction, with all that was said of it."""
    found = client.get(f"/predictions/{path_part(prediction)}")
    show_json(found) if as_json else _show(found)


@predictions.command()
@click.argument("prediction", shell_complete=completion.predictions)
@click.argument("breed")
@json_option
@with_client
def feedback(client: Client, prediction: str, breed: str, as_json: bool) -> None:
    """Say that PREDICTION's picture shows BREED; `none` is none of the model's breeds. The last word counts."""
    said = None if breed == NONE_OF_THEM else breed
    found = client.post(f"/predictions/{path_part(prediction)}/feedback", {"breed": said})
    if as_json:
        show_json(found)
        return
    verdict = "which contradicts the answer" if found["contradicted"] else "as the model answered"
    say(f"{_said(found)}, {verdict}")
    if found["feedback"]["of_vocabulary"] is False:
        say(f"{plain(breed)} is none of the model's breeds; with --new-labels a dataset takes it all the same.")


@predictions.command()
@click.argument("prediction", required=False, shell_complete=completion.predictions)
@click.option("--before", type=TIME, help="All that were answered earlier than this, UTC.")
@json_option
@with_client
def forget(client: Client, prediction: str | None, before: datetime | None, as_json: bool) -> None:
    """Delete PREDICTION, or all from before a time, with what was said of them and their photos."""
    if (prediction is None) == (before is None):
        raise CommandError("Give a prediction to forget, or --before.")
    if prediction is not None:
        client.call("DELETE", f"/predictions/{path_part(prediction)}")
        show_json({"prediction": prediction}) if as_json else say(f"{plain(prediction)} is forgotten")
    elif before is not None:
        gone = client.call("DELETE", "/predictions", params={"before": _in_utc(before)}).json()
        if as_json:
            show_json(gone)
            return
        photos = counted(gone["photos"], "photo", "photos")
        say(f"{counted(gone['predictions'], 'prediction', 'predictions')} and {photos} are forgotten")


@click.command("learn-from-feedback")
@click.argument("name", shell_complete=completion.datasets)
@click.option("--new-labels", is_flag=True, help="Take breeds too that the dataset does not have.")
@click.option("--version", type=click.IntRange(1), help="Only what this version answered.")
@click.option("--since", type=TIME, help="Only what was said then or later, UTC.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the job is queued.")
@json_lines_option
@with_client
def learn_from_feedback(
    client: Client,
    name: str,
    new_labels: bool,
    version: int | None,
    since: datetime | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Add the kept photos whose breed people named to dataset NAME, as its next revision."""
    asked = {"new_labels": new_labels, "version": version, "since": None if since is None else _in_utc(since)}
    with queueing():
        job: Json = client.post(f"/datasets/{path_part(name)}/from-feedback", asked)
    if no_wait:
        show_json(job) if as_json else say(f"job {job['id']} adds them; {command('jobs', 'watch', job['id'])} shows it")
        return
    watch(client, job["id"], as_json=as_json)
    if not as_json:
        dataset = client.get(f"/datasets/{path_part(name)}")
        say(f"{name}: {dataset['items']} items of {len(dataset['vocab'])} breeds")


@click.command("drift")
@click.argument("version", type=click.IntRange(1), shell_complete=completion.versions)
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="The last days, UTC.")
@json_option
@with_client
def drift(client: Client, version: int, days: int, as_json: bool) -> None:
    """Show whether what VERSION is asked looks like what its run was validated on."""
    found = client.get(f"/models/{version}/drift", days=days)
    if as_json:
        show_json(found)
        return
    rows = [
        [one["says"], one["seen"], _number(one["psi"]), _number(one["by_chance"]), one["verdict"].replace("_", " ")]
        for one in found["figures"]
    ]
    if rows:
        show_table(("figure", "photos", "drift", "by chance", "verdict"), rows)
    for name, share in (("not sure", found["unsure"]), ("unknown", found["unknown"])):
        if share is not None:
            say(f"{name}: {share['share']:.1%} of {share['of']} ({share['low']:.1%} to {share['high']:.1%})")
    if found["missing"]:
        say(f"missing: {found['missing']}")
    photos = counted(found["photos"], "photo", "photos")
    say(f"version {version}, {photos} since {found['since']}: {found['sentence']}")


def _row(found: Json) -> list[object]:
    said = "" if found["feedback"] is None else found["feedback"]["breed"] or NONE_OF_THEM
    photo = "kept" if found["photo"] else ""
    when = local_time(found["answered_at"])
    return [
        found["id"],
        when,
        found["version"],
        f"{found['breed']}{' ?' if _doubt(found) else ''}",
        f"{found['probability']:.1%}",
        said,
        photo,
    ]


def _show(found: Json) -> None:
    doubt = f", {doubt}" if (doubt := _doubt(found)) else ""
    say(f"{found['id']}: {found['breed']} {found['probability']:.1%}{doubt}")
    say(f"answered {local_time(found['answered_at'])} by version {found['version']} (asked for {found['asked']})")
    say(f"picture {found['sha256'][:12]}, {found['bytes']} bytes, {'kept' if found['photo'] else 'not kept'}")
    for one in found["history"]:
        say(f"{local_time(one['given_at'])}: {plain(one['breed'] or NONE_OF_THEM)}")


def _doubt(found: Json) -> str:
    """Why the breed may not be taken as said; nothing where it may."""
    if found["known"] is False:
        return "probably none of the model's breeds"
    return "" if found["sure"] else "not sure"


def _said(found: Json) -> str:
    breed = found["feedback"]["breed"]
    return f"{found['id']} shows {'none of the breeds' if breed is None else plain(breed)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _in_utc(when: datetime) -> str:
    return when.replace(tzinfo=UTC).isoformat()
