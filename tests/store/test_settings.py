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
    assert raised.value.detail == "DATABASE_URL: must begin with postgresql://"
