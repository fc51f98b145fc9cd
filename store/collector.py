"""The OpenTelemetry collector that traces are sent to: its address, and what is sent along for it to let them in."""

import re
from pathlib import Path

from store.errors import SettingsInvalid

MOST_OF_FILE = 16 * 1024
"""Bytes of a file with headers."""

# No user, no query, no fragment: what is secret has no place in an address, which is logged and shown.
_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([!-~](?:[ -~]*[!-~])?)[ \t]*")
_PATH = "/v1/traces"


def is_address(value: str) -> bool:
    """Whether a collector may have that address."""
    return bool(_ADDRESS.fullmatch(value))


def traces_address(endpoint: str) -> str:
    """Where traces go, as OTLP over HTTP has it below a collector's address."""
    return endpoint.rstrip("/").removesuffix(_PATH) + _PATH


def read_headers(setting: str) -> dict[str, str]:
    """The headers of ``PEDIGREE_OTLP_HEADERS_FILE``, which may be empty.

    The file has one on each line, as ``Authorization: Bearer …``; empty lines count for nothing.

    Raises:
        SettingsInvalid: it is no such file. What it says instead is not told, as it may be secret.
    """
    if not setting:
        return {}
    path = Path(setting).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(MOST_OF_FILE + 1)
    except OSError as error:
        raise _invalid(f"{str(path)!r} cannot be read ({error.strerror})") from None
    if len(content) > MOST_OF_FILE:
        raise _invalid(f"{str(path)!r} has more than {MOST_OF_FILE} bytes")
    headers = {}
    for number, line in enumerate(content.decode("latin-1").splitlines(), start=1):
        if not line.strip():
            continue
        found = _HEADER.fullmatch(line)
        if found is None:
            raise _invalid(f"line {number} of {str(path)!r} is no header")
        headers[found[1]] = found[2]
    return headers


def _invalid(detail: str) -> SettingsInvalid:
    return SettingsInvalid(
        f"PEDIGREE_OTLP_HEADERS_FILE: {detail}",
        "Set PEDIGREE_OTLP_HEADERS_FILE to a file with a header on each line, such as `Authorization: Bearer …`.",
    )
