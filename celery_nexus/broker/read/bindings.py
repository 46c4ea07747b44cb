"""Bindings of one application: which queues there are, and by which exchange and routing key each gets messages."""

from __future__ import annotations

import math
import time
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ResponseError

from celery_nexus.broker.read.flights import Routes
from celery_nexus.connection.set_members import read_all_members
from celery_nexus.delivery.layout import Layout, escape_pattern

SCAN_STEP = 2000
FIRST_SCAN_S = 0.25
LOOK_EVERY_S = 5.0
"""Interval between searches for bound queues."""

LOOK_SHARE = 0.02
"""Greatest share of the time that is spent on them: a site of thousands of queues is looked through more seldom."""

_MAILBOX = ".pidbox"


class Bindings:
    """Looks through the bindings again and again, some keys at a time.

    Args:
        client: Connection for reading.
        layout: Names of the application's keys.

    Attributes:
        routes: Exchange and routing key of every binding, by queue.
        missing: What the broker does not let its user read, as far as was noticed.
    """

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._exchanges: set[str] = set()
        self._cursor = 0
        self._is_scanned = False
        self._not_before = -math.inf
        self.bound: dict[str, set[tuple[str, str]]] = {}
        self.routes = Routes({})
        self.missing = ""

    def look_once(self) -> None:
        """Look for bound queues, unless that was done."""
        if not self._is_scanned:
            self.look()

    def look(self) -> None:
        """Look for queues that are bound on the broker, for a bounded time; later looks go on where it stopped.

        Raises:
            RedisError: The broker does not answer.
        """
        until = time.monotonic() + FIRST_SCAN_S
        while self._scan() and time.monotonic() < until:
            pass
        self._read()
        self._is_scanned = True

    def look_on(self) -> None:
        """Look on, a step, when it is time: queues come and go seldom.

        Raises:
            RedisError: The broker does not answer.
        """
        began = time.monotonic()
        if self._cursor == 0 and began < self._not_before:
            return
        self._scan()
        if self._cursor == 0 or began >= self._not_before:
            self._read()
            took_s = time.monotonic() - began
            self._not_before = time.monotonic() + max(LOOK_EVERY_S, took_s / LOOK_SHARE)

    def _scan(self) -> bool:
        """Look at some keys; tell whether there is more to see."""
        pattern = escape_pattern(self._layout.bindings) + "*"
        try:
            answer: Any = self._client.scan(self._cursor, match=pattern, count=SCAN_STEP)
        except NoPermissionError:
            self._cursor = 0
            self.missing = "its user may not SCAN: only the queues of the registry are known"
            return False
        self._cursor, found = answer
        for raw in found:
            key = raw.decode("utf-8", "replace")
            exchange = key.removeprefix(self._layout.bindings)
            if exchange not in self._layout.events and not exchange.endswith(_MAILBOX):
                self._exchanges.add(key)
        return self._cursor != 0

    def _read(self) -> None:
        keys = sorted(self._exchanges)
        bound: dict[str, set[tuple[str, str]]] = {}
        for key, members in zip(keys, read_all_members(self._client, keys), strict=True):
            if isinstance(members, ResponseError) or not members:
                self._exchanges.discard(key)
                continue
            exchange = key.removeprefix(self._layout.bindings)
            for member in members:
                parts = member.decode("utf-8", "replace").split(self._layout.separator)
                if len(parts) >= 3 and parts[-1]:
                    bound.setdefault(parts[-1], set()).add((exchange, parts[0]))
        if bound != self.bound:
            self.bound, self.routes = bound, Routes(bound)
