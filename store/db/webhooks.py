"""Webhooks on record: made and listed, and their deliveries from a job's end to the answer."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, insert, literal, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from store.db.audit import note, who_changes
from store.db.base import Json
from store.db.models import Job
from store.db.paging import Page, check_limit, decode_cursor, make_page
from store.db.storable import storable
from store.db.webhook_tables import Webhook, WebhookDelivery
from store.errors import Hint, NotFound, Request, StateConflict
from store.states import State
from store.webhooks import Event, new_secret, origin_of

MOST_WEBHOOKS = 50
"""Each is looked at whenever a job ends."""
LEASE_SECONDS = 30.0
"""A try that began so long ago was lost with its process."""
RESTS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""Seconds between one try and the next."""
BATCH = 10_000
"""Rows deleted in one transaction, so that none is open for long."""
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
GONE = 410


@dataclass(frozen=True)
class ClaimedDelivery:
    """A delivery that one process has in hand until its lease runs out, and what sending it takes."""

    id: int
    webhook_id: int
    attempt: int
    url: str = field(repr=False)
    secret: str = field(repr=False)
    message: str
    event: str
    body: Json


@dataclass(frozen=True)
class Outcome:
    """How a try ended: with an answer's status, or with the reason why there was none."""

    status: int | None = None
    error: str | None = None
    retry_after: float = 0.0
    """Seconds that the answer asks to wait."""

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and self.status // 100 == 2  # noqa: PLR2004 - any 2xx


def create_webhook(
    session: Session, url: str, *, events: Collection[str] | None = None, kinds: Collection[str] | None = None
) -> Webhook:
    """Add a webhook with a new secret, of a URL that may be called; None stands for all events, or kinds of jobs.

    Raises:
        StateConflict: there are so many that one more is refused.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("webhooks"))))
    if (session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST_WEBHOOKS:
        raise StateConflict(f"there are {MOST_WEBHOOKS} webhooks, and no more may be", "Delete one that nobody needs.")
    webhook = Webhook(
        url=url,
        secret=new_secret(),
        events=None if events is None else sorted(events),
        kinds=None if kinds is None else sorted(kinds),
        created_by=who_changes(),
    )
    session.add(webhook)
    session.flush()
    session.refresh(webhook)
    note(target=f"/webhooks/{webhook.id}", after=_about(webhook))
    return webhook


def list_webhooks(session: Session, *, cursor: str | None = None, limit: int = 50) -> Page[Webhook]:
    """All webhooks, the newest first.

    Raises:
        InvalidRequest: the limit or the cursor cannot be used.
    """
    statement = select(Webhook).order_by(Webhook.id.desc()).limit(check_limit(limit) + 1)
    if cursor is not None:
        statement = statement.where(Webhook.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda webhook: (webhook.id,))


def delete_webhook(session: Session, webhook_id: int) -> None:
    """Delete a webhook with its deliveries, those that wait too.

    Raises:
        NotFound: there is none of this id.
    """
    webhook = _get(session, webhook_id, lock=True)
    note(target=f"/webhooks/{webhook_id}", before=_about(webhook))
    session.execute(delete(Webhook).where(Webhook.id == webhook_id))


def list_deliveries(
    session: Session, webhook_id: int, *, cursor: str | None = None, limit: int = 50
) -> Page[WebhookDelivery]:
    """What a webhook was told and is to be told, the newest first.

    Raises:
        NotFound: there is no such webhook.
        InvalidRequest: the limit or the cursor cannot be used.
    """
    _get(session, webhook_id)
    statement = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    statement = statement.order_by(WebhookDelivery.id.desc()).limit(check_limit(limit) + 1)
    if cursor is not None:
        statement = statement.where(WebhookDelivery.id < decode_cursor(cursor)[0])
    return make_page(session.scalars(statement).all(), limit, lambda delivery: (delivery.id,))


def last_deliveries(session: Session, webhook_ids: Collection[int]) -> dict[int, WebhookDelivery]:
    """The newest delivery of each of the webhooks, by the webhook's id; one that was told nothing has none."""
    newest = (
        select(WebhookDelivery)
        .where(WebhookDelivery.webhook_id == Webhook.id)
        .order_by(WebhookDelivery.id.desc())
        .limit(1)
        .lateral()
    )
    delivery = aliased(WebhookDelivery, newest)
    found = session.scalars(
        select(delivery).select_from(Webhook).join(newest, true()).where(Webhook.id.in_(webhook_ids))
    )
    return {one.webhook_id: one for one in found}


def put_test(session: Session, webhook_id: int) -> WebhookDelivery:
    """A delivery that says nothing but that it is a test; it is tried once.

    Raises:
        NotFound: there is no such webhook.
    """
    _get(session, webhook_id, lock={"read": True, "key_share": True})
    body = _body(Event.TEST, datetime.now(UTC), {"webhook": webhook_id})
    delivery = WebhookDelivery(webhook_id=webhook_id, event=Event.TEST, body=body)
    session.add(delivery)
    session.flush()
    session.refresh(delivery)
    note(target=f"/webhooks/{webhook_id}", after={"test": delivery.id})
    return delivery


def put_deliveries(session: Session, job: Job) -> None:
    """Put on record, in the transaction in which a job ends, who is to be told of it."""
    event = Event.of(State(job.state))
    about: Json = {
        "job": job.id,
        "kind": job.kind,
        "state": job.state,
        "run": job.run_id,
        "error_code": (job.error or {}).get("code"),
        "paths": {"job": f"/jobs/{job.id}"} | ({} if job.run_id is None else {"run": f"/runs/{job.run_id}"}),
    }
    body = storable(_body(event, job.finished_at or datetime.now(UTC), about))
    told = (
        select(Webhook.id, literal(event.value), literal(body, WebhookDelivery.body.type))
        .where(
            Webhook.gone_at.is_(None),
            or_(Webhook.events.is_(None), literal(event.value) == func.any(Webhook.events)),
            or_(Webhook.kinds.is_(None), literal(job.kind) == func.any(Webhook.kinds)),
        )
        # One that is deleted meanwhile is left out, rather than that the job's end fails by it.
        .with_for_update(read=True, key_share=True)
    )
    session.execute(insert(WebhookDelivery).from_select(["webhook_id", "event", "body"], told))


def webhooks_due(session: Session) -> Sequence[int]:
    """The webhooks that have something to be sent now."""
    return session.scalars(select(WebhookDelivery.webhook_id).where(_is_due()).distinct()).all()


def claim_delivery(session: Session, webhook_id: int) -> ClaimedDelivery | None:
    """Take a webhook's next delivery, which nobody else takes for ``LEASE_SECONDS``; None where none is due."""
    while (found := _next_due(session, webhook_id)) is not None:
        delivery, webhook = found
        if delivery.attempts < (1 if delivery.event == Event.TEST else len(RESTS) + 1):
            return _claimed(delivery, webhook)
        # Its last try was lost with its process.
        delivery.state, delivery.next_try_at = FAILED, None
        if delivery.status is None and delivery.error is None:
            delivery.error = "lost"
        session.flush()
    return None


def _next_due(session: Session, webhook_id: int) -> tuple[WebhookDelivery, Webhook] | None:
    """The one that has been due for longest, but a test before all others: somebody waits for it."""
    due = (
        select(WebhookDelivery, Webhook)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(WebhookDelivery.webhook_id == webhook_id, _is_due())
        .order_by(WebhookDelivery.next_try_at, WebhookDelivery.id)
        .limit(1)
        .with_for_update(of=WebhookDelivery, skip_locked=True)
    )
    tests = due.where(WebhookDelivery.event == Event.TEST)
    found = session.execute(tests).one_or_none() or session.execute(due).one_or_none()
    return None if found is None else (found[0], found[1])


def _claimed(delivery: WebhookDelivery, webhook: Webhook) -> ClaimedDelivery:
    delivery.attempts += 1
    delivery.tried_at = func.now()
    delivery.next_try_at = func.now() + timedelta(seconds=LEASE_SECONDS)
    return ClaimedDelivery(
        id=delivery.id,
        webhook_id=webhook.id,
        attempt=delivery.attempts,
        url=webhook.url,
        secret=webhook.secret,
        message=delivery.message_id,
        event=delivery.event,
        body=delivery.body,
    )


def record_try(session: Session, claimed: ClaimedDelivery, outcome: Outcome) -> float | None:
    """Keep how a try ended; returns the seconds until the next one, None where there is none.

    Nothing is kept where the webhook was deleted, or the lease had run out and somebody else has tried since.
    """
    is_taken, is_gone = outcome.is_taken, outcome.status == GONE
    if is_gone or (is_taken and claimed.event == Event.TEST):
        # Before the delivery, which is the order in which a deletion locks them.
        gone = update(Webhook).where(Webhook.id == claimed.webhook_id, Webhook.gone_at.is_(None) == is_gone)
        session.execute(gone.values(gone_at=func.now() if is_gone else None))
    rest = None if is_taken or is_gone else _rest(claimed, outcome.retry_after)
    state = DELIVERED if is_taken else FAILED if rest is None else WAITING
    ours = (WebhookDelivery.id == claimed.id, WebhookDelivery.attempts == claimed.attempt)
    session.execute(
        update(WebhookDelivery)
        .where(*ours, WebhookDelivery.state == WAITING)
        .values(
            state=state,
            status=outcome.status,
            error=outcome.error,
            next_try_at=None if rest is None else func.now() + timedelta(seconds=rest),
        )
    )
    if is_gone:
        waiting = (WebhookDelivery.webhook_id == claimed.webhook_id, WebhookDelivery.state == WAITING)
        others = update(WebhookDelivery).where(*waiting, WebhookDelivery.event != Event.TEST)
        session.execute(others.values(state=FAILED, error="gone", next_try_at=None))
    return rest


def forget_old_deliveries(session: Session, *, older_than: timedelta) -> int:
    """Delete deliveries put on record so long ago that wait no more, at most ``BATCH``; how many were deleted."""
    is_old = (WebhookDelivery.created_at < func.now() - older_than) & (WebhookDelivery.state != WAITING)
    old = select(WebhookDelivery.id).where(is_old).limit(BATCH)
    gone = session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(old)).returning(WebhookDelivery.id))
    return len(gone.all())


def _rest(claimed: ClaimedDelivery, asked: float) -> float | None:
    if claimed.event == Event.TEST or claimed.attempt > len(RESTS):
        return None
    # Not all at the same moment, where many failed together.
    rest = RESTS[claimed.attempt - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
    return max(rest, min(asked, RESTS[-1]))


def _is_due() -> ColumnElement[bool]:
    return (WebhookDelivery.state == WAITING) & (WebhookDelivery.next_try_at <= func.now())


def _get(session: Session, webhook_id: int, *, lock: dict[str, bool] | bool = False) -> Webhook:
    """The webhook, locked as ``lock`` says; shared, it is not deleted before a delivery is on record.

    Raises:
        NotFound: there is none of this id.
    """
    webhook = session.get(Webhook, webhook_id, with_for_update=lock or None)
    if webhook is None:
        hint = Hint("Name one of the webhooks on record.", Request("GET", "/webhooks"))
        raise NotFound(f"there is no webhook {webhook_id}", hint)
    return webhook


def _about(webhook: Webhook) -> Json:
    """For the record of changes: a path may be secret."""
    return {"origin": str(origin_of(webhook.url)), "events": webhook.events, "kinds": webhook.kinds}


def _body(event: Event, when: datetime, data: Json) -> Json:
    return {"type": event, "timestamp": when.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": data}
