"""One worker asked by Celery's remote control, when the broker's own lists don't tell what it does.

What is written for it (a list for the answers and its binding) is removed before this returns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, cast

from celery_nexus.connection.plain_connection import PlainConnection, Refusal
from celery_nexus.queues import PRIORITY_SEPARATOR

EXCHANGE = "celery.pidbox"
REPLIES = f"reply.{EXCHANGE}"
BINDING = "_kombu.binding."
KEPT_S = 30
"""Time to live of a late reply that nobody collects."""

READING_S = 0.05
"""So much of the time is left for what follows the answers."""


def topics(prefix: str, database: int) -> tuple[str, str]:
    """Name the channels on which workers hear remote control: kombu's own, and the one without ``fanout_prefix``."""
    return f"{prefix}/{database}.{EXCHANGE}", f"{prefix}{EXCHANGE}"


def ask_worker(
    server: PlainConnection, topic: str, node: str, methods: Sequence[str], prefix: str
) -> dict[str, Any] | None:
    """Ask one worker and return what it answers to each method; None when it does not answer all in time.

    Args:
        server: The broker.
        topic: Channel on which it listens.
        node: Its name.
        methods: Commands of remote control that take no arguments: ``stats``, ``active``.
        prefix: What the names of the application's keys begin with.

    Raises:
        Unreachable: The broker does not answer.
    """
    queue = f"nexus-probe-{os.urandom(16).hex()}.{REPLIES}"
    bindings, member = f"{prefix}{BINDING}{REPLIES}", PRIORITY_SEPARATOR.join((queue, "", queue))
    tickets = {os.urandom(16).hex(): method for method in methods}
    timeout_s = max(READING_S, server.left_s - 2 * READING_S)
    until = time.monotonic() + timeout_s
    messages = (_message(method, ticket, queue, node, timeout_s) for ticket, method in tickets.items())
    try:
        server.ask(("SADD", bindings, member), *(("PUBLISH", topic, message) for message in messages))
        found: dict[str, Any] = {}
        while len(found) < len(tickets) and (left_s := until - time.monotonic()) > 0:
            reply = server.ask(("BRPOP", prefix + queue, round(left_s, 3)))[0]
            if reply is None or isinstance(reply, Refusal):
                break
            ticket, told = _read_answer(reply[1], node)
            if ticket in tickets:
                found[tickets[ticket]] = told
    finally:
        server.ask(("SREM", bindings, member), ("EXPIRE", prefix + queue, KEPT_S))
    return found if len(found) == len(tickets) else None


def _message(method: str, ticket: str, queue: str, node: str, timeout_s: float) -> str:
    """Write a message of remote control as kombu's mailbox does (``kombu.pidbox.Mailbox._publish``)."""
    import base64
    import json

    told = {
        "method": method,
        "arguments": {},
        "destination": [node],
        "pattern": None,
        "matcher": None,
        "ticket": ticket,
        "reply_to": {"exchange": REPLIES, "routing_key": queue},
    }
    properties = {
        "delivery_mode": 1,
        "delivery_info": {"exchange": EXCHANGE, "routing_key": ""},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": ticket,
    }
    envelope = {
        "body": base64.b64encode(json.dumps(told).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"clock": 0, "expires": time.time() + timeout_s},
        "properties": properties,
    }
    return json.dumps(envelope)


def _read_answer(raw: bytes, node: str) -> tuple[str, Any]:
    """Read ticket and answer; an empty ticket when this is no answer of that worker: anybody can write into a list."""
    import base64
    import json

    try:
        envelope = json.loads(raw)
        body = json.loads(base64.b64decode(envelope["body"]))
        return str(envelope["headers"]["ticket"]), cast("dict[str, Any]", body)[node]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "", None
