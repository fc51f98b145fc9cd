"""``pedigree runs delete`` and ``pedigree datasets delete``."""

import sys

import click

from cli import completion
from cli.client import Client, Json, path_part
from cli.errors import CommandError
from cli.options import json_option, with_client
from cli.saying import say
from cli.tables import counted, show_json
from store.states import standing

_MIB = 1 << 20


@click.command("delete")
@click.argument("run", type=click.IntRange(1), shell_complete=completion.runs)
@click.option("--cascade", is_flag=True, help="Delete its version and its interpretations of other datasets too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_client
def delete_run(client: Client, run: int, cascade: bool, yes: bool, as_json: bool) -> None:
    """Delete a run with its record and its files, for good.

    What hangs on it is told first. Runs that started from it stay, and so do answers of predict jobs.
    """
    found = client.get(f"/runs/{run}/dependents")
    if not as_json:
        say(f"run {run}: {counted(found['files'], 'file', 'files')}, {found['bytes'] / _MIB:.1f} MiB")
        for line in what_hangs(found):
            say(f"  {line}")
    if found["deletable"] == "with_cascade" and not cascade:
        raise CommandError(f"More than its own record hangs on run {run}.", "Give --cascade to delete it all the same.")
    # What is at work or in use the service refuses, and says what to do.
    if found["deletable"] != "no" and not yes:
        _confirm(f"Delete run {run}? Its files are gone for good.", f"Run {run} stays.", err=as_json)
    client.call("DELETE", f"/runs/{run}", params={"cascade": "true"} if cascade else {})
    if as_json:
        show_json({"run": run, "deleted": found})
    else:
        say(f"run {run} is deleted")


@click.command("delete")
@click.argument("name", shell_complete=completion.datasets)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_client
def delete_dataset(client: Client, name: str, yes: bool, as_json: bool) -> None:
    """Delete a dataset with all its revisions and photos, for good.

    While runs hang on it, it stays: delete those first.
    """
    found = client.get(f"/datasets/{path_part(name)}")
    if not as_json:
        say(f"dataset {name}: {counted(found['items'], 'photo', 'photos')}, revision {found['revision_number']}")
    if found["runs"]:
        hang = counted(found["runs"], "run hangs", "runs hang")
        hint = f"Delete them first; `pedigree runs list --dataset {name}` lists them."
        raise CommandError(f"{hang} on dataset {name}.", hint)
    if not yes:
        _confirm(f"Delete dataset {name}? Its photos are gone for good.", f"Dataset {name} stays.", err=as_json)
    client.call("DELETE", f"/datasets/{path_part(name)}")
    if as_json:
        show_json({"dataset": name, "deleted": {"items": found["items"], "revision_number": found["revision_number"]}})
    else:
        say(f"dataset {name} is deleted")


def what_hangs(found: Json) -> list[str]:
    """A line for each kind of thing that hangs on the run."""
    lines = [f"{job['kind']} job {job['id']} {standing(job['state'])}" for job in found["busy"]]
    if found["version"] is not None:
        names = f", which answers for {', '.join(found['aliases'])}" if found["aliases"] else ""
        lines.append(f"version {found['version']}{names}: goes with it")
    if found["interpretations"]:
        lines.append(f"interpretations of {', '.join(found['interpretations'])}: go with it")
    if found["child_count"]:
        first = ", ".join(str(child["id"]) for child in found["children"])
        lines.append(f"{counted(found['child_count'], 'run', 'runs')} started from it: {first} (they stay)")
    if found["predict_job_count"]:
        lines.append(f"{counted(found['predict_job_count'], 'predict job', 'predict jobs')} (the answers stay)")
    return lines


def _confirm(question: str, stays: str, *, err: bool) -> None:
    if not sys.stdin.isatty():
        raise CommandError("Nobody is there to be asked.", "Give --yes to delete without a question.")
    if not click.confirm(question, err=err):
        raise CommandError(stays)
