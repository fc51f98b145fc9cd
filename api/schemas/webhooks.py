"""Webhooks and what they were told, in and out."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field

from api.schemas.fields import Body, PageOut
from api.schemas.jobs import JobKind
from ml.config_rules import refusal
from store.db.webhook_tables import Webhook, WebhookDelivery
from store.webhooks import MOST_OF_URL, origin_of

JobEnd = Literal["job.succeeded", "job.failed", "job.cancelled"]


def _can_be_called(url: str) -> str:
    if origin_of(url) is None:
        raise refusal(
            "it is no address that can be called",
            "Give one as https://hooks.example.org/pedigree: ASCII, without user, password, fragment and spaces.",
        )
    return url


class NewWebhook(Body):
    """Whom to tell, and of what."""

    url: Annotated[
        str,
        Field(max_length=MOST_OF_URL, examples=["https://hooks.example.org/pedigree"]),
        AfterValidator(_can_be_called),
    ] = Field(description="where to send; its scheme, host and port are among PEDIGREE_WEBHOOK_HOSTS")
    events: set[JobEnd] | None = Field(None, min_length=1, description="which ends are told; null: all")
    kinds: set[JobKind] | None = Field(None, min_length=1, description="of which kinds of jobs; null: all")


class DeliveryOut(BaseModel):
    """What a webhook is told of one end."""

    id: int
    message: str = Field(description="the `webhook-id` of its requests, the same at each try")
    event: Literal[JobEnd, "webhook.test"]
    job: int | None
    state: Literal["waiting", "delivered", "failed"]
    attempts: int = Field(description="tries that were begun")
    status: int | None = Field(description="of the last try's answer; of all only 2xx is taken")
    error: Literal["gone", "host_not_allowed", "lost", "no_answer", "timeout", "tls_failed", "unreachable"] | None = (
        Field(description="why the last try had no answer")
    )
    created_at: datetime = Field(description="when it was put on record: with the job's end")
    tried_at: datetime | None
    next_try_at: datetime | None

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> Self:
        names = ("id", "event", "state", "attempts", "status", "error", "created_at", "tried_at", "next_try_at")
        return cls(
            message=delivery.message_id,
            job=delivery.body["data"].get("job"),
            **{name: getattr(delivery, name) for name in names},
        )


class WebhookOut(BaseModel):
    """A webhook, without its secret, which nobody can read again."""

    id: int
    url: str
    events: list[JobEnd] | None = Field(description="which ends are told; null: all")
    kinds: list[JobKind] | None = Field(description="of which kinds of jobs; null: all")
    created_by: str = Field(description="the name of the key that made it; local where none was shown")
    created_at: datetime
    gone_at: datetime | None = Field(
        description="when its receiver answered 410; it is told of nothing more until a test is taken"
    )

    last: DeliveryOut | None = Field(description="the newest of its deliveries; null where it was told nothing yet")

    @classmethod
    def of(cls, webhook: Webhook, last: WebhookDelivery | None = None) -> Self:
        return cls(**_parts(webhook), last=None if last is None else DeliveryOut.of(last))


class WebhookPage(PageOut[WebhookOut]):
    """A page of the webhooks, and what the service may call at all."""

    hosts: list[str] = Field(
        description="what PEDIGREE_WEBHOOK_HOSTS of the API lists, with schemes; with none no webhook can be made"
    )


class WebhookMade(WebhookOut):
    """A webhook that was just made."""

    secret: str = Field(description="what its requests are signed with (Standard Webhooks); it is shown this once")

    @classmethod
    def shown(cls, webhook: Webhook) -> Self:
        return cls(**_parts(webhook), last=None, secret=webhook.secret)


def _parts(webhook: Webhook) -> dict[str, object]:
    names = ("id", "url", "events", "kinds", "created_by", "created_at", "gone_at")
    return {name: getattr(webhook, name) for name in names}
