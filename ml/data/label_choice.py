"""From what people ask for to a label rule: the same words in the form, the service's command and this one."""

import re
from typing import Literal

from ml.data.label_csv import MAX_NAME_CHARS
from ml.data.label_rules import RuleRefused, rule_pattern
from ml.data.manifest import DEFAULT_REGEX, LabelRule

LABEL_FROM_HELP = (
    "where the label is: `name` (the file's name, by the regex), `path` (the whole path, by the regex), `folder` (the "
    "folder that the file lies in), `folder:N` (the N-th folder of the path; -2: the one above the file's own), `csv` "
    "(labels.csv among the images) or `csv:PATH`"
)
_OVER: dict[str, Literal["name", "path"]] = {"name": "name", "path": "path"}
_FOLDER = re.compile(r"folder(?::(-?[1-9]\d?))?")
_CSV = re.compile(rf"csv(?::(.{{1,{MAX_NAME_CHARS}}}))?", re.DOTALL)
MOST_LABEL_FROM = len("csv:") + MAX_NAME_CHARS
"""Characters of ``label_from``."""


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
        regex: with the label as its one group; None: the usual one.
        by_folder: the older word for ``folder``.
        beside: whether a list of labels is given beside the images.
        merge: whether labels that differ only in case or spaces are one.

    Raises:
        RuleRefused: two of them exclude each other, ``label_from`` is none of its words, or the regex is not accepted.
    """
    if by_folder and (regex is not None or label_from not in {None, "folder"}):
        other = "regex" if regex is not None else "label_from"
        raise RuleRefused(f"both {other} and by_folder are given", "Give one of them.", "by_folder")
    source = label_from or ("folder" if by_folder else "csv" if beside else "name")
    if beside and source != "csv":
        raise RuleRefused(f"a list of labels is given, and label_from {source!r}", "Give one of them.", "label_from")
    if source in _OVER:
        if regex is not None:
            rule_pattern(regex)
        return LabelRule(regex=DEFAULT_REGEX if regex is None else regex, over=_OVER[source], merge=merge)
    if regex is not None:
        raise RuleRefused(f"both regex and label_from {source[:40]!r} are given", "Give one of them.", "label_from")
    if folder := _FOLDER.fullmatch(source):
        return LabelRule(kind="folder", level=int(folder[1]) if folder[1] else None, merge=merge)
    if listed := _CSV.fullmatch(source):
        return LabelRule(kind="csv", csv=listed[1], merge=merge)
    hint = "Give name, path, folder, folder:N, csv or csv:PATH."
    raise RuleRefused(f"label_from {source[:40]!r} is not known", hint, "label_from")
