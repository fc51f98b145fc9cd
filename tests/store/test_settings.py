from pathlib import Path

import pytest

from store.errors import SettingsInvalid
from store.settings import load_settings


def test_a_setting_that_cannot_be_used_is_named_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://nowhere")
    monkeypatch.setenv("REDIS_URL", "redis://nowhere")
    monkeypatch.setenv("ARTIFACTS_URL", "file:///nowhere")
    load_settings.cache_clear()
    with pytest.raises(SettingsInvalid) as raised:
        load_settings()
    assert raised.value.detail == "DATABASE_URL: it is not an address of Postgres"


def test_a_variable_that_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nowhere")
    monkeypatch.setenv("REDIS_URL", "redis://nowhere")
    monkeypatch.setenv("ARTIFACTS_URL", "file:///nowhere")
    for name in ("PEDIGREE_CACHE", "PEDIGREE_WEIGHTS"):
        monkeypatch.setenv(name, "")
    load_settings.cache_clear()
    settings = load_settings()
    load_settings.cache_clear()
    assert (settings.cache, settings.weights) == (Path("~/.cache/pedigree").expanduser(), None)
