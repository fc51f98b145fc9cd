"""A run's story from the record: its ancestors and children, the rates that were found, and what to be careful of."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from api.schemas.lineage import Ancestor, PhaseRate, Story
from api.schemas.scores import loss_of
from ml.config_phases import ResolvedPhase
from store.db.lineage import Ancestor as AncestorRow
from store.db.lineage import ancestors_of, children_of, cut_short
from store.db.models import DeletedRun, Epoch, RateFind, Run
from store.db.reading import epochs_of

REVISION_CHARS = 12


def story_of(session: Session, run: Run, finds: Sequence[RateFind]) -> Story:
    """How the run, with its searches for a rate, came about and what is to be said of it."""
    ancestors = ancestors_of(session, run)
    return Story(
        lineage=[
            Ancestor(
                id=one.id,
                name=one.name,
                kind=one.kind,
                recipe=one.config.get("recipe"),
                error_rate=one.error_rate,
                deleted=isinstance(one, DeletedRun),
            )
            for one in ancestors
        ],
        children=list(children_of(session, run.id)),
        cautions=list(_cautions(run, ancestors, cut_short(session, [run.id, *(one.id for one in ancestors)]))),
        rates=list(_rates(run, finds)),
    )


def end_of_parent(session: Session, run: Run) -> Epoch | None:
    """The last epoch of the run that this one goes on from, where it had the same loss and validated the same."""
    parent = None if run.parent_id is None else session.get(Run, run.parent_id)
    if parent is None or parent.dataset.revision != run.dataset.revision:
        return None
    if not _split_alike(parent, run):
        return None
    if loss_of(parent.config) != loss_of(run.config):
        return None
    return next(reversed(epochs_of(session, parent.id)), None)


def _split_alike(one: AncestorRow, other: Run) -> bool:
    # Runs of before there were given splits have none recorded, and trained on datasets without one.
    return all(
        one.config.get(name, "given") == other.config.get(name, "given")
        for name in ("split", "split_seed", "valid_pct")
    )


def _cautions(run: Run, ancestors: Sequence[AncestorRow], finished: Mapping[int, int]) -> Iterator[str]:
    """``finished``: of the runs that ended before their last phase, how many they had finished."""
    if run.kind == "train":
        yield from _leaks(run, ancestors)
    for one in (*ancestors, run):
        if one.id in finished:
            phases, of = finished[one.id], len(one.config["phases"])
            whose = "this run" if one is run else f"run {one.id}, whose weights this run goes back to,"
            yield (
                f"{whose} ended before phase {phases + 1} of {of}, because no rate was found: "
                "its model and its figures are those of the phases before"
            )
    yield from _halves(run)


def _leaks(run: Run, ancestors: Sequence[AncestorRow]) -> Iterator[str]:
    for one in ancestors:
        if one.dataset.revision != run.dataset.revision:
            revision = one.dataset.revision[:REVISION_CHARS]
            at = f"revision {one.dataset.revision_number} ({revision})"
            learned = f"learned from {one.dataset.name!r} at {at}, another set of photos"
        elif not _split_alike(one, run):
            learned = "split the same photos otherwise"
        else:
            continue
        yield (
            f"run {one.id}, whose weights this run goes back to, {learned}: "
            "what validates here may have been learned there, so the error rate may be too low"
        )


def _halves(run: Run) -> Iterator[str]:
    plan = run.plan or {}
    parts, first = plan.get("accumulation", 1), plan.get("halved_from_step")
    if parts > 1:
        since = f"from step {first} of {plan['steps']} on, " if first else ""
        yield (
            f"the memory did not hold a batch of {run.config['batch_size']}: {since}each was trained in {parts} parts, "
            "one after the other; the recipe is the same, but BatchNorm saw the parts alone"
        )


def _rates(run: Run, searches: Sequence[RateFind]) -> Iterator[PhaseRate]:
    """The rate of each phase that was left to a search which is on record."""
    found = {search.phase: search for search in searches}
    latest: RateFind | None = None
    for number, config in enumerate(run.config.get("phases", [])):
        phase = ResolvedPhase.model_validate(config)
        if phase.auto is None:
            continue
        latest = found.get(number) if phase.auto == "find" else latest
        if latest is None:
            return
        yield PhaseRate(
            phase=number,
            rate=latest.rate,
            agreement=latest.agreement,
            lr_max=None if latest.rate is None else phase.at_rate(latest.rate).lr_max,
            searched_in=latest.phase,
        )
