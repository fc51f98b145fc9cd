import random
import re
from pathlib import Path

import pytest

from ml.data.label_rules import check_regex
from ml.data.manifest import DEFAULT_REGEX, LabelRule
from ml.data.scan import scan_folder
from ml.errors import DatasetUnusable
from tests.ml.pictures import fill


@pytest.mark.parametrize(
    "regex",
    [
        r"(.+)_\d+.jpg$",
        r"(?i)(.+)_\d+\.jpe?g$",
        r"/([^/]+)_\d+.jpg$",
        DEFAULT_REGEX,
        r"^([A-Za-z_]+)_\d{1,4}\.(?:jpg|jpeg|png)$",
        r"(?P<breed>.+?)-\d+-[0-9a-f]{8}\.jpe?g$",
        r"([A-Za-z]+)[-_ ]?\(?\d+\)?\.jpe?g$",
        r"(.+)_\d{1,6}_\d+\.(?:jpe?g|png)$",
        r"^(.+)_[a-z]+_\d+\.(?:jpe?g|png)$",
        r"([^/+*]+)_\(\d+\)\.jpg",
        r"[(*+]([]a])",
        r"(?P<größe>(?:ab){2})\(\?",
    ],
)
def test_a_usual_rule_is_accepted(regex: str) -> None:
    check_regex(regex)


@pytest.mark.parametrize(
    ("regex", "says"),
    [
        ("(" + r"\w{0,8}" * 8 + ")-$", "11,019,960,576 ways"),
        (f"({'a?' * 24}{'a' * 24})-$", "4,294,967,296 ways"),
        (r"((?:\w+)+)_\d+-$", r"repeats \(\+\) a group that itself repeats"),
        (r"(a|ab)*-", r"repeats \(\*\) a group that itself repeats or chooses"),
        (r"(?:a?){9,}(b)", "itself repeats"),
        (r"(.*.*.*)=", "183,181,376 ways"),
        (r"^.*|(.*.*.*)=", "ways"),
        (r"(?:\b\b\b){255}(.*.*)=", "ways"),
        (r"(?:\b){256}(a)", r"repeats \(\{256\}\) more often than a file name has characters"),
        (r"(a){99999999999999999999}", "more often"),
        ("(" + ".{0,200}" * 60 + ")", "about 10"),
        (r"(a)\1", "refers back"),
        (r"(?=a)(b)", "a flag, a look-ahead"),
        (r"(?s)(a)", "a flag, a look-ahead"),
        (r"(a)(?i)", "a flag, a look-ahead"),
        (r"(?i)(a+)+$", "itself repeats"),
    ],
)
def test_a_rule_that_could_run_without_end_is_refused_by_its_cause(regex: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_regex(regex)


def test_a_scan_refuses_such_a_rule_before_it_reads_a_name(tmp_path: Path) -> None:
    fill(tmp_path, [f"{'a' * 48}_1.jpg", "pug_1.jpg"])
    with pytest.raises(DatasetUnusable, match="a group that itself repeats") as refused:
        scan_folder(tmp_path, LabelRule(regex=r"((?:\w+)+)_\d+-$"), name="pets")
    assert refused.value.hint is not None
    assert "Begin it with ^" in refused.value.hint


def _pattern(chance: random.Random, depth: int = 0) -> str:
    """A random pattern, most of them hostile."""
    parts = []
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        part = chance.choice(["a", r"\w", ".", "[ab]", "[^-]", r"\b", "_"])
        if depth < 2 and chance.random() < 0.3:
            inner = [_pattern(chance, depth + 1) for _ in range(chance.choice([1, 1, 2]))]
            part = f"(?:{'|'.join(inner)})"
        parts.append(part + chance.choice(["", "", "*", "+", "?", "*?", "{2}", "{0,8}", "{,4}", "{3,}", "{0,40}"]))
    return "".join(parts)


def test_random_rules_that_are_accepted_come_to_an_end() -> None:
    chance, accepted = random.Random(3), 0  # noqa: S311 - patterns, not secrets
    while accepted < 200:
        regex = f"({_pattern(chance)}){_pattern(chance)}="
        try:
            check_regex(regex)
            found = re.compile(regex)
        except (ValueError, re.error):
            continue
        accepted += 1
        # One that blows up would stand here for ever.
        for name in ("a" * 200, "ab" * 100, "a_1" * 66):
            assert found.search(name) is None
