"""A run's story for people: where its weights come from, its rates, what its curves say, what to be careful of."""

from collections.abc import Iterator

from cli.client import Json
from cli.new_breeds import added_words


def story(run: Json) -> Iterator[tuple[str, object]]:
    """Names with their values, as ``show_pairs`` prints them; phases count from 1 for people."""
    if run["lineage"]:
        yield "lineage", " → ".join([*map(_ancestor, run["lineage"]), f"run {run['id']}"])
    if run["children"]:
        yield "children", ", ".join(f"run {child}" for child in run["children"])
    yield from added_words(run.get("added"))
    for rate in run["rates"]:
        yield f"rate of phase {rate['phase'] + 1}", _rate(rate)
    for curve in run.get("curves") or []:
        where = "curves" if curve["phase"] is None else f"curves of phase {curve['phase'] + 1}"
        yield where, f"{curve['word']}: {curve['sentence']}"
    for sentence in (run.get("judgement") or {}).get("sentences", []):
        yield "trust", sentence
    for caution in run["cautions"]:
        yield "caution", caution


def _ancestor(run: Json) -> str:
    known = [run["recipe"], None if run["error_rate"] is None else f"error rate {run['error_rate']:.4f}"]
    return f"run {run['id']} ({', '.join(part for part in known if part)})"


def _rate(found: Json) -> str:
    if found["rate"] is None:
        return f"none found ({found['agreement']})"
    return f"{found['rate']:.2e} ({found['agreement']}), lr_max {', '.join(f'{lr:.2e}' for lr in found['lr_max'])}"
