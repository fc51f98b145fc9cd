"""The kinds of jobs stand in the schema, in the command and on the page: everywhere the same."""

import re
from pathlib import Path
from typing import get_args

from api.schemas.jobs import JobKind
from cli.options import KIND

PAGE = Path(__file__).parent.parent / "api" / "page"
KINDS = list(get_args(JobKind))


def test_the_command_chooses_from_all() -> None:
    assert sorted(KIND.choices) == sorted(KINDS)


def test_the_page_lists_all() -> None:
    listed = re.search(
        r'<select id="jobs-kind">(.*?)</select>', (PAGE / "jobs" / "jobs.html").read_text(encoding="utf-8"), re.DOTALL
    )
    assert listed is not None
    assert sorted(re.findall(r'value="(\w+)"', listed[1])) == sorted(KINDS)
