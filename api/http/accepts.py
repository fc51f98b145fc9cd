"""What a caller takes: the headers Accept and Accept-Encoding."""


def accepted(header: str) -> dict[str, float]:
    """Each name in lower case with its quality, 0 to 1; one of 0 is refused by name (RFC 9110, 12.4.2)."""
    return dict(_read(part) for part in header.split(",") if part.strip())


def _read(part: str) -> tuple[str, float]:
    name, *parameters = (one.strip().lower() for one in part.split(";"))
    given = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
    try:
        return name, min(1.0, max(0.0, float(given)))
    except ValueError:
        return name, 0.0
