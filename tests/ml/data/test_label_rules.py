import random
import re
import unicodedata
from pathlib import Path

import pytest

from ml.data.label_rules import MAX_CHARS, RuleRefused, rule_pattern
from ml.data.manifest import DEFAULT_REGEX, LabelRule
from ml.data.scan import scan_folder
from ml.errors import DatasetUnusable
from tests.ml.pictures import fill

USUAL = [
    r"(.+)_\d+.jpg$",
    r"(?i)(.+)_\d+\.jpe?g$",
    r"/([^/]+)_\d+.jpg$",
    DEFAULT_REGEX,
    r"^([A-Za-z_]+)_\d{1,4}\.(?:jpg|jpeg|png)$",
    r"(?P<breed>.+?)-\d+-[0-9a-f]{8}\.jpe?g$",
    r"([A-Za-z]+)[-_ ]?\(?\d+\)?\.jpe?g$",
    r"(.+)_\d{,6}_\d+\.(?:jpe?g|png)\Z",
    r"^(\w+?)_[a-z]+_\d+\.(?:jpe?g|png)$",
    r"([^/+*]+)_\(\d+\)\.jpg",
    r"[(*+]([]a])",
    r"^([^\W\d_]+)[\W_]",
    r"(?P<größe>(?:ab){2})\(\?",
    r"^(\D+)[\s-]\S*$",
]
NAMES = [
    "great_pyrenees_104.jpg",
    "Größe_1.jpg",
    "猫_2.jpg",
    "猫_２.jpg",
    "पग_3.jpg",
    "Maine Coon-7.JPG",
    "Maine\u3000Coon-7.JPG",
    "pug-12-0123abcd.jpeg",
    "pug_x_1.png",
    "pug_22_1.png",
    "a+b_(1).jpg",
    "pug_(1).jpg",
    "(]",
    "abab(?",
    "pets/pug_1.jpg",
    "pug_1.jpg\n",
    "",
]


@pytest.mark.parametrize("regex", USUAL)
def test_a_usual_rule_reads_what_it_reads_in_python(regex: str) -> None:
    python = re.compile(regex)
    # Combining marks belong to words here; and $ is the very end.
    for name in (name for name in NAMES if not any(map(unicodedata.combining, name)) and "\n" not in name):
        found = python.search(name)
        assert rule_pattern(regex).label_in(name) == (found[1] if found else None), name


@pytest.mark.parametrize("name", ["Größe", "Žluťoučký", "हिन्दी", "лайка", "도사견", "柴犬"])
def test_a_word_has_the_letters_of_every_script_composed_or_not(name: str) -> None:
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, name)
        assert rule_pattern(r"^(\w+)_\d+.jpg$").label_in(f"{written}_1.jpg") == written
        assert rule_pattern(r"([\w]+)_\d+.jpg$").label_in(f"{written}_1.jpg") == written
        assert rule_pattern(r"([^\W_]+)_[\d]+.jpg$").label_in(f"{written}_1.jpg") == written
    assert not rule_pattern(r"(\W)").matches(name)


def test_ignoring_case_goes_beyond_ascii() -> None:
    assert rule_pattern(r"(?i)(größe|лайка)_\d").label_in("GRÖßE_1") == "GRÖßE"
    assert rule_pattern(r"(?i)(größe|лайка)_\d").label_in("ЛАЙКА_1") == "ЛАЙКА"
    assert rule_pattern("(лайка)", ignore_case=True).matches("ЛАЙКА")
    assert not rule_pattern("(лайка)").matches("ЛАЙКА")


def test_spaces_and_digits_are_those_of_every_script() -> None:
    assert rule_pattern(r"^(\S+)\s\d+$").label_in("柴犬\u3000１２") == "柴犬"
    assert rule_pattern(r"^([\S]+)[\s][\d]$").label_in("柴犬\u00a0１") == "柴犬"
    assert rule_pattern(r"(\D+)\d").label_in("柴犬１") == "柴犬"


@pytest.mark.parametrize(
    "regex",
    [
        r"(a+)+$",
        r"((?:\w+)+)_\d+-$",
        r"(a|ab)*-",
        r"(?:a|aa)+(b)",
        r"(?:a?){9,}(b)",
        r"((?:a{1,9}){1,9})-$",
        "(" + r"\w{0,2}" * 8 + ")-$",
        f"({'a?' * 24}{'a' * 24})-$",
        "(.*.*.*.*.*)=",
        "(" + ".{0,200}" * 8 + ")=$",
        r"((?:.{0,40}.{0,25}){1,20})=$",
    ],
)
def test_a_pattern_that_backtracks_for_ever_elsewhere_ends_on_the_longest_names(regex: str) -> None:
    # With a backtracking engine this test never ends.
    for name in ("a" * 255, "ab" * 127, "a_1" * 85, "aé" * 125, "d" * 4096):
        rule_pattern(regex).label_in(f"{name}!")


@pytest.mark.parametrize(
    ("regex", "says", "hint"),
    [
        (r"(?=a)(b)", "uses (?=, a look-ahead, which RE2 does not have", "Write what follows itself"),
        (r"(a)(?!b)", "uses (?!, a look-ahead", "as in [^-]"),
        (r"(?<=a)(b)", "uses (?<=, a look-behind", "Write what stands before itself"),
        (r"(?<!a)(b)", "uses (?<!, a look-behind", "as in [^-]"),
        (r"(a)\1", r"uses \1, a reference to a group", "Write the group's own pattern again"),
        (r"(?P<x>a)(?P=x)", "uses (?P=, a reference to a group", "own pattern again"),
        (r"(?>a)(b)", "uses (?>, an atomic group", "Write (?:…)"),
        (r"(a)?(?(1)b|c)", "uses (?(, a condition", "with |"),
        (r"(?#breed)(a)", "uses (?#, a comment", "Leave it out"),
        (r"(a++)b", "uses ++, a possessive repetition", "Leave the last +"),
        (r"(a{2,3}+)b", "uses {2,3}+, a possessive repetition", "Leave the last +"),
        (r"\b(a)", r"uses \b, a word boundary", "characters that stand there"),
        (r"\Q(\E(a)", r"uses \Q, a quotation", "backslash"),
        (r"(\C)", r"uses \C, a byte", "Write ."),
        (r"(a", "is no regular expression: missing )", "Start from"),
        (r"(?x)(a)", "is no regular expression: invalid perl operator: (?x", "Start from"),
        (r"(\u0061)", r"is no regular expression: invalid escape sequence: \u", "Start from"),
        (r"(a){1001}", "is no regular expression: invalid repetition size", "Start from"),
        ("(" + r"\w{0,100}" * 40 + ")", "is no regular expression: pattern too large", "Start from"),
        (r"a", "has 0 groups; it must have one", "Put ( )"),
        (r"(a)(b)", "has 2 groups; it must have one", "(?:…)"),
        ("a" * (MAX_CHARS + 1), f"has {MAX_CHARS + 1} characters, the most is {MAX_CHARS}", "Shorten"),
        ("a\0(b)", "has a character that no name has", "Leave it out"),
        ("(\udcff)", "has a character that no name has", "Leave it out"),
    ],
)
def test_a_rule_that_is_not_known_is_told_by_its_part_and_what_to_write(regex: str, says: str, hint: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        rule_pattern(regex)
    assert says in str(refused.value)
    assert hint in refused.value.hint


@pytest.mark.parametrize("regex", [r"[(?=]([?!])", r"\(\?=(a)", r"([a++])", r"(\\b)", r"[^](?#](a)", r"(\x41+?)"])
def test_what_only_looks_like_such_a_part_is_accepted(regex: str) -> None:
    rule_pattern(regex)


def test_a_scan_refuses_such_a_rule_before_it_reads_a_name(tmp_path: Path) -> None:
    fill(tmp_path, ["boxer_1.jpg", "pug_1.jpg"])
    with pytest.raises(DatasetUnusable, match="a look-behind") as refused:
        scan_folder(tmp_path, LabelRule(regex=r"(?<=p)(ug)"), name="pets")
    assert refused.value.hint is not None
    assert "stands before" in refused.value.hint


def _pattern(chance: random.Random, depth: int = 0) -> str:
    """A random pattern, most of them hostile to an engine that backtracks."""
    parts = []
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        part = chance.choice(["a", r"\w", ".", "[ab]", "[^-]", "_"])
        if depth < 2 and chance.random() < 0.3:
            inner = [_pattern(chance, depth + 1) for _ in range(chance.choice([1, 1, 2]))]
            part = f"(?:{'|'.join(inner)})"
        parts.append(part + chance.choice(["", "", "*", "+", "?", "*?", "{2}", "{0,8}", "{,4}", "{3,}", "{0,40}"]))
    return "".join(parts)


def test_random_rules_come_to_an_end() -> None:
    chance, accepted = random.Random(3), 0  # noqa: S311 - patterns, not secrets
    while accepted < 100:
        try:
            rule = rule_pattern(f"({_pattern(chance)}){_pattern(chance)}=")
        except RuleRefused:
            continue
        accepted += 1
        # One that blows up would stand here for ever.
        for name in ("a" * 200, "ab" * 100, "a_1" * 66):
            assert rule.label_in(name) is None
