"""An S3 server of this test process."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Serve for the time of the block; its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def variables_of(endpoint: str) -> dict[str, str]:
    """What a process needs in its environment to reach it."""
    return {"AWS_ENDPOINT_URL": endpoint, **CREDENTIALS}


def make_bucket(endpoint: str) -> str:
    """A new bucket's name."""
    bucket = f"b{uuid4().hex}"
    httpx.put(f"{endpoint}/{bucket}").raise_for_status()
    return bucket
