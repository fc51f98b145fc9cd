"""Which answers the page takes for a service that is away."""

import json
import re
from pathlib import Path

import api.app
from api.http.errors import LEARNING_STATUS
from store.errors import AppError

SERVICE = Path(str(api.__file__)).with_name("page").joinpath("frame/service.js").read_text()


def test_what_the_page_does_not_ask_for_again_are_errors_of_the_service() -> None:
    (said,) = re.findall(r"^const LASTING = new Set\((\[.+\])\);$", SERVICE, re.MULTILINE)
    lasting = set(json.loads(said))
    not_now = {502, 503, 504}
    codes = {error.code for error in kinds_of(AppError) if error.status in not_now}
    codes |= {code for code, status in LEARNING_STATUS.items() if status in not_now}
    assert lasting < codes
    assert "unavailable" in codes - lasting


def kinds_of(error: type[AppError]) -> set[type[AppError]]:
    """It and all that are of its kind."""
    return {error}.union(*(kinds_of(one) for one in error.__subclasses__()))
