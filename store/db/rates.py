"""Searches for a learning rate: a run's own, or those before the phases of a training that were left to one."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.db.models import RateFind, Run
from store.db.reading import get_run, not_ready
from store.errors import NotFound, WrongKind


def rate_finds_of(session: Session, run_id: int) -> Sequence[RateFind]:
    """The run's searches on record, in the order of their phases."""
    return session.scalars(select(RateFind).where(RateFind.run_id == run_id).order_by(RateFind.phase)).all()


def rate_find_of(session: Session, run_id: int, phase: int | None = None) -> RateFind:
    """One of a run's searches.

    Args:
        session: the caller's transaction.
        run_id: an lr_find run, or a training that left a rate to a search.
        phase: before which phase (from 0); None for the first search.

    Raises:
        NotFound: there is no such run or phase.
        WrongKind: the run, or this phase of it, has a rate of its own.
        NotReady: the run has it later; the detail names the job to wait for.
    """
    run = get_run(session, run_id)
    searched = searched_phases(run)
    if not searched:
        hint = 'Ask a run of kind lr_find, or one trained with base_lr or lr_max "auto".'
        raise WrongKind(f"run {run_id} was given its learning rates and has no search for one", hint)
    wanted = searched[0] if phase is None else phase
    if wanted not in searched:
        raise _not_searched(run, wanted, searched)
    found = session.get(RateFind, (run_id, wanted))
    if found is None:
        raise not_ready(session, run_id, f"search for a learning rate before its {ordinal(wanted + 1)} phase")
    return found


def searched_phases(run: Run) -> list[int]:
    """The phases (from 0) before which the run searches for a rate."""
    if run.kind == "lr_find":
        return [0]
    return [number for number, phase in enumerate(run.config["phases"]) if phase.get("auto") == "find"]


def _not_searched(run: Run, phase: int, searched: list[int]) -> NotFound | WrongKind:
    there_are = f"It searches before its {' and '.join(ordinal(one + 1) for one in searched)} phase."
    phases = [{}] if run.kind == "lr_find" else run.config["phases"]
    if phase not in range(len(phases)):
        return NotFound(f"run {run.id} has no {ordinal(phase + 1)} phase", there_are)
    detail = f"the {ordinal(phase + 1)} phase of run {run.id} was given its learning rate"
    if phases[phase].get("auto") == "found":
        earlier = "takes its learning rate from the search before an earlier one"
        detail = f"the {ordinal(phase + 1)} phase of run {run.id} {earlier}"
    return WrongKind(detail, there_are)


def ordinal(number: int) -> str:
    """1st, 2nd and so on: fields count phases from 0, and so a bare number would leave open which is meant."""
    teens = number % 100 in {11, 12, 13}
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
