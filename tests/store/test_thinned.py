import math
from collections.abc import Sequence

import pytest
from sqlalchemy.orm import Session, sessionmaker

from store.db.records import StepRecord, record_batches
from store.db.thinned import thinned_batches
from tests.store.rows import make_run

STEPS, CUT, MOST = 1000, 301, 60


def with_losses(session: Session, losses: Sequence[float]) -> int:
    run = make_run(session).id
    rows = [
        StepRecord(step=n, phase=int(n >= CUT), raw_loss=loss, train_loss=1.0, lr=[1e-3], momentum=0.9)
        for n, loss in enumerate(losses)
    ]
    record_batches(session, run, rows)
    return run


@pytest.mark.parametrize("peak", [9.0, math.inf, math.nan])
def test_a_long_history_keeps_its_ends_its_phases_and_what_jumped_for_one_step(
    sessions: sessionmaker[Session], peak: float
) -> None:
    losses = [1.0 + 0.001 * math.sin(n) for n in range(STEPS)]
    losses[437], losses[888] = peak, 0.1
    with sessions.begin() as session:
        run = with_losses(session, losses)
        other = with_losses(session, losses[:10])
        kept = [one.step for one in thinned_batches(session, run, steps=STEPS, most=MOST)]
        assert [one.step for one in thinned_batches(session, other, steps=10, most=MOST)] == list(range(10))
    assert kept == sorted(set(kept))
    assert {0, CUT - 1, 437, 888, STEPS - 1} <= set(kept)
    assert MOST / 2 < len(kept) <= MOST + 2


def test_a_history_without_ups_and_downs_is_as_short(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        run = with_losses(session, [1.0] * STEPS)
        assert len(thinned_batches(session, run, steps=STEPS, most=MOST)) <= MOST + 2


def test_a_history_that_is_still_short_keeps_its_points_as_it_grows(sessions: sessionmaker[Session]) -> None:
    losses = [1.0 + 0.001 * math.sin(n) for n in range(STEPS)]
    with sessions.begin() as session:
        run, later = with_losses(session, losses[:400]), with_losses(session, losses)
        before = {one.step for one in thinned_batches(session, run, steps=STEPS, most=MOST)}
        after = {one.step for one in thinned_batches(session, later, steps=STEPS, most=MOST)}
    assert {step for step in before if step < 350} <= after
