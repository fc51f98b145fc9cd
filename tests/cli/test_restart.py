"""The API replaced under load, as `benchmarks.restart_under_load` does it, once."""

from pathlib import Path

import pytest

from benchmarks.restart_under_load import measured


@pytest.mark.thorough
@pytest.mark.long
def test_no_request_fails_while_a_new_api_process_takes_over(tmp_path: Path) -> None:
    found = measured(tmp_path / "data", restarts=1, clients=6, seconds=6.0)
    assert found["failed"] == {}
    assert found["requests"] > 200
    assert found["processes"] == 2
