"""A service that keeps the photos of predictions, as corrections may add them to a dataset; and one to correct."""

from pathlib import Path

import pytest

from store.db.models import Dataset
from store.settings import Settings
from tests.api.datasets.doubtful import photos
from tests.api.records import Records


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_predictions": "photos"})


@pytest.fixture
def pets(records: Records, tmp_path: Path) -> Dataset:
    return photos(records, tmp_path / "pets")
