"""Webhooks: made, listed and deleted, tried, and what they were told."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.dependencies import Services, ServicesDep, SliceDep
from api.http.tables import TableRoute
from api.schemas.fields import Id, PageOut
from api.schemas.problem import problems
from api.schemas.webhooks import DeliveryOut, NewWebhook, WebhookMade, WebhookOut, WebhookPage
from store.db.webhooks import create_webhook, delete_webhook, last_deliveries, list_deliveries, list_webhooks, put_test
from store.errors import AppError
from store.settings import split_list
from store.webhooks import Origin, allowed_origins, origin_of

router = APIRouter(tags=["webhooks"], route_class=TableRoute)

UNKEPT = {"Cache-Control": "no-store"}
WebhookId = Annotated[Id, Path()]


class HostNotAllowed(AppError):
    """The service calls the hosts that its operator listed, and no other."""

    status = 400
    code = "host_not_allowed"
    title = "Host not allowed"


@router.post("/webhooks", status_code=201, responses=problems(400, 409, 413, 415))
def create_a_webhook(asked: NewWebhook, services: ServicesDep, response: Response) -> WebhookMade:
    """Have an address told of jobs' ends, by a signed POST. The answer has the secret, which is shown this once."""
    _check_host(services, asked.url)
    with services.sessions.begin() as session:
        webhook = create_webhook(session, asked.url, events=asked.events, kinds=asked.kinds)
    response.headers.update(UNKEPT)
    return WebhookMade.shown(webhook)


@router.get("/webhooks", responses=problems(400))
def list_the_webhooks(services: ServicesDep, part: SliceDep) -> WebhookPage:
    """Webhooks, the newest first, each with what it was told last, and which hosts may be called."""
    with services.sessions.begin() as session:
        page = list_webhooks(session, cursor=part.cursor, limit=part.limit)
        last = last_deliveries(session, [one.id for one in page.items])
    return WebhookPage(
        items=[WebhookOut.of(one, last.get(one.id)) for one in page.items],
        next_cursor=page.next_cursor,
        hosts=sorted(map(str, _allowed(services))),
    )


@router.delete("/webhooks/{webhook_id}", status_code=204, response_class=Response, responses=problems(404))
def delete_a_webhook(webhook_id: WebhookId, services: ServicesDep) -> Response:
    """Delete a webhook with its secret and its deliveries, those that wait too."""
    with services.sessions.begin() as session:
        delete_webhook(session, webhook_id)
    return Response(status_code=204)


@router.post("/webhooks/{webhook_id}/test", status_code=202, responses=problems(404))
def test_a_webhook(webhook_id: WebhookId, services: ServicesDep) -> DeliveryOut:
    """Have `webhook.test` sent within a second or two, once; what came of it is among the deliveries."""
    with services.sessions.begin() as session:
        delivery = put_test(session, webhook_id)
    return DeliveryOut.of(delivery)


@router.get("/webhooks/{webhook_id}/deliveries", responses=problems(400, 404))
def list_the_deliveries(webhook_id: WebhookId, services: ServicesDep, part: SliceDep) -> PageOut[DeliveryOut]:
    """What a webhook was told and is to be told, the newest first."""
    with services.sessions.begin() as session:
        page = list_deliveries(session, webhook_id, cursor=part.cursor, limit=part.limit)
    return PageOut(items=[DeliveryOut.of(one) for one in page.items], next_cursor=page.next_cursor)


def _allowed(services: Services) -> frozenset[Origin]:
    return allowed_origins(split_list(services.settings.webhook_hosts))


def _check_host(services: Services, url: str) -> None:
    """See whether the operator allows the URL's scheme, host and port.

    Raises:
        HostNotAllowed: no.
    """
    origin = origin_of(url)
    if origin not in _allowed(services):
        hint = "Have the operator list it in PEDIGREE_WEBHOOK_HOSTS of API and repair process, and start both again."
        raise HostNotAllowed("this service may not call that host", hint, field="body.url", value=str(origin))
