"""On which channels an application's workers listen, and what is heard there.

A channel is prefix, fanout prefix (``/3.`` by default, which is the database; nothing with ``fanout_prefix=False``; or
a text of the application's own) and exchange. Redis lists no patterns, and kombu subscribes with patterns; but it
counts who gets a message, and kombu drops an empty one without a word.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis
from redis.exceptions import ResponseError

from nexus_tui.sources.broker.layout import Layout, escaped
from workers.history.errors import BadEvent
from workers.history.recorder.stock_events import events_of
from workers.history.store.event_fields import Event

MAILBOX = ".pidbox"
KNOWN_FOR_S = 30.0
"""Channels are looked for again after so long."""

LISTEN_S = 2.6
"""Heartbeats come every 2 s."""

MOST_HEARD = 2000
_OTHER_DATABASE = re.compile(r"/\d+\.")


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel on which workers take remote control.

    Attributes:
        topic: Its whole name.
        exchange: The control exchange, ``celery`` by default.
        is_shared: Whether workers of other databases hear it, too.
        listening: How many workers do.
    """

    topic: str
    exchange: str
    is_shared: bool
    listening: int


@dataclass(frozen=True, slots=True)
class Listening:
    """Where events of applications are heard.

    Attributes:
        patterns: Of their channels, as ``PSUBSCRIBE`` takes them.
        shared: Channels that all databases of the server share (``fanout_prefix=False``).
        nodes: Sets that bind the mailboxes of their workers: on a shared channel, only these count.
    """

    patterns: tuple[str, ...]
    shared: tuple[str, ...]
    nodes: tuple[str, ...]


class Channels:
    """Finds the channels of applications in one database. May be shared by threads.

    Args:
        client: Redis.
        database: Its number.
    """

    def __init__(self, client: redis.Redis, database: int) -> None:
        self._client = client
        self._own = f"/{database}."
        self._database = database
        self._known: dict[Layout, tuple[float, tuple[Channel, ...]]] = {}
        self._fanouts: dict[str, tuple[str, ...]] = {}
        self._listened_at: dict[str, float] = {}

    def of(self, layout: Layout) -> tuple[Channel, ...]:
        """Find where an application's workers listen now; empty when none of them takes remote control."""
        until, channels = self._known.get(layout, (0.0, ()))
        if channels and time.monotonic() < until:
            return channels
        channels = self._listening(layout)
        if not channels and self._may_listen(layout) and self.subscribers():
            self.hear(layout)
            channels = self._listening(layout)
        self._known[layout] = time.monotonic() + KNOWN_FOR_S, channels
        return channels

    def fanouts(self, layout: Layout) -> tuple[str, ...]:
        """List the fanout prefixes that may be in use."""
        return tuple(dict.fromkeys((self._own, "", *self._fanouts.get(layout.prefix, ()))))

    def of_events(self, layouts: Sequence[Layout], *, any_prefix: bool) -> Listening:
        """Find where the events of applications are sent.

        Args:
            layouts: Of the applications.
            any_prefix: Whether those count that have not come yet.
        """
        patterns: dict[str, None] = {}
        for layout in layouts:
            for name in layout.events:
                if any_prefix:
                    patterns[f"*{self._own}{escaped(name)}*"] = None
                for fanout in self.fanouts(layout):
                    if fanout != self._own or not any_prefix:
                        patterns[f"{escaped(layout.prefix + fanout + name)}*"] = None
        nodes = (layout.bindings + exchange + MAILBOX for layout in layouts for exchange in layout.control)
        shared = (layout.named(name) for layout in layouts for name in layout.events)
        return Listening(tuple(sorted(patterns)), tuple(sorted(set(shared))), tuple(sorted(set(nodes))))

    def _listening(self, layout: Layout) -> tuple[Channel, ...]:
        wanted = [
            (layout.named(f"{fanout}{exchange}{MAILBOX}"), exchange, fanout != self._own)
            for exchange in layout.control
            for fanout in self.fanouts(layout)
        ]
        pipeline = self._client.pipeline(transaction=False)
        for topic, _, _ in wanted:
            pipeline.publish(topic, "")
        counts = cast("list[int]", pipeline.execute())
        return tuple(Channel(*channel, count) for channel, count in zip(wanted, counts, strict=True) if count)

    def _may_listen(self, layout: Layout) -> bool:
        return time.monotonic() - self._listened_at.get(layout.prefix, -KNOWN_FOR_S) >= KNOWN_FOR_S

    def subscribers(self) -> int:
        """Count connections to this database that subscribed to patterns, as workers do; 0 when it may not be asked."""
        return sum(int(row.get("psub", 0)) > 0 for row in self._clients())

    def consumers(self) -> int:
        """Count connections that wait for a message in this database; 0 when it may not be asked."""
        return sum(str(row.get("cmd", "")).startswith("brpop") for row in self._clients())

    def _clients(self) -> list[dict[str, Any]]:
        try:
            rows = cast("list[dict[str, Any]]", self._client.client_list())
        except ResponseError:
            return []
        return [row for row in rows if str(row.get("db")) == str(self._database)]

    def hear(self, layout: Layout, listen_s: float = LISTEN_S) -> dict[str, Event]:
        """Listen for heartbeats: by worker, the last that came. Learns under which fanout prefix they are sent."""
        self._listened_at[layout.prefix] = time.monotonic()
        heard: dict[str, Event] = {}
        with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
            for name in layout.events:
                pubsub.psubscribe(f"{escaped(layout.prefix)}*{escaped(name)}*")
            until = time.monotonic() + listen_s
            for _ in range(MOST_HEARD):
                message = cast("Any", pubsub.get_message(timeout=max(0.0, until - time.monotonic())))
                if message is not None and message["type"] == "pmessage":
                    self._take(layout, message["channel"].decode("utf-8", "replace"), message["data"], heard)
                if time.monotonic() >= until:
                    break
        return heard

    def _take(self, layout: Layout, channel: str, data: bytes, heard: dict[str, Event]) -> None:
        rest = channel.removeprefix(layout.prefix)
        name = next((name for name in layout.events if name in rest), None)
        fanout = rest.partition(name)[0] if name else ""
        if name is None or (_OTHER_DATABASE.fullmatch(fanout) and fanout != self._own):
            return
        known = self._fanouts.get(layout.prefix, ())
        if fanout not in known:
            self._fanouts[layout.prefix] = (*known, fanout)
        try:
            events = events_of(data)
        except BadEvent:
            return
        for event in events:
            worker = event.get("hostname") if event else None
            if event and isinstance(worker, str) and event["type"] == "worker-heartbeat" and fanout:
                heard[worker] = event
