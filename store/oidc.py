"""The identity provider that people sign in with: what was set of it, checked, and which addresses may be called."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from store.access import Scope
from store.errors import SettingsInvalid
from store.settings import Settings, split_list

Authority = tuple[str, int]
"""A host's name in small letters, and its port."""

BEGIN = "/sign-in"
CALLBACK = "/sign-in/callback"
_DISCOVERY = "/.well-known/openid-configuration"
MOST_OF_SECRET = 4096
"""Bytes of a file with a client's secret."""
_PORTS = {"https": 443, "http": 80}
_SIGNS = re.compile(r"[!-~]{1,1000}")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_SECRET_FILE = "PEDIGREE_OIDC_CLIENT_SECRET_FILE"  # noqa: S105 - a variable's name
_OF_A_PROVIDER = (
    ("PEDIGREE_OIDC_CLIENT_ID", "oidc_client_id"),
    (_SECRET_FILE, "oidc_client_secret"),
    ("PEDIGREE_OIDC_PREDICT_GROUPS", "oidc_predict_groups"),
    ("PEDIGREE_OIDC_TRAIN_GROUPS", "oidc_train_groups"),
    ("PEDIGREE_OIDC_ADMIN_GROUPS", "oidc_admin_groups"),
)


@dataclass(frozen=True)
class OidcClient:
    """What we are to the provider, and what its groups are to us."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    """Empty: the provider gave none."""
    name: str
    hosts: frozenset[Authority]
    """Nothing else is called, nor is a browser sent elsewhere."""
    requested: str
    groups_claim: str
    groups: Mapping[Scope, frozenset[str]]
    public_url: str
    session: timedelta

    @property
    def begin_address(self) -> str:
        """Where a browser begins."""
        return self.public_url + BEGIN

    @property
    def redirect_address(self) -> str:
        """Where the provider sends a browser back to; made of settings alone, of no request's Host."""
        return self.public_url + CALLBACK

    @property
    def discovery_address(self) -> str:
        """Where the provider describes itself."""
        return self.issuer.rstrip("/") + _DISCOVERY

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach us by TLS."""
        return self.public_url.startswith("https:")

    @property
    def place(self) -> str:
        """The service's own path, without a slash at its end: empty at the root of its host."""
        return urlsplit(self.public_url).path

    def fault_of(self, address: object) -> str | None:
        """Why an address that the provider names must not be used; None where it may be."""
        if not isinstance(address, str):
            return "is missing, or is no text"
        split = _split(address)
        if split is None:
            return "is no address"
        if not _is_safe(split):
            return "is neither https nor http on this machine"
        if _authority_of(split) not in self.hosts:
            return f"is on {split.netloc}, which is neither the issuer's host nor one of PEDIGREE_OIDC_HOSTS"
        return None


def client_of(settings: Settings) -> OidcClient | None:
    """The provider's client as it is set; None where nobody signs in.

    Raises:
        SettingsInvalid: a setting is missing, or cannot be used. A secret is not told.
    """
    if not settings.oidc_issuer:
        _check_unset(settings)
        return None
    issuer = _checked_issuer(settings.oidc_issuer)
    if settings.open == "yes":
        raise _invalid("PEDIGREE_OPEN", "nobody is asked who they are, and PEDIGREE_OIDC_ISSUER is set", "no")
    if not _SIGNS.fullmatch(settings.oidc_client_id):
        raise _invalid("PEDIGREE_OIDC_CLIENT_ID", "it is missing, or has spaces", "what the provider knows us by")
    requested = settings.oidc_requested_scopes.split()
    if "openid" not in requested:
        raise _invalid("PEDIGREE_OIDC_REQUESTED_SCOPES", "openid is not among them", "words such as openid email")
    return OidcClient(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        secret=_read_secret(settings.oidc_client_secret),
        name=_checked_name(settings.oidc_name or str(issuer.hostname)),
        hosts=frozenset({_authority_of(issuer), *map(_checked_host, split_list(settings.oidc_hosts))}),
        requested=" ".join(requested),
        groups_claim=settings.oidc_groups_claim,
        groups=_checked_groups(settings),
        public_url=_checked_public(settings),
        session=timedelta(hours=settings.oidc_session_hours),
    )


def _authority_of(split: SplitResult) -> Authority:
    return str(split.hostname).removesuffix("."), split.port or _PORTS[split.scheme]


def _split(address: str) -> SplitResult | None:
    """An http or https address with a host, without user and fragment; None where it is none."""
    if not _SIGNS.fullmatch(address) or "\\" in address:
        return None
    try:
        split = urlsplit(address)
        is_whole = split.scheme in _PORTS and bool(split.hostname) and split.port != 0
    except ValueError:
        return None
    return split if is_whole and "@" not in split.netloc and not split.fragment else None


def _is_safe(split: SplitResult) -> bool:
    return split.scheme == "https" or _is_loopback(str(split.hostname))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_issuer(issuer: str) -> SplitResult:
    split = _split(issuer)
    if split is None or split.query or not _is_safe(split):
        form = "an address such as https://id.example.org/realms/pets; http serves on this machine alone"
        raise _invalid("PEDIGREE_OIDC_ISSUER", "it is not the address of a provider", form)
    return split


def _checked_public(settings: Settings) -> str:
    address, root = settings.public_url, settings.root_path
    variable, form = "PEDIGREE_PUBLIC_URL", f"one such as https://pets.example.org{root}; http serves on this machine"
    if not address:
        raise _invalid(variable, "it is not set, and the provider sends browsers back there", form)
    split = _split(address)
    if split is None or split.query or not _is_safe(split):
        raise _invalid(variable, f"{address[:100]!r} is no address that browsers may be sent back to", form)
    if split.path.rstrip("/") != root:
        raise _invalid(variable, f"its path is {split.path!r}, and PEDIGREE_ROOT_PATH is {root!r}", form)
    host = str(split.hostname)
    host = f"[{host}]" if ":" in host else host
    allowed = [pattern.lower() for pattern in split_list(settings.allowed_hosts)]
    if not any(one in {"*", host} or (one.startswith("*.") and host.endswith(one[1:])) for one in allowed):
        raise _invalid("PEDIGREE_ALLOWED_HOSTS", f"it does not list {host}, where PEDIGREE_PUBLIC_URL is", host)
    return address.rstrip("/")


def _checked_groups(settings: Settings) -> dict[Scope, frozenset[str]]:
    texts = (settings.oidc_predict_groups, settings.oidc_train_groups, settings.oidc_admin_groups)
    groups = {scope: frozenset(split_list(text)) for scope, text in zip(Scope, texts, strict=True)}
    if not any(groups.values()):
        detail = "neither it nor PEDIGREE_OIDC_TRAIN_GROUPS nor PEDIGREE_OIDC_ADMIN_GROUPS names a group"
        raise _invalid("PEDIGREE_OIDC_PREDICT_GROUPS", detail, "groups whose people may sign in")
    return groups


def _checked_name(name: str) -> str:
    if not name.isprintable():
        raise _invalid("PEDIGREE_OIDC_NAME", "it has signs that cannot be printed", "what people call the provider")
    return name.strip()


def _checked_host(host: str) -> Authority:
    split = _split(f"https://{host}") if _HOST.fullmatch(host) else None
    if split is None:
        raise _invalid("PEDIGREE_OIDC_HOSTS", f"{host[:100]!r} is not a host", "hosts such as oauth2.example.org")
    return _authority_of(split)


def _read_secret(setting: str) -> str:
    """The secret in the file, without the line's end; empty where no file is named."""
    if not setting:
        return ""
    path = Path(setting).expanduser()
    form = "a file of mode 0600 with the secret on its only line"
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            content = file.read(MOST_OF_SECRET + 1)
    except OSError as error:
        raise _invalid(_SECRET_FILE, f"{str(path)!r} cannot be read ({error.strerror})", form) from None
    if mode & stat.S_IRWXO:
        raise _invalid(_SECRET_FILE, f"{str(path)!r} has the mode {mode:04o}: everybody may read it", form)
    secret = content.decode("latin-1").rstrip("\r\n")
    if not _SIGNS.fullmatch(secret):
        raise _invalid(_SECRET_FILE, f"{str(path)!r} has no line with a secret, or more than that", form)
    return secret


def _check_unset(settings: Settings) -> None:
    """What is set for a provider that is not named was meant to do something."""
    for variable, name in _OF_A_PROVIDER:
        if getattr(settings, name):
            hint = f"Set PEDIGREE_OIDC_ISSUER too, or unset {variable}."
            raise SettingsInvalid(f"{variable} is set, and PEDIGREE_OIDC_ISSUER is not", hint)


def _invalid(variable: str, detail: str, form: str) -> SettingsInvalid:
    return SettingsInvalid(f"{variable}: {detail}", f"Set {variable} to {form}.")
