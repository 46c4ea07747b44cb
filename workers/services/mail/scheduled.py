"""Mail for later: kept in Redis until it is due, then handed to the queue, once.

No message waits in a worker, so neither restarts nor the broker's visibility timeout matter, and a mail can be
seen, changed and cancelled until it is claimed::

    add ─▶ waiting ──due, claimed (one Lua step)──▶ claimed ──published, settled──▶ gone, with a note for 72 h
              │  ▲                                     │
     cancel ◀─┘  └──────── change                      └─ after 30 s: claimed again by whoever comes

A claim that was not settled (killed between the two) is published again under the same task id, which sends
once (:mod:`celery_nexus.runtime.idempotency`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celery_nexus.connection.keys import SCHEDULED_MAIL_CLAIM_S as CLAIM_S
from celery_nexus.connection.keys import SCHEDULED_MAIL_CLAIMED as CLAIMED
from celery_nexus.connection.keys import SCHEDULED_MAIL_DUE as DUE
from celery_nexus.runtime.idempotency import TTL_S, ask_redis
from celery_nexus.task_errors import InvalidArgument, TransientError
from workers.services.mail import schedule_scripts as scripts
from workers.services.storage import spell_name

if TYPE_CHECKING:
    import redis

MAILS = "nexus:scheduled-mail:mails"
"""Hash: id → the mail as JSON."""
SETTLED = "nexus:scheduled-mail:settled:"
"""And the id: ``sent`` or ``cancelled``, so that a late duplicate of the request changes nothing."""

AT_ONCE = 200
_CHANGE_TRIES = 10

Publish = Callable[[str, Mapping[str, Any], int | None], None]
"""Queue a mail: task id, arguments of ``send_email``, priority."""


@dataclass(frozen=True)
class ScheduledMail:
    """A mail that waits for its time.

    Attributes:
        id: Its schedule id: the id of the task that asked for it.
        send_at: When, aware, in UTC.
        mail: Arguments of ``send_email``.
        created_at: When it was asked for.
        priority: Of the message that will send it, or None for the default.
    """

    id: str
    send_at: datetime
    mail: Mapping[str, Any]
    created_at: datetime
    priority: int | None = None

    @property
    def task_id(self) -> str:
        """Id of the task that will send it; follows from the schedule id, so that two of them send once."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"nexus:scheduled-mail:{self.id}"))

    def to_text(self) -> str:
        """Spell it for Redis."""
        times = {"send_at": self.send_at.isoformat(), "created_at": self.created_at.isoformat()}
        return json.dumps({"id": self.id, **times, "mail": dict(self.mail), "priority": self.priority})

    @classmethod
    def from_text(cls, text: str | bytes) -> ScheduledMail:
        """Read what :meth:`to_text` wrote."""
        value = json.loads(text)
        times = {name: datetime.fromisoformat(value[name]) for name in ("send_at", "created_at")}
        return cls(id=value["id"], mail=value["mail"], priority=value["priority"], **times)

    def to_json(self) -> dict[str, Any]:
        """Spell it for a listing; the text is left out."""
        return {
            "schedule_id": self.id,
            "task_id": self.task_id,
            "send_at": self.send_at.isoformat(),
            "created_at": self.created_at.isoformat(),
            "to_email": self.mail.get("to_email"),
            "subject": self.mail.get("subject"),
        }


def parse_time(text: str, field: str = "send_at") -> datetime:
    """Read an ISO 8601 time with its zone.

    Raises:
        InvalidArgument: It is none, or has no zone.
    """
    example = "2030-01-31T09:00:00+01:00 or 2030-01-31T08:00:00Z"
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidArgument(f"{field}: {spell_name(text, 60)!r} is no ISO 8601 time; expected {example}") from None
    if time.utcoffset() is None:
        raise InvalidArgument(f"{field}: {spell_name(text, 60)!r} has no time zone; expected {example}")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise InvalidArgument(f"{field}: {spell_name(text, 60)!r} is out of range") from None


class Schedule:
    """The mails that wait, in Redis.

    Args:
        client: A Redis client that decodes replies or not.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def add(self, mail: ScheduledMail) -> str:
        """Keep a mail; a repeated request for the same id changes nothing.

        Returns:
            ``waiting``, or what became of it: ``sent``, ``cancelled``.
        """
        return self._run(scripts.ADD, mail.id, mail.to_text(), mail.send_at.timestamp())

    def list_waiting(self, limit: int | None = None) -> list[ScheduledMail]:
        """List the mails that wait, the next one first."""
        ids = self._ask(lambda: self._client.zrange(DUE, 0, -1 if limit is None else limit - 1))
        found: list[str | bytes | None] = self._ask(lambda: self._client.hmget(MAILS, ids)) if ids else []
        return [ScheduledMail.from_text(text) for text in found if text]

    def cancel(self, schedule_id: str) -> None:
        """Take a mail out; cancelling again changes nothing.

        Raises:
            InvalidArgument: There is none of this id, or it was sent.
        """
        state = self._run(scripts.CANCEL, schedule_id, TTL_S)
        if state not in ("cancelled now", "cancelled"):
            raise InvalidArgument(_too_late(schedule_id, state))

    def change(self, schedule_id: str, changes: Mapping[str, Any], send_at: datetime | None) -> ScheduledMail:
        """Change a waiting mail's time or arguments.

        Raises:
            InvalidArgument: There is none of this id, or it is no longer waiting.
            TransientError: Others keep changing it.
        """
        for _ in range(_CHANGE_TRIES):
            text = self._ask(lambda: self._client.hget(MAILS, schedule_id))
            if text is None:
                break
            old = ScheduledMail.from_text(text)
            new = ScheduledMail(
                schedule_id, send_at or old.send_at, {**old.mail, **changes}, old.created_at, old.priority
            )
            state = self._run(scripts.CHANGE, schedule_id, text, new.to_text(), new.send_at.timestamp())
            if state == "changed":
                return new
            if state != "again":
                raise InvalidArgument(_too_late(schedule_id, state))
        else:
            raise TransientError(f"the scheduled e-mail {spell_name(schedule_id, 60)} is being changed by others")
        settled = self._ask(lambda: self._client.get(SETTLED + schedule_id))
        raise InvalidArgument(_too_late(schedule_id, _text(settled)))

    def publish_due(self, publish: Publish) -> list[str]:
        """Claim what is due and publish it.

        Args:
            publish: Queues one mail; when it fails, the mail is claimed again after :data:`CLAIM_S`.

        Returns:
            The ids that were published.
        """
        published: list[str] = []
        while mails := self._claimed():
            for mail in mails:
                publish(mail.task_id, mail.mail, mail.priority)
                self._eval(scripts.SETTLE, mail.id, mail.id, TTL_S)
                published.append(mail.id)
        return published

    def _claimed(self) -> list[ScheduledMail]:
        return [ScheduledMail.from_text(text) for text in self._eval(scripts.CLAIM, "", CLAIM_S, AT_ONCE)]

    def _run(self, script: str, schedule_id: str, *arguments: Any) -> str:
        return _text(self._eval(script, schedule_id, schedule_id, *arguments))

    def _eval(self, script: str, schedule_id: str, *arguments: Any) -> Any:
        return self._ask(lambda: self._client.eval(script, 4, DUE, MAILS, CLAIMED, SETTLED + schedule_id, *arguments))

    @staticmethod
    def _ask(question: Callable[[], Any]) -> Any:
        return ask_redis(question, "for scheduled mail")


def _text(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply or "unknown")


def _too_late(schedule_id: str, state: str) -> str:
    name = spell_name(schedule_id, 60)
    if state == "sent":
        return f"schedule_id: {name} was handed over for sending already"
    if state == "cancelled":
        return f"schedule_id: {name} was cancelled"
    return f"schedule_id: there is no scheduled e-mail {name!r}; list_scheduled_emails names those that wait"
