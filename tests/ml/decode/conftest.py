"""Decoding processes end by themselves here, so that what they ran can be counted: a killed one writes nothing."""

from collections.abc import Iterator

import pytest

from ml.decode.decoders import DECODERS
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(scope="module", autouse=True)
def hung_up() -> Iterator[None]:
    """What waits for work at the end of a file sees that nobody is at the other end of its line."""
    yield
    while DECODERS._idle:
        one = DECODERS._idle.pop()
        one._line.close()
        assert one._process.wait(PATIENCE_SECONDS) is not None
