"""docs/found.md says which test keeps what was found from coming back: each of them is there."""

import re
from collections.abc import Iterator
from functools import cache

from tests.conftest import REPOSITORY

FOUND = (REPOSITORY / "docs/found.md").read_text(encoding="utf-8").splitlines()
HEADS = {"what", "rows"}
WITHOUT_A_TEST = {"debt: tests that hang", "debt: coverage"}
NAMED = re.compile(r"(?:(?P<file>tests/[\w/]+\.py)|…)?(?:::(?P<test>test_\w+?…?))?")
PART = re.compile(r"[a-z]\w*…|[a-z]+(?:_\w+){2,}")
"""Of a test's name, in brackets behind the files that have it; a field or a code has a word or two."""


def rows() -> Iterator[list[str]]:
    """The cells of each row that is no head."""
    for line in FOUND:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in HEADS and set(line) - set("|- "):
            yield cells


@cache
def names_in(file: str) -> tuple[str, ...]:
    return tuple(re.findall(r"^def (test_\w+)", (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE))


def faults_of(row: str) -> list[str]:
    """What a row names and is not there; a row that names nothing is one, too."""
    files, wrong = list[str](), list[str]()
    for word in re.findall(r"`([^`]+)`", row):
        named, part = NAMED.fullmatch(word), PART.fullmatch(word)
        if named is not None:
            if named["file"] is not None:
                files.append(named["file"])
            if not files or not (REPOSITORY / files[-1]).is_file():
                wrong.append(word)
            elif (test := named["test"]) is not None:
                there = names_in(files[-1])
                is_there = test in there or (test.endswith("…") and any(one.startswith(test[:-1]) for one in there))
                wrong += [] if is_there else [word]
        elif part is not None and not any(part[0].rstrip("…") in one for file in files for one in names_in(file)):
            wrong.append(word)
    return wrong if files else [*wrong, "no test"]


def test_what_was_found_is_held_by_tests_that_are_there() -> None:
    held = [cells for cells in rows() if cells[0] not in WITHOUT_A_TEST]
    assert len(held) > 100
    assert {cells[0]: faults for cells in held if (faults := faults_of(" | ".join(cells)))} == {}


def test_a_test_that_is_not_there_is_seen() -> None:
    own = "`tests/test_found.py"
    assert (
        faults_of(f"{own}`, `::test_a_test_that_is_not_there_is_seen`, (`that_is_not_there…`, `not_there_is_seen`)")
        == []
    )
    assert faults_of(f"{own}::test_nothing` and `tests/test_lost.py`") == [
        "tests/test_found.py::test_nothing",
        "tests/test_lost.py",
    ]
    assert faults_of(f"{own}` (`nothing_of_the_kind…`, `top_k`), `…::test_a_test…`") == ["nothing_of_the_kind…"]
    assert faults_of("`pyproject.toml`") == ["no test"]
