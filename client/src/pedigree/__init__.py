"""The client of a Pedigree service: train, examine and ask, from a script or a notebook.

from pedigree import Client

client = Client()
run = client.train("pets", arch="resnet18", epochs=3).wait()
run.confusion.most_confused
client.models.register(run, alias="production")
client.predict("Birman_10.jpg").breed
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pedigree.async_client import AsyncClient
    from pedigree.async_run import AsyncRun
    from pedigree.async_search import AsyncSearch
    from pedigree.client import Client
    from pedigree.errors import JobFailed, PedigreeError, Unreachable
    from pedigree.prediction import Answers
    from pedigree.results import Comparison, Confusion, RateSearch, TopLosses
    from pedigree.run import Run
    from pedigree.search import Search

__all__ = [
    "Answers",
    "AsyncClient",
    "AsyncRun",
    "AsyncSearch",
    "Client",
    "Comparison",
    "Confusion",
    "JobFailed",
    "PedigreeError",
    "RateSearch",
    "Run",
    "Search",
    "TopLosses",
    "Unreachable",
]

PLACES = {
    "Answers": "prediction",
    "AsyncClient": "async_client",
    "AsyncRun": "async_run",
    "AsyncSearch": "async_search",
    "Client": "client",
    "Comparison": "results",
    "Confusion": "results",
    "JobFailed": "errors",
    "PedigreeError": "errors",
    "RateSearch": "results",
    "Run": "run",
    "Search": "search",
    "TopLosses": "results",
    "Unreachable": "errors",
}
"""Brought in when they are asked for (PEP 562): the command sends by ``pedigree.wire`` and waits for no types."""

if not TYPE_CHECKING:  # else any name would have a type

    def __getattr__(name: str) -> object:
        if name not in PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
