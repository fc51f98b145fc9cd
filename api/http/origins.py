"""Whose page a request comes from, as far as a browser says it."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

_PORTS = {"http": 80, "https": 443}
_OTHER_SITES = frozenset({"cross-site", "same-site"})

Authority = tuple[str, int | None]
"""A host's name, and its port where one is said that its scheme does not have by itself."""


def is_foreign(headers: Headers, friends: frozenset[str]) -> bool:
    """Whether a page of another site sent the request; what is no browser says nothing and is not.

    A proxy may change the port of Host or leave it out. Where a browser says of whose page the request is, nothing else
    is asked: no page can say that in its stead.

    Args:
        headers: the request's.
        friends: origins of other sites that may.
    """
    origin = headers.get("origin")
    if origin is not None and normal_origin(origin) in friends:
        return False
    site = headers.get("sec-fetch-site")
    if site == "same-origin":
        return False
    return site in _OTHER_SITES or (origin is not None and not _is_ours(origin, headers))


def normal_origin(origin: str) -> str | None:
    """An origin in small letters without its scheme's own port; None where it is none."""
    scheme, _, rest = origin.lower().partition("://")
    told = authority(rest, scheme)
    if told is None:
        return None
    name, port = told
    return f"{scheme}://{name}" if port is None else f"{scheme}://{name}:{port}"


def authority(host: str, scheme: str) -> Authority | None:
    """The name and port of a Host header for a scheme; None where it is none."""
    if scheme not in _PORTS or any(sign in host for sign in "/?#@\\ "):
        return None
    try:
        split = urlsplit(f"//{host}")
        name, port = split.hostname, split.port
    except ValueError:
        return None
    if not name:
        return None
    name = f"[{name}]" if ":" in name else name.removesuffix(".")
    return name, None if port == _PORTS[scheme] else port


def _is_ours(origin: str, headers: Headers) -> bool:
    scheme, _, rest = origin.lower().partition("://")
    asking = authority(rest, scheme)
    hosts = [host for name in ("host", "x-forwarded-host") for host in headers.getlist(name)]
    # A page elsewhere cannot add X-Forwarded-Host: the browser would ask before.
    ours = [authority(host, scheme) for host in hosts]
    if asking is None:
        return False
    # Where a proxy leaves the port out of Host, only the name is left. Over https every browser says the rest itself.
    return asking in ours or (scheme == "https" and (asking[0], None) in ours)
