"""Workers that run other code than the API: what ``pedigree doctor`` says of them."""

from collections.abc import Mapping
from typing import Any

MOST_NAMED = 3
WAY_OUT = "Start the workers and the API from one installation: stop `pedigree up` and start it again."


def worker_versions(told: Mapping[str, Any]) -> dict[str, str]:
    """What GET /workers says of versions, in words, and as ``fault`` which workers run another one than the API.

    Nothing where the API is of a version that does not tell. A worker that does not is no fault, and is counted apart.
    """
    mine = told.get("code_version")
    if mine is None:
        return {}
    others = [one for one in told["items"] if one["code_version"] not in {mine, None}]
    silent = sum(one["code_version"] is None for one in told["items"])
    said = {"version": str(mine), "workers": _in_short(len(told["items"]), len(others), silent)}
    if not others:
        return said
    named = [f"{one['name']} runs {one['code_version']}" for one in others]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    fault = f"The API runs version {mine}; of its workers, {', '.join(named[:MOST_NAMED])}{more}. {WAY_OUT}"
    return said | {"fault": fault}


def _in_short(workers: int, others: int, silent: int) -> str:
    if not workers:
        return "none"
    apart = [f"{others} of another version"] if others else []
    apart += [f"{silent} of an unknown version"] if silent else []
    return ", ".join([str(workers), *(apart or ["of the same version"])])
