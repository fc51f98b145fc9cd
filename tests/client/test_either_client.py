"""What both clients do, the one at once and the other awaited: each test has either, against the real API."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias

import pytest

from cli.processes import wait_until
from pedigree import Answers, AsyncClient, Client, PedigreeError
from pedigree.results import Png
from pedigree.schemas import FailedPicture, KeptPredictionWhole
from store.db.models import Job
from store.settings import Settings
from store.states import State
from tests.api.figure_records import searched
from tests.api.records import MATRIX, VOCAB, Records, jpeg
from tests.cli.live_api import LiveApi, Worker, newest_job
from tests.ml.pictures import encoded, picture
from tests.patience import PATIENCE_SECONDS

PNG = b"\x89PNG\r\n"
Said: TypeAlias = Callable[[Any], Any]
Either: TypeAlias = Any
"""No type has both: what the one gives at once is an awaitable of the other."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"keep_predictions": "photos"})


@pytest.fixture(params=[Client, AsyncClient])
def client(request: pytest.FixtureRequest, api: LiveApi, had: Said) -> Iterator[Any]:
    client = request.param(api.url)
    assert repr(client) == f"<{request.param.__name__} of {api.url}>"
    yield client
    had(client.close())


@pytest.fixture
def had() -> Iterator[Said]:
    """What a call gave, awaited where it has to be, and called where only the asynchronous client has brackets."""
    with asyncio.Runner() as runner:

        def now(given: Any) -> Any:  # noqa: ANN401 - any answer
            given = given() if inspect.ismethod(given) else given
            return runner.run(given) if inspect.iscoroutine(given) else given

        yield now


@contextmanager
def worked_off(records: Records, kind: str, work: Callable[[Job], object]) -> Iterator[None]:
    """Beside what is done within, a worker takes the job that it queues to a good end."""

    def play() -> None:
        assert wait_until(lambda: newest_job(records, kind) is not None, PATIENCE_SECONDS)
        job = newest_job(records, kind)
        assert job is not None
        worker = Worker(records, job)
        worker.starts()
        work(job)
        worker.ends()

    thread = Thread(target=play)
    thread.start()
    yield
    thread.join()


def test_a_run_goes_on_from_another_and_is_cancelled_and_resumed(client: Either, had: Said, records: Records) -> None:
    parent = had(client.runs.get(records.served(size=96).id))
    child = had(client.train(from_run=parent, epochs=1, name="child"))
    assert (child.record.parent, child.config["size"], child.name) == (parent.id, 96, "child")
    assert had(child.cancel).state == "cancelled"
    assert had(child.resume).state == "queued"
    assert had(client.cancel(child.job)).state == "cancelled"
    assert [job.id for job in had(client.jobs.list(run=child.id))] == [child.job]
    assert had(client.jobs.list(state="failed")) == []


def test_a_run_has_words_of_people(client: Either, had: Said, records: Records) -> None:
    run = had(client.runs.get(records.finished().id))
    assert had(run.rename("baseline")).name == "baseline"
    had(run.tag("good"))
    assert had(run.tag("for the paper")).record.tags == ["for-the-paper", "good"]
    assert had(run.untag("never had", "For the paper")).record.tags == ["good"]
    assert had(run.note("the first with warping")).record.note == "the first with warping"
    assert (had(run.rename(None)).name, run.record.tags) == (None, ["good"])


def test_a_run_and_then_its_dataset_are_deleted(client: Either, had: Said, records: Records) -> None:
    run = had(client.runs.get(records.served().id))
    had(run.register())
    with pytest.raises(PedigreeError) as refused:
        had(client.datasets.delete(run.record.dataset.name))
    assert refused.value.status == 409
    with pytest.raises(PedigreeError) as refused:
        had(run.delete())
    assert refused.value.code == "run_needed"
    assert had(run.delete(cascade=True)) is None
    assert had(client.runs.list()) == []
    had(client.datasets.delete(run.record.dataset.name))
    assert had(client.datasets.list()) == []


def test_a_training_is_forecast_and_none_is_queued(client: Either, had: Said, records: Records) -> None:
    records.dataset()
    told = had(client.forecast("pets", arch="resnet18", epochs=7, batch_size=4))
    assert (told.config.arch, told.config.phases[-1].epochs) == ("resnet18", 7)
    assert had(client.runs.list()) == []


def test_what_a_run_came_to_is_read(client: Either, had: Said, records: Records) -> None:
    run = had(client.runs.get(records.finished().id))
    assert [row["error_rate"] for row in had(run.metrics)] == [0.25]
    assert [row["item"] for row in had(run.predictions)] == [0, 1, 2]
    assert had(run.confusion).matrix == MATRIX
    assert "error rate 0.2500" in run._repr_html_()


def test_runs_are_compared_as_a_notebook_shows_them(client: Either, had: Said, records: Records) -> None:
    first, second = records.finished(), records.finished(records.dataset("others"), error_rate=0.125, size=96)
    compared = had(client.runs.compare(first.id, second.id))
    assert compared.different["size"] == [first.config["size"], 96]
    assert f"<td>size</td><td>{first.config['size']}</td><td>96</td>" in compared._repr_html_().replace(
        ' style="text-align:right"', ""
    )


def test_more_runs_than_a_page_are_listed(
    client: Either, had: Said, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pedigree.kept", "pedigree.async_kept"):
        monkeypatch.setattr(f"{module}.PAGE", 2)
    dataset = records.dataset()
    for _ in range(5):
        records.run(dataset)
    assert [run.id for run in had(client.runs.list())] == [5, 4, 3, 2, 1]
    assert [run.id for run in had(client.runs.list(limit=3))] == [5, 4, 3]


def test_a_run_is_registered_promoted_and_rolled_back(client: Either, had: Said, records: Records) -> None:
    dataset = records.dataset()
    first, second = (had(client.runs.get(records.served(dataset).id)) for _ in range(2))
    assert had(first.register("production")).aliases == ["production"]
    assert had(client.models.register(second)).aliases == []
    assert had(client.models.promote(2)).version == 2
    assert had(client.models.alias()).before == 1
    assert had(client.models.rollback()).version == 1
    assert [one.version for one in had(client.models.list())] == [2, 1]
    assert (had(client.models.get(2)).run, had(client.models.get(2)).version) == (second.id, 2)


def test_breeds_are_added_to_a_version(client: Either, had: Said, records: Records) -> None:
    version = had(client.models.register(records.served().id)).version
    records.dataset("new", vocab=["collie"])
    run = had(client.models.add_breeds(version, "new", name="one more"))
    assert (run.name, run.config["recipe"]) == ("one more", "add_breeds")


def test_pictures_are_answered_in_their_order_by_one_version_and_said_to_be_right(
    client: Either, had: Said, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedigree.pictures.AT_ONCE", 2)
    had(client.models.register(records.served().id, alias="production"))
    assert had(client.predict(jpeg())).breed in VOCAB
    answers = had(client.predict([jpeg(), b"no picture", jpeg(), jpeg(), jpeg()], top_k=1))
    assert isinstance(answers, Answers)
    assert [answer.filename for answer in answers] == [f"picture-{number}" for number in range(5)]
    assert (answers.version, [isinstance(one, FailedPicture) for one in answers].index(True)) == (1, 1)
    kept = str(next(one.id for one in answers if not isinstance(one, FailedPicture)))

    def corrected() -> KeptPredictionWhole | None:
        """Once it has been written, which is after the answer."""
        try:
            said: KeptPredictionWhole = had(client.models.feedback(kept, "pug"))
        except PedigreeError:
            return None
        return said

    assert wait_until(lambda: corrected() is not None, PATIENCE_SECONDS)
    said = corrected()
    assert said is not None
    assert said.feedback is not None
    assert (str(said.id), said.feedback.breed) == (kept, "pug")


def test_a_folder_is_sent_taken_in_and_looked_at(client: Either, had: Said, records: Records, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(8):
        name = f"{VOCAB[1 + number % 2]}_{number}.jpg"
        (photos / name).write_bytes(encoded(picture(160, 120, seed=number)))
    with worked_off(records, "import", lambda _: records.dataset_of(photos, "mine")):
        taken = had(client.datasets.add("mine", photos, progress=False))
    assert (taken.name, taken.vocab, taken.items) == ("mine", VOCAB[1:], 8)
    assert [one.name for one in had(client.datasets.list())] == ["mine"]
    assert had(client.datasets.get("mine")).revision == taken.revision
    steps = had(client.datasets.summary("mine", item=2, presize=64, size=48))
    assert (steps.item, steps.path) == (2, "Birman_4.jpg")
    batch, presizing = had(client.datasets.batch("mine", n=4)), had(client.datasets.presizing("mine", item=2, seed=1))
    assert all(isinstance(one, Png) and one._repr_png_().startswith(PNG) for one in (batch, presizing))
    assert batch != had(client.datasets.batch("mine", n=2)), "the choices are sent"


def test_a_dataset_of_the_service_s_own_is_made_and_waited_for(client: Either, had: Said, records: Records) -> None:
    with worked_off(records, "import", lambda _: records.dataset("sample")):
        assert had(client.datasets.add("sample", progress=False)).name == "sample"


def test_a_rate_is_searched_on_a_run_s_weights_and_shown(client: Either, had: Said, records: Records) -> None:
    parent = had(client.runs.get(records.served().id))
    with worked_off(records, "lr_find", lambda job: job.run and searched(records, job.run)):
        found = had(parent.lr_find(name="rates", progress=False))
    run = had(client.runs.get(found.run))
    assert (run.name, run.record.parent, run.record.kind) == ("rates", parent.id, "lr_find")
    assert found.rate is not None
    assert repr(found) == f"<RateSearch of run {run.id}: rate {found.rate:.2e} ({found.record.agreement})>"
    assert f"{found.suggestions['valley']:.2e}" in found._repr_html_()
    axes = found.plot()
    drawn = [name for name, rate in found.suggestions.items() if rate is not None]
    assert [text.get_text().split()[0] for text in axes.get_legend().get_texts()] == drawn
    curve, *rates = axes.lines
    assert list(curve.get_ydata()) == found.record.smoothed
    assert [line.get_xdata()[0] for line in rates] == [found.suggestions[name] for name in drawn]
    assert found.plot(axes) is axes


def test_pictures_of_a_run_are_predicted_again(client: Either, had: Said, records: Records) -> None:
    run = had(client.runs.get(records.served().id))
    with worked_off(records, "interpret", lambda _: None):
        again = had(run.interpret(tta=True, progress=False))
    assert again.matrix == MATRIX
    asked = newest_job(records, "interpret")
    assert asked is not None
    assert (asked.run_id, asked.payload["config"]["tta"], asked.state) == (run.id, True, State.SUCCEEDED)


def test_a_refused_dataset_is_the_service_s_own_error(client: Either, had: Said) -> None:
    with pytest.raises(PedigreeError) as refused:
        had(client.datasets.get("none"))
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    with pytest.raises(PedigreeError) as unknown:
        had(client.wait(99, progress=False))
    assert unknown.value.status == 404
