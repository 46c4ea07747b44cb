"""Mail: the shells that Celery runs around the plain functions in ``workers.services.mail``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from celery_nexus.runtime.idempotency import redis_client
from celery_nexus.runtime.task import NexusTask
from config.celery_config import celery_app
from config.queues import BY_FAMILY
from workers.mail_runs import (
    BulkTask,
    ChangeTask,
    NotificationTask,
    current_ticket,
    default_sender,
    drafts_of,
    send_batch,
    send_once,
)
from workers.services.mail import templates
from workers.services.mail.arguments import Addresses, Attachments, SendAt, Sender, Subject, Text
from workers.services.mail.bulk import MAX_MESSAGES, BulkMessage, BulkRecipient
from workers.services.mail.message import Mail
from workers.services.mail.scheduled import Schedule, ScheduledMail, parse_time
from workers.services.mail.templates import TemplateName

_OPTIONS = BY_FAMILY["email"].task_options


def _based_on(base: type[NexusTask]) -> dict[str, Any]:
    return {"base": base}


@celery_app.task(bind=False, **_OPTIONS)
def send_email(
    to_email: Addresses,
    subject: Subject,
    body: Text,
    html_body: Text | None = None,
    cc: Addresses | None = None,
    bcc: Addresses | None = None,
    reply_to: Addresses | None = None,
    from_email: Sender | None = None,
    attachments: Attachments | None = None,
) -> dict[str, Any]:
    """Send one e-mail, once, with attachments.

    Recipients refused for now (4xx) are tried again later, the others don't get it twice. When the connection ends
    after the message was sent and before the server's answer, the outcome is "unknown" and nothing is sent again.

    Args:
        to_email: One address or a list: jo@example.org or "Jo Doe <jo@example.org>".
        subject: One line.
        body: The plain text.
        html_body: The same as HTML; mail programs show it instead of the text.
        cc: Further recipients, named to everybody.
        bcc: Further recipients, named to nobody.
        reply_to: Where answers go.
        from_email: The sender; NEXUS_MAIL_FROM when left out.
        attachments: Files below the upload root, 25 MB together.

    Returns:
        outcome (sent, partial, unknown, outbox), message_id, accepted, refused (recipient, code, words),
        outputs (eml_file, when no server is set), stats.
    """
    mail = Mail.of(
        sender=from_email or default_sender(),
        to=to_email,
        subject=subject,
        text=body,
        html=html_body,
        cc=cc,
        bcc=bcc,
        reply_to=reply_to,
        attached=attachments or (),
    )
    return send_once(mail)


@celery_app.task(bind=False, **_OPTIONS, **_based_on(NotificationTask))
def send_notification(
    to_email: Addresses,
    template: TemplateName,
    context: dict[str, Any] | None = None,
    cc: Addresses | None = None,
    bcc: Addresses | None = None,
    reply_to: Addresses | None = None,
    from_email: Sender | None = None,
    attachments: Attachments | None = None,
) -> dict[str, Any]:
    """Send a notification made from a template: text and HTML.

    Args:
        to_email: One address or a list.
        template: Which one.
        context: The template's values; a missing one is named in the error.
        cc: Further recipients, named to everybody.
        bcc: Further recipients, named to nobody.
        reply_to: Where answers go.
        from_email: The sender; NEXUS_MAIL_FROM when left out.
        attachments: Files below the upload root, 25 MB together.

    Returns:
        As send_email.
    """
    filled = templates.render(template, context or {})
    mail = Mail.of(
        sender=from_email or default_sender(),
        to=to_email,
        subject=filled.subject,
        text=filled.text,
        html=filled.html,
        cc=cc,
        bcc=bcc,
        reply_to=reply_to,
        attached=attachments or (),
    )
    return send_once(mail)


@celery_app.task(bind=False, **_OPTIONS, **_based_on(BulkTask))
def send_bulk_emails(
    messages: Annotated[list[BulkMessage], Field(max_length=MAX_MESSAGES)] | None = None,
    recipients: Annotated[list[str | BulkRecipient], Field(max_length=MAX_MESSAGES)] | None = None,
    template: TemplateName | None = None,
    context: dict[str, Any] | None = None,
    subject: Subject | None = None,
    body: Text | None = None,
    html_body: Text | None = None,
    from_email: Sender | None = None,
    reply_to: Sender | None = None,
    chunk_size: Annotated[int, Field(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Send many e-mails, each with its own outcome; a batch that was stopped goes on where it was.

    Give either messages, or recipients with a template, or recipients with subject and body. Everybody gets a message
    of their own. A bad or refused address stops nobody else.

    Args:
        messages: Objects with to_email, subject, body and, if needed, the other arguments of send_email.
        recipients: Addresses, or objects with to_email and context (values of that recipient).
        template: A notification template for all recipients.
        context: Values of the template that all recipients share.
        subject: For recipients without a template.
        body: For recipients without a template.
        html_body: For recipients without a template.
        from_email: The sender; NEXUS_MAIL_FROM when left out.
        reply_to: Where answers go.
        chunk_size: Messages over one connection.

    Returns:
        outcome, results (each message's index, to, outcome, message_id, accepted, refused), outputs, stats.
    """
    drafts = drafts_of(
        messages=messages,
        recipients=recipients,
        template=template,
        context=context,
        subject=subject,
        body=body,
        html_body=html_body,
        from_email=from_email,
        reply_to=reply_to,
    )
    return send_batch(drafts, chunk_size)


@celery_app.task(bind=False, **_OPTIONS)
def send_scheduled_email(
    to_email: Addresses,
    subject: Subject,
    body: Text,
    send_at: SendAt,
    html_body: Text | None = None,
    cc: Addresses | None = None,
    bcc: Addresses | None = None,
    reply_to: Addresses | None = None,
    from_email: Sender | None = None,
    attachments: Attachments | None = None,
) -> dict[str, Any]:
    """Send an e-mail at a time minutes or weeks ahead; it can be listed, changed and cancelled until then.

    It waits in Redis, not in a worker, and survives restarts of everything. Beat looks every ten seconds for what is
    due. A time in the past means now.

    Args:
        to_email: One address or a list.
        subject: One line.
        body: The plain text.
        send_at: ISO 8601 with a time zone: 2030-01-31T09:00:00+01:00.
        html_body: The same as HTML.
        cc: Further recipients, named to everybody.
        bcc: Further recipients, named to nobody.
        reply_to: Where answers go.
        from_email: The sender; NEXUS_MAIL_FROM when left out.
        attachments: Files below the upload root; they must still be there when it is sent.

    Returns:
        schedule_id (for change and cancel), task_id (of the send_email that will send it), send_at,
        state (waiting, queued, sent, cancelled).
    """
    mail = _given(
        to_email=to_email, subject=subject, body=body, html_body=html_body, cc=cc, bcc=bcc,
        reply_to=reply_to, from_email=from_email, attachments=attachments,
    )  # fmt: skip
    ticket = current_ticket()
    entry = ScheduledMail(ticket.key, parse_time(send_at), mail, datetime.now(UTC), ticket.priority)
    schedule = Schedule(redis_client())
    state = schedule.add(entry)
    if state == "waiting" and entry.send_at <= datetime.now(UTC) and entry.id in schedule.publish_due(_publish):
        state = "queued"
    return {**entry.to_json(), "state": state}


@celery_app.task(bind=False, **_OPTIONS)
def list_scheduled_emails(limit: Annotated[int, Field(ge=1, le=10_000)] = 1000) -> dict[str, Any]:
    """List the e-mails that wait for their time, the next one first.

    Args:
        limit: At most so many.

    Returns:
        scheduled (schedule_id, task_id, send_at, created_at, to_email, subject), stats.
    """
    waiting = Schedule(redis_client()).list_waiting(limit)
    return {"scheduled": [entry.to_json() for entry in waiting], "stats": {"listed": len(waiting)}}


@celery_app.task(bind=False, **_OPTIONS)
def cancel_scheduled_email(schedule_id: str) -> dict[str, Any]:
    """Cancel an e-mail that waits for its time.

    Args:
        schedule_id: As send_scheduled_email returned it.

    Returns:
        schedule_id, state (cancelled).
    """
    Schedule(redis_client()).cancel(schedule_id)
    return {"schedule_id": schedule_id, "state": "cancelled"}


@celery_app.task(bind=False, **_OPTIONS, **_based_on(ChangeTask))
def change_scheduled_email(
    schedule_id: str,
    send_at: SendAt | None = None,
    to_email: Addresses | None = None,
    subject: Subject | None = None,
    body: Text | None = None,
    html_body: Text | None = None,
    cc: Addresses | None = None,
    bcc: Addresses | None = None,
) -> dict[str, Any]:
    """Change the time or the content of an e-mail that waits; what is left out stays.

    Args:
        schedule_id: As send_scheduled_email returned it.
        send_at: The new time, ISO 8601 with a time zone.
        to_email: The new recipients.
        subject: The new subject.
        body: The new plain text.
        html_body: The new HTML.
        cc: The new further recipients.
        bcc: The new hidden recipients.

    Returns:
        schedule_id, task_id, send_at, to_email, subject as they are now.
    """
    changes = _given(to_email=to_email, subject=subject, body=body, html_body=html_body, cc=cc, bcc=bcc)
    time = None if send_at is None else parse_time(send_at)
    entry = Schedule(redis_client()).change(schedule_id, changes, time)
    return {**entry.to_json(), "state": "waiting"}


@celery_app.task(bind=False, **_OPTIONS, ignore_result=True, internal=True)
def send_due_emails() -> dict[str, Any]:
    """Queue the scheduled e-mails whose time has come; beat runs it every ten seconds.

    Returns:
        queued (their schedule ids), stats.
    """
    queued = Schedule(redis_client()).publish_due(_publish)
    return {"queued": queued, "stats": {"queued": len(queued)}}


def _given(**arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _publish(task_id: str, mail: Mapping[str, Any], priority: int | None) -> None:
    # By name: what became wrong while it waited (an attachment is gone) fails in its own run, where people see it
    celery_app.send_task(send_email.name, kwargs=dict(mail), task_id=task_id, priority=priority)
