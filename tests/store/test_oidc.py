"""Settings of an identity provider: nonsense is refused in one line, and no secret is told."""

from pathlib import Path

import pytest

from store.access import Scope
from store.errors import SettingsInvalid
from store.oidc import client_of
from store.settings import Settings

GOOD: dict[str, object] = {
    "public_url": "https://pets.example.org",
    "allowed_hosts": "localhost,*.example.org",
    "oidc_issuer": "https://id.example.org/realms/pets",
    "oidc_client_id": "pedigree",
    "oidc_admin_groups": "keepers",
}
NONSENSE: list[tuple[dict[str, object], str]] = [
    ({"oidc_issuer": ""}, "PEDIGREE_OIDC_CLIENT_ID is set, and PEDIGREE_OIDC_ISSUER is not"),
    ({"oidc_issuer": "http://id.example.org"}, "PEDIGREE_OIDC_ISSUER: "),
    ({"oidc_issuer": "https://user:secret@id.example.org"}, "PEDIGREE_OIDC_ISSUER: "),
    ({"oidc_issuer": "id.example.org"}, "PEDIGREE_OIDC_ISSUER: "),
    ({"oidc_issuer": "https://id.example.org:x"}, "PEDIGREE_OIDC_ISSUER: "),
    ({"oidc_issuer": "https://id.example.org/?a=b"}, "PEDIGREE_OIDC_ISSUER: "),
    ({"oidc_client_id": ""}, "PEDIGREE_OIDC_CLIENT_ID: "),
    ({"oidc_admin_groups": " , "}, "names a group"),
    ({"oidc_requested_scopes": "email"}, "PEDIGREE_OIDC_REQUESTED_SCOPES: "),
    ({"oidc_hosts": "https://keys.example.org"}, "PEDIGREE_OIDC_HOSTS: "),
    ({"oidc_name": "\x1b[2J"}, "PEDIGREE_OIDC_NAME: "),
    ({"oidc_client_secret": "/nowhere"}, "cannot be read"),
    ({"public_url": ""}, "PEDIGREE_PUBLIC_URL: "),
    ({"public_url": "http://pets.example.org"}, "PEDIGREE_PUBLIC_URL: "),
    ({"public_url": "https://pets.example.org/pets"}, "PEDIGREE_ROOT_PATH"),
    ({"public_url": "https://pets.example.com"}, "PEDIGREE_ALLOWED_HOSTS: "),
    ({"open": "yes"}, "PEDIGREE_OPEN: "),
]


def test_nonsense_is_refused(settings_of_session: Settings) -> None:
    for wrong, said in NONSENSE:
        with pytest.raises(SettingsInvalid) as refused:
            client_of(settings_of_session.model_copy(update=GOOD | wrong))
        told = f"{refused.value.detail}. {refused.value.hint}"
        assert said in told
        assert "\n" not in told
        assert "secret@" not in told


def test_a_provider_is_told_where_to_send_browsers_by_settings_alone(settings_of_session: Settings) -> None:
    client = client_of(settings_of_session.model_copy(update=GOOD))
    assert client is not None
    assert client.redirect_address == "https://pets.example.org/sign-in/callback"
    assert (client.name, client.secret, client.is_secure) == ("id.example.org", "", True)
    assert client.groups == {Scope.PREDICT: frozenset(), Scope.TRAIN: frozenset(), Scope.ADMIN: {"keepers"}}
    below = {"public_url": "https://pets.example.org/pets/", "root_path": "/pets", "allowed_hosts": "*"}
    there = client_of(settings_of_session.model_copy(update=GOOD | below))
    assert there is not None
    assert (there.place, there.begin_address) == ("/pets", "https://pets.example.org/pets/sign-in")


def test_a_secret_that_others_may_read_is_none(settings_of_session: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden\n")
    secret.chmod(0o600)
    settings = settings_of_session.model_copy(update=GOOD | {"oidc_client_secret": str(secret)})
    client = client_of(settings)
    assert client is not None
    assert client.secret == "hidden"  # noqa: S105 - the test's own
    assert "hidden" not in f"{client} {settings.shown()}"
    for mode, content, why in ((0o644, "hidden", "0644"), (0o600, "two\nlines", "no line"), (0o600, "", "no line")):
        secret.write_text(content)
        secret.chmod(mode)
        with pytest.raises(SettingsInvalid, match=why) as refused:
            client_of(settings)
        assert "hidden" not in f"{refused.value.detail} {refused.value.hint}"
