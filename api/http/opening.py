"""Where the service listens, and whether nobody need show a key there; settled before it listens."""

import logging
import socket
from ipaddress import ip_address

from sqlalchemy.exc import SQLAlchemyError

from api.http.access import Openness
from store.db.access_keys import keys_on_record
from store.db.session import make_engine, make_sessions
from store.errors import AppError
from store.settings import Settings

logger = logging.getLogger(__name__)

MAKE_ONE = "Make the first with `pedigree keys create NAME --scope admin`"


class KeysMissing(AppError):
    """The service would be open to a whole network."""

    code = "keys_missing"
    title = "Keys missing"


def settle(settings: Settings, host: str | None) -> Openness:
    """Whether nobody is asked for a key at the address; the log says so. None is a socket that is no network's.

    Where the database does not answer, the service starts, and lets nobody in before it does.

    Raises:
        KeysMissing: others than this machine's users reach the address, and they have neither key nor sign-in.
    """
    is_local = host is None or is_loopback(host)
    if settings.open == "yes":
        logger.warning("PEDIGREE_OPEN is yes: open to everybody who reaches %s, without a key", host)
        return Openness.ALWAYS
    if settings.oidc_issuer:
        logger.info("every request needs a key, or a sign-in by %s", settings.oidc_issuer)
        return Openness.NEVER
    made, usable = _count_keys(settings)
    if not is_local and made is not None and not usable:
        what = "no key is good any more" if made else "there is no key"
        hint = f"{MAKE_ONE}, or listen on 127.0.0.1; behind a proxy that knows its users set PEDIGREE_OPEN=yes."
        raise KeysMissing(f"{host} can be reached from other machines, and {what}", hint)
    if is_local and made is False:
        logger.info("open to every user of this machine, without a key. %s to close it", MAKE_ONE)
    elif made:
        logger.info("every request needs a key")
    return Openness.UNTIL_A_KEY_IS_MADE if is_local else Openness.NEVER


def address_of_socket(number: int) -> str | None:
    """What a listening socket that was handed over listens on."""
    held = socket.socket(fileno=number)
    try:
        return None if held.family == socket.AF_UNIX else str(held.getsockname()[0])
    finally:
        held.detach()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there; a name has to mean nothing else."""
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(host or "0.0.0.0", None)}  # noqa: S104 - refused
    except OSError:
        return False
    return all(ip_address(one.partition("%")[0]).is_loopback for one in found)


def _count_keys(settings: Settings) -> tuple[bool | None, int]:
    """Whether any key was ever made, None where the database does not say; and how many are good."""
    engine = make_engine(settings)
    try:
        with make_sessions(engine).begin() as session:
            found = keys_on_record(session)
    except SQLAlchemyError as error:
        logger.warning("whether there are keys is not known yet: %s", str(error).splitlines()[0])
        return None, 0
    finally:
        engine.dispose()
    return found.any_made, len(found.keys)
