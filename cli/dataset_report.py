"""What ``pedigree datasets show`` prints of a dataset."""

from collections.abc import Sequence

from cli.client import Json
from cli.saying import say
from cli.tables import counted, show_pairs, show_table

_MEANT = {
    "no_label": "no label matches",
    "not_a_file": "not a plain file",
    "not_an_image": "not an image",
    "truncated": "broken",
    "too_many_pixels": "too many pixels",
    "too_small": "too small",
    "too_many_bytes": "too many bytes",
    "unsupported_pixels": "pixels of another kind",
    "picture_too_costly": "too much to decode",
}


def kind_of(dataset: Json) -> str:
    """Whether it holds drawings or photographs, in words."""
    return "drawn, not photographed" if dataset["drawn"] else "photographs"


def revision_of(dataset: Json) -> str:
    """Its number, and the beginning of its hash."""
    return f"{dataset['revision_number']} ({dataset['revision'][:12]})"


def show_dataset(found: Json) -> None:
    """Print what the service says of a dataset: facts, what was left out, duplicates, images of each breed."""
    summary = found["summary"]
    sizes = summary.get("sizes") or {}
    show_pairs(
        [
            ("name", found["name"]),
            ("items", f"{found['items']}, {kind_of(found)}"),
            ("breeds", len(found["vocab"])),
            ("label", _label(found["label_rule"])),
            ("given split", _split(summary.get("split"))),
            ("width", _spread(sizes.get("width"))),
            ("height", _spread(sizes.get("height"))),
            ("formats", _counted(summary.get("formats"))),
            ("colours", _counted(summary.get("modes"))),
            ("revision", f"{found['revision_number']} ({found['revision']})"),
        ]
    )
    for note in summary.get("notes") or []:
        say(f"note: {note}")
    _show_left_out(summary.get("exclusions") or {})
    _show_disguised(summary.get("disguised") or {})
    _show_duplicates(found)
    per_breed = summary.get("per_breed") or {}
    _show_part("Items of each breed", ("breed", "items"), sorted(per_breed.items()))


def _label(rule: Json) -> str:
    """Where the label is read, in words."""
    if rule.get("kind") == "csv":
        return f"from the list {rule['csv']}" if rule.get("csv") else "from a list of labels"
    if rule.get("kind") == "folder":
        level = rule.get("level")
        return "the folder's name" if level is None else f"the name of folder {level} of the path"
    where = "path" if rule.get("over") == "path" else "file name"
    return f"in the {where}: the group of {rule.get('regex')}"


def _split(sides: Json | None) -> str | None:
    return None if sides is None else ", ".join(f"{count} {side}" for side, count in sides.items())


def _show_left_out(exclusions: Json) -> None:
    rows = [
        [_MEANT.get(code, code), found.get("count"), *_example(found)]
        for code, found in exclusions.items()
        if isinstance(found, dict)
    ]
    _show_part("Left out", ("why", "files", "for example", "because"), rows)


def _show_disguised(disguised: Json) -> None:
    rows = [
        [one["path"], one["format"]] if isinstance(one, dict) else [one, None]
        for one in disguised.get("examples") or []
    ]
    title = f"Not what the name says, but taken all the same: {disguised.get('count')}"
    _show_part(title, ("file", "really is"), rows)


def _show_duplicates(found: Json) -> None:
    pairs = found.get("near_duplicates")
    if pairs is None:
        if why := found.get("near_duplicates_missing"):
            say(f"\nDuplicates are unknown: {why}")
        return
    crossing, contrary = pairs["across_split"], pairs["labels_differ"]
    split = f"across the split (valid_pct {pairs['valid_pct']:g}, seed {pairs['split_seed']})"
    rows = [
        [where, some["byte"], some["near"]]
        for where, some in (
            ("anywhere", pairs["anywhere"]),
            (split, crossing),
            ("under different labels", contrary),
        )
    ]
    title = "Pairs of duplicates" + ("" if pairs["complete"] else ": too many to count them all; at least")
    _show_part(title, ("where", "equal files", "near-duplicates"), rows)
    if pairs["near_missing"]:
        say(f"Near-duplicates are unknown: {pairs['near_missing']}.")
    if crossing["valid_items"]:
        hit = counted(crossing["valid_items"], "validation item has", "validation items have")
        say(f"{hit} a duplicate that is trained on.")
    across = [[one["first"], one["second"], _how(one)] for one in crossing["examples"]]
    _show_part("Duplicates across the split", ("in training", "in validation", "kind"), across)
    labelled = [[_labelled(one, "first"), _labelled(one, "second"), _how(one)] for one in contrary["examples"]]
    _show_part("Duplicates under different labels", ("one", "other", "kind"), labelled)


def _show_part(title: str, columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        say(f"\n{title}")
        show_table(columns, rows)


def _labelled(pair: Json, which: str) -> str:
    return f"{pair[which]} ({pair[f'{which}_label']})"


def _how(pair: Json) -> str:
    if pair["kind"] == "byte":
        return "equal files"
    # The same image saved twice can have equal hashes.
    return f"near-duplicate, {pair['distance']} of 128 bits differ" if pair["distance"] else "near-duplicate"


def _example(found: Json) -> list[object]:
    first = (found.get("examples") or [{}])[0]
    return [first.get("path"), first.get("detail")] if isinstance(first, dict) else [first, None]


def _spread(sizes: Json | None) -> str | None:
    return f"{sizes['min']} to {sizes['max']} pixels, median {sizes['median']:g}" if sizes else None


def _counted(counts: Json | None) -> str | None:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) if counts else None
