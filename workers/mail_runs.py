"""Shared parts of the mail tasks' shells: the run's identity, the mail server, the continuation of a batch."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery import current_task

from celery_nexus.runtime.idempotency import Once, redis_client
from celery_nexus.runtime.progress import RunProgress
from celery_nexus.runtime.task import NexusTask
from celery_nexus.task_errors import InvalidArgument
from config.settings import settings
from workers.errors import NotConfigured
from workers.services.mail import addresses, templates
from workers.services.mail.bulk import (
    BulkMessage,
    BulkRecipient,
    Draft,
    Unfinished,
    drafts_of_messages,
    drafts_of_template,
    drafts_of_text,
    send_all,
)
from workers.services.mail.message import Mail
from workers.services.mail.sending import Post, send
from workers.services.mail.server import MailServer

if TYPE_CHECKING:
    import redis


class NotificationTask(NexusTask):
    """A task whose values must fit its template."""

    abstract = True

    def check(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check arguments also against each other."""
        checked = super().check(args, kwargs)
        templates.render(checked["template"], checked["context"] or {})
        return checked


class BulkTask(NexusTask):
    """A task that takes one of three kinds of batches."""

    abstract = True

    def check(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check arguments also against each other."""
        checked = super().check(args, kwargs)
        drafts_of(**{name: value for name, value in checked.items() if name != "chunk_size"})
        return checked


class ChangeTask(NexusTask):
    """A task that needs something to change."""

    abstract = True

    def check(self, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Check arguments also against each other."""
        checked = super().check(args, kwargs)
        if all(value is None for name, value in checked.items() if name != "schedule_id"):
            raise InvalidArgument("nothing to change; give send_at, to_email, subject, body, html_body, cc or bcc")
        return checked


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


def default_sender() -> str:
    """Return the sender of mail that names none.

    Raises:
        NotConfigured: It is no address.
    """
    sender = settings().mail_from
    try:
        addresses.parse(sender, "the sender")
    except InvalidArgument as error:
        raise NotConfigured(f"NEXUS_MAIL_FROM can't be used: {error}") from None
    return sender


def _post() -> Post:
    current = settings()
    url = current.smtp_url
    server = MailServer.parse(url.get_secret_value()) if url else None
    return Post(server, current.paths.outbox, current.uploads)


def drafts_of(
    *,
    messages: Sequence[BulkMessage] | None,
    recipients: Sequence[str | BulkRecipient] | None,
    template: str | None,
    context: Mapping[str, Any] | None,
    subject: str | None,
    body: str | None,
    html_body: str | None,
    from_email: str | None,
    reply_to: str | None,
) -> list[Draft]:
    """Prepare a batch of whichever kind was asked for.

    Raises:
        InvalidArgument: It is of no kind, of two kinds, or empty.
    """
    sender = from_email or default_sender()
    people = [BulkRecipient(to_email=item) if isinstance(item, str) else item for item in recipients or ()]
    if messages is not None:
        _refuse_beside(
            "messages", recipients=recipients, template=template, subject=subject, body=body, html_body=html_body
        )
        drafts = drafts_of_messages(messages, sender)
    elif template is not None:
        _refuse_beside("template", subject=subject, body=body, html_body=html_body)
        drafts = drafts_of_template(people, template, context or {}, sender, reply_to)
    elif subject is not None and body is not None:
        drafts = drafts_of_text(people, subject, body, html_body, sender, reply_to)
    else:
        raise InvalidArgument("give messages, or recipients with a template, or recipients with subject and body")
    if not drafts:
        raise InvalidArgument("nobody to send to; give at least one message or recipient")
    return drafts


def _refuse_beside(what: str, **others: object) -> None:
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise InvalidArgument(f"{given[0]}: not together with {what}")


def send_once(mail: Mail) -> dict[str, Any]:
    """Send a message for the current run, however often it is delivered."""
    ticket = current_ticket()
    once = Once(ticket.client, ticket.key) if ticket.client else None
    return send(_post(), mail, ticket.key, once, last_try=ticket.last_try)


def send_batch(drafts: list[Draft], chunk_size: int) -> dict[str, Any]:
    """Send a batch for the current run, going on where an earlier one stopped."""
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
