"""Sending one message once, however often its task is delivered, and knowing what became of it.

Each recipient is settled once: accepted, refused for good, or unknown. Recipients that a server asks to try
again later (4xx) keep the run alive; what is settled is noted, and the next try serves only the rest.

What is never done: sending again what the server may have taken. When a connection ends between a message's last
line and the server's answer, or the worker is killed there, the outcome is ``unknown`` and stays so. A person who
wants it sent again submits a new task; that is the one possible duplicate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from celery_nexus.runtime.idempotency import InProgress, Mark, Once
from celery_nexus.task_errors import TransientError
from workers.errors import MailRefused
from workers.services.mail import outbox
from workers.services.mail.message import Envelope, Mail, build
from workers.services.mail.outcome import Delivery, Refusal
from workers.services.mail.server import MailServer

if TYPE_CHECKING:
    from workers.services.mail.conversation import Conversation

_KILLED = "the run ended between the message's last line and the server's answer"
_MAX_LISTED = 5


@dataclass(frozen=True)
class Post:
    """Where mail goes.

    Attributes:
        server: The mail server, or None for the outbox.
        outbox: Folder of ``.eml`` files.
        uploads: Attachments are read below this folder only.
    """

    server: MailServer | None
    outbox: Path
    uploads: Path


@dataclass(frozen=True)
class Sent:
    """One message's outcome.

    Attributes:
        message_id: With its angle brackets.
        delivery: For each recipient.
        size_bytes: Of the whole message as sent; 0 when it was settled by an earlier try.
        file: Its file in the outbox, or None.
    """

    message_id: str
    delivery: Delivery
    size_bytes: int = 0
    file: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Spell it as a task's result."""
        delivery = self.delivery
        return {
            "outcome": "outbox" if self.file else delivery.outcome,
            "message_id": self.message_id,
            **delivery.to_json(),
            "outputs": {"eml_file": self.file} if self.file else {},
            "stats": {
                "recipients": len(delivery.settled),
                "accepted": len(delivery.accepted),
                "refused": len(delivery.refused),
                "size_bytes": self.size_bytes,
            },
        }


def send(post: Post, mail: Mail, key: str, once: Once | None, *, last_try: bool) -> dict[str, Any]:
    """Send a message and say what became of it.

    Args:
        post: Where mail goes.
        mail: The message.
        key: The task's id.
        once: Its mark, or None when it can't be delivered twice (called directly).
        last_try: Whether no later try will serve recipients that are refused for now.

    Returns:
        ``outcome`` (``sent``, ``partial``, ``unknown``, ``outbox``), ``message_id``, ``accepted``, ``refused``
        (``recipient``, ``code``, ``words``), ``outputs`` (``eml_file``), ``stats``.

    Raises:
        TransientError: Nobody, or not everybody, got it, and a later try can change that.
        MailRefused: Everybody was refused for good.
        TaskError: The message can't be made.
    """
    from workers.services.mail.conversation import Conversation

    mark = once.look() if once else None
    if mark and mark.state == "done":
        return mark.value
    earlier = read_settled(mark)
    if post.server is None:
        sent = to_outbox(post, mail, key)
    else:
        with Conversation(post.server) as conversation:
            sent = attempt(conversation, post, mail, key, once, earlier)
    result = _concluded(sent, once, last_try=last_try)
    if once:
        once.finish(result)
    return result


def to_outbox(post: Post, mail: Mail, key: str) -> Sent:
    """Write a message into the outbox; writing it again changes nothing."""
    envelope = build(mail, key, post.uploads)
    return _in_outbox(envelope, outbox.put(post.outbox, envelope, key))


def attempt(conversation: Conversation, post: Post, mail: Mail, key: str, once: Once | None, earlier: Delivery) -> Sent:
    """Offer a message to those recipients that no earlier try has settled.

    Raises:
        TransientError: The connection failed; what earlier tries settled stays noted.
        MailRefused: The server wants nothing from us at all.
        TaskError: The message can't be made.
    """
    envelope = build(mail, key, post.uploads)
    left = [recipient for recipient in envelope.recipients if recipient not in earlier.settled]
    if not left:
        return Sent(envelope.message_id, earlier)

    def claim(recipients: tuple[str, ...]) -> None:
        if once:
            once.start({"earlier": earlier.to_json(), "recipients": list(recipients)})

    if once and earlier.unknown:
        once.release(earlier.to_json())  # a killed try is noted as unknown; its mark makes room for this one
    delivery = conversation.send(envelope.to_only(left), claim)
    return Sent(envelope.message_id, earlier + delivery, len(envelope.content))


def read_settled(mark: Mark | None) -> Delivery:
    """Read from a mark what earlier tries settled.

    Raises:
        InProgress: Another delivery of the same message is in its middle.
    """
    if mark is None:
        return Delivery()
    if mark.state == "open":
        return Delivery.from_json(mark.value)
    if not mark.abandoned:
        raise InProgress("another delivery of this task is sending it", retry_after_s=max(1.0, mark.remaining_s))
    killed = Delivery(unknown=tuple(mark.value["recipients"]), words=_KILLED)
    return Delivery.from_json(mark.value["earlier"]) + killed


def list_refusals(refused: tuple[Refusal, ...]) -> str:
    """Name the first few refusals."""
    more = f" … and {len(refused) - _MAX_LISTED} more" if len(refused) > _MAX_LISTED else ""
    return "; ".join(str(item) for item in refused[:_MAX_LISTED]) + more


def postpone(delivery: Delivery, once: Once | None) -> None:
    """Note what is settled of a message whose other recipients are tried again later."""
    if once:
        final = delivery.without_deferred()
        once.release(final.to_json() if final.settled else None)


def _concluded(sent: Sent, once: Once | None, *, last_try: bool) -> dict[str, Any]:
    delivery = sent.delivery
    if delivery.deferred and not (last_try and (delivery.accepted or delivery.unknown)):
        postpone(delivery, once)
        raise TransientError(f"refused for now: {list_refusals(delivery.deferred)}")
    if delivery.outcome == "refused":
        if once:
            once.release()
        raise MailRefused(f"nobody got the message: {list_refusals(delivery.refused)}")
    return sent.to_json()


def _in_outbox(envelope: Envelope, file: str) -> Sent:
    return Sent(envelope.message_id, Delivery(accepted=envelope.recipients), len(envelope.content), file)
