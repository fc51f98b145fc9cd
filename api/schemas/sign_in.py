"""Sign-in by an identity provider, out."""

from pydantic import BaseModel


class ProviderOut(BaseModel):
    """Whom people sign in with, and where a browser begins; null where there is no provider."""

    name: str | None = None
    address: str | None = None
