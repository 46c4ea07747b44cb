"""Celery's remote control over Redis: one message to all workers, their answers collected until a limit.

kombu's own mailbox retries for ever while the broker is away, waits its whole time once for each command, and
mixes up threads that share it. The exchange is small enough to be spoken directly: the command is published on
the fanout channel of ``celery.pidbox``; each worker pushes its answer into a list that is bound to
``reply.celery.pidbox`` for the time of the question.
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

from nexus_tui.sources.broker.layout import Layout

EXCHANGE = "celery.pidbox"
REPLY_EXCHANGE = "reply.celery.pidbox"
REPLY_KEPT_S = 30
"""An answer that comes when nobody waits any more is removed after so long."""


@dataclass(frozen=True, slots=True)
class Command:
    """One remote control command: its name as Celery knows it, and its arguments."""

    method: str
    arguments: Mapping[str, Any]


class Mailbox:
    """Asks the workers of one application; may be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout, database: int) -> None:
        self._client = client
        self._layout = layout
        self._topic = layout.named(f"/{database}.{EXCHANGE}")
        self._bindings = layout.bindings + REPLY_EXCHANGE

    def cast(self, command: Command, destination: Sequence[str] | None = None) -> int:
        """Send a command and wait for no answer; return how many workers were listening."""
        return self._client.publish(self._topic, self._message(command, destination, None, 0))

    def ask(
        self,
        commands: Sequence[Command],
        destination: Sequence[str] | None,
        timeout_s: float,
        heard: Callable[[str, Any], None] | None = None,
    ) -> list[dict[str, Any]]:
        """Send commands together and collect the answers, by worker, for each; ``heard`` gets each as it comes.

        Ends when everybody has answered everything, or after ``timeout_s``. Everybody is who is named in
        ``destination``, or else as many as Redis says were listening.
        """
        questions = {str(uuid.uuid4()): command for command in commands}
        queue = f"{uuid.uuid4()}.{REPLY_EXCHANGE}"
        member = self._layout.separator.join((queue, "", queue))
        pipeline = self._client.pipeline(transaction=False)
        pipeline.sadd(self._bindings, member)
        for ticket, command in questions.items():
            pipeline.publish(self._topic, self._message(command, destination, (queue, ticket), timeout_s))
        try:
            listening: list[int] = pipeline.execute()[1:]
            expected = sum(listening) if destination is None else len(destination) * len(commands)
            answers = self._collect(queue, expected, timeout_s, heard) if any(listening) else []
        finally:
            self._leave(queue, member)
        found: dict[str, dict[str, Any]] = {ticket: {} for ticket in questions}
        for ticket, answer in answers:
            if ticket in found:
                found[ticket].update(answer)
        return [found[ticket] for ticket in questions]

    def _collect(
        self, queue: str, expected: int, timeout_s: float, heard: Callable[[str, Any], None] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        key = self._layout.named(queue)
        until = time.monotonic() + timeout_s
        answers: list[tuple[str, dict[str, Any]]] = []
        while len(answers) < expected:
            left = until - time.monotonic()
            if left <= 0:
                break
            reply = cast("tuple[bytes, bytes] | None", self._client.brpop([key], timeout=max(left, 0.01)))
            if reply is None:
                break
            new = _answer(reply[1])
            answers += new
            for name, told in ((name, told) for _, answer in new for name, told in answer.items()):
                if heard is not None:
                    heard(name, told)
        return answers

    def _leave(self, queue: str, member: str) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.srem(self._bindings, member)
        pipeline.expire(self._layout.named(queue), REPLY_KEPT_S)
        pipeline.execute(raise_on_error=False)

    def _message(
        self, command: Command, destination: Sequence[str] | None, reply: tuple[str, str] | None, timeout_s: float
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
            told |= {"ticket": ticket, "reply_to": {"exchange": REPLY_EXCHANGE, "routing_key": queue}}
        return json.dumps(
            {
                "body": base64.b64encode(json.dumps(told).encode()).decode(),
                "content-encoding": "utf-8",
                "content-type": "application/json",
                "headers": {"clock": 0, "expires": time.time() + timeout_s if timeout_s else 0},
                "properties": {
                    "delivery_mode": 1,
                    "delivery_info": {"exchange": EXCHANGE, "routing_key": ""},
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
        body = json.loads(base64.b64decode(envelope["body"]))
        ticket = envelope["headers"]["ticket"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(ticket, str) or not isinstance(body, dict):
        return []
    return [(ticket, cast("dict[str, Any]", body))]
