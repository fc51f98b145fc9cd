"""Which work a job's process does."""

import pytest

from worker.child import UnknownKind, work_of


def test_a_job_of_a_newer_version_is_not_taken_for_an_import() -> None:
    with pytest.raises(UnknownKind, match="'distil'"):
        work_of("distil")
    assert work_of("import").__name__ == "import_dataset"
