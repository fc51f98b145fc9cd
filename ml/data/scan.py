"""From a folder of files to a manifest: every file becomes an item or an exclusion with its reason."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ml.cores import worth_starting
from ml.data.given_split import Side
from ml.data.hidden_files import note_of_hidden
from ml.data.label_list import is_list, read_list
from ml.data.label_rules import RuleRefused, rule_pattern
from ml.data.labels import NOT_UTF8, Label, find_labels, shown_path
from ml.data.manifest import EXAMPLES, Exclusion, Item, LabelRule, Manifest
from ml.data.path_parts import suffix_of
from ml.data.suffixes import SUFFIXES
from ml.decode.images import DECODING, Limits, view
from ml.decode.views import PERCEPTUAL_HASH
from ml.errors import DatasetUnusable, ImageRejected

OnProgress = Callable[[int, int], None]
_BATCH = 256


@dataclass(frozen=True)
class _File:
    """A file to look at; ``path`` is relative, posix, with other bytes than UTF-8 as surrogates.

    ``odd`` says what it is where it is not to be opened.
    """

    path: str
    real: Path
    odd: str | None = None


def scan_folder(
    folder: Path,
    rule: LabelRule,
    *,
    name: str,
    drawn: bool = False,
    limits: Limits | None = None,
    labels: Path | None = None,
    encoding: str | None = None,
    one_breed: bool = False,
    on_progress: OnProgress | None = None,
) -> Manifest:
    """Look at every file of a folder: decode it, read its label, note what is left out.

    Hidden files and folders are passed over. Links to folders are not followed, nor is what leads out of the folder.
    Items are sorted by path.

    Args:
        folder: where to look, with all that lies below.
        rule: how a path says its label.
        name: the dataset's name.
        drawn: whether the images are drawings.
        limits: what an image may cost; default Limits().
        labels: a list of labels beside the folder, which the rule ``csv`` reads in place of one in it.
        encoding: of the list's text; None: UTF-8.
        one_breed: whether a single breed will do, with a note: it may be for a model or dataset that has others.
        on_progress: called with files done and files in all.

    Raises:
        DatasetUnusable: no folder, no image with a label, only one of them, only one breed where that is not enough, a
            regex that is not accepted, or a list of labels that cannot be used.
    """
    _check_rule(rule)
    if not folder.is_dir():
        raise DatasetUnusable(f"{folder.name or folder} is not a folder", hint="Name a folder of images.")
    files = sorted(_walk(folder.resolve()), key=lambda file: file.path)
    alive = _heartbeat(on_progress, len(files))
    by_list = rule.kind == "csv"
    listed = read_list(folder, [file.path for file in files], rule, labels, encoding, alive) if by_list else None
    if listed is not None:
        files = [file for file in files if file.path != listed.path]
    pictures = [file.path for file in files if _judged_by_name(file) is None]
    found = find_labels(pictures, rule, None if listed is None else listed.labels, alive)
    hidden = note_of_hidden(folder)
    items: list[Item] = []
    exclusions: list[Exclusion] = []
    for outcome in _examined(files, found.by_path, limits or Limits(), on_progress):
        (items if isinstance(outcome, Item) else exclusions).append(outcome)  # type: ignore[arg-type]  # each goes to its own list
    one = _check_enough(items, exclusions, rule, found.notes, hidden, one_breed=one_breed)
    return Manifest(
        name=name,
        decoding=DECODING,
        drawn=drawn,
        rule=rule,
        items=tuple(items),
        exclusions=tuple(exclusions),
        notes=(*found.notes, *one, *([hidden] if hidden else [])),
        label_list=found.report,
    )


def _heartbeat(on_progress: OnProgress | None, total: int) -> Callable[[], None] | None:
    return None if on_progress is None else lambda: on_progress(0, total)


def _check_rule(rule: LabelRule) -> None:
    if rule.kind != "regex":
        return
    try:
        rule_pattern(rule.regex)
    except RuleRefused as error:
        raise DatasetUnusable(str(error), hint=error.hint) from None


def _walk(root: Path) -> Iterator[_File]:
    # Links to folders are not followed: inside the root their content is met under its own name, and no loop is
    # possible. A list instead of recursion, because folders may nest deeper than Python recurses.
    waiting = [root]
    while waiting:
        for entry in _entries(waiting.pop()):
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield _File(path.relative_to(root).as_posix(), path, _oddity(entry, root))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DatasetUnusable(f"the folder {folder.name!r} cannot be read: {error.strerror}") from error


def _oddity(entry: os.DirEntry[str], root: Path) -> str | None:
    """What an entry that is no folder is, or None for a plain file or a link to one inside the root."""
    if entry.is_file(follow_symlinks=False):
        return None
    if not entry.is_symlink():
        # Opening a pipe would wait for ever.
        return "a pipe, a socket or a device"
    try:
        target = Path(entry.path).resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link to nothing, or to itself"
    if not target.is_relative_to(root):
        return "a link that leads out of the folder"
    if target.is_dir():
        return "a link to a folder, whose files count under their own names"
    return None if target.is_file() else "a link to a pipe, a socket or a device"


def _examined(
    files: list[_File], labels: Mapping[str, Label], limits: Limits, on_progress: OnProgress | None
) -> Iterator[Item | Exclusion]:
    # Pillow decodes without the interpreter's lock, so threads use every core. In batches, so that a caller's
    # exception (a stop) leaves little work queued.
    done = 0
    waiting = iter(files)
    with ThreadPoolExecutor(max_workers=worth_starting()) as pool:
        while batch := list(islice(waiting, _BATCH)):
            for outcome in pool.map(lambda file: _examine(file, labels, limits), batch):
                done += 1
                if on_progress is not None:
                    on_progress(done, len(files))
                yield outcome


def _examine(file: _File, labels: Mapping[str, Label], limits: Limits) -> Item | Exclusion:
    left_out = _judged_by_name(file)
    if left_out is not None:
        return left_out
    label = labels[file.path]
    if label.text is None:
        return Exclusion(path=file.path, code="no_label", detail=label.why)
    try:
        return _item(file, label, limits)
    except ImageRejected as error:
        return Exclusion(path=file.path, code=error.code, detail=error.detail)
    except OSError as error:
        return Exclusion(path=file.path, code="not_an_image", detail=f"cannot be read: {error.strerror}")


def _judged_by_name(file: _File) -> Exclusion | None:
    shown = shown_path(file.path)
    if shown != file.path:
        return Exclusion(path=shown, code="no_label", detail=NOT_UTF8)
    if file.odd is not None:
        return Exclusion(path=file.path, code="not_a_file", detail=f"this is {file.odd}")
    if suffix_of(file.path).lower() not in SUFFIXES:
        return Exclusion(path=file.path, code="not_an_image", detail="the name does not end like an image's")
    return None


def _item(file: _File, label: Label, limits: Limits) -> Item:
    size = file.real.stat().st_size
    if size > limits.max_bytes:
        detail = f"the file has {size} bytes, at most {limits.max_bytes} are accepted"
        raise ImageRejected("too_many_bytes", detail)
    return item_of(file.real.read_bytes(), file.path, label.text or "", limits, side=label.side)


def item_of(
    data: bytes, path: str, label: str, limits: Limits, decoding: int = DECODING, *, side: Side | None = None
) -> Item:
    """A picture's bytes as an item.

    Raises:
        ImageRejected: they are no picture within the limits.
    """
    bits, facts = view(data, limits, PERCEPTUAL_HASH, decoding)
    return Item(
        path=path,
        label=label,
        split=side,
        sha256=hashlib.sha256(data).hexdigest(),
        width=facts.width,
        height=facts.height,
        bytes=len(data),
        format=facts.format,
        mode=facts.mode,
        perceptual_hash=bits.tobytes().hex(),
    )


def _check_enough(
    items: list[Item],
    exclusions: list[Exclusion],
    rule: LabelRule,
    notes: list[str],
    hidden: str | None,
    *,
    one_breed: bool,
) -> list[str]:
    """Refuse what is nothing, and one breed where that is not enough; else what is to be said of it."""
    if not items:
        raise DatasetUnusable(_nothing(exclusions, hidden), hint=_hint(exclusions, rule, notes, hidden))
    left_out = _left_out(exclusions, hidden)
    if len(items) == 1:
        detail = f"there is only one usable photo ({items[0].path}), and {left_out}"
        raise DatasetUnusable(detail, hint="Add photos.")
    labels = {item.label for item in items}
    if len(labels) > 1:
        return []
    detail = f"all {len(items)} usable photos have the same label ({items[0].label}), and {left_out}"
    if not one_breed:
        raise DatasetUnusable(detail, hint=_one_label(rule))
    return [f"{detail}: a training takes another breed beside it"]


def _one_label(rule: LabelRule) -> str:
    if rule.kind == "folder":
        return "Add photos of another breed, or take the label from another folder (label_from=folder:1 is the first)."
    return "Add photos of another breed, or change the label rule."


def _nothing(exclusions: list[Exclusion], hidden: str | None) -> str:
    unmatched = [exclusion for exclusion in exclusions if exclusion.code == "no_label"]
    if unmatched and len(unmatched) == len(exclusions):
        return (
            f"none of the {len(unmatched)} photos gets a label (for example {unmatched[0].path}: {unmatched[0].detail})"
        )
    return f"there is no usable photo, and {_left_out(exclusions, hidden)}"


def _hint(exclusions: list[Exclusion], rule: LabelRule, notes: list[str], hidden: str | None) -> str:
    if any(exclusion.code == "no_label" for exclusion in exclusions):
        return _other_rule(exclusions, rule, notes)
    if any(exclusion.code == "not_a_file" for exclusion in exclusions):
        return "Put the files themselves into the folder (cp -rL copies what links lead to)."
    if hidden:
        return "Give the files and folders names that do not begin with a dot."
    return "Name a folder or archive that holds photos."


def _other_rule(exclusions: list[Exclusion], rule: LabelRule, notes: list[str]) -> str:
    """Another way to the labels, the likeliest first."""
    if rule.kind == "csv":
        return "Write the files' paths into the list as they are in the data set."
    if rule.kind == "regex" and rule.over == "name" and "/" in rule.regex:
        return "The rule sees the file's name without its folders, so a slash never matches: give label_from=path."
    if rule.kind == "regex" and notes:
        return "Begin the rule with (?i), which ignores case."
    lists = [exclusion.path for exclusion in exclusions if is_list(exclusion.path)]
    if lists:
        return f"If {lists[0]} says the labels, give label_from=csv; else another rule or the folders' names."
    other = "a regex" if rule.kind == "folder" else "another regex or the folders' names"
    return f"Give {other} as the label rule."


def _left_out(exclusions: list[Exclusion], hidden: str | None) -> str:
    if not exclusions:
        return hidden or "no file was left out"
    shown = ", ".join(f"{exclusion.path}: {exclusion.code}" for exclusion in exclusions[: EXAMPLES // 4])
    said = f"{len(exclusions)} files were left out ({shown})"
    return f"{said}, and {hidden}" if hidden else said
