"""Celery's remote control over Redis: one broadcast, its replies collected within a time limit.

kombu's own mailbox retries for ever while the broker is away, waits its whole time once for each command, and
mixes up threads that share it. The exchange is small enough to be spoken directly: the command is published on
the fanout channel of ``celery.pidbox``; each worker pushes its answer into a list that is bound to
``reply.celery.pidbox`` for the time of the question. Another application may call them otherwise, and speak another
format than JSON.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from celery_nexus.broker.edit.footprint import REPLY_MARK
from celery_nexus.control.channels import MAILBOX, Channel, Channels
from celery_nexus.delivery.layout import Layout
from celery_nexus.serializers import formats

EXCHANGE = "celery.pidbox"
REPLY_KEPT_S = 30
"""Time to live of a late reply that nobody collects."""

ANSWERS_AT_ONCE = 200
MOST_TIMEOUTS = 4
"""Bound of the time of a question, in its time limits, while answers go on coming."""


@dataclass(frozen=True, slots=True)
class Command:
    """One remote control command: its name as Celery knows it, and its arguments."""

    method: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silent:
    """What a worker answers in a format that is not read here."""

    problem: str

    def __str__(self) -> str:
        """Say so."""
        return f"answered with {self.problem}"


class Mailbox:
    """Asks the workers of one application; may be shared by threads.

    Args:
        client: Redis.
        layout: How the application names its keys.
        database: Number of the database.
        channels: Finds where workers of another application listen; None for ours, which listen where we know.
        kind: Tells the content type that they accept; empty when none is known that they do.
    """

    def __init__(
        self,
        client: redis.Redis,
        layout: Layout,
        database: int,
        *,
        channels: Channels | None = None,
        kind: Callable[[], str] = lambda: formats.JSON,
    ) -> None:
        self.layout = layout
        self._client = client
        self._channels = channels
        self._kind = kind
        self._left: dict[str, float] = {}
        self._own = Channel(layout.add_prefix(f"/{database}.{EXCHANGE}"), "celery", is_shared=False, listening=0)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Where the workers listen."""
        return (self._own,) if self._channels is None else self._channels.find_channels(self.layout)

    def list_listeners(self) -> tuple[str, ...]:
        """Name the workers that listen, when their bindings name as many as Redis counts."""
        if self._channels is None:
            return ()
        bound = self._channels.nodes(self.layout)
        found = ((bound.get(channel.exchange, ()), channel.listening) for channel in self.channels)
        return tuple(name for names, count in found if len(names) == count for name in names)

    def cast(self, command: Command, destination: Sequence[str]) -> int:
        """Send a command and wait for no answer; return how many workers were listening."""
        return sum(
            self._client.publish(channel.topic, self._message(command, channel, destination, None, 0))
            for channel in (
                self.channels if destination and self._kind() else ()
            )  # to workers, an empty list is everybody
        )

    def ask(
        self,
        commands: Sequence[Command],
        destination: Sequence[str] | None,
        timeout_s: float,
        heard: Callable[[str, Any], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Send commands together and collect the answers, by worker, for each; ``heard`` gets each as it comes.

        Ends when everybody has answered everything, or when no answer came for ``timeout_s``. Everybody is who is
        named in ``destination``, or else as many as Redis says were listening.
        """
        found: list[dict[str, Any]] = [{} for _ in commands]
        for channel in self.channels if self._kind() else ():
            named = self._addressed(channel) if destination is None else destination
            if named is not None and not named:  # to workers, an empty list is everybody
                continue
            for row, answers in zip(found, self._ask(channel, commands, named, timeout_s, heard), strict=True):
                row.update(answers)
        return found

    def _addressed(self, channel: Channel) -> Sequence[str] | None:
        """Name everybody who is meant, where workers of other databases would hear it, too."""
        if self._channels is None or not channel.is_shared:
            return None
        return self._channels.nodes(self.layout).get(channel.exchange, ())

    def _ask(
        self,
        channel: Channel,
        commands: Sequence[Command],
        destination: Sequence[str] | None,
        timeout_s: float,
        heard: Callable[[str, Any], None] | None,
    ) -> list[dict[str, Any]]:
        questions = {str(uuid.uuid4()): command for command in commands}
        replies = f"reply.{channel.exchange}{MAILBOX}"
        queue = f"{REPLY_MARK}{uuid.uuid4()}.{replies}"
        member = self.layout.separator.join((queue, "", queue))
        bindings = self.layout.bindings + replies
        pipeline = self._client.pipeline(transaction=False)
        pipeline.sadd(bindings, member)
        for ticket, command in questions.items():
            message = self._message(command, channel, destination, (queue, ticket), timeout_s)
            pipeline.publish(channel.topic, message)
        try:
            listening: list[int] = pipeline.execute()[1:]
            expected = sum(listening) if destination is None else min(sum(listening), len(destination) * len(commands))
            answers = self._collect(queue, expected, timeout_s, heard) if any(listening) else []
        finally:
            self._leave(queue, bindings, member)
        found: dict[str, dict[str, Any]] = {ticket: {} for ticket in questions}
        for ticket, answer in answers:
            if ticket in found:
                found[ticket].update(answer)
        return [found[ticket] for ticket in questions]

    def _collect(
        self, queue: str, expected: int, timeout_s: float, heard: Callable[[str, Any], None] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        key = self.layout.add_prefix(queue)
        began = time.monotonic()
        until = began + timeout_s
        answers: list[tuple[str, dict[str, Any]]] = []
        while len(answers) < expected and (left := until - time.monotonic()) > 0:
            reply = cast("tuple[bytes, bytes] | None", self._client.brpop([key], timeout=max(left, 0.01)))
            if reply is None:
                break
            new = [answer for raw in (reply[1], *self._pop_more(key)) for answer in _answer(raw)]
            answers += new
            for name, told in ((name, told) for _, answer in new for name, told in answer.items()):
                if heard is not None:
                    heard(name, told)
            # A thousand workers can't all be heard in the time of one: as long as answers come, it is waited for more.
            until = min(time.monotonic() + timeout_s, began + MOST_TIMEOUTS * timeout_s)
        return answers

    def _pop_more(self, key: str) -> list[bytes]:
        """Take what has come besides, at once; nothing where the server can't give several."""
        try:
            return cast("list[bytes] | None", self._client.rpop(key, ANSWERS_AT_ONCE)) or []
        except redis.ResponseError:  # older than Redis 6.2
            return []

    def _leave(self, queue: str, bindings: str, member: str) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.srem(bindings, member)
        self._left[self.layout.add_prefix(queue)] = time.monotonic() + REPLY_KEPT_S
        self._expire_left(pipeline)
        pipeline.execute(raise_on_error=False)

    def expire_replies(self) -> None:
        """Let answers expire that came after their question was over: such a list is made anew, and would stay."""
        pipeline = self._client.pipeline(transaction=False)
        self._expire_left(pipeline)
        pipeline.execute(raise_on_error=False)

    def _expire_left(self, pipeline: Any) -> None:
        now = time.monotonic()
        for key, until in list(self._left.items()):
            pipeline.expire(key, REPLY_KEPT_S)
            if now > until:
                self._left.pop(key, None)

    def _message(
        self,
        command: Command,
        channel: Channel,
        destination: Sequence[str] | None,
        reply: tuple[str, str] | None,
        timeout_s: float,
    ) -> str:
        told: dict[str, Any] = {
            "method": command.method,
            "arguments": dict(command.arguments),
            "destination": list(destination) if destination is not None else None,
            "pattern": None,
            "matcher": None,
        }
        if reply is not None:
            queue, ticket = reply
            exchange = f"reply.{channel.exchange}{MAILBOX}"
            told |= {"ticket": ticket, "reply_to": {"exchange": exchange, "routing_key": queue}}
        kind = self._kind()
        body, encoding = formats.write(kind, told)
        return json.dumps(
            {
                "body": base64.b64encode(body).decode(),
                "content-encoding": encoding,
                "content-type": kind,
                "headers": {"clock": 0, "expires": time.time() + timeout_s if timeout_s else 0},
                "properties": {
                    "delivery_mode": 1,
                    "delivery_info": {"exchange": f"{channel.exchange}{MAILBOX}", "routing_key": ""},
                    "priority": 0,
                    "body_encoding": "base64",
                    "delivery_tag": str(uuid.uuid4()),
                },
            }
        )


def _answer(raw: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Read one worker's answer; what is none is left out: anybody can write into a list."""
    try:
        envelope = json.loads(raw)
        data = base64.b64decode(envelope["body"])
        ticket, kind = envelope["headers"]["ticket"], str(envelope["content-type"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(ticket, str):
        return []
    try:
        body = formats.plain(formats.read(kind, data))
    except formats.Unread as error:
        name = formats.find_first_key(kind, data)
        return [(ticket, {name: Silent(str(error))})] if name else []
    return [(ticket, cast("dict[str, Any]", body))] if isinstance(body, dict) else []
