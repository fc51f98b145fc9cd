"""The thread of the repair process that sends what webhooks are to be told.

Each receiver has a task of its own, which sends one delivery after the other: one that hangs holds up nobody else.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.orm import Session, sessionmaker

from store.db.webhooks import MOST_WEBHOOKS, ClaimedDelivery, Outcome, claim_delivery, record_try, webhooks_due
from store.settings import Settings, split_list
from store.webhooks import allowed_origins
from worker.patience import OUTAGES
from worker.webhook_sending import TRY_SECONDS, send

log = logging.getLogger(__name__)

MOST_SECONDS = 1.0
"""Between two looks."""
NAME_THREADS = 4 * MOST_WEBHOOKS
"""A name server that hangs keeps a thread for longer than the try that asked it."""
DATABASE_THREADS = 4

Result = TypeVar("Result")


@dataclass(frozen=True)
class Webhooks:
    """What the thread works with."""

    settings: Settings
    sessions: sessionmaker[Session]
    try_seconds: float = TRY_SECONDS
    database: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="webhooks-database")
    )

    def start(self, stop: threading.Event) -> threading.Thread:
        """Send, again and again, until told to stop; a try that is cut off is made again by whoever comes next."""
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(stop)), name="webhooks", daemon=True)
        thread.start()
        return thread

    async def send_due(self, under_way: dict[int, asyncio.Task[None]]) -> None:
        """Begin to send to each receiver that something is due for and that nothing is ``under_way`` to."""
        for webhook_id in await self._ask(webhooks_due):
            if webhook_id not in under_way:
                under_way[webhook_id] = asyncio.create_task(self._send_to(webhook_id, under_way))

    async def _serve(self, stop: threading.Event) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(NAME_THREADS, thread_name_prefix="names"))
        under_way: dict[int, asyncio.Task[None]] = {}
        while not stop.is_set():
            try:
                await self.send_due(under_way)
            except OUTAGES as error:
                _say_away(error)
            except Exception:  # the last resort: what is due is looked for again
                log.exception("looking for webhooks that are due: unexpected")
            await asyncio.sleep(min(MOST_SECONDS, self.settings.repair_seconds))
        tasks = list(under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_to(self, webhook_id: int, under_way: dict[int, asyncio.Task[None]]) -> None:
        """Send to one receiver all that is due."""
        try:
            while (claimed := await self._ask(lambda session: claim_delivery(session, webhook_id))) is not None:
                await self._try(claimed)
        except OUTAGES as error:
            _say_away(error)
        except Exception:  # the last resort: the lease runs out, and the try counts
            log.exception("webhook %d: unexpected", webhook_id)
        finally:
            del under_way[webhook_id]

    async def _try(self, claimed: ClaimedDelivery) -> None:
        allowed = allowed_origins(split_list(self.settings.webhook_hosts))
        outcome = await send(claimed, allowed, seconds=self.try_seconds)
        rest = await self._ask(lambda session: record_try(session, claimed, outcome))
        _say_how(claimed, outcome, rest)

    async def _ask(self, question: Callable[[Session], Result]) -> Result:
        """Ask the database, in a thread that no name server can keep."""

        def ask() -> Result:
            with self.sessions.begin() as session:
                return question(session)

        return await asyncio.get_running_loop().run_in_executor(self.database, ask)


def _say_how(claimed: ClaimedDelivery, outcome: Outcome, rest: float | None) -> None:
    """Name no address: its path may be secret."""
    about = (claimed.webhook_id, claimed.id, claimed.event, claimed.attempt, outcome.status or outcome.error)
    if outcome.is_taken:
        log.info("webhook %d: delivery %d (%s), try %d: %s", *about)
    else:
        then = "not tried again" if rest is None else f"tried again in {rest:.0f} s"
        log.warning("webhook %d: delivery %d (%s), try %d: %s; %s", *about, then)


def _say_away(error: BaseException) -> None:
    log.warning("the database is out of reach: %s", str(error).splitlines()[0])
