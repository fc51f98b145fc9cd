"""What the command shows of one version."""

from cli.aliases import names_of
from cli.client import Json
from cli.saying import say
from cli.tables import show_table
from cli.times import local_time


def show_version(version: Json) -> None:
    """Print what it is, and how it is run on each kind of machine."""
    say(f"version {version['version']} is run {version['run']}, {version['arch']} trained on {version['dataset']}")
    say(f"registered {local_time(version['created_at'])}; aliases: {names_of(version) or 'none'}")
    if not version["choices"]:
        say("How it is run was not chosen on any machine yet.")
    for choice in version["choices"]:
        say(f"on {choice['machine']}:")
        if choice["way"] is None:
            say(f"  the exact way, since nothing could be measured: {choice['reason']}")
        else:
            show_table(
                ("way", "images/s", "ms", "first breed equal", "most moved", "photos", ""),
                [_row(one, choice["way"]) for one in choice["candidates"]],
            )


def _row(candidate: Json, chosen: Json) -> list[object]:
    names = ("images_per_second", "latency_ms", "top1_equal", "most_moved", "photos")
    return [_words(candidate["way"]), *(candidate[name] for name in names), _verdict(candidate, chosen)]


def _verdict(candidate: Json, chosen: Json) -> str:
    if candidate["way"] == chosen:
        return "chosen"
    if candidate["problem"]:
        return str(candidate["problem"])
    if candidate["photos"] == 0:
        return "not compared"
    return "" if candidate["passed"] else "differs too much"


def _words(way: Json) -> str:
    return f"{way['engine']} {way['precision']}, {way['input']} input, {way['streams']} at a time"
