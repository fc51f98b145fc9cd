"""The client against the real API, whose classifier answers at once; the test plays the worker."""

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from pedigree import Answers, Client, PedigreeError
from pedigree.packing import upload_form
from pedigree.schemas import FailedPicture
from store.states import State
from tests.api.records import MATRIX, VOCAB, Records, jpeg
from tests.cli.live_api import newest_job


def test_a_training_is_queued_with_what_was_said_and_nothing_else(client: Client, records: Records) -> None:
    records.dataset()
    run = client.train("pets", arch="resnet18", epochs=2, size=96, presize=128, batch_size=4, name="first")
    assert (run.id, run.state, run.name) == (1, "queued", "first")
    assert {name: run.config[name] for name in ("arch", "size", "presize", "recipe")} == {
        "arch": "resnet18",
        "size": 96,
        "presize": 128,
        "recipe": "fine_tune",
    }
    assert repr(run) == "<Run 1: fine_tune of resnet18 on pets, queued>"
    assert run.cancel().state == "cancelled"
    assert run.resume().state == "queued"


def test_a_run_goes_on_from_another_by_its_settings(client: Client, records: Records) -> None:
    parent = client.runs.get(records.served(size=96).id)
    child = client.train(from_run=parent, epochs=1)
    assert (child.record.parent, child.config["size"]) == (parent.id, 96)


def test_what_a_run_came_to_is_read_where_it_is_asked_for(client: Client, records: Records) -> None:
    run = client.runs.get(records.finished().id)
    assert run.error_rate == 0.25
    assert [row["error_rate"] for row in run.metrics] == [0.25]
    assert run.confusion.matrix == MATRIX
    assert run.confusion.vocab == VOCAB
    assert run.confusion.most_confused[0] == ("pug", "Birman", 3)
    assert len(run.worst(photos=False)) == len(run.worst(2, photos=False)) + 1
    assert [row["item"] for row in run.predictions] == [0, 1, 2]
    assert [row["step"] for row in run.steps] == [0, 1]


def test_runs_are_listed_and_set_beside_each_other(client: Client, records: Records) -> None:
    first, second = records.finished(), records.finished(records.dataset("others"), error_rate=0.125, size=96)
    assert [run.id for run in client.runs.list()] == [second.id, first.id]
    assert [run.id for run in client.runs.list(best=True, limit=1)] == [second.id]
    assert client.runs.list(state="failed") == []
    compared = client.runs.compare(first.id, client.runs.get(second.id))
    assert compared.different["size"] == [first.config["size"], 96]
    assert "batch_size" not in compared.different
    assert [row["error_rate"] for row in compared.records] == [0.25, 0.125]


def test_more_runs_than_a_page_are_listed(client: Client, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedigree.kept.PAGE", 2)
    dataset = records.dataset()
    for _ in range(5):
        records.run(dataset)
    assert [run.id for run in client.runs.list()] == [5, 4, 3, 2, 1]
    assert [run.id for run in client.runs.list(limit=3)] == [5, 4, 3]


def test_a_run_is_registered_promoted_and_rolled_back(client: Client, records: Records) -> None:
    dataset = records.dataset()
    first, second = records.served(dataset), records.served(dataset)
    assert client.models.register(first.id, alias="production").aliases == ["production"]
    version = client.runs.get(second.id).register()
    assert version.aliases == []
    assert client.models.promote(version.version).version == 2
    assert client.models.alias().before == 1
    assert client.models.rollback().version == 1
    assert [one.version for one in client.models.list()] == [2, 1]


@pytest.fixture
def served(client: Client, records: Records) -> Client:
    client.models.register(records.served().id, alias="production")
    return client


def test_a_picture_may_be_a_path_bytes_or_what_pillow_has_opened(served: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    answers = [served.predict(one) for one in (str(path), path, jpeg(), Image.new("CMYK", (40, 30)))]
    assert [answer.filename for answer in answers] == ["a.jpg", "a.jpg", "picture-0", "picture-0.png"]
    assert all(answer.breed in VOCAB for answer in answers)


def test_several_are_answered_in_their_order_and_a_broken_one_alone(
    served: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pedigree.pictures.AT_ONCE", 2)
    answers = served.predict([jpeg(), b"no picture", jpeg(), jpeg(), jpeg()], top_k=1)
    assert isinstance(answers, Answers)
    assert [answer.filename for answer in answers] == [f"picture-{number}" for number in range(5)]
    assert answers.version == 1
    [broken] = answers.broken
    assert isinstance(broken, FailedPicture)
    assert answers.index(broken) == 1
    assert "picture-1" in answers._repr_html_()


def test_a_lone_broken_picture_is_an_error(served: Client) -> None:
    with pytest.raises(PedigreeError) as raised:
        served.predict(b"no picture")
    assert raised.value.code
    assert raised.value.hint


def test_a_folder_is_packed_as_it_is_sent(client: Client, records: Records, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats" / "Birman_1.jpg").write_bytes(jpeg())
    (folder / ".hidden").write_bytes(b"no")
    (folder / "gone_1.jpg").symlink_to("nowhere")
    form = upload_form(folder, {"name": "pets"})
    body = b"".join(form.body)
    assert len(body) == int(form.headers["Content-Length"])
    job = client.upload(upload_form(folder, {"name": "pets"}))
    assert job.kind == "import"
    queued = newest_job(records, "import")
    assert queued is not None
    start = body.index(b"\r\n\r\n", body.index(b"archive")) + 4
    with tarfile.open(fileobj=io.BytesIO(body[start:])) as tar:
        assert tar.getnames() == ["cats/Birman_1.jpg"]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_cannot_be_sent_is_said_before_anything_is(client: Client, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PedigreeError) as raised:
        client.datasets.add("pets", tmp_path / name)
    assert raised.value.code == {"nothing": "unreadable", "empty": "empty_folder"}[name]


def test_an_error_says_which_input_and_what_to_change(client: Client, records: Records) -> None:
    records.dataset()
    with pytest.raises(PedigreeError) as raised:
        client.train("pets", batch_size=0)
    error = raised.value
    assert (error.status, error.value) == (422, "0")
    assert error.field is not None
    assert error.field.endswith("batch_size")
    assert str(error.hint) in str(error)
    assert [fault["field"] for fault in error.errors] == [error.field]


def test_nothing_to_train_on_is_said_without_a_service() -> None:
    with Client("http://localhost:9") as client, pytest.raises(PedigreeError) as raised:
        client.train()
    assert raised.value.code == "no_dataset"


def test_an_unknown_run_is_said_to_be_unknown(client: Client) -> None:
    with pytest.raises(PedigreeError) as raised:
        client.runs.get(12)
    assert (raised.value.status, raised.value.code) == (404, "not_found")


def test_a_run_shows_its_epochs_and_curve_in_a_notebook(client: Client, records: Records) -> None:
    run = client.runs.get(records.finished().id)
    shown = run._repr_html_()
    assert "error rate 0.2500" in shown
    assert "<svg" in shown
    assert "polyline" in shown
    assert "valid_loss" in shown


def test_a_confusion_is_drawn_and_told(client: Client, records: Records) -> None:
    confusion = client.runs.get(records.finished().id).confusion
    axes = confusion.plot()
    assert [label.get_text() for label in axes.get_xticklabels()] == VOCAB
    assert axes.images[0].get_array().tolist() == MATRIX
    assert "<td>pug</td><td>Birman</td>" in confusion._repr_html_()


def test_a_job_that_failed_is_an_error_with_its_own_code_and_hint(client: Client, records: Records) -> None:
    run, job = records.run(records.dataset(), kind="lr_find")
    records.move(job, State.RUNNING, State.FAILED)
    with pytest.raises(PedigreeError) as raised:
        client.wait(job.id, progress=False)
    assert raised.value.code == "loss_diverged"
    assert raised.value.hint == "Lower the learning rate."
    assert client.runs.get(run.id).state == "failed"


def test_breeds_are_added_to_a_version_by_a_run_of_their_own(client: Client, records: Records) -> None:
    version = client.models.register(records.served().id).version
    records.dataset("new", vocab=["collie"])
    run = client.models.add_breeds(version, "new", name="one more")
    assert (run.name, run.state, run.config["recipe"], run.record.added) == ("one more", "queued", "add_breeds", None)
    with pytest.raises(PedigreeError, match="knows 'pug' already"):
        client.models.add_breeds(version, records.dataset("known", vocab=["pug"]).name)
