"""What stands in a header is read in a time that no value of it makes long."""

import pytest

from api.sign_in.attempt import COOKIE
from store.settings import Settings
from tests.api.http.test_edge import serving
from tests.api.loop_time import HELD_SECONDS, longest_hold

READ_HEADERS = (
    "Accept Accept-Encoding Access-Control-Request-Headers Authorization Connection Content-Disposition "
    "Content-Encoding Content-Type Cookie Forwarded If-Match If-Modified-Since If-None-Match If-Range Last-Event-ID "
    "Origin Range Referer Tus-Resumable Upload-Metadata Upload-Offset X-Forwarded-For X-Request-Id traceparent"
)


LINES = ("GET /models", "GET /ui/", "POST /datasets", "POST /predict", "GET /session", "GET /sign-in/callback?state=a")
SIGN_IN = {
    "public_url": "http://localhost",
    "oidc_issuer": "http://localhost:1",
    "oidc_client_id": "pedigree",
    "oidc_train_groups": "pets",
}
"""A provider that nobody is sent to: the way back is asked for without one."""


@pytest.mark.parametrize("filled", [';a="%s"', "a=%s"])
@pytest.mark.parametrize("piece", ["\\\\", ";", '";', ", ", "0-1,", 'W/"a",', " ", "\\1"])
def test_no_value_of_a_header_holds_the_loop(settings: Settings, piece: str, filled: str) -> None:
    value = filled % (piece * (20_000 // len(piece)))
    starts = [
        ("Cookie", "pedigree_session=x; "),
        ("Cookie", f"{COOKIE}="),
        ("Range", "bytes="),
        ("Authorization", "Bearer "),
        ("Cookie", ""),
    ]
    starts += [("Content-Type", "multipart/form-data; boundary=b")]
    starts += [(name, "") for name in READ_HEADERS.split()]
    with serving(settings.model_copy(update=SIGN_IN), loop="asyncio") as service, longest_hold() as longest:
        for name, start in starts:
            for line in LINES:
                head = f"{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n"
                with service.connect(f"{head}{name}: {start}{value}\r\n\r\n".encode()) as connection:
                    assert connection.recv(9) == b"HTTP/1.1 ", (line, name)
            assert longest.seconds < HELD_SECONDS, name
