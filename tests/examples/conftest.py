"""One small service for all examples: its start takes longer than many of them."""

from collections.abc import Iterator

import pytest

from tests.examples.small_service import SmallService, small_service


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallService]:
    """What one example leaves in it, the next one finds; each adds the pictures that it needs."""
    with small_service(tmp_path_factory.mktemp("small")) as started:
        yield started
