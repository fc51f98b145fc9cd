"""Whether people sign in here; what checks signatures is imported where they do."""

from typing import TYPE_CHECKING

from ml.late import Late
from store.oidc import client_of
from store.settings import Settings

if TYPE_CHECKING:
    from api.sign_in.provider import Provider

_PROVIDER: Late[type["Provider"]] = Late("api.sign_in.provider", "Provider")


def provider_of(settings: Settings) -> "Provider | None":
    """The provider that is set, asked nothing yet; None where there is none.

    Raises:
        SettingsInvalid: what is set of it cannot be used.
    """
    client = client_of(settings)
    return None if client is None else _PROVIDER.get().of(client)
