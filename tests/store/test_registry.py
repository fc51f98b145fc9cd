import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.aliases import all_aliases, drop_alias, set_alias
from store.db.jobs import change_state
from store.db.models import Run
from store.db.registry import Registration, list_versions, register, resolve_model
from store.errors import InvalidRequest, NoModel, NotFound, NotReady, WrongKind
from store.states import State
from tests.store.rows import ERROR, claimed, make_job, make_run

Sessions = sessionmaker[Session]


def succeeded_run(session: Session) -> Run:
    run = make_run(session)
    job = make_job(session, run_id=run.id, kind="train")
    claimed(session, job.id)
    change_state(session, job.id, State.SUCCEEDED)
    return run


def test_a_run_is_one_version_however_often_it_is_registered(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run, other = succeeded_run(session), succeeded_run(session)
        version = register(session, run.id).version
        assert register(session, run.id) == Registration(version, is_new=False)
        newer = register(session, other.id).version
        assert (version.id, newer.id) == (1, 2)
        assert [row.id for row in list_versions(session).items] == [newer.id, version.id]
        set_alias(session, "production", version.id)
        assert [(one.alias, one.version) for one in all_aliases(session)] == [("production", version.id)]


def test_a_registration_that_is_rolled_back_takes_no_number(sessions: Sessions) -> None:
    with sessions.begin() as session:
        lost, kept = succeeded_run(session).id, succeeded_run(session).id
    with sessions() as session:
        register(session, lost)
        session.rollback()
    with sessions.begin() as session:
        assert register(session, kept) == Registration(resolve_model(session, 1), is_new=True)


def test_only_a_succeeded_training_is_registered(sessions: Sessions) -> None:
    with sessions.begin() as session:
        run, search = make_run(session), make_run(session, kind="lr_find")
        job = make_job(session, run_id=run.id, kind="train")
        make_job(session, run_id=search.id, kind="lr_find")
        with pytest.raises(NotReady, match="queued") as waiting:
            register(session, run.id)
        assert waiting.value.hint == f"Wait for job {job.id}."
        claimed(session, job.id)
        change_state(session, job.id, State.FAILED, error=ERROR)
        with pytest.raises(NotReady, match="failed") as failed:
            register(session, run.id)
        assert failed.value.hint == "Queue a new job: resuming would end the same way. Change what the error names."
        with pytest.raises(WrongKind):
            register(session, search.id)
        with pytest.raises(NotFound):
            register(session, 99)


def test_an_alias_moves_and_goes(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first, second = (register(session, succeeded_run(session).id).version for _ in range(2))
        set_alias(session, "production", first.id)
        assert resolve_model(session).id == first.id
        assert set_alias(session, "production", second.id).version == second.id
        assert resolve_model(session, "production").id == second.id
        assert resolve_model(session, str(first.id)).id == first.id
        assert resolve_model(session, first.id).id == first.id
        drop_alias(session, "production")
        with pytest.raises(NoModel):
            resolve_model(session)
        with pytest.raises(NotFound):
            drop_alias(session, "production")


@pytest.mark.parametrize("name", ["canary", "99", "99999999999999999999", "²"])
def test_an_unknown_model_is_not_found(sessions: Sessions, name: str) -> None:
    with sessions.begin() as session, pytest.raises(NotFound):
        resolve_model(session, name)


@pytest.mark.parametrize("alias", ["", "1", "12", "a b", "a/b", "-a", "x" * 65])
def test_an_alias_cannot_look_like_a_version(sessions: Sessions, alias: str) -> None:
    with sessions.begin() as session:
        version = register(session, succeeded_run(session).id).version
        with pytest.raises(InvalidRequest):
            set_alias(session, alias, version.id)
        with pytest.raises(NotFound):
            set_alias(session, "production", 99)
