"""``pedigree models shadow``: how a version's answers as production's shadow differ from those that went out."""

import click

from cli import completion
from cli.client import Client, Json
from cli.options import json_option, with_client
from cli.saying import say
from cli.tables import counted, show_json, show_table

NOTHING = "Nothing was compared yet; `pedigree models alias shadow {}` lets it answer production's photos too."


@click.command("shadow")
@click.argument("version", type=int, shell_complete=completion.versions)
@json_option
@with_client
def show_shadow(client: Client, version: int, as_json: bool) -> None:
    """Show how the answers of VERSION, as production's shadow, differ from those that went out."""
    found = client.get(f"/models/{version}/shadow")
    if as_json:
        show_json(found)
        return
    if not found["against"]:
        say("It is the shadow; nothing was compared yet." if found["is_shadow"] else NOTHING.format(version))
    for comparison in found["against"]:
        _show(comparison)


def _show(comparison: Json) -> None:
    agreement = comparison["agreement"]
    said = f"beside version {comparison['version']}: {counted(comparison['compared'], 'photo', 'photos')} compared"
    if agreement is not None:
        said += f", {agreement['share']:.1%} have the same first breed"
        said += f" (between {agreement['low']:.1%} and {agreement['high']:.1%})"
        said += f"; probabilities differ by {comparison['mean_difference']:.3f} in the mean"
        said += f", {comparison['max_difference']:.3f} at most"
    say(said)
    if comparison["failed"] or comparison["dropped"]:
        say(f"{comparison['failed']} failed, {comparison['dropped']} were left out because the service was busy")
    if comparison["pairs"]:
        rows = [[one["served"], one["shadow"], one["photos"], one["mean_difference"]] for one in comparison["pairs"]]
        show_table(("served", "shadow", "photos", "mean difference"), rows)
