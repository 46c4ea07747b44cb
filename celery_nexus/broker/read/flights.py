"""Messages that stock workers hold, by queue: running or prefetched, and held until their ETA."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from celery_nexus.serializers.json_spelling import unescape
from celery_nexus.times import parse_time


@dataclass
class Flight:
    """What stock workers hold of a queue: what runs or waits for a child, and what waits for its time."""

    running: int = 0
    delayed: int = 0
    next_due: float | None = None
    is_blind: bool = False
    """Whether the time of some can't be read."""

    def note_due(self, at: float) -> None:
        """Take note of a time for which one waits, in seconds since the epoch."""
        self.next_due = at if self.next_due is None else min(self.next_due, at)


class Routes:
    """Where a message goes by its exchange and routing key.

    Args:
        bound: Exchange and routing key, or the pattern of one, of every binding, by queue.
    """

    def __init__(self, bound: Mapping[str, set[tuple[str, str]]]) -> None:
        self._exact: dict[tuple[str, str], list[str]] = {}
        self._topics: list[tuple[str, re.Pattern[str], str]] = []
        for queue, routes in bound.items():
            for exchange, key in routes:
                self._exact.setdefault((exchange, key), []).append(queue)
                if "*" in key or "#" in key:
                    self._topics.append((exchange, _pattern(key), queue))

    def queues(self, exchange: str, key: str) -> list[str]:
        """Name the queues that get it, at least one."""
        found = self._exact.get((exchange, key)) or [
            queue for topic, pattern, queue in self._topics if topic == exchange and pattern.match(key)
        ]
        # The default exchange delivers to the queue that the routing key names.
        return sorted(set(found)) or [key or exchange]


def flights_of(held: list[Any], old: list[Any], routes: Routes) -> dict[str, Flight]:
    """Count by queue what workers hold, as the script of a reading tells it.

    Args:
        held: Exchange, routing key, count, how many wait for their time, the first of these times; and so on.
        old: Exchange, routing key and body of those whose body alone tells their time; and so on.
        routes: Where each went.
    """
    flights: dict[str, Flight] = {}

    def flight_of(exchange: bytes, key: bytes) -> Flight:
        queues = routes.queues(_name(exchange), _name(key))
        mine = [flights.setdefault(queue, Flight()) for queue in queues]
        for flight in mine if len(mine) > 1 else ():  # which of them it came from is not told
            flight.is_blind = True
        return mine[0]

    for exchange, key, count, waits, due in zip(*(held[place::5] for place in range(5)), strict=True):
        flight = flight_of(exchange, key)
        flight.delayed += int(waits)
        flight.running += int(count) - int(waits)
        if waits:
            flight.note_due(float(due))
    now = datetime.now(UTC)
    for exchange, key, body in zip(*(old[place::3] for place in range(3)), strict=True):
        flight = flight_of(exchange, key)
        told = eta_in_body(body)
        flight.is_blind = flight.is_blind or told is None
        eta = parse_time(told)
        if eta is not None and eta > now:
            flight.running -= 1
            flight.delayed += 1
            flight.note_due(eta.timestamp())
    return flights


def _pattern(key: str) -> re.Pattern[str]:
    """Read a topic as kombu does: ``*`` is a word, ``#`` any number of them."""
    words = {"*": r"[^.]*", "#": r".*"}
    return re.compile(r"\.".join(words.get(word, re.escape(word)) for word in key.split(".")) + r"\Z")


def _name(raw: bytes | str) -> str:
    """Read a name as it stands inside a text of JSON: kombu escapes what is not ASCII."""
    return unescape(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw)


def eta_in_body(raw: bytes) -> str | None:
    """Read the time of a message of task protocol 1, whose body tells it; '' for none, None when it can't be read."""
    try:
        body = json.loads(base64.b64decode(raw))
    except (ValueError, RecursionError):
        return None
    eta = cast("dict[str, Any]", body).get("eta", "") if isinstance(body, dict) else None
    return eta or "" if isinstance(eta, str | None) and isinstance(body, dict) else None
