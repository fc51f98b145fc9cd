"""What a connection is told that is closed before a request of it could be read."""

import json
from http import HTTPStatus

from api.http.bodies import AGAIN_SECONDS
from api.schemas.problem import PROBLEM_TYPE, Problem

HEAD_BYTES = 64 * 1024
"""Of a head; and of what stands around the pieces of a body."""

SLOW = Problem(
    title="Request timeout",
    status=408,
    detail="the request's head did not come whole in time",
    code="request_timeout",
    hint="Send the request again, at once and whole.",
)
FULL = Problem(
    title="Service unavailable",
    status=503,
    detail="as many connections are open as may be",
    code="too_many_connections",
    hint="Try again after Retry-After seconds, or raise PEDIGREE_MAX_CONNECTIONS.",
)
FULL_OF_ADDRESS = Problem(
    title="Too many requests",
    status=429,
    detail="as many connections of this address are open as may be of one",
    code="too_many_connections",
    hint="Use fewer at a time and keep them; PEDIGREE_MAX_ADDRESS_CONNECTIONS sets how many may be open.",
)
LONG_HEAD = Problem(
    title="Request header fields too large",
    status=431,
    detail=f"the request's head is over the limit of {HEAD_BYTES} bytes",
    code="head_too_large",
    hint="Send fewer or shorter headers, and a shorter address.",
)
UPGRADE = Problem(
    title="Bad request",
    status=400,
    detail="a request with a body asks for another protocol, and none but HTTP/1.1 is spoken here",
    code="upgrade_unsupported",
    hint="Leave the header Upgrade out, or send it with a GET first.",
)
NOT_HTTP = Problem(
    title="Bad request",
    status=400,
    detail="what was sent is not HTTP/1.1",
    code="bad_request",
    hint="Let a client library build the request.",
)


def last_answer(problem: Problem) -> bytes:
    """The problem as an answer without a request, behind which the connection is closed."""
    body = json.dumps(problem.model_dump(exclude_none=True))
    headers = [("content-type", PROBLEM_TYPE), ("content-length", str(len(body)))]
    headers += [("connection", "close"), ("retry-after", AGAIN_SECONDS)]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    phrase = HTTPStatus(problem.status).phrase
    return f"HTTP/1.1 {problem.status} {phrase}\r\n{head}\r\n{body}".encode("ascii")
