"""A label rule tried on names: what an import would make of them, before any file is looked into."""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ml.data.given_split import SIDES, Side
from ml.data.heartbeat import Heartbeat
from ml.data.in_order import in_order
from ml.data.label_csv import read_label_list
from ml.data.label_list import choose_list, is_list
from ml.data.labels import NOT_UTF8, Label, find_labels, shown_path
from ml.data.manifest import LabelRule
from ml.data.path_parts import parts_of, suffix_of
from ml.data.similar_labels import similar_groups
from ml.data.suffixes import SUFFIXES
from ml.errors import DatasetUnusable
from ml.unpack.listing import MAX_LIST_BYTES

EXAMPLES = 20
MOST_COUNTS = 200
_NOT_REACHED = "Import without a trial, or put the list first in the archive."


@dataclass(frozen=True)
class LabelCount:
    """A label and its photos."""

    label: str
    count: int


@dataclass(frozen=True)
class LabelledName:
    """A path with its label."""

    name: str
    label: str
    split: Side | None


@dataclass(frozen=True)
class UnlabelledName:
    """A path without a label, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class RuleTrial:
    """What a rule makes of names; ``complete`` is false where not all were looked at."""

    photos: int
    others: int
    complete: bool
    labelled: int
    unlabelled: int
    labels: int
    counts: list[LabelCount]
    examples: list[LabelledName]
    without_label: list[UnlabelledName]
    similar: list[list[str]]
    split: dict[Side, int] | None
    notes: list[str] = field(default_factory=list)


def try_rule(
    names: Sequence[str],
    rule: LabelRule,
    *,
    tables: Mapping[str, bytes] | None = None,
    too_large: Collection[str] = (),
    encoding: str | None = None,
    complete: bool = True,
    seconds: float,
    rule_seconds: float,
) -> RuleTrial:
    """Try a rule.

    Args:
        names: paths below a folder; hidden ones are passed over, as by an import. One with bytes in no known encoding
            (surrogates) gets no label and is shown with these in hexadecimal.
        rule: how a path says its label.
        tables: the content of tables among the files, for the rule ``csv``.
        too_large: tables whose content is not held, since it is too large for a trial.
        encoding: of the list of labels.
        complete: whether these are all names.
        seconds: of processor time that the trial may take.
        rule_seconds: of it for matching a regex, which may take any time; all else takes as long as names and list are.

    Raises:
        DatasetUnusable: names, list or rule take too long, or the list of labels cannot be used.
    """
    deadline = _Deadline(time.thread_time() + seconds, by_list=rule.kind == "csv")
    heart = Heartbeat(deadline)
    readable, odd = list[str](), list[str]()
    for name in heart.over(in_order(name for name in heart.over(names) if not _is_hidden(name))):
        (readable if shown_path(name) == name else odd).append(name)
    listed = None
    if rule.kind == "csv":
        path = rule.csv or _chosen(readable, complete=complete)
        table = _table(path, tables or {}, too_large, complete=complete)
        listed = read_label_list(table, encoding, deadline)
    photos = [name for name in heart.over(readable) if _is_photo(name)]
    found = find_labels(photos, rule, listed, deadline, rule_seconds)
    labels = found.by_path
    for name in heart.over(odd):
        if _is_photo(name):
            labels[shown_path(name)] = Label(None, why=NOT_UTF8)
    others = len(readable) + len(odd) - len(labels)
    return _summed(labels, found.notes, heart, others=others, complete=complete)


class _Deadline:
    """Called now and then; ends the trial when its time is over."""

    def __init__(self, until: float, *, by_list: bool) -> None:
        self._until, self._by_list = until, by_list

    def __call__(self) -> None:
        if time.thread_time() > self._until:
            what = "the names and the list of labels take" if self._by_list else "the names take"
            raise DatasetUnusable(f"{what} too long to be tried", hint="Import without a trial, or try fewer names.")


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") or "/." in name) and any(part.startswith(".") for part in parts_of(name))


def _is_photo(name: str) -> bool:
    return suffix_of(name).lower() in SUFFIXES


def _chosen(names: Sequence[str], *, complete: bool) -> str:
    if not complete and not any(map(is_list, names)):
        detail = "a trial does not read the whole archive, and came to no list of labels (a .csv or .tsv file)"
        raise DatasetUnusable(detail, hint=_NOT_REACHED)
    return choose_list(names)


def _table(path: str, tables: Mapping[str, bytes], too_large: Collection[str], *, complete: bool) -> bytes:
    if path in too_large:
        detail = f"the list of labels {path!r} has more than {MAX_LIST_BYTES} bytes and cannot be tried"
        raise DatasetUnusable(detail, hint="Import without a trial.")
    if path not in tables and not complete:
        detail = f"a trial does not read the archive as far as the list of labels {path!r}"
        raise DatasetUnusable(detail, hint=_NOT_REACHED)
    if path not in tables:
        raise DatasetUnusable(f"there is no list of labels {path!r}", hint="Name it as it lies among the images.")
    return tables[path]


def _summed(
    by_path: Mapping[str, Label], notes: list[str], heart: Heartbeat, *, others: int, complete: bool
) -> RuleTrial:
    counts = Counter(label.text for label in by_path.values() if label.text is not None)
    sides = Counter(label.side for label in by_path.values() if label.text is not None)
    bare = (UnlabelledName(path, label.why) for path, label in by_path.items() if label.text is None)
    labelled = sum(counts.values())
    return RuleTrial(
        photos=len(by_path),
        others=others,
        complete=complete,
        labelled=labelled,
        unlabelled=len(by_path) - labelled,
        labels=len(counts),
        counts=[LabelCount(label, count) for label, count in counts.most_common(MOST_COUNTS)],
        examples=_varied(by_path),
        without_label=list(islice(bare, EXAMPLES)),
        similar=[list(group[:EXAMPLES]) for group in similar_groups(counts, heart)[:EXAMPLES]],
        split={side: sides[side] for side in SIDES if sides[side]} if sides["train"] else None,
        notes=notes,
    )


def _varied(by_path: Mapping[str, Label]) -> list[LabelledName]:
    """One name of each label first, then others."""
    first, rest = dict[str, LabelledName](), list[LabelledName]()
    for path, (text, side, _) in by_path.items():
        if text is None:
            continue
        if text not in first:
            first[text] = LabelledName(path, text, side)
        elif len(rest) < EXAMPLES:
            rest.append(LabelledName(path, text, side))
        if len(first) == EXAMPLES:
            break
    return [*first.values(), *rest][:EXAMPLES]
