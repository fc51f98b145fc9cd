"""Jobs that are followed on a terminal: the real command under a pty, the real API, and a worker played by the test."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.db.models import Job
from store.settings import Settings
from store.states import State
from tests.api.records import Records
from tests.cli.live_api import LiveApi, Worker, live_api, newest_job
from tests.cli.pictures import draw_pictures
from tests.cli.terminal import CTRL_C, Terminal, terminal

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
    200: "train      ━{32}─{8}   93/126  41 images/s  1 min 15 s left",
    80: "train      ━{19}─{5}   93/126  41 images/s  1 min 15 s left",
    40: "train   93/126  1 min 15 s left",
    28: "train   93/126",
}


@pytest.fixture
def records(sessions: object, artifacts: object) -> Records:
    return Records(sessions, artifacts)  # type: ignore[arg-type]


@pytest.fixture
def api(settings: Settings) -> Iterator[LiveApi]:
    with live_api(settings) as api:
        yield api


def environment(api: LiveApi, **more: str) -> dict[str, str]:
    """A usual terminal's, whatever the one is that the tests run in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PEDIGREE_", "LC_"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        kept.pop(name, None)
    return {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PEDIGREE_URL": api.url, **more}


def training(records: Records) -> Worker:
    return Worker(records, records.run(records.dataset())[1])


def queued(shown: Terminal, records: Records, kind: str) -> Worker:
    """The job that the command has just queued, in the hands of the test."""
    found: list[Job] = []

    def is_there() -> bool:
        job = newest_job(records, kind)
        found.extend([job] if job is not None else [])
        return job is not None

    shown.until(is_there)
    return Worker(records, found[0])


def at_work(shown: Terminal, worker: Worker) -> None:
    """Take the job as far as its second epoch."""
    shown.shows("queued, waiting for a worker")
    worker.starts()
    shown.shows("starting")
    worker.says("cpu (2 threads), bf16 (this CPU has avx512_bf16), 126 steps")
    worker.epoch(0, 0, 0.1817)
    worker.progress("train", 93, 126, eta_seconds=75.2, images_per_second=41.3)
    shown.shows("93/126")


@pytest.mark.parametrize("width", [28, 40, 80, 200])
def test_a_followed_job_has_one_live_line_below_a_table_that_grows(api: LiveApi, records: Records, width: int) -> None:
    worker = training(records)
    with terminal("jobs", "watch", str(worker.job.id), environment=environment(api), width=width) as shown:
        at_work(shown, worker)
        assert re.fullmatch(AT_WORK[width], shown.lines[-1])
        worker.progress("validate", 126, 126)
        worker.epoch(1, 0, 0.1551)
        worker.progress("store")
        shown.shows("store 0 s")
        worker.ends()
        assert shown.ended() == 0
        table = [line for line in shown.lines if re.match(r" *(epoch|\d\.\d) ", line)]
        assert table == TABLES[width]
        assert shown.lines[-1] == "succeeded", "the live line is gone"
        assert "126 steps" in shown.words, "what the job says is broken between words"
        assert max(map(len, shown.lines)) <= width
        assert max(map(len, shown.live)) < width
        assert b"\x1b[?25l" not in shown.raw, "a cursor that is hidden stays so where the command is killed"


def test_a_terminal_that_is_resized_meanwhile_is_followed(api: LiveApi, records: Records) -> None:
    worker = training(records)
    with terminal("jobs", "watch", str(worker.job.id), environment=environment(api), width=80) as shown:
        at_work(shown, worker)
        for width in (40, 200):
            shown.resize(width)
            shown.until(lambda width=width: re.fullmatch(AT_WORK[width], shown.lines[-1]) is not None)
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


def test_colours_are_left_out_where_they_are_not_wanted(api: LiveApi, records: Records) -> None:
    worker = training(records)
    words = ("jobs", "watch", str(worker.job.id))
    plain = environment(api, NO_COLOR="1", PYTHONIOENCODING="iso-8859-1")
    with terminal(*words, environment=environment(api)) as colourful, terminal(*words, environment=plain) as shown:
        at_work(shown, worker)
        colourful.shows("93/126")
        assert re.fullmatch("train      #{19}-{5}   93/126  41 images/s  1 min 15 s left", shown.lines[-1])
        worker.ends()
        assert (colourful.ended(), shown.ended()) == (0, 0)
        colour = re.compile(rb"\x1b\[[\d;]*m")
        assert colour.search(colourful.raw)
        assert not colour.search(shown.raw)


def test_a_dumb_terminal_gets_plain_lines(api: LiveApi, records: Records) -> None:
    worker = training(records)
    environ = environment(api, TERM="dumb")
    with terminal("jobs", "watch", str(worker.job.id), environment=environ, width=80) as shown:
        shown.shows("queued")
        worker.starts()
        worker.progress("train", 93, 126, eta_seconds=75.2, images_per_second=41.3)
        worker.epoch(0, 0, 0.1817)
        worker.ends()
        assert shown.ended() == 0
        assert b"\x1b" not in shown.raw
        line = "train  93/126  1 min 15 s left  41 images/s"
        assert shown.lines == ["queued", "running", line, *TABLES[80][:2], "succeeded"]


def test_a_training_is_followed_and_left_to_itself(api: LiveApi, records: Records) -> None:
    records.dataset()
    words = ("train", "--dataset", "pets", "--follow", "--url", api.url)
    with terminal(*words, environment=environment(api), width=80) as shown:
        worker = queued(shown, records, "train")
        at_work(shown, worker)
        shown.press(CTRL_C)
        assert shown.ended() == 130
        job, url = worker.job.id, api.url
        assert shown.lines[0] == f"job {job}, run {worker.job.run_id}"
        said = f"Job {job} goes on: `pedigree jobs watch {job} --url {url}` follows it again,"
        assert f"pedigree: {said} `pedigree jobs cancel {job} --url {url}` stops it." in shown.words
        assert "93/126" not in shown.text
    with terminal("jobs", "watch", str(job), environment=environment(api), width=80) as shown:
        shown.shows("93/126")
        assert [line for line in shown.lines if "2.0363" in line] == TABLES[80][1:2]
        worker.ends(State.FAILED)
        assert shown.ended() == 1
        assert f"pedigree: Job {job} failed: NaN at step 3. Lower the learning rate." in shown.words


def test_pictures_that_are_added_are_followed(api: LiveApi, records: Records, tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "pictures", each=2)
    with terminal("datasets", "add", "mine", str(pictures), environment=environment(api), width=40) as shown:
        worker = queued(shown, records, "import")
        shown.shows("queued, waiting for a worker")
        worker.starts()
        worker.progress("unpack")
        shown.shows("unpack 0 s")
        worker.progress("scan", 3, 6)
        shown.until(lambda: shown.lines[-1] == "scan       ━━━━━━━━━━──────────  3/6" or "3/6" in shown.lines[-1])
        assert re.fullmatch("scan .*3/6", shown.lines[-1])
        records.dataset("mine")
        worker.ends()
        assert shown.ended() == 0
        assert shown.lines == ["succeeded", "mine: 21 pictures of 3 breeds, photographs"]


def test_following_an_import_is_left_like_any_other(api: LiveApi, records: Records) -> None:
    with terminal("datasets", "add", "sample", environment=environment(api), width=80) as shown:
        worker = queued(shown, records, "import")
        shown.shows("queued, waiting for a worker")
        shown.press(CTRL_C)
        assert shown.ended() == 130
        assert f"Job {worker.job.id} goes on: `pedigree jobs watch {worker.job.id}` follows it again" in shown.words


def test_a_service_that_goes_away_is_waited_for_and_nothing_is_shown_twice(api: LiveApi, records: Records) -> None:
    worker = training(records)
    with terminal("jobs", "watch", str(worker.job.id), environment=environment(api), width=80) as shown:
        at_work(shown, worker)
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
        at_work(shown, worker)
        api.go()
        assert shown.ended() == 1
        api.come()
        job = worker.job.id
        assert f"pedigree: The service has not answered for 2 s (Nothing answers at {api.url})." in shown.words
        assert shown.words.endswith(f"When it answers, `pedigree jobs watch {job}` follows job {job} again.")
        assert "93/126" not in shown.text
