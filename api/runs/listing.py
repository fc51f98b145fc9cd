"""Runs as answers tell them: many in short, or one with everything."""

from sqlalchemy.orm import Session

from api.runs.interpretations import all_stored
from api.runs.lineage import end_of_parent, story_of
from api.schemas.fields import PageOut
from api.schemas.runs import RunOut, RunSummary
from store.db.models import Run
from store.db.rates import rate_finds_of
from store.db.reading import artifacts_of, epochs_of, jobs_of_runs, state_of_run
from store.db.run_list import RunQuery, list_runs, sparks_of


def page_of_runs(session: Session, asked: RunQuery, cursor: str | None, limit: int) -> PageOut[RunSummary]:
    """A page of the list, in as many queries however long it is.

    Raises:
        InvalidRequest: the cursor cannot be used.
    """
    page = list_runs(session, asked, cursor=cursor, limit=limit)
    ids = [run.id for run in page.items]
    jobs, sparks = jobs_of_runs(session, ids), sparks_of(session, ids)
    # One may have been deleted between the two queries.
    there = [run for run in page.items if run.id in jobs]
    items = [RunSummary.of(run, jobs[run.id], sparks.get(run.id, ())) for run in there]
    return PageOut(items=items, next_cursor=page.next_cursor)


def whole_run(session: Session, run: Run) -> RunOut:
    """A run with everything that made it and came of it."""
    finds = rate_finds_of(session, run.id)
    return RunOut.of_record(
        run,
        state_of_run(session, run.id),
        artifacts=artifacts_of(session, run.id),
        rate_searches=[found.phase for found in finds],
        story=story_of(session, run, finds),
        epochs=epochs_of(session, run.id),
        before=end_of_parent(session, run),
        interpretations=all_stored(session, run),
        spark=sparks_of(session, [run.id]).get(run.id, ()),
    )
