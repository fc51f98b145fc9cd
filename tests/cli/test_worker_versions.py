"""What `pedigree doctor` says of workers that run other code than the API."""

from typing import Any

import pytest

from cli.doctor import look_at_service
from cli.worker_versions import worker_versions
from tests.cli.service import Answer, serving


def told(*versions: str | None) -> dict[str, Any]:
    items = [{"name": f"h:{number}", "code_version": runs} for number, runs in enumerate(versions)]
    return {"code_version": "0.1.0+a", "items": items}


def test_a_worker_of_another_version_is_a_fault_that_names_both() -> None:
    parts = {"status": "ready", "parts": {"database": "ok"}}
    answers = {"GET /readyz": [Answer(parts)], "GET /workers": [Answer(told("0.1.0+a", "0.1.0+b", None))]}
    with serving(answers) as service:
        found = look_at_service(service.url, None)
    assert (found["database"], found["version"]) == ("ok", "0.1.0+a")
    assert found["workers"] == "3, 1 of another version, 1 of an unknown version"
    assert found["fault"].startswith(
        "The API runs version 0.1.0+a; of its workers, h:1 runs 0.1.0+b. Start the workers"
    )


@pytest.mark.parametrize(
    ("answer", "workers"),
    [
        (told("0.1.0+a", "0.1.0+a"), "2, of the same version"),
        (told("0.1.0+a", None), "2, 1 of an unknown version"),
        (told(), "none"),
        ({"items": [{"name": "of an older API"}]}, None),
    ],
)
def test_what_is_well_is_no_fault(answer: dict[str, Any], workers: str | None) -> None:
    found = worker_versions(answer)
    assert (found.get("workers"), "fault" in found) == (workers, False)


def test_of_many_a_few_are_named() -> None:
    fault = worker_versions(told(*[f"0.1.0+{number}" for number in range(5)]))["fault"]
    assert "h:2 runs 0.1.0+2 and 2 more. " in fault
