"""From every earlier schema, with rows in it, forward to today's: the store then reads what was written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.orm import Session

from migrations.engine import make_config, upgrade
from store.db.access_keys import list_keys
from store.db.aliases import list_moves, target_of
from store.db.audit import Filters, list_changes
from store.db.jobs import create_job
from store.db.kept import feedback_of, get_prediction
from store.db.label_reviews import reviews_of_job
from store.db.models import DeletedRun
from store.db.reading import (
    artifacts_of,
    batches_of,
    epochs_of,
    events_after,
    get_job,
    get_run,
    interpretations_of,
)
from store.db.records import record_artifact
from store.db.sign_ins import sign_ins_on_record
from store.db.studies import get_study, trials_of
from store.db.webhooks import list_deliveries
from store.states import State

PREDICTION = UUID(int=7)
ROWS = {
    "0001": [
        (
            "INSERT INTO datasets (id, name, revision, drawn, label_rule, vocab, items, summary)"
            """ VALUES (1, 'pets', 'r', false, '{"kind": "parent"}', '["Birman", "pug"]', 2, '{"items": 2}')"""
        ),
        (
            "INSERT INTO runs (id, kind, dataset_id, config, train_loss, valid_loss, error_rate)"
            """ VALUES (1, 'train', 1, '{"arch": "resnet18", "seed": 42}', 0.25, 0.5, 0.125)"""
        ),
        (
            "INSERT INTO jobs (id, kind, run_id, payload, state, attempt, max_attempts, idempotency_key)"
            " VALUES (1, 'train', 1, '{}', 'succeeded', 1, 3, 'once'),"
            """ (2, 'import', NULL, '{"name": "more"}', 'queued', 0, 3, NULL)"""
        ),
        """INSERT INTO job_events (job_id, event, data) VALUES (1, 'state', '{"state": "succeeded"}')""",
        (
            "INSERT INTO epochs (run_id, phase, epoch, train_loss, valid_loss, error_rate, seconds, images_per_second)"
            " VALUES (1, 0, 0, 1, 0.5, 0.125, 9, 4)"
        ),
        (
            "INSERT INTO batches (run_id, step, phase, raw_loss, train_loss, lr, momentum)"
            " VALUES (1, 1, 0, 0.75, 0.5, '{0.001, 0.002}', 0.95)"
        ),
        (
            "INSERT INTO artifacts (run_id, name, key, sha256, bytes)"
            " VALUES (1, 'model.safetensors', 'runs/1/1-1/model.safetensors', 'abc', 5)"
        ),
        "INSERT INTO model_versions (id, run_id) VALUES (1, 1)",
        "INSERT INTO model_aliases (alias, version) VALUES ('production', 1)",
        *(f"SELECT setval('{name}_id_seq', 2)" for name in ("datasets", "runs", "jobs")),
    ],
    "0007": [
        (
            "INSERT INTO kept_predictions (id, answered_at, sha256, bytes, version, asked, breed, probability, top,"
            " sure, milliseconds, with_photo, feedback_at, feedback_breed) VALUES"
            " ('00000000-0000-0000-0000-000000000007', now(), 'abc', 9, 1, 'production', 'pug',"
            " 0.75, '[]', true, 3, false, now(), 'Birman')"
        ),
        "INSERT INTO feedback (number, breed) SELECT number, 'Birman' FROM kept_predictions",
    ],
    "0010": ["""UPDATE runs SET tags = '{good}', note = 'the first'"""],
    "0012": [
        (
            "INSERT INTO deleted_runs (id, kind, dataset_id, config, jobs, files)"
            """ VALUES (9, 'train', 1, '{}', '{8}', '[]')"""
        )
    ],
    "0013": [
        (
            "INSERT INTO label_reviews (dataset, job_id, action, sha256, path, label_before, label, reviewer)"
            " VALUES ('pets', 2, 'relabel', 'abc', 'a.jpg', 'pug', 'Birman', 'alice')"
        )
    ],
    "0014": ["INSERT INTO keys (name, scope, digest, created_by) VALUES ('ci', 'train', 'abc', 'local')"],
    "0015": ["INSERT INTO audit (who, operation, target) VALUES ('alice', 'POST /jobs', '/jobs/1')"],
    "0016": [
        """INSERT INTO studies (job_id, dataset_id, asked) VALUES (2, 1, '{"trials": 1}')""",
        """INSERT INTO study_trials (study_id, number, run_id, settings) VALUES (2, 1, 1, '{"lr_max": 0.01}')""",
    ],
    "0019": [
        "INSERT INTO webhooks (url, secret, created_by) VALUES ('https://a.org', 'whsec_AAAA', 'alice')",
        """INSERT INTO webhook_deliveries (webhook_id, event, body) VALUES (1, 'job.failed', '{"data": {}}')""",
    ],
    "0022": [
        (
            "INSERT INTO sign_ins (digest, issuer, subject, name, scope, expires_at)"
            " VALUES ('\\x01', 'https://id.example', '7', 'bob@id.example', 'train', '2100-01-01')"
        ),
    ],
}
"""What is new with a revision, beside what is there already."""


def revisions() -> list[str]:
    scripts = ScriptDirectory.from_config(make_config()).walk_revisions()
    return sorted(script.revision for script in scripts)


@contextmanager
def _database(admin: Connection, name: str, template: str = "template1") -> Iterator[str]:
    admin.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield admin.engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def test_rows_of_every_earlier_schema_are_read_by_today_s_store(engine: Engine) -> None:
    known = revisions()
    assert set(ROWS) <= set(known)
    name = f"forward_{uuid4().hex}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin, _database(admin, name) as step:
        for revision in known:
            upgrade(step, revision)
            with _database(admin, f"{name}_{revision}", template=name) as url:
                _goes_forward(url, revision)


def _goes_forward(url: str, revision: str) -> None:
    there = create_engine(url, poolclass=NullPool)
    with there.begin() as connection:
        for since, rows in ROWS.items():
            for row in rows if since <= revision else ():
                connection.execute(text(row))
        if revision >= "0002":
            connection.execute(
                text(
                    "INSERT INTO interpretations (run_id, dataset_id, job_id, vocab, matrix, items, valid_loss,"
                    " error_rate, tta) VALUES (1, 1, 1, '[]', '[[1]]', '[]', 1, 0.5, true)"
                )
            )
        else:
            connection.execute(
                text(
                    "INSERT INTO interpretations (run_id, job_id, vocab, matrix, items, valid_loss, error_rate, tta)"
                    " VALUES (1, 1, '[]', '[[1]]', '[]', 1, 0.5, true)"
                )
            )
    upgrade(url)
    with Session(there) as session, session.begin():
        _is_all_there(session, revision)
        _goes_on(session)


def _is_all_there(session: Session, revision: str) -> None:
    run = get_run(session, 1)
    assert (run.arch, run.error_rate, run.dataset.vocab) == ("resnet18", 0.125, ["Birman", "pug"]), revision
    assert (get_job(session, 1).state, get_job(session, 2).payload) == (State.SUCCEEDED, {"name": "more"})
    assert [event.data for event in events_after(session, 1, 0)] == [{"state": "succeeded"}]
    assert [(epoch.valid_loss, epoch.seconds) for epoch in epochs_of(session, 1)] == [(0.5, 9.0)]
    assert [batch.lr for batch in batches_of(session, 1)] == [[0.001, 0.002]]
    assert [(file.key, file.bytes) for file in artifacts_of(session, 1)] == [("runs/1/1-1/model.safetensors", 5)]
    read = interpretations_of(session, 1)
    assert [(one.matrix, one.tta, dataset.name) for one, dataset in read] == [([[1]], True, "pets")]
    assert target_of(session, "production").version == 1
    if revision >= "0007":
        kept = get_prediction(session, PREDICTION)
        assert (kept.breed, [one.breed for one in feedback_of(session, kept)]) == ("pug", ["Birman"])
    if revision < "0008":
        assert [move.how for move in list_moves(session, "production").items] == ["pointed"]
    assert (run.tags, run.note) == ((["good"], "the first") if revision >= "0010" else ([], None))
    if revision >= "0012":
        assert session.get_one(DeletedRun, 9).jobs == [8]
    if revision >= "0013":
        assert [one.label for one in reviews_of_job(session, 2)] == ["Birman"]
    if revision >= "0014":
        assert [key.name for key in list_keys(session).items] == ["ci"]
    if revision >= "0015":
        assert [one.who for one in list_changes(session, Filters()).items] == ["alice"]
    if revision >= "0016":
        assert (get_study(session, 2)[1].asked, [one.run_id for one in trials_of(session, 2)]) == ({"trials": 1}, [1])
    if revision >= "0019":
        assert [(one.id, one.state) for one in list_deliveries(session, 1).items] == [(1, "waiting")]
    if revision >= "0022":
        assert [one.name for one in sign_ins_on_record(session, "https://id.example")] == ["bob@id.example"]


def _goes_on(session: Session) -> None:
    """What is new is written beside what is old, and no number is given twice."""
    assert create_job(session, kind="import", max_attempts=3).id == 3
    record_artifact(session, 1, "model.json", key="runs/1/1-1/model.json", sha256="d", size=1)
    assert len(artifacts_of(session, 1)) == 2


def test_a_new_revision_asks_for_rows_of_its_own() -> None:
    """Of a table that it makes; a column alone is read by what reads its table."""
    scripts = {script.revision: script for script in ScriptDirectory.from_config(make_config()).walk_revisions()}
    tables = {}
    for revision, script in scripts.items():
        text_ = Path(script.path).read_text(encoding="utf-8")
        made = text_.split("def downgrade")[0].count("create_table(")
        if made:
            tables[revision] = made
    without = tables.keys() - ROWS.keys() - {"0002", "0004", "0006", "0008"}
    # rate finds, workers, throughputs and alias moves have tests of their own beside this file
    assert without == set()
