"""Names from archives, files and the service hold control characters; a real terminal gets none of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.artifacts import ArtifactStore
from store.db.models import Dataset, Interpretation, Job, Run
from store.settings import Settings
from tests.api.records import Records, jpeg
from tests.cli.live_api import LiveApi, live_api
from tests.cli.terminal import terminal, usual

EVIL = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202egpj\u2066\x7f"
TRACES = [b"\x1b]0;", b"\x07", b"\x1b[2J", *(sign.encode() for sign in "\u009b\u202e\u2066\x7f")]
VOCAB = [f"Birman{EVIL}", f"pug{EVIL}", f"{EVIL}"]


@pytest.fixture
def records(sessions: sessionmaker[Session], artifacts: ArtifactStore) -> Records:
    return Records(sessions, artifacts)


@pytest.fixture
def api(settings: Settings, records: Records) -> Iterator[LiveApi]:
    """A service with one run, whose names, breeds and files are all hostile."""
    records.served(records.dataset(vocab=VOCAB))
    failed = records.run(_only_dataset(records))[1]
    with records.sessions.begin() as session:
        dataset = session.get_one(Dataset, 1)
        left_out = {"not_an_image": {"count": 1, "examples": [{"path": EVIL, "detail": EVIL}]}}
        dataset.summary = {**dataset.summary, "exclusions": left_out, "formats": {EVIL: 3}}
        read = session.get_one(Interpretation, (1, 1))
        read.vocab = VOCAB
        read.items = [{**item, "path": EVIL, "actual": VOCAB[0], "predicted": VOCAB[1]} for item in read.items]
        session.get_one(Run, 1).name = EVIL
        job = session.get_one(Job, failed.id)
        job.state = "failed"
        job.error = {"code": "job_crashed", "detail": EVIL, "hint": EVIL}
    records.event(failed, "progress", {"stage": EVIL, "step": 1, "steps": 9})
    records.event(failed, "log", {"message": EVIL})
    records.event(failed, "state", {"state": "failed"})
    with live_api(settings) as api:
        yield api


def _only_dataset(records: Records) -> Dataset:
    with records.sessions.begin() as session:
        return session.get_one(Dataset, 1)


LOOKS = [
    "datasets list",
    "datasets show pets",
    "datasets show pets --json",
    "runs list",
    "runs list --json",
    "runs show 1",
    "runs show 1 --json",
    "runs confusion 1",
    "runs confusion 1 --json",
    "runs top-losses 1",
    "runs top-losses 1 --json",
    "models list",
    "jobs list",
    "jobs show 2",
    "jobs show 2 --json",
    "jobs watch 2",
    "jobs watch 2 --json",
]


def test_no_command_passes_what_a_record_holds_on_to_the_terminal(api: LiveApi) -> None:
    told = b""
    for look in LOOKS:
        with terminal(*look.split(), environment=usual(PEDIGREE_URL=api.url), width=200) as shown:
            shown.ended()
            assert [trace for trace in TRACES if trace in shown.raw] == [], look
            told += shown.raw
    # They are there, and can be read.
    assert b"\\x1b]0;owned\\x07" in told
    assert b"\\u009b31m\\u202egpj" in told


@pytest.mark.thorough
def test_nor_what_a_user_gives_or_the_service_says_of_it(api: LiveApi, tmp_path: Path) -> None:
    photo, folder = tmp_path / f"{EVIL}.jpg", tmp_path / f"{EVIL}.d"
    photo.write_bytes(jpeg())
    folder.mkdir()
    commands = [
        ("predict", str(photo)),
        ("predict", str(photo), str(photo), "--json"),
        ("predict", str(folder)),
        ("predict", str(tmp_path / EVIL)),
        ("datasets", "add", "more", str(folder)),
        ("datasets", "show", EVIL),
        ("datasets", EVIL),
        (EVIL,),
        ("runs", "show", EVIL),
        ("runs", "list", f"--{EVIL}"),
        ("train", "--dataset", "pets", "--set", f"{EVIL}=1"),
        ("train", "--arch", EVIL),
        ("runs", "download", "1", "--into", str(folder)),
    ]
    for words in commands:
        with terminal(*words, environment=usual(PEDIGREE_URL=api.url), width=200) as shown:
            shown.ended()
            assert [trace for trace in TRACES if trace in shown.raw] == [], words
            assert shown.raw.strip(), words
