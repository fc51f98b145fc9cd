"""The client of a Pedigree service: train, examine and ask, from a script or a notebook.

from pedigree import Client

client = Client()
run = client.train("pets", arch="resnet18", epochs=3).wait()
run.confusion.most_confused
client.models.register(run, alias="production")
client.predict("Birman_10.jpg").breed
"""

from pedigree.async_client import AsyncClient
from pedigree.async_run import AsyncRun
from pedigree.client import Client
from pedigree.errors import JobFailed, PedigreeError, Unreachable
from pedigree.prediction import Answers
from pedigree.results import Comparison, Confusion, RateSearch, TopLosses
from pedigree.run import Run

__all__ = [
    "Answers",
    "AsyncClient",
    "AsyncRun",
    "Client",
    "Comparison",
    "Confusion",
    "JobFailed",
    "PedigreeError",
    "RateSearch",
    "Run",
    "TopLosses",
    "Unreachable",
]
