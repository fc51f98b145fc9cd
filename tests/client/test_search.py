import asyncio

import pytest

from pedigree import AsyncClient, Client, PedigreeError
from store.db.jobs import change_state
from store.db.models import Run
from store.db.study_tables import Study, StudyTrial
from store.states import State
from tests.api.records import Records
from tests.cli.live_api import LiveApi

SPACE = {"size": [96, 128], "base_lr": {"low": 1e-4, "high": 1e-2, "log": True}}


def with_a_trial(records: Records, job: int, run: Run) -> None:
    """One trial that trained to its end."""
    with records.sessions.begin() as session:
        change_state(session, job, State.RUNNING)
        settings = {"size": 96, "base_lr": 2e-3}
        trial = StudyTrial(
            study_id=session.get_one(Study, job).job_id,
            number=1,
            run_id=run.id,
            settings=settings,
            outcome="done",
            curve=[0.5, 0.25],
            value=0.25,
        )
        session.add(trial)


def test_a_search_is_queued_read_cancelled_and_resumed(client: Client, records: Records) -> None:
    run = records.finished(records.dataset())
    search = client.search("pets", SPACE, trials=5, minutes=9, name="sizes", arch="resnet18", batch_size=4)
    assert (search.state, search.best, search.trials) == ("queued", None, [])
    assert (search.study.name, search.study.asked.trials, search.study.asked.minutes) == ("sizes", 5, 9)
    assert search.study.asked.config is not None
    assert search.study.asked.config.arch == "resnet18"
    assert search.cancel().state == "cancelled"
    assert search.resume().state == "queued"
    with_a_trial(records, search.job, run)
    best = search.refresh().best
    assert best is not None
    assert (best.value, best.settings) == (0.25, {"size": 96, "base_lr": 2e-3})
    assert search.best_run is not None
    assert search.best_run.id == run.id
    row = search.trials[0]
    assert (row["trial"], row["size"], row["outcome"], row["best"]) == (1, 96, "done", True)
    assert repr(search) == f"<Search {search.job}: running, 1 done, 0 pruned, best 0.25 in run {run.id}>"


def test_a_space_that_cannot_be_is_told_with_its_field(client: Client, records: Records) -> None:
    records.dataset()
    with pytest.raises(PedigreeError) as refused:
        client.search("pets", {"nothing": [1, 2]}, arch="resnet18", batch_size=4)
    assert refused.value.field == "body.space.nothing"


def test_the_asynchronous_client_does_the_same(api: LiveApi, records: Records) -> None:
    records.dataset()

    async def walk() -> None:
        async with AsyncClient(api.url) as client:
            search = await client.search("pets", SPACE, trials=5, arch="resnet18", batch_size=4)
            assert (search.state, await search.trials(), await search.best_run()) == ("queued", [], None)
            assert (await search.cancel()).state == "cancelled"
            assert (await search.resume()).state == "queued"
            assert (await search.refresh()).study.asked.trials == 5

    asyncio.run(walk())
