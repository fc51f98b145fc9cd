"""The state machine of a search on a real database; the test plays the workers."""

from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from sqlalchemy.orm import Session, sessionmaker

from ml.study.plan import StudyPlan
from store.db.deletion import delete_run
from store.db.jobs import change_state, claim, create_job, hand_back, request_cancel, resume
from store.db.models import Job, ModelVersion, Run
from store.db.reading import events_after, get_job, get_run
from store.db.records import record_epoch, record_final
from store.db.studies import add_study, live_studies, trials_of
from store.db.study_tables import Study, StudyTrial
from store.dispatch import dispatch_job
from store.lanes import Lane
from store.queue import queue_length
from store.settings import Settings
from store.states import State
from tests.store.rows import make_dataset
from worker import studies as machine
from worker.studying import Studying

Sessions = sessionmaker[Session]
SPACE = {"base_lr": {"low": 1e-4, "high": 1e-2, "log": True}}
CONFIG = {"arch": "resnet18", "epochs": 3, "freeze_epochs": 0, "batch_size": 2}


class Search:
    """A search, and what a test does to it and to its trials."""

    def __init__(self, sessions: Sessions, studying: Studying, **asked: Any) -> None:  # noqa: ANN401 - any field
        self.sessions, self.studying = sessions, studying
        plan = StudyPlan.model_validate({"space": SPACE, "config": CONFIG, "trials": 4, **asked})
        with sessions.begin() as session:
            dataset = make_dataset(session)
            self.id = create_job(session, kind="search", payload={"dataset_id": dataset.id}, max_attempts=3).id
            body = plan.model_dump(mode="json", by_alias=True)
            add_study(session, self.id, dataset_id=dataset.id, name=None, asked=body)

    def step(self) -> None:
        self.studying.round()

    @property
    def job(self) -> Job:
        with self.sessions.begin() as session:
            return get_job(session, self.id)

    @property
    def study(self) -> Study:
        with self.sessions.begin() as session:
            return session.get_one(Study, self.id)

    @property
    def trials(self) -> list[StudyTrial]:
        with self.sessions.begin() as session:
            return list(trials_of(session, self.id))

    @property
    def outcomes(self) -> list[str | None]:
        return [trial.outcome for trial in self.trials]

    def run_of(self, number: int) -> Run:
        run_id = self.trials[number - 1].run_id
        assert run_id is not None
        with self.sessions.begin() as session:
            return get_run(session, run_id)

    def job_of(self, number: int) -> Job:
        run_id = self.trials[number - 1].run_id
        with self.sessions.begin() as session:
            return session.query(Job).filter_by(run_id=run_id).one()

    def begin(self, number: int) -> Job:
        """A worker takes the trial's job."""
        with self.sessions.begin() as session:
            job = claim(session, self.job_of(number).id, worker="w1", lease_seconds=600)
            assert job is not None
            return job

    def learn(self, number: int, *errors: float) -> None:
        """Epochs, as a worker records them; the first of them anew."""
        run = self.run_of(number)
        figures: dict[str, Any] = {"train_loss": 1.0, "valid_loss": 1.0, "seconds": 1.0, "images_per_second": 10.0}
        with self.sessions.begin() as session:
            for epoch, error in enumerate(errors):
                record_epoch(session, run.id, phase=0, epoch=epoch, error_rate=error, **figures)

    def end(self, number: int, state: State = State.SUCCEEDED, error: dict[str, Any] | None = None) -> None:
        with self.sessions.begin() as session:
            assert change_state(session, self.job_of(number).id, state, error=error) is not None

    def finish(self, number: int, *errors: float) -> None:
        self.begin(number)
        self.learn(number, *errors)
        self.end(number)
        self.step()


@pytest.fixture
def studying(settings: Settings, sessions: Sessions, celery: Celery) -> Studying:
    return Studying(settings, sessions, celery)


@pytest.fixture
def search(sessions: Sessions, studying: Studying) -> Search:
    return Search(sessions, studying)


def test_a_search_makes_one_trial_after_the_other_and_registers_the_best(search: Search, sessions: Sessions) -> None:
    assert search.job.state == State.QUEUED
    search.step()
    assert (search.job.state, search.job.attempt, search.job.lease_until) == (State.RUNNING, 1, None)
    first = search.run_of(1)
    assert (first.kind, first.study_id, first.trial, first.config["arch"]) == ("train", search.id, 1, "resnet18")
    assert search.trials[0].settings == {"base_lr": 2e-3}, "the base config's own settings come first"
    search.step()
    assert len(search.trials) == 1, "while one goes on there is no other"
    for number, error in enumerate((0.4, 0.2, 0.3, 0.5), 1):
        search.finish(number, error, error, error)
    assert search.outcomes == ["done"] * 4
    assert (search.job.state, search.study.ended_by, search.study.best_trial) == (State.SUCCEEDED, "trials", 2)
    with sessions.begin() as session:
        version = session.query(ModelVersion).one()
        assert (version.run_id, version.id) == (search.run_of(2).id, search.study.version)
        assert live_studies(session) == []
        events = [event.data for event in events_after(session, search.id, 0) if event.event == "trial"]
    assert [one["outcome"] for one in events] == [None, "done"] * 4
    assert search.job.progress is not None
    assert (search.job.progress["step"], search.job.progress["best"]) == (3, 0.2)


def test_trials_are_published_in_the_lane_that_learns_and_the_search_itself_never(
    search: Search, celery: Celery, sessions: Sessions
) -> None:
    assert not dispatch_job(celery, sessions, search.id)
    search.step()
    assert queue_length(celery, Lane.TRAIN) == 1
    assert search.job_of(1).published_at is not None
    assert search.job.published_at is None


def test_a_trial_that_is_worse_than_half_is_ended_and_says_by_whom(sessions: Sessions, studying: Studying) -> None:
    search = Search(sessions, studying, trials=5)
    search.step()
    for number in (1, 2):
        search.finish(number, 0.5, 0.3, 0.2)
    search.begin(3)
    search.learn(3, 0.9)
    search.step()
    assert (search.job_of(3).state, search.outcomes[2]) == (State.CANCELLING, None)
    assert search.job_of(3).payload["pruned"] == {"study": search.id, "trial": 3, "epoch": 1}
    search.learn(3, 0.9, 0.1)  # it came further before it saw that
    job = search.job_of(3)
    with sessions.begin() as session:
        hand_back(session, job.id, job.attempt, error={"code": "x", "detail": "x", "hint": None})
    search.step()
    third = search.trials[2]
    assert (third.outcome, third.pruned_epoch, third.value, third.curve) == ("pruned", 1, 0.9, [0.9])
    assert len(search.trials) == 4, "the next has begun"


def test_a_trial_that_ended_before_it_could_be_ended_counts_whole(sessions: Sessions, studying: Studying) -> None:
    search = Search(sessions, studying, trials=5)
    search.step()
    for number in (1, 2):
        search.finish(number, 0.5, 0.3, 0.2)
    search.begin(3)
    search.learn(3, 0.9)
    search.step()
    search.learn(3, 0.9, 0.2, 0.1)
    search.end(3)
    search.step()
    assert (search.outcomes[2], search.trials[2].value, search.trials[2].pruned_epoch) == ("done", 0.1, None)


def test_a_cancelled_search_stops_its_trial_and_goes_on_with_it_when_resumed(
    search: Search, sessions: Sessions
) -> None:
    search.step()
    search.finish(1, 0.4, 0.4, 0.4)
    job = search.begin(2)
    with sessions.begin() as session:
        assert request_cancel(session, search.id).state == State.CANCELLING
    search.step()
    assert (search.job.state, search.job_of(2).state) == (State.CANCELLING, State.CANCELLING)
    with sessions.begin() as session:
        hand_back(session, job.id, job.attempt, error={"code": "x", "detail": "x", "hint": None})
    search.step()
    assert (search.job.state, search.outcomes) == (State.CANCELLED, ["done", "stopped"])
    with sessions.begin() as session:
        assert live_studies(session) == []
        resume(session, search.id)
    search.step()
    assert (search.job.state, search.job_of(2).state, search.outcomes) == (State.RUNNING, State.QUEUED, ["done", None])
    for number in (2, 3, 4):
        search.finish(number, 0.3, 0.3, 0.3)
    assert (search.job.state, search.outcomes) == (State.SUCCEEDED, ["done"] * 4)


def test_a_search_that_waits_is_cancelled_at_once_and_makes_no_trial(search: Search, sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert request_cancel(session, search.id).state == State.CANCELLED
    search.step()
    assert search.trials == []


def test_a_trial_whose_job_somebody_cancels_is_no_end_of_the_search(search: Search, sessions: Sessions) -> None:
    search.step()
    with sessions.begin() as session:
        request_cancel(session, search.job_of(1).id)
    search.step()
    assert (search.job.state, search.outcomes) == (State.RUNNING, ["cancelled", None])


def test_three_failures_in_a_row_end_it_and_resuming_gives_it_three_more(search: Search, sessions: Sessions) -> None:
    search.step()
    error = {"code": "out_of_memory", "detail": "the memory is full", "hint": None}
    for number in (1, 2, 3):
        search.begin(number)
        search.end(number, State.FAILED, error)
        search.step()
    assert (search.job.state, search.outcomes) == (State.FAILED, ["failed"] * 3)
    assert search.job.error is not None
    assert search.job.error["code"] == "trials_failed"
    assert "the memory is full" in search.job.error["detail"]
    with sessions.begin() as session:
        resume(session, search.id)
    search.step()
    assert search.outcomes == ["failed"] * 3 + [None]
    search.finish(4, 0.3, 0.3, 0.3)
    assert search.job.state == State.SUCCEEDED


def test_when_its_minutes_are_over_the_trial_that_goes_on_is_cut(search: Search, sessions: Sessions) -> None:
    search.step()
    search.finish(1, 0.4, 0.4, 0.4)
    search.begin(2)
    with sessions.begin() as session:
        session.get_one(Study, search.id).spent_seconds = 3600.0
    search.step()
    job = search.job_of(2)
    assert job.state == State.CANCELLING
    with sessions.begin() as session:
        hand_back(session, job.id, job.attempt, error={"code": "x", "detail": "x", "hint": None})
    search.step()
    assert (search.job.state, search.study.ended_by, search.outcomes) == (State.SUCCEEDED, "time", ["done", "cut"])


def test_a_search_of_which_no_trial_trained_to_its_end_fails_with_a_code(search: Search, sessions: Sessions) -> None:
    search.step()
    with sessions.begin() as session:
        session.get_one(Study, search.id).spent_seconds = 3600.0
    search.step()
    assert search.job.state == State.FAILED
    assert search.job.error is not None
    assert search.job.error["code"] == "no_trial_done"


def test_a_gap_in_which_nobody_looked_is_not_counted(search: Search, sessions: Sessions) -> None:
    search.step()
    with sessions.begin() as session:
        study = session.get_one(Study, search.id)
        assert study.ticked_at is not None
        study.ticked_at = study.ticked_at.replace(year=study.ticked_at.year - 1)
    search.step()
    assert search.study.spent_seconds == pytest.approx(machine.MOST_BETWEEN_SECONDS)


def test_settings_that_do_not_fit_each_other_are_refused_without_a_run(sessions: Sessions, studying: Studying) -> None:
    space = {"size": [224, 600], "presize": [300, 640]}
    search = Search(sessions, studying, space=space, trials=10)
    search.step()
    while search.job.state == State.RUNNING:
        search.finish(len(search.trials), 0.3, 0.3, 0.3)
    assert sorted(map(str, search.outcomes)) == ["done", "done", "done", "refused"]
    refused = next(trial for trial in search.trials if trial.outcome == "refused")
    assert (refused.settings, refused.run_id) == ({"size": 600, "presize": 300}, None)
    assert "larger than presize" in str(refused.reason)
    assert (search.job.state, search.study.ended_by) == (State.SUCCEEDED, "space")


def test_the_best_keeps_the_limits_and_a_candidate_is_left_out_where_nobody_wants_one(
    sessions: Sessions, studying: Studying
) -> None:
    limits = {"answer_ms": 50, "train_minutes": 10}
    search = Search(sessions, studying, limits=limits, trials=3, register_best=False)
    search.step()
    for number, (error, milliseconds) in enumerate(((0.1, 80.0), (0.3, 20.0), (0.2, None)), 1):
        with sessions.begin() as session:
            session.get_one(Run, search.trials[number - 1].run_id).answer_ms = milliseconds
        search.finish(number, error, error, error)
    assert (search.job.state, search.study.best_trial, search.study.version) == (State.SUCCEEDED, 2, None)
    with sessions.begin() as session:
        assert session.query(ModelVersion).all() == []


def test_a_trial_that_trains_longer_than_the_limit_is_cut_and_the_next_begins(
    sessions: Sessions, studying: Studying
) -> None:
    search = Search(sessions, studying, limits={"train_minutes": 10}, trials=2)
    search.step()
    search.begin(1)
    search.learn(1, 0.3)
    search.step()
    assert search.job_of(1).state == State.RUNNING
    with sessions.begin() as session:
        job = session.get_one(Job, search.job_of(1).id)
        assert job.started_at is not None
        job.started_at -= timedelta(minutes=11)
    search.step()
    assert (search.job_of(1).state, search.outcomes) == (State.CANCELLING, [None])
    search.end(1, State.CANCELLED)
    search.step()
    assert search.outcomes == ["cut", None]
    assert search.trials[0].reason == "it trained for longer than 10 minutes"


def test_a_trial_whose_run_is_deleted_has_ended_and_the_next_begins(search: Search, sessions: Sessions) -> None:
    search.step()
    with sessions.begin() as session:
        request_cancel(session, search.job_of(1).id)
        delete_run(session, search.run_of(1).id, cascade=False)
    search.step()
    assert (search.outcomes, search.trials[0].reason) == (["cancelled", None], "its run was deleted")


def test_trials_are_judged_by_the_loss_where_that_is_asked(sessions: Sessions, studying: Studying) -> None:
    search = Search(sessions, studying, objective="valid_loss", trials=2)
    search.step()
    for number, (error, loss) in enumerate(((0.1, 0.9), (0.3, 0.5)), 1):
        search.begin(number)
        search.learn(number, error, error)
        with sessions.begin() as session:
            record_final(session, search.run_of(number).id, valid_loss=loss, error_rate=error)
        search.end(number)
        search.step()
    assert [(trial.value, trial.curve) for trial in search.trials] == [(0.9, [1.0, 1.0]), (0.5, [1.0, 1.0])]
    assert search.study.best_trial == 2


def test_several_trials_go_on_at_once_where_that_is_asked(sessions: Sessions, studying: Studying) -> None:
    search = Search(sessions, studying, at_once=3)
    search.step()
    assert search.outcomes == [None] * 3
    search.finish(2, 0.3, 0.3, 0.3)
    assert search.outcomes == [None, "done", None, None]


def test_two_who_move_it_on_at_once_make_one_trial(search: Search, sessions: Sessions) -> None:
    with sessions.begin() as one, sessions.begin() as other:
        assert len(machine.advance(one, search.id, max_attempts=3)) == 1
        assert machine.advance(other, search.id, max_attempts=3) == []
    assert len(search.trials) == 1


def test_a_step_that_breaks_fails_the_search_with_a_code(search: Search, sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.get_one(Study, search.id).asked = {"of": "another version"}
    search.step()
    assert search.job.state == State.FAILED
    assert search.job.error is not None
    assert search.job.error["code"] == "internal_error"
