"""What the mail tasks' shells share: which run this is, where mail goes, and how a batch goes on."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import current_task

from config.settings import settings
from workers.errors import InvalidArgument
from workers.idempotency import Once, redis_client
from workers.progress import RunProgress
from workers.services.mail.bulk import Draft, Unfinished, send_all
from workers.services.mail.message import Mail
from workers.services.mail.sending import Post, send
from workers.services.mail.server import MailServer

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True)
class Ticket:
    """What the current run says about itself.

    Attributes:
        key: Its task id.
        client: Redis, where its marks are; None when nothing can deliver it twice.
        last_try: Whether no retry follows this one.
        priority: Of its message.
    """

    key: str
    client: redis.Redis | None
    last_try: bool
    priority: int | None


def current_ticket() -> Ticket:
    """Say what is known of the run that calls this."""
    request = current_task.request if current_task else None
    if request is None or request.called_directly or request.is_eager or not request.id:
        return Ticket((request.id if request else None) or uuid.uuid4().hex, None, last_try=True, priority=None)
    retries, limit = request.retries or 0, current_task.max_retries or 0
    priority = (request.delivery_info or {}).get("priority")
    return Ticket(request.id, redis_client(), retries >= limit, priority)


def _post() -> Post:
    current = settings()
    url = current.smtp_url
    server = MailServer.parse(url.get_secret_value()) if url else None
    return Post(server, current.paths.outbox, current.uploads)


def send_once(mail: Mail) -> dict[str, Any]:
    """Send a message for the current run, however often it is delivered."""
    ticket = current_ticket()
    once = Once(ticket.client, ticket.key) if ticket.client else None
    return send(_post(), mail, ticket.key, once, last_try=ticket.last_try)


def send_batch(drafts: list[Draft], chunk_size: int) -> dict[str, Any]:
    """Send a batch for the current run, going on where an earlier one stopped."""
    if not drafts:
        raise InvalidArgument("nobody to send to; give at least one message or recipient")
    ticket = current_ticket()
    progress = RunProgress()
    try:
        return send_all(
            _post(),
            drafts,
            ticket.key,
            ticket.client,
            chunk_size=chunk_size,
            last_try=ticket.last_try,
            progress=progress,
        )
    except Unfinished as unfinished:
        # Goes on in a run of its own, before the time limit ends this one
        retries = current_task.request.retries + 1
        raise current_task.retry(exc=unfinished, countdown=1, max_retries=retries) from None
