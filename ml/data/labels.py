"""The labels of a data set's files, found before any file is opened, and what people should know of them."""

import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import NamedTuple

from ml.data.given_split import Side, folder_at, side_named, split_level, without_side
from ml.data.heartbeat import Heartbeat
from ml.data.label_csv import Counting, LabelList, ListReport
from ml.data.label_rules import HINT
from ml.data.manifest import LabelRule
from ml.data.path_parts import folders_of
from ml.data.similar_labels import one_spelling, similar_groups
from ml.errors import DatasetUnusable

RULE_SECONDS = 30.0
"""Processor time that a rule may take for all names of an import: the worst rules take seconds for the longest path."""
NOT_UTF8 = "the file's name is not UTF-8 (`encoding` says what it is)"


class Label(NamedTuple):
    """A file's label and side, or why it has no label."""

    text: str | None
    side: Side | None = None
    why: str = ""


@dataclass
class Labels:
    """The labels by path, sentences for people, and of a list what it had besides good lines."""

    by_path: dict[str, Label]
    notes: list[str] = field(default_factory=list)
    report: ListReport | None = None


def shown_path(path: str) -> str:
    """The path for people: itself, or, where bytes of it are in no known encoding, with these in hexadecimal."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find_labels(
    paths: Sequence[str],
    rule: LabelRule,
    listed: LabelList | None,
    heartbeat: Callable[[], None] | None = None,
    rule_seconds: float | None = None,
) -> Labels:
    """The labels of files by the rule, in NFC, and the sides of a given split.

    Args:
        paths: of images, relative and posix.
        rule: how a path says its label.
        listed: the list, where the rule is to use one.
        heartbeat: called now and then; what it raises ends the search.
        rule_seconds: of processor time that a regex may take for all of them; None: ``RULE_SECONDS``.

    Raises:
        DatasetUnusable: a regex takes longer.
    """
    heart = Heartbeat(heartbeat)
    level = split_level(heart.over(paths))
    if rule.kind == "folder" and rule.level is not None and level in _levels(heart.over(paths), rule.level):
        # Who names that level wants its folders as labels.
        level = None
    found = _by_list(paths, listed, heart) if listed is not None else None
    if found is None:
        found = _by_rule(paths, rule, level, heart, RULE_SECONDS if rule_seconds is None else rule_seconds)
    _compose(found, heart)
    _keep_split(found, level, heart)
    _compare(found, heart, merge=rule.merge)
    return found


def _levels(paths: Iterable[str], level: int) -> set[int]:
    """Where a level that is counted from the top (1) or from the file (-1) lies, counted from the top (0)."""
    return {level - 1 if level > 0 else len(folders_of(path)) + level for path in paths}


def _by_rule(paths: Sequence[str], rule: LabelRule, level: int | None, heart: Heartbeat, seconds: float) -> Labels:
    found, shared = Labels({}), dict[Label, Label]()
    other_case = list[str]()
    started = time.thread_time()
    for number, path in enumerate(heart.over(paths)):
        label = _one(path, rule, level)
        # One object for all that are alike: the garbage collector goes through each, and holds up whatever else runs.
        found.by_path[path] = label = shared.setdefault(label, label)
        if label.text is None and rule.kind == "regex" and rule.matches_in_any_case(path):
            other_case.append(path)
        if rule.kind == "regex" and time.thread_time() - started > seconds:
            detail = f"the label rule {rule.regex!r} took {seconds:.0f} s for {number + 1} of {len(paths)} names"
            raise DatasetUnusable(detail, hint=HINT)
    if other_case:
        found.notes.append(
            f"{len(other_case)} names would match the label rule in another case, for example {other_case[0]!r}: "
            "begin the rule with (?i) to ignore case"
        )
    if rule.kind == "folder" and rule.level is None:
        labelled = [path for path, label in found.by_path.items() if label.text]
        found.notes += _folder_notes(heart.over(labelled), level)
    return found


def _one(path: str, rule: LabelRule, level: int | None) -> Label:
    if rule.kind == "folder":
        seen = path if level is None or rule.level is not None else without_side(path, level)
        where = "in no folder that could name its label" if rule.level is None else "not so deep as the rule's level"
        return Label(rule.label_of(seen), why=f"the file lies {where}")
    return Label(rule.label_of(path), why=f"the label rule {rule.regex} does not match the file's {rule.over}")


def _folder_notes(paths: Iterable[str], level: int | None) -> Iterable[str]:
    """What is odd about the folders that name labels."""
    # Nothing here sorts all folders: there may be 200,000, and other threads would wait for it.
    folders = {"/".join(folders_of(path if level is None else without_side(path, level))) for path in paths}
    if not folders:
        return
    shallow, deep = min(folders, key=_by_depth), max(folders, key=_by_depth)
    if shallow.count("/") != deep.count("/"):
        yield (
            f"the folders that name labels lie at different depths, for example {shallow!r} and {deep!r}: "
            "label_from=folder:1 takes the first folder of each path, folder:2 the second"
        )
    counts = Counter(map(_last, folders))
    name = min((name for name, count in counts.items() if count > 1), default=None)
    if name is not None:
        first, second = nsmallest(2, (folder for folder in folders if _last(folder) == name))
        yield (
            f"several folders name the label {name!r}, for example {first!r} and {second!r}: "
            "label_from=folder:-2 takes the folder above each"
        )


def _by_depth(folder: str) -> tuple[int, str]:
    return folder.count("/"), folder


def _last(folder: str) -> str:
    return folder.rpartition("/")[2] or folder


def _by_list(paths: Sequence[str], listed: LabelList, heart: Heartbeat) -> Labels:
    names = {path: listed.name_for(path) for path in heart.over(paths)}
    hits = Counter(name for name in names.values() if name is not None)
    found, shared = Labels({}), dict[Label, Label]()
    for path, name in names.items():
        label = _listed(name, listed, hits)
        found.by_path[path] = shared.setdefault(label, label)
    ambiguous, without_file = Counting(), Counting()
    for name in heart.over(listed.rows):
        if hits[name] > 1:
            ambiguous.add(name)
        if not hits[name]:
            without_file.add(name)
    report = listed.report.model_copy(update={"ambiguous": ambiguous.tally(), "without_file": without_file.tally()})
    found.report = report
    found.notes += _list_notes(report, sum(name is None for name in names.values()))
    return found


def _listed(name: str | None, listed: LabelList, hits: Counter[str]) -> Label:
    if name is None:
        return Label(None, why="the list of labels does not name it")
    if hits[name] > 1:
        return Label(None, why=f"the name {name[:120]} in the list of labels fits {hits[name]} images; write the path")
    row = listed.rows[name]
    if row.label is None:
        return Label(None, why="the list of labels contradicts itself about it")
    return Label(row.label, row.side)


def _list_notes(report: ListReport, unlisted: int) -> Iterable[str]:
    told = {
        "lines that cannot be used": report.unusable,
        "names that stand there twice": report.repeated,
        "names with contradicting lines, which are left out": report.contradicting,
        "names that fit several images, which are left out": report.ambiguous,
        "names without an image": report.without_file,
    }
    for what, one in told.items():
        if one.count:
            yield f"the list of labels has {one.count} {what}, for example {one.examples[0]}"
    if unlisted:
        yield f"the list of labels does not name {unlisted} of the images"


def _compose(found: Labels, heart: Heartbeat) -> None:
    """Bring the labels to NFC, each once, and tell of those that came in two forms."""
    counts = Counter(label.text for label in found.by_path.values() if label.text is not None)
    composed = {text: unicodedata.normalize("NFC", text) for text in heart.over(counts)}
    changed = {text: plain for text, plain in composed.items() if text != plain}
    if not changed:
        return
    for path, label in found.by_path.items():
        if label.text in changed:
            found.by_path[path] = label._replace(text=changed[label.text])
    twice = _given_twice(composed)
    if twice:
        found.notes.append(
            f"{_quoted(twice)} came in two compositions of the same letters (NFC and NFD) and "
            f"{'is' if len(twice) == 1 else 'are'} one label{'' if len(twice) == 1 else ' each'}"
        )


def _given_twice(composed: Mapping[str, str]) -> list[str]:
    """The first of the labels that several texts are composed to."""
    # One by one: a Counter of the values themselves would hold the interpreter for all of them.
    counts = Counter(text for text in composed.values())
    return nsmallest(_SAID, (text for text, forms in counts.items() if forms > 1))


def _keep_split(found: Labels, level: int | None, heart: Heartbeat) -> None:
    """Take the sides from the folders, where no list says one."""
    if level is not None and not any(label.side for label in found.by_path.values()):
        shared = dict[Label, Label]()
        for path, label in heart.over(found.by_path.items()):
            sided = label._replace(side=side_named(folder_at(path, level) or ""))
            found.by_path[path] = shared.setdefault(sided, sided)
    counts = Counter(label.side for label in found.by_path.values() if label.text is not None)
    if not any(counts[side] for side in ("train", "valid", "test")):
        return
    if not counts["train"]:
        found.by_path = {path: label._replace(side=None) for path, label in found.by_path.items()}
        found.notes.append(
            "the images are given for validation or test alone, none for training: no split is kept, and training "
            "draws its own"
        )
        return
    sides = ", ".join(f"{counts[side]} {side}" for side in ("train", "valid", "test"))
    rest = f"; {counts[None]} items of no side count as train" if counts[None] else ""
    found.notes.append(f"the given split is kept: {sides}{rest}. A run draws its own with split=random")


def _compare(found: Labels, heart: Heartbeat, *, merge: bool) -> None:
    """Tell labels that differ only in case or spaces, or make them one."""
    counts = Counter(label.text for label in found.by_path.values() if label.text is not None)
    groups = similar_groups(counts, heart)
    if not groups:
        return
    if not merge:
        said = "; ".join(_quoted(group, counts) for group in groups[:_SAID])
        found.notes.append(
            f"labels that differ only in case, spaces, hyphens or underscores are kept apart: {said}. "
            "merge_labels=true makes each group one label"
        )
        return
    chosen = {text: one_spelling(group, counts) for group in groups for text in group}
    for path, label in found.by_path.items():
        if label.text in chosen:
            found.by_path[path] = label._replace(text=chosen[label.text])
    said = "; ".join(f"{_quoted(group, counts)} as {chosen[group[0]]!r}" for group in groups[:_SAID])
    found.notes.append(f"labels that differ only in case, spaces, hyphens or underscores were merged: {said}")


_SAID = 10


def _quoted(texts: Sequence[str], counts: Counter[str] | None = None) -> str:
    return ", ".join(repr(text) + (f" ({counts[text]})" if counts else "") for text in texts[:_SAID])
