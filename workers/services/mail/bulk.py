"""Bulk mail: many messages over few connections; each has its own outcome, and a killed batch goes on where it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from celery_nexus.runtime.idempotency import InProgress, Once, marks
from celery_nexus.task_errors import TaskError, TransientError
from workers.services.mail import templates
from workers.services.mail.message import Mail, check_subject, check_text
from workers.services.mail.outcome import Delivery, Outcome, Refusal
from workers.services.mail.sending import Post, Sent, attempt, list_refusals, postpone, read_settled, to_outbox
from workers.services.progress import Progress
from workers.services.storage import spell_name

if TYPE_CHECKING:
    import redis

    from workers.services.mail.conversation import Conversation

MAX_MESSAGES = 10_000
"""Most messages of one batch."""

BUDGET_S = 20 * 60
"""Time after which a run hands over to the next one, well before its soft time limit."""

_MARKS_AT_ONCE = 500
_DEAD_AFTER = 3
"""Messages in a row without a connection after which the server counts as away."""


class BulkMessage(BaseModel):
    """One message of a batch. Its addresses are checked when its turn comes: a bad one stops no other."""

    model_config = ConfigDict(extra="forbid")

    to_email: str | list[str]
    subject: str
    body: str
    html_body: str | None = None
    cc: str | list[str] | None = None
    bcc: str | list[str] | None = None
    reply_to: str | list[str] | None = None
    from_email: str | None = None
    attachments: list[str] = Field(default_factory=list[str])


class BulkRecipient(BaseModel):
    """Somebody who gets the template, with values of their own."""

    model_config = ConfigDict(extra="forbid")

    to_email: str
    context: dict[str, Any] = Field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Draft:
    """One message of a batch before it is checked: who it is for, and how to make it."""

    to: str
    make: Callable[[], Mail]


@dataclass
class Unfinished(Exception):
    """The time of this run is used up; the next one goes on."""

    done: int
    total: int

    def __str__(self) -> str:
        return f"{self.done} of {self.total} messages are settled; the next run goes on"


@dataclass
class _Batch:
    """What a run knows of its messages; ``None`` is not settled yet."""

    drafts: Sequence[Draft]
    results: list[dict[str, Any] | None]
    postponed: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def open(self) -> list[int]:
        return [index for index, result in enumerate(self.results) if result is None]

    def iterate_open(self, progress: Progress, ends_at: float) -> Iterator[int]:
        """Go through the open messages, telling of each.

        Raises:
            Unfinished: The time is up.
        """
        todo, total = self.open, len(self.drafts)
        for done, index in enumerate(todo, total - len(todo)):
            if time.monotonic() > ends_at:
                raise Unfinished(done, total)
            progress(done, total, spell_name(self.drafts[index].to, 80))
            yield index


def drafts_of_messages(messages: Sequence[BulkMessage], sender: str) -> list[Draft]:
    """Prepare messages that are all different."""

    def maker(item: BulkMessage) -> Callable[[], Mail]:
        return lambda: Mail.of(
            sender=item.from_email or sender,
            to=item.to_email,
            subject=item.subject,
            text=item.body,
            html=item.html_body,
            cc=item.cc,
            bcc=item.bcc,
            reply_to=item.reply_to,
            attached=item.attachments,
        )

    return [Draft(_spelled(item.to_email), maker(item)) for item in messages]


def drafts_of_template(
    recipients: Sequence[BulkRecipient], template: str, context: Mapping[str, Any], sender: str, reply_to: str | None
) -> list[Draft]:
    """Prepare one template for many; each recipient's values come before the common ones."""

    def maker(item: BulkRecipient) -> Callable[[], Mail]:
        def make() -> Mail:
            filled = templates.render(template, {**context, **item.context})
            return Mail.of(
                sender=sender,
                to=item.to_email,
                subject=filled.subject,
                text=filled.text,
                html=filled.html,
                reply_to=reply_to,
            )

        return make

    return [Draft(item.to_email, maker(item)) for item in recipients]


def drafts_of_text(
    recipients: Sequence[BulkRecipient], subject: str, body: str, html: str | None, sender: str, reply_to: str | None
) -> list[Draft]:
    """Prepare the same text for many, each with a message of their own."""
    check_subject(subject)
    check_text(body, "body")

    def maker(item: BulkRecipient) -> Callable[[], Mail]:
        return lambda: Mail.of(
            sender=sender, to=item.to_email, subject=subject, text=body, html=html, reply_to=reply_to
        )

    return [Draft(item.to_email, maker(item)) for item in recipients]


def send_all(
    post: Post,
    drafts: Sequence[Draft],
    key: str,
    client: redis.Redis | None,
    *,
    chunk_size: int,
    last_try: bool,
    progress: Progress,
    budget_s: float = BUDGET_S,
) -> dict[str, Any]:
    """Send every message of a batch that no earlier run has settled.

    Args:
        post: Where mail goes.
        drafts: The messages, in an order that is the same in every run.
        key: The task's id; message N is marked with ``key.N``.
        client: Redis for the marks, or None when the batch can't be delivered twice.
        chunk_size: Messages over one connection.
        last_try: Whether what is refused for now counts as refused.
        progress: Told of each message.
        budget_s: Time of this run.

    Returns:
        ``outcome`` of the batch, ``results`` with each message's (``index``, ``to``, and what ``send`` returns),
        ``outputs``, ``stats``.

    Raises:
        TransientError: Some messages have to be tried again later.
        Unfinished: ``budget_s`` is used up; the next run goes on.
        MailRefused: The server wants nothing from us at all.
    """
    batch = _Batch(drafts, _settled(client, key, len(drafts)))
    ends_at = time.monotonic() + budget_s
    failures = 0
    with _converse(post) as conversation:
        for count, index in enumerate(batch.iterate_open(progress, ends_at)):
            if conversation and count % chunk_size == 0:
                conversation.close()
            once = Once(client, f"{key}.{index}") if client else None
            reached = _send_one(batch, index, post, conversation, f"{key}.{index}", once, last_try=last_try)
            failures = 0 if reached else failures + 1
            if failures >= _DEAD_AFTER:
                break
    return _concluded(batch, last_try=last_try, progress=progress)


@contextmanager
def _converse(post: Post) -> Generator[Conversation | None]:
    """Hold one conversation with the server, closed at the end; None without a server."""
    if post.server is None:
        yield None
        return
    from workers.services.mail.conversation import Conversation

    with closing(Conversation(post.server)) as conversation:
        yield conversation


def _settled(client: redis.Redis | None, key: str, size: int) -> list[dict[str, Any] | None]:
    results: list[dict[str, Any] | None] = [None] * size
    for start in range(0, size if client else 0, _MARKS_AT_ONCE):
        indices = range(start, min(start + _MARKS_AT_ONCE, size))
        assert client is not None  # noqa: S101
        for index, mark in zip(indices, marks(client, [f"{key}.{index}" for index in indices]), strict=True):
            if mark and mark.state == "done":
                results[index] = mark.value
    return results


def _send_one(
    batch: _Batch,
    index: int,
    post: Post,
    conversation: Conversation | None,
    key: str,
    once: Once | None,
    *,
    last_try: bool,
) -> bool:
    """Settle one message, or postpone it; tells whether the server was reached."""
    draft = batch.drafts[index]
    earlier = read_settled(once.look() if once else None)
    try:
        mail = draft.make()
        if conversation is None:
            sent = to_outbox(post, mail, key)
        else:
            sent = attempt(conversation, post, mail, key, once, earlier)
        if sent.delivery.deferred and not last_try:
            postpone(sent.delivery, once)
            batch.postponed[index] = list_refusals(sent.delivery.deferred)
            return True
    except InProgress:
        raise
    except TransientError as error:
        batch.postponed[index] = str(error)
        return False
    except TaskError as error:
        if conversation is not None and not _is_of_this_message(error):
            raise
        words = str(error).removeprefix(f"{error.code}: ")
        sent = Sent("", earlier + Delivery(refused=(Refusal(spell_name(draft.to, 254), None, words),)))
    result = {"index": index, "to": spell_name(draft.to, 254), **sent.to_json()}
    if once:
        once.finish(result)
    batch.results[index] = result
    return True


def _is_of_this_message(error: TaskError) -> bool:
    return error.code not in ("mail_refused", "not_configured")


def _concluded(batch: _Batch, *, last_try: bool, progress: Progress) -> dict[str, Any]:
    total = len(batch.drafts)
    left = batch.open
    settled = [result for result in batch.results if result is not None]
    if left and (not last_try or not settled):
        why = next(iter(batch.postponed.values()), "not tried")
        raise TransientError(f"{total - len(left)} of {total} messages are settled, the rest has to wait: {why}")
    for index in left:
        words = batch.postponed.get(index, "not tried: the server could not be reached")
        refusal = Refusal(spell_name(batch.drafts[index].to, 254), None, words)
        sent = Sent("", Delivery(refused=(refusal,)))
        batch.results[index] = {"index": index, "to": refusal.recipient, **sent.to_json()}
    progress(total, total, "done")
    results = [result for result in batch.results if result is not None]
    return {"outcome": _joined(results), "results": results, "outputs": _files(results), "stats": _stats(results)}


def _joined(results: Sequence[Mapping[str, Any]]) -> str:
    outcomes = {result["outcome"] for result in results}
    if "unknown" in outcomes:
        return "unknown"
    return outcomes.pop() if len(outcomes) == 1 else "partial"


def _files(results: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    files = [result["outputs"]["eml_file"] for result in results if result["outputs"]]
    return {"eml_files": files} if files else {}


def _stats(results: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts = Counter(str(result["outcome"]) for result in results)
    return {"messages": len(results), **{outcome: counts[outcome] for outcome in get_args(Outcome)}}


def _spelled(to: str | list[str]) -> str:
    return to if isinstance(to, str) else ", ".join(to)
