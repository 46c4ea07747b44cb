"""Pub/sub channels on which an application's workers listen and send events.

A channel is prefix, fanout prefix (``/3.`` by default, which is the database; nothing with ``fanout_prefix=False``; or
a text of the application's own) and exchange. Redis lists no patterns, and kombu subscribes with patterns; but it
counts who gets a message, and kombu drops an empty one without a word. All databases of a server share its channels:
on one that does not name the database, only workers count whose mailboxes are bound in it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError, ResponseError

from celery_nexus.connection.node_names import read_node_names
from celery_nexus.connection.set_members import read_members
from celery_nexus.delivery.layout import Layout, escape_pattern
from celery_nexus.history.errors import BadEvent
from celery_nexus.history.recorder.nodes import works_elsewhere
from celery_nexus.history.recorder.stock_events import events_of
from celery_nexus.history.store.event_fields import Event
from celery_nexus.serializers import formats

MAILBOX = ".pidbox"
KNOWN_FOR_S = 30.0
"""Time for which found channels are taken as known."""

LISTEN_S = 2.6
"""Time of listening for heartbeats, which come every 2 s."""

MOST_HEARD = 2000
_SPOKEN = re.compile(r"(/[^.]*\.)?")
"""Fanout prefixes that kombu takes off a channel's name again (``Channel._receive_one``): on any other, a message of
remote control ends the connection of the worker that gets it."""

_DATABASE = re.compile(r"/\d+\.$")
_NUMBER = re.compile(r"\d+")


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
        shared: Channels that do not name the database, which all databases of the server share.
        nodes: Sets that bind the mailboxes of their workers: on a shared channel, only these count.
    """

    patterns: tuple[str, ...]
    shared: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat, the fanout prefix of the channel on which it came, and when, by our clock."""

    event: Event
    fanout: str
    heard_at: float

    @property
    def is_spoken(self) -> bool:
        """Whether remote control can be used there."""
        return _SPOKEN.fullmatch(self.fanout) is not None


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
        self._heard_at: dict[str, float] = {}

    def find_channels(self, layout: Layout) -> tuple[Channel, ...]:
        """Find where an application's workers listen now; empty when none of them takes remote control.

        Who listens on a channel without a database may be somebody else's: it is listened to before it is believed.
        """
        until, channels = self._known.get(layout, (0.0, ()))
        if channels and time.monotonic() < until:
            return channels
        channels = self._listening(layout, (self._own,)) or self._listening(layout, self._learned(layout))
        if not channels and self._may_hear(layout) and self.nodes(layout):
            self.hear(layout, until_known=True)
            channels = self._listening(layout, self._learned(layout))
        if not channels and not self._learned(layout) and self.nodes(layout):
            channels = self._listening(layout, ("",))
        self._known[layout] = time.monotonic() + KNOWN_FOR_S, channels
        return channels

    def fanouts(self, layout: Layout) -> tuple[str, ...]:
        """List the fanout prefixes that may be in use."""
        return tuple(dict.fromkeys((self._own, "", *self._learned(layout))))

    def of_events(self, layouts: Sequence[Layout], *, any_prefix: bool) -> Listening:
        """Find where the events of applications are sent.

        Args:
            layouts: Of the applications.
            any_prefix: Whether those count that have not come yet.
        """
        patterns: set[str] = set()
        shared: set[str] = set()
        for layout in layouts:
            for name in layout.events:
                if any_prefix:
                    patterns.add(f"*{self._own}{escape_pattern(name)}*")
                for fanout in self.fanouts(layout):
                    if not (any_prefix and fanout.endswith(self._own)):  # a channel of two patterns is heard twice
                        patterns.add(f"{escape_pattern(layout.prefix + fanout + name)}*")
                    if fanout != self._own:
                        shared.add(layout.add_prefix(fanout + name))
        nodes = {layout.bindings + exchange + MAILBOX for layout in layouts for exchange in layout.control}
        return Listening(tuple(sorted(patterns)), tuple(sorted(shared)), tuple(sorted(nodes)))

    def nodes(self, layout: Layout) -> dict[str, tuple[str, ...]]:
        """Name the workers whose mailboxes are bound in this database, by control exchange; killed ones, too."""
        found: dict[str, tuple[str, ...]] = {}
        for exchange in layout.control:
            members = read_members(self._client, layout.bindings + exchange + MAILBOX)
            if names := tuple(read_node_names(members, exchange + MAILBOX)):
                found[exchange] = names
        return found

    def _learned(self, layout: Layout) -> tuple[str, ...]:
        return self._fanouts.get(layout.prefix, ())

    def _listening(self, layout: Layout, fanouts: Sequence[str]) -> tuple[Channel, ...]:
        wanted = [
            (layout.add_prefix(f"{fanout}{exchange}{MAILBOX}"), exchange, fanout != self._own)
            for exchange in layout.control
            for fanout in fanouts
            if _SPOKEN.fullmatch(fanout)
        ]
        pipeline = self._client.pipeline(transaction=False)
        for topic, _, _ in wanted:
            pipeline.publish(topic, "")
        counts = cast("list[int]", pipeline.execute()) if wanted else []
        return tuple(Channel(*channel, count) for channel, count in zip(wanted, counts, strict=True) if count)

    def _may_hear(self, layout: Layout) -> bool:
        if time.monotonic() - self._heard_at.get(layout.prefix, -KNOWN_FOR_S) < KNOWN_FOR_S:
            return False
        clients = self._clients()
        return clients is None or any(int(row.get("psub", 0)) > 0 for row in clients)

    def consumers(self) -> int:
        """Count connections that wait for a message in this database; 0 when it may not be asked."""
        return sum(str(row.get("cmd", "")).startswith("brpop") for row in self._clients() or ())

    def _clients(self) -> list[dict[str, Any]] | None:
        try:
            rows = cast("list[dict[str, Any]]", self._client.client_list())
        except ResponseError:  # a user who may not
            return None
        return [row for row in rows if str(row.get("db")) == str(self._database)]

    def hear(self, layout: Layout, listen_s: float = LISTEN_S, *, until_known: bool = False) -> dict[str, Beat]:
        """Listen for the heartbeats of an application's workers, and learn under which fanout prefix they are sent.

        Args:
            layout: Of the application.
            listen_s: For so long at most.
            until_known: Whether the first one is enough.

        Returns:
            By worker, the last that came.
        """
        self._heard_at[layout.prefix] = time.monotonic()
        ear = Ear(layout, self._own, self.nodes(layout), works_elsewhere(self._client, self._database))
        try:
            self._listen(layout, ear, listen_s, until_known=until_known)
        except NoPermissionError:
            return {}
        heard = {worker: beat for worker, beat in ear.heard.items() if self._is_here(layout, beat.fanout)}
        fanouts = {beat.fanout for beat in heard.values()} - {self._own}
        if fanouts:
            self._fanouts[layout.prefix] = tuple(sorted(fanouts))
        return heard

    def _listen(self, layout: Layout, ear: Ear, listen_s: float, *, until_known: bool) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
            for name in layout.events:
                pubsub.psubscribe(f"{escape_pattern(layout.prefix)}*{escape_pattern(name)}*")
            until = time.monotonic() + listen_s
            for _ in range(MOST_HEARD):
                message = cast("Any", pubsub.get_message(timeout=max(0.0, until - time.monotonic())))
                if message is not None and message["type"] == "pmessage":
                    ear.take(message["channel"].decode("utf-8", "replace"), message["data"])
                if time.monotonic() >= until or (until_known and ear.heard) or ear.has_heard_all:
                    break

    def _is_here(self, layout: Layout, fanout: str) -> bool:
        """Tell ``/shop-4.`` of another database from ``/shop-3.`` of this one, when somebody listens there."""
        numbers = () if fanout == self._own else _NUMBER.finditer(fanout)
        here = [f"{fanout[: number.start()]}{self._database}{fanout[number.end() :]}" for number in numbers]
        return fanout in here or not self._listening(layout, here)


class Ear:
    """Takes the heartbeats of one application's workers out of what is heard on the channels of events."""

    def __init__(self, layout: Layout, own: str, nodes: dict[str, tuple[str, ...]], works_elsewhere: bool) -> None:
        self._layout = layout
        self._own = own
        self._nodes = {name for names in nodes.values() for name in names}
        self._is_alone = not works_elsewhere
        self.heard: dict[str, Beat] = {}

    @property
    def has_heard_all(self) -> bool:
        """Whether every worker was heard whose mailbox is bound."""
        return bool(self._nodes) and self.heard.keys() >= self._nodes

    def take(self, channel: str, data: bytes) -> None:
        """Take a message in."""
        fanout = self._fanout(channel)
        if fanout is None:
            return
        for event in _events(data):
            worker = event.get("hostname") if event else None
            if event and isinstance(worker, str) and event["type"] == "worker-heartbeat" and self._has(worker, fanout):
                self.heard[worker] = Beat(event, fanout, time.time())

    def _fanout(self, channel: str) -> str | None:
        """Find what stands between prefix and exchange; None when this is another application's, or database's."""
        rest = channel.removeprefix(self._layout.prefix)
        for name in self._layout.events:
            fanout, found, tail = rest.partition(name)
            if found and (not tail or tail.startswith("/")):
                names_database = _DATABASE.search(fanout) is not None and not fanout.endswith(self._own)
                return None if names_database and not self._is_alone else fanout
        return None

    def _has(self, worker: str, fanout: str) -> bool:
        if fanout == self._own or worker in self._nodes:
            return True
        # Without mailboxes: when there is nobody else on this server, by what kombu puts before a channel.
        return self._is_alone and not self._nodes and _SPOKEN.fullmatch(fanout) is not None


def _events(message: bytes) -> list[Event | None]:
    """Read the events of a message in whichever format they are written; none of what makes no sense."""
    try:
        return events_of(formats.as_json(message))
    except (BadEvent, formats.Unread):
        return []
