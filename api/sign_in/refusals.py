"""Why somebody is not signed in."""

from store.errors import AppError, ServiceUnavailable

AWAY_SECONDS = 5
"""After a failure the provider is left alone so long."""


class SignInLost(AppError):
    """The provider's answer belongs to no sign-in of this browser."""

    status = 400
    code = "sign_in_lost"
    title = "Sign-in lost"


class SignInRefused(AppError):
    """The provider vouches for nobody who may come in."""

    status = 403
    code = "sign_in_refused"
    title = "Sign-in refused"


class ProviderUnfit(AppError):
    """What the provider says of itself cannot be used."""

    status = 502
    code = "provider_unfit"
    title = "Identity provider unfit"


class ProviderAway(ServiceUnavailable):
    """The provider does not answer, or not as it should."""

    code = "provider_away"
    title = "Identity provider away"


def lost() -> SignInLost:
    """The cookie of the sign-in is gone, older than may be, or of another one."""
    return SignInLost(
        "this sign-in was not begun in this browser, or took too long, or is over already", "Sign in again."
    )


def refused(why: str) -> SignInRefused:
    """What the provider sent is not good."""
    return SignInRefused(f"the identity provider's answer is not good: {why}", "Sign in again.")


def away(what: str) -> ProviderAway:
    """Say when to try again."""
    hint = f"Try again in {AWAY_SECONDS} s. Who is signed in stays so, and keys go on."
    return ProviderAway(f"the identity provider {what}", hint, {"Retry-After": str(AWAY_SECONDS)})


def unfit(what: str) -> ProviderUnfit:
    """Somebody has to mend it, here or there."""
    hint = "Who runs the service can see in its log what is wrong. Keys go on."
    return ProviderUnfit(f"the identity provider's description of itself cannot be used: {what}", hint)
