"""Probe of a queue: whether what waits there is taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from celery_nexus.connection.keys import PAUSED_HASH
from celery_nexus.connection.plain_connection import PlainConnection, Refusal
from celery_nexus.delivery import keys
from celery_nexus.errors import Refused
from celery_nexus.probe import inquiry
from celery_nexus.probe.answer import Answer, count
from celery_nexus.probe.clients import IS_REPLICA, Client, count_consuming, is_replica, read_clients, took_last
from celery_nexus.probe.worker import UNACKED
from celery_nexus.queues import PRIORITIES, PRIORITY_SEPARATOR

LOOK_AGAIN_S = 0.05
MOVES_WITHIN_S = 0.6
"""A worker that is free takes a message at once; one of ours that nobody woke, within a quarter of a second."""

MOST_SCANNED = 2000
"""Messages in flight that are looked at; what is beyond is not known to be of this queue."""


class Seen(NamedTuple):
    """What the broker told of a queue.

    Attributes:
        name: Its name.
        heads: The next message of each of its lists that holds any.
        waiting: Messages in all of its lists.
        delayed: Messages that wait for their time.
        is_bound: Whether an exchange of its own name leads to it.
        is_paused: Whether an operator paused it.
        listening: Workers that hear remote control.
        clients: Connections to the database; None when this user may not see them.
    """

    name: str
    heads: tuple[bytes, ...]
    waiting: int
    delayed: int
    is_bound: bool
    is_paused: bool
    listening: int
    clients: tuple[Client, ...] | None


def probe_queue(server: PlainConnection, name: str, prefix: str = "") -> Answer:
    """Tell whether a queue's messages are taken.

    Args:
        server: The broker.
        name: The queue's name.
        prefix: What the names of the application's keys begin with.

    Raises:
        Unreachable: The broker does not answer.
        Refused: Its user may not read the queue.
    """
    if is_replica(server):
        return Answer.unknown(IS_REPLICA)
    first = seen = look(server, name, prefix)
    until = time.monotonic() + min(MOVES_WITHIN_S, server.left_s / 2)
    while _is_undecided(first, seen) and time.monotonic() < until:
        time.sleep(LOOK_AGAIN_S)
        seen = look(server, name, prefix)
    if not seen.waiting:
        return judge_empty(seen)
    if has_moved(first, seen):
        return Answer.well(f"{_waits(seen)}, and they are taken")
    if seen.is_paused:
        return Answer.broken(f"{_waits(seen)}: it is paused; nexus-tui resume {name}")
    return judge_standing(seen, count_in_flight(server, name, prefix))


def _is_undecided(first: Seen, seen: Seen) -> bool:
    """Tell whether another look may show more: a message taken, or a worker that was between two waits."""
    if not seen.waiting:
        return seen.clients is not None and not count_consuming(seen.clients) and took_last(seen.clients) is None
    return not has_moved(first, seen)


def look(server: PlainConnection, name: str, prefix: str) -> Seen:
    """Read all that the broker tells at once, in one round trip."""
    lists = [f"{prefix}{name}{PRIORITY_SEPARATOR}{step}" if step else prefix + name for step in PRIORITIES]
    own, other = inquiry.topics(prefix, server.url.database)
    answers = server.ask(
        *(("LLEN", key) for key in lists),
        *(("LINDEX", key, -1) for key in lists),
        ("ZCARD", prefix + keys.key_of_delayed(name)),
        ("EXISTS", f"{prefix}{inquiry.BINDING}{name}"),
        ("HEXISTS", prefix + PAUSED_HASH, name),
        ("PUBLISH", own, ""),
        ("PUBLISH", other, ""),
        ("CLIENT", "LIST"),
    )
    if isinstance(answers[0], Refusal):
        raise Refused(f"the broker refuses to show {name}: {answers[0]}")
    known: list[Any] = [None if isinstance(answer, Refusal) else answer for answer in answers]
    width = len(lists)
    delayed, bound, paused, here, shared, clients = known[2 * width :]
    return Seen(
        name=name,
        heads=tuple(cast("list[bytes]", [head for head in known[width : 2 * width] if head is not None])),
        waiting=sum(length or 0 for length in known[:width]),
        delayed=delayed or 0,
        is_bound=bool(bound),
        is_paused=bool(paused),
        listening=here or shared or 0,
        clients=read_clients(clients, server.url.database),
    )


def has_moved(before: Seen, after: Seen) -> bool:
    """Tell whether a message was taken between two looks."""
    return not set(before.heads) <= set(after.heads) or after.waiting < before.waiting


def judge_empty(seen: Seen) -> Answer:
    """Judge a queue in which nothing waits."""
    later = f", {seen.delayed:,} before their time" if seen.delayed else ""
    if seen.clients is None:
        return Answer.unknown(f"{seen.name} is empty{later}; its user may not see who waits for it (CLIENT LIST)")
    waiting, took = count_consuming(seen.clients), took_last(seen.clients)
    if waiting or took is not None:
        if not seen.is_bound and not seen.delayed:
            return Answer.unknown(f"{seen.name} is empty, and nothing here is called so: is it the right name?")
        who = f"{_connections(waiting)} for messages" if waiting else "its workers are busy"
        return Answer.well(f"{seen.name} is empty{later}; {who}")
    return Answer.broken(f"{seen.name} is empty{later}, and nobody waits for messages in this database")


def judge_standing(seen: Seen, in_flight: int) -> Answer:
    """Judge a queue of which nothing is taken at the moment.

    Args:
        seen: What the broker told.
        in_flight: Messages of it that workers hold.
    """
    if in_flight:
        return Answer.well(f"{_waits(seen)}, {in_flight:,} are in flight: its workers are busy")
    if seen.clients is None:
        return Answer.unknown(f"{_waits(seen)}, and none is taken; its user may not see who could (CLIENT LIST)")
    busy = took_last(seen.clients)
    if busy is not None:
        return Answer.unknown(
            f"{_waits(seen)}, and none is taken; a worker that took something {busy.idle_s:,} s ago may be "
            f"busy with it: nexus-tui why {seen.name}"
        )
    waiting = count_consuming(seen.clients)
    if waiting:  # who waited at these lists would have been given a message at once
        others = f"{_connections(waiting)} for others"
        return Answer.broken(f"{_waits(seen)}, and no worker takes from it ({others}): celery worker -Q {seen.name}")
    return Answer.broken(f"{_waits(seen)}, and nobody waits for messages in this database: start a worker")


def count_in_flight(server: PlainConnection, name: str, prefix: str) -> int:
    """Count the messages of a queue that workers hold, as far as the broker tells whose they are."""
    held, nodes = server.ask(("HSCAN", prefix + UNACKED, 0, "COUNT", MOST_SCANNED), ("HKEYS", prefix + keys.LEASES))
    own = 0
    if not isinstance(nodes, Refusal) and nodes:
        fields = server.ask(*(("HKEYS", f"{prefix}{keys.in_flight_key('')}".encode() + node) for node in nodes))
        own = sum(_is_of(field, name, prefix) for found in map(_all, fields) for field in found)
    if isinstance(held, Refusal):
        return own
    return own + sum(_is_routed(value, name) for value in _all(held[1])[1::2])


def _all(found: Any) -> Sequence[bytes]:
    return () if isinstance(found, Refusal) else cast("Sequence[bytes]", found)


def _is_of(field: bytes, name: str, prefix: str) -> bool:
    """Tell whether a message in flight, ``ID LIST``, was taken from a list of this queue."""
    key = field.partition(b" ")[2].decode("utf-8", "replace").removeprefix(prefix)
    return key == name or keys.queue_of(key)[0] == name


def _is_routed(value: bytes, name: str) -> bool:
    """Tell whether what kombu keeps in flight, JSON ``[message, exchange, routing key]``, went to a queue."""
    import json

    try:
        _, exchange, routing_key = json.loads(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return name in (exchange, routing_key)


def _waits(seen: Seen) -> str:
    return f"{count(seen.waiting, 'message')} {'waits' if seen.waiting == 1 else 'wait'} in {seen.name}"


def _connections(waiting: int) -> str:
    return f"{count(waiting, 'connection')} to this database {'waits' if waiting == 1 else 'wait'}"
