"""Jobs that are followed on a terminal: the real command under a pty, the real API, and a worker played by the test."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from cli.processes import wait_until
from cli.watch_views import BACK, TRYING
from store.artifacts import ArtifactStore
from store.db.jobs import claim, mark_published, save_progress
from store.db.lanes import keep_worker
from store.lanes import Lane
from store.settings import Settings
from store.states import State
from tests.api.records import Records
from tests.cli.live_api import LiveApi, Worker, live_api, newest_job
from tests.cli.pictures import draw_pictures
from tests.cli.terminal import CTRL_C, DEADLINE_SECONDS, Terminal, terminal, usual
from tests.cli.test_up import COMMAND

LEASE_SECONDS = 600.0
"""Longer than a busy machine takes to start the command."""
TABLES = {
    200: [
        "epoch  train_loss  valid_loss  error_rate  images/s         time",
        "  1.1      2.0363      0.6208      0.1817        41    1 min 8 s",
        "  2.1      2.0363      0.6208      0.1551        41    1 min 8 s",
    ],
    40: [
        "epoch  train  valid  error        time",
        "  1.1 2.0363 0.6208 0.1817   1 min 8 s",
        "  2.1 2.0363 0.6208 0.1551   1 min 8 s",
    ],
    28: ["epoch  train  valid  error", "  1.1 2.0363 0.6208 0.1817", "  2.1 2.0363 0.6208 0.1551"],
}
TABLES[80] = TABLES[200]
AT_WORK = {
    200: "train      ━{30}─{10}   93/126  41 images/s  1 min 15 s left",
    80: "train      ━{21}─{8}   93/126  41 images/s  1 min 15 s left",
    40: "train   93/126  1 min 15 s left",
    28: "train   93/126",
}


@pytest.fixture
def records(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> Records:
    return Records(sessions, artifacts)


@pytest.fixture(scope="module")
def api(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    folder = tmp_path_factory.mktemp("service")
    places = {"artifacts_url": (folder / "artifacts").as_uri(), "cache": folder / "cache"}
    with live_api(Settings.model_validate({"database_url": postgres_url, "redis_url": redis_url, **places})) as api:
        yield api


def environment(api: LiveApi, **more: str) -> dict[str, str]:
    return usual(PEDIGREE_URL=api.url, **more)


def training(records: Records) -> Worker:
    return Worker(records, records.run(records.dataset())[1])


def queued(shown: Terminal, records: Records, kind: str) -> Worker:
    """The job that the command has just queued, in the hands of the test."""
    shown.until(lambda: newest_job(records, kind) is not None)
    job = newest_job(records, kind)
    assert job is not None
    return Worker(records, job)


def at_work(worker: Worker, *terminals: Terminal) -> None:
    """Take the job as far as its second epoch."""
    for shown in terminals:
        shown.shows("queued")
    worker.starts()
    for shown in terminals:
        shown.shows("starting")
    worker.says("cpu (2 threads), bf16 (this CPU has avx512_bf16), 126 steps")
    worker.epoch(0, 0, 0.1817)
    worker.progress("train", 93, 126, eta_seconds=75.2, images_per_second=41.3)
    for shown in terminals:
        shown.shows("93/126")


def test_a_followed_job_has_one_live_line_below_a_table_that_grows(api: LiveApi, records: Records) -> None:
    worker = training(records)
    with ExitStack() as opened:
        words = ("jobs", "watch", str(worker.job.id))
        terminals = {
            width: opened.enter_context(terminal(*words, environment=environment(api), width=width))
            for width in AT_WORK
        }
        at_work(worker, *terminals.values())
        for width, shown in terminals.items():
            assert re.fullmatch(AT_WORK[width], shown.lines[-1])
        worker.progress("validate", 126, 126)
        worker.epoch(1, 0, 0.1551)
        worker.progress("store")
        for shown in terminals.values():
            shown.shows("store  0 s")
        worker.ends()
        for width, shown in terminals.items():
            assert shown.ended() == 0
            table = [line for line in shown.lines if re.match(r" *(epoch|\d\.\d) ", line)]
            assert table == TABLES[width]
            assert shown.lines[-1] == "succeeded", "the live line is gone"
            assert "steps" in shown.text, "what the job says is broken between words"
            assert max(map(len, shown.live)) < width
            assert b"\x1b[?25l" not in shown.raw, "a cursor that is hidden stays so where the command is killed"


def _is_at_work(shown: Terminal, width: int) -> bool:
    return re.fullmatch(AT_WORK[width], shown.lines[-1]) is not None


def test_a_terminal_that_is_resized_meanwhile_is_followed(api: LiveApi, records: Records) -> None:
    worker = training(records)
    with terminal("jobs", "watch", str(worker.job.id), environment=environment(api), width=80) as shown:
        at_work(worker, shown)
        for width in (40, 200):
            shown.resize(width)
            shown.until(partial(_is_at_work, shown, width))
            assert sum("93/126" in line for line in shown.lines) == 1
        shown.resize(40)
        shown.until(lambda: "images/s" not in shown.lines[-1])
        worker.epoch(1, 0, 0.1551)
        shown.shows("2.1 ")
        assert [line for line in shown.lines if "2.0363" in line or "epoch" in line][2:] == [
            TABLES[40][0],
            TABLES[40][2],
        ]
        worker.ends()
        assert shown.ended() == 0


def test_a_terminal_shows_no_more_than_it_can_and_may(api: LiveApi, records: Records) -> None:
    worker = training(records)
    words = ("jobs", "watch", str(worker.job.id))
    without = environment(api, NO_COLOR="1", PYTHONIOENCODING="iso-8859-1")
    with (
        terminal(*words, environment=environment(api)) as able,
        terminal(*words, environment=without) as plain,
        terminal(*words, environment=environment(api, TERM="dumb")) as dumb,
    ):
        dumb.shows("queued: no worker of the train lane runs")
        at_work(worker, able, plain)
        dumb.shows("93/126")
        assert re.fullmatch("train      #{21}-{8}   93/126  41 images/s  1 min 15 s left", plain.lines[-1])
        worker.ends()
        assert (able.ended(), plain.ended(), dumb.ended()) == (0, 0, 0)
        colour = re.compile(rb"\x1b\[[\d;]*m")
        assert colour.search(able.raw)
        assert not colour.search(plain.raw)
        assert b"\x1b" not in dumb.raw
        line = "train  93/126  1 min 15 s left  41 images/s"
        said = "cpu (2 threads), bf16 (this CPU has avx512_bf16), 126 steps"
        assert [one for one in dumb.lines if not one.startswith("queued:")] == [
            "queued",
            "running",
            said,
            *TABLES[80][:2],
            line,
            "succeeded",
        ]


def test_what_waits_behind_another_job_says_for_how_long(api: LiveApi, records: Records) -> None:
    held, waits = training(records), training(records)
    with records.sessions.begin() as session:
        keep_worker(session, "a worker", (Lane.TRAIN,), lease_seconds=LEASE_SECONDS)
        assert claim(session, held.job.id, worker="a worker", lease_seconds=LEASE_SECONDS)
        save_progress(session, held.job.id, 1, {"stage": "train", "step": 93, "steps": 126, "eta_seconds": 1385.0})
        mark_published(session, waits.job.id)
    lines = {40: f"behind job {held.job.id}, about 23 min 5 s left", 80: r"\), about 23 min 5 s left  waited \d+ s"}
    with ExitStack() as opened:
        words = ("jobs", "watch", str(waits.job.id))
        for width, line in lines.items():
            shown = opened.enter_context(terminal(*words, environment=environment(api), width=width))
            shown.until(lambda shown=shown, line=line: re.search(f"{line}$", shown.text) is not None)  # type: ignore[misc]
        waits.starts()
        waits.ends()


def test_a_training_is_followed_and_left_to_itself(api: LiveApi, records: Records) -> None:
    records.dataset()
    words = ("train", "--dataset", "pets", "--set", "batch_size=4", "--follow", "--url", api.url)
    with terminal(*words, environment=environment(api), width=80) as shown:
        worker = queued(shown, records, "train")
        at_work(worker, shown)
        shown.press(CTRL_C)
        assert shown.ended() == 130
        job, url = worker.job.id, api.url
        assert shown.lines[0] == f"job {job}, run {worker.job.run_id}"
        said = f"Job {job} goes on: `pedigree jobs watch {job} --url {url}` follows it again,"
        assert shown.has(f"pedigree: {said} `pedigree jobs cancel {job} --url {url}` stops it.")
        assert "93/126" not in shown.text
    with terminal("jobs", "watch", str(job), environment=environment(api), width=80) as shown:
        shown.shows("93/126")
        assert [line for line in shown.lines if "2.0363" in line] == TABLES[80][1:2]
        worker.ends(State.FAILED)
        assert shown.ended() == 1
        assert shown.has(f"pedigree: Job {job} failed: NaN at step 3. Lower the learning rate.")


def test_pictures_that_are_added_are_followed(api: LiveApi, records: Records, tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "pictures", each=2)
    with terminal("datasets", "add", "mine", str(pictures), environment=environment(api), width=40) as shown:
        worker = queued(shown, records, "import")
        shown.shows("queued: no worker of the")
        worker.starts()
        worker.progress("unpack")
        shown.shows("unpack 0 s")
        worker.progress("scan", 3, 6)
        shown.shows("3/6")
        assert shown.lines == ["scan  3/6"]
        records.dataset("mine")
        worker.ends()
        assert shown.ended() == 0
        assert shown.lines[0] == "succeeded"
        assert shown.has("mine: 21 items of 3 breeds, photographs")


def test_following_an_import_is_left_like_any_other(api: LiveApi, records: Records) -> None:
    with terminal("datasets", "add", "sample", environment=environment(api), width=80) as shown:
        worker = queued(shown, records, "import")
        shown.shows("queued: no worker of the")
        shown.press(CTRL_C)
        assert shown.ended() == 130
        assert shown.has(f"Job {worker.job.id} goes on: `pedigree jobs watch {worker.job.id}` follows it again")


def test_a_service_that_goes_away_is_waited_for_and_nothing_is_shown_twice(api: LiveApi, records: Records) -> None:
    worker = training(records)
    with terminal("jobs", "watch", str(worker.job.id), environment=environment(api), width=80) as shown:
        at_work(worker, shown)
        api.go()
        shown.shows("the service does not answer; trying again for up to 5")
        worker.epoch(1, 0, 0.1551)
        api.come()
        shown.shows("2.1 ")
        shown.shows("93/126")
        worker.ends()
        assert shown.ended() == 0
        assert [line for line in shown.lines if "2.0363" in line] == TABLES[80][1:]
        assert "does not answer" not in shown.text


def test_a_service_that_stays_away_is_given_up(api: LiveApi, records: Records) -> None:
    worker = training(records)
    words = ("jobs", "watch", str(worker.job.id))
    shorter = "import cli.events; cli.events.GIVE_UP_SECONDS = 2.0"
    with terminal(*words, environment=environment(api), width=80, patch=shorter) as shown:
        at_work(worker, shown)
        api.go()
        assert shown.ended() == 1
        api.come()
        job = worker.job.id
        assert shown.has(f"pedigree: The service has not answered for 2 s (Nothing answers at {api.url}).")
        assert shown.has(f"When it answers, `pedigree jobs watch {job}` follows job {job} again.")
        assert "93/126" not in shown.text


def test_through_a_pipe_a_break_is_waited_for_and_leaving_is_told_too(
    api: LiveApi, records: Records, tmp_path: Path
) -> None:
    worker = training(records)
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        words = [*COMMAND, "jobs", "watch", str(worker.job.id)]
        process = subprocess.Popen(words, env=environment(api), stdout=stdout, stderr=stderr)
    try:
        worker.starts()
        worker.epoch(0, 0, 0.1817)
        assert wait_until(lambda: TABLES[80][1] in out.read_text(), DEADLINE_SECONDS)
        api.go()
        assert wait_until(lambda: "trying again for up to 60 s" in err.read_text(), DEADLINE_SECONDS)
        worker.epoch(1, 0, 0.1551)
        api.come()
        assert wait_until(lambda: TABLES[80][2] in out.read_text(), DEADLINE_SECONDS)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_SECONDS) == 130
    finally:
        process.kill()
        process.wait()
    assert [line for line in out.read_text().splitlines() if "queued" not in line] == ["running", *TABLES[80]]
    away, back, left = err.read_text().splitlines()
    assert (away, back) == (TRYING.format(60), BACK)
    watch, cancel = (f"`pedigree jobs {verb} {worker.job.id}`" for verb in ("watch", "cancel"))
    assert left == f"pedigree: Job {worker.job.id} goes on: {watch} follows it again, {cancel} stops it."
