"""Workers that run other code than the API: what ``pedigree doctor`` says of them."""

from collections.abc import Mapping
from typing import Any

MOST_NAMED = 3
MEND = "Start the workers and the API from one installation: stop `pedigree up` and start it again."


def worker_versions(told: Mapping[str, Any]) -> dict[str, str]:
    """What GET /workers says of versions, in words, and as ``fault`` which workers run another one than the API.

    Nothing where the API is of a version that does not tell. A worker that does not is no fault: it is about to end.
    """
    mine = told.get("code_version")
    if mine is None:
        return {}
    others = [one for one in told["items"] if one["code_version"] not in {mine, None}]
    said = {"version": str(mine), "workers": _in_short(len(told["items"]), len(others))}
    if not others:
        return said
    named = [f"{one['name']} runs {one['code_version']}" for one in others]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    fault = f"The API runs version {mine}; of its workers, {', '.join(named[:MOST_NAMED])}{more}. {MEND}"
    return said | {"fault": fault}


def _in_short(workers: int, others: int) -> str:
    if not workers:
        return "none"
    return f"{workers}, {others} of another version" if others else f"{workers}, of the same version"
