"""From what people ask for to a label rule: the same words in the form, the service's command and this one."""

import re

from ml.data.manifest import LabelRule

LABEL_FROM_HELP = (
    "where the label is: `name` (the file's name, by the regex), `path` (the whole path, by the regex), `folder` (the "
    "folder that the file lies in), `folder:N` (the N-th folder of the path; -2: the one above the file's own), `csv` "
    "(labels.csv among the pictures) or `csv:PATH`"
)
_FOLDER = re.compile(r"folder(?::(-?[1-9]\d?))?")
_CSV = re.compile(r"csv(?::(.{1,1024}))?", re.DOTALL)


class ChoiceRefused(ValueError):
    """What is asked for cannot be: a sentence, and in ``hint`` what to give instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def choose_rule(
    *,
    label_from: str | None = None,
    regex: str | None = None,
    by_folder: bool = False,
    beside: bool = False,
    merge: bool = False,
) -> LabelRule:
    """The rule.

    Args:
        label_from: as ``LABEL_FROM_HELP`` says; None: what the others ask for, else the file's name.
        regex: which may be one that is refused later.
        by_folder: the older word for ``folder``.
        beside: whether a list of labels is given beside the pictures.
        merge: whether labels that differ only in case or spaces are one.

    Raises:
        ChoiceRefused: two of them exclude each other, or ``label_from`` is none of its words.
        ValueError: the regex is none.
    """
    if by_folder and (regex is not None or label_from not in {None, "folder"}):
        other = "regex" if regex is not None else "label_from"
        raise ChoiceRefused(f"both {other} and by_folder are given", "Give one of them.")
    source = label_from or ("folder" if by_folder else "csv" if beside else "name")
    if beside and source != "csv":
        raise ChoiceRefused(f"a list of labels is given, and label_from {source!r}", "Give one of them.")
    if source in {"name", "path"}:
        return LabelRule(**({} if regex is None else {"regex": regex}), over=source, merge=merge)
    if regex is not None:
        raise ChoiceRefused(f"both regex and label_from {source[:40]!r} are given", "Give one of them.")
    if folder := _FOLDER.fullmatch(source):
        return LabelRule(kind="folder", level=int(folder[1]) if folder[1] else None, merge=merge)
    if listed := _CSV.fullmatch(source):
        return LabelRule(kind="csv", csv=listed[1], merge=merge)
    raise ChoiceRefused(
        f"label_from {source[:40]!r} is not known", "Give name, path, folder, folder:N, csv or csv:PATH."
    )
