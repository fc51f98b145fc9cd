"""Requests that schemathesis draws from the OpenAPI document, and whether the answers are as the document says."""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import hypothesis
import hypothesis.errors
import requests
import schemathesis
from hypothesis import given
from schemathesis import APIOperation, BaseSchema, GenerationMode
from schemathesis import Case as DrawnCase
from schemathesis.checks import CHECKS, CheckFunction, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation.feedback import FeedbackSources

from tests.api.web import TestClient

EXAMPLES = int(os.environ.get("PEDIGREE_TEST_EXAMPLES", "1"))
"""Requests of each sort to each operation; `make test-contract` asks for more."""
SEED = int(os.environ.get("PEDIGREE_TEST_SEED", "1"))
BASE = "http://localhost"
STREAMS = ("/events", "/jobs/{job_id}/events")
"""They do not end: their heads are asked for."""
TUS = {"tus-resumable": "1.0.0"}
"""Uploads are refused without it, before a key is asked for."""
BINARY = ("application/offset+octet-stream",)
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
_CHECKS_OF_A_HEAD = _CHECKS[:3]
_ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""What is there to be asked for must not be deleted before."""

CONFIG = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}})

Case = DrawnCase[Any]
Operation = APIOperation[Any, Any, Any, Any]
Known = Mapping[str, Mapping[str, Any]]
"""For a path of the document, values of its parameters that lead to something."""


@schemathesis.serializer(*BINARY)
def as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:  # noqa: ANN401 - any body
    """Bytes; schemathesis has no way for this type by itself."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def operations(schema: BaseSchema) -> list[Operation]:
    """All of the document, in the order in which they can be asked."""
    found = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        found.append(result.ok())
    return sorted(found, key=lambda one: _ORDER.index(one.method.upper()))


def drawn(operation: Operation, known: Known, *, only_known: bool = False) -> Iterator[Case]:
    """Requests as the document wants them and as it does not, to what is there and to what is not.

    With ``only_known`` those that the document wants, to what is there.
    """
    place = dict(known.get(operation.path, {}))
    if only_known:
        yield from _examples(operation, GenerationMode.POSITIVE, place)
        return
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        yield from _examples(operation, mode, {})
        if place:
            yield from _examples(operation, mode, place)


def _examples(operation: Operation, mode: GenerationMode, place: dict[str, Any]) -> list[Case]:
    found: list[Case] = []
    strategy = operation.as_strategy(mode, feedback=FeedbackSources(), path_parameters=place or None)

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @given(strategy)
    def draw(case: Case) -> None:
        found.append(case)

    try:
        draw()
    except hypothesis.errors.Unsatisfiable:
        # What has no parameters and no body cannot be asked for wrongly.
        return []
    return found


def disagreements(
    client: TestClient, cases: Iterable[Case], headers: Mapping[str, str], answered: list[int] | None = None
) -> dict[str, str]:
    """For each operation and each way to disagree the first time that the answer was not as the document says.

    The status of each answer is added to ``answered``.
    """
    found: dict[str, str] = {}
    for case in cases:
        is_stream = case.path in STREAMS
        answer = _sent(client, case, headers, method="HEAD" if is_stream else case.method)
        if answered is not None:
            answered.append(answer.status_code)
        try:
            case.validate_response(answer, checks=checks(_CHECKS_OF_A_HEAD if is_stream else _CHECKS))
        except FailureGroup as group:
            for failure in group.exceptions:
                found.setdefault(f"{case.operation.label}: {failure.title}", f"{case.operation.label}: {group}")
    return found


def _sent(client: TestClient, case: Case, headers: Mapping[str, str], method: str) -> Any:  # noqa: ANN401 - a response
    request = requests.Request(**case.as_transport_kwargs(base_url=BASE, headers=dict(headers))).prepare()
    client.cookies.clear()
    return client.request(method, request.url, content=request.body, headers=dict(request.headers))


@cache
def checks(names: tuple[str, ...]) -> list[CheckFunction]:
    """Those of schemathesis by their names."""
    load_all_checks()
    found: list[Any] = CHECKS.get_by_names(names)
    return list(found)
