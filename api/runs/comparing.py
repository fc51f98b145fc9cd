"""Two runs held against each other, photo by photo, where they were validated on the same ones.

Of two revisions of which a review made one, these are the photos that both runs were validated on: neither has learned
from them. Both are held against the labels of the newer one.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from sqlalchemy.orm import Session

from api.runs.settings_beside import settings_of
from api.schemas.comparison import ComparisonOut, CurvesOut, DifferenceOut, Obstacle, OutcomesOut, PairOut
from api.schemas.runs import RunSummary
from ml.reading.mcnemar import LEVEL, Outcomes
from store.db.answers import Answers, answers_of
from store.db.models import Dataset, Epoch, Job, Run
from store.db.reading import epochs_of_runs, get_runs, jobs_of_runs
from store.db.run_list import sparks_of
from store.errors import NotComparable, NotFound, NotReady, one_of
from store.states import FINAL, State

_SIDE = ("dataset.name", "dataset.revision", "split", "valid_pct", "split_seed")
"""The settings that choose the validation photos."""
_SAID = {
    State.QUEUED: "it waits for a worker",
    State.RUNNING: "it is running",
    State.SUCCEEDED: "none are on record",
    State.FAILED: "it failed",
    State.CANCELLED: "it was cancelled",
}


def compare_runs(session: Session, run_ids: Sequence[int]) -> ComparisonOut:
    """All that is to be said of the runs beside each other.

    Raises:
        NotFound: there is no such run.
    """
    runs = get_runs(session, run_ids)
    jobs, sparks, epochs = _jobs(session, run_ids), sparks_of(session, run_ids), epochs_of_runs(session, run_ids)
    answers = answers_of(session, run_ids)
    pairs = [_pair(one, other, answers, jobs) for one, other in combinations(runs, 2)]
    return ComparisonOut(
        runs=[RunSummary.of(run, jobs[run.id], sparks.get(run.id, ())) for run in runs],
        settings=settings_of(runs),
        curves=[_curves(run.id, epochs[run.id]) for run in runs],
        pairs=pairs,
        caution=_caution(sum(pair.outcomes is not None for pair in pairs)),
    )


def _jobs(session: Session, run_ids: Sequence[int]) -> Mapping[int, Job]:
    """The jobs of the runs; one of these may have been deleted meanwhile."""
    jobs = jobs_of_runs(session, run_ids)
    for run_id in run_ids:
        if run_id not in jobs:
            raise NotFound(f"there is no run {run_id}", one_of("runs"))
    return jobs


def check_comparable(session: Session, first: Run, second: Run) -> None:
    """Hold that the two were validated on the same photos.

    Raises:
        NotReady: one of them has no answers on record.
        NotComparable: they were not.
    """
    ids = [first.id, second.id]
    pair = _pair(first, second, answers_of(session, ids), _jobs(session, ids))
    if pair.outcomes is None:
        kind = NotReady if pair.obstacle == "no_answers" else NotComparable
        hint = (
            "Compare two finished trainings of the same split, of one revision or of one and what a review made of it."
        )
        raise kind(f"runs {first.id} and {second.id} cannot be compared photo by photo: {pair.note}", hint)


def _pair(one: Run, other: Run, answers: Mapping[int, Answers], jobs: Mapping[int, Job]) -> PairOut:
    first, second = answers.get(one.id), answers.get(other.id)
    if first is None or second is None:
        lacking = one if first is None else other
        return _unpaired(one, other, "no_answers", _why_none(lacking, jobs[lacking.id]))
    rights = _rights(one.dataset, first, other.dataset, second)
    if not rights:
        return _unpaired(one, other, "other_photos", "they were validated on other photos")
    return PairOut(
        runs=(one.id, other.id),
        outcomes=OutcomesOut.of(_outcomes(rights), f"run {one.id}", f"run {other.id}"),
        obstacle=None,
        differences=[],
        note=_note(one, first, other, second),
    )


def _rights(dataset: Dataset, first: Answers, other: Dataset, second: Answers) -> list[tuple[bool, bool]]:
    """Whether each of the two was right, of each photo that both are held to; none where they have no such photos."""
    if dataset.revision == other.revision and first.items != second.items:
        return []
    newer, older = (dataset, other) if dataset.id > other.id else (other, dataset)
    if newer.revision != older.revision and (newer.made_from or {}).get("revision") != older.revision:
        return []
    labels = first if newer is dataset else second
    answers, others = (dict(zip(one.paths, one.predicted, strict=True)) for one in (first, second))
    return [
        (answers[path] == label, others[path] == label)
        for path, label in zip(labels.paths, labels.actual, strict=True)
        if path in answers and path in others
    ]


def _unpaired(one: Run, other: Run, obstacle: Obstacle, note: str) -> PairOut:
    is_other = obstacle == "other_photos"
    return PairOut(
        runs=(one.id, other.id),
        outcomes=None,
        obstacle=obstacle,
        differences=_differences(one, other) if is_other else [],
        note=note,
    )


def _differences(one: Run, other: Run) -> list[DifferenceOut]:
    rows = [row for row in settings_of([one, other]) if row.field in _SIDE and row.differs]
    return [DifferenceOut(field=row.field, first=row.values[0], second=row.values[1]) for row in rows]


def _outcomes(rights: list[tuple[bool, bool]]) -> Outcomes:
    return Outcomes(
        both_right=rights.count((True, True)),
        only_first=rights.count((True, False)),
        only_second=rights.count((False, True)),
        both_wrong=rights.count((False, False)),
    )


def _why_none(run: Run, job: Job) -> str:
    if run.kind != "train":
        return f"run {run.id} is a search for a rate and answers for no photo"
    yet = "" if job.state in FINAL else " yet"
    return f"run {run.id} has no answers for its validation photos{yet}: {_SAID[State(job.state)]}"


def _note(one: Run, first: Answers, other: Run, second: Answers) -> str | None:
    notes = []
    if one.dataset.revision != other.dataset.revision:
        notes.append("labels were reviewed between the two runs: both are held against those of the newer revision")
    if first.tta != second.tta:
        averaged = one.id if first.tta else other.id
        notes.append(f"the answers of run {averaged} are averages over augmented copies, and the other's are not")
    return "; ".join(notes) or None


def _caution(tests: int) -> str | None:
    """Of many tests some find by chance what is not there."""
    if tests < 2:  # noqa: PLR2004 - one alone has the level that it says
        return None
    return f"These are {tests} tests, and each takes chance for more once in {round(1 / LEVEL)} times."


def _curves(run_id: int, epochs: Sequence[Epoch]) -> CurvesOut:
    return CurvesOut(
        run=run_id,
        phase=[row.phase for row in epochs],
        epoch=[row.epoch for row in epochs],
        train_loss=[row.train_loss for row in epochs],
        valid_loss=[row.valid_loss for row in epochs],
        error_rate=[row.error_rate for row in epochs],
        seconds=[row.seconds for row in epochs],
    )
