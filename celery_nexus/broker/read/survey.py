"""Survey of a foreign database: its applications, and the layout of each one's keys.

A layout is not a fact of the first second: an application may start after us, a list of another priority appear, a
worker hold its first message. So a survey goes on looking, some steps of SCAN at a time.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import redis
from redis.exceptions import NoPermissionError, ResponseError

from celery_nexus.broker.wire.separators import MAILBOX, separator_of
from celery_nexus.connection.keys import TRASH_HASH
from celery_nexus.connection.set_members import read_all_members
from celery_nexus.delivery import keys
from celery_nexus.delivery.layout import (
    BINDING,
    BINDING_SEPARATOR,
    UNACKED,
    Layout,
    escape_pattern,
    read_steps,
    stock_layout,
)
from celery_nexus.queues import PRIORITIES, STOCK_STEPS

FIRST_LOOK_S = 1.0
SCAN_STEP = 2000
AGAIN_S = 5.0
"""Interval between scans of the whole database."""

CONCLUDE_EVERY_S = 1.0
"""Shortest time between two conclusions about layouts, which change more slowly than readings follow each other."""

CONCLUDE_SHARE = 0.02
"""Greatest share of the time that is spent on conclusions: of thousands of queues they take longer, and come later."""

KEYS_ASKED = 500
"""Bound of keys in one question whether any of them is there."""

MOST_HASHES = 50
"""Most hashes whose kind is determined in one step."""

_REPLIES = "reply."


@dataclass
class _Pass:
    """One way through all keys, some steps at a time."""

    arguments: dict[str, Any]
    cursor: int = 0
    found: set[str] = field(default_factory=set[str])
    whole: frozenset[str] | None = None
    ended_at: float = 0.0
    is_refused: bool = False

    def step(self, client: redis.Redis) -> bool:
        """Look at some keys; tell whether there is more to see."""
        if self.is_refused or (self.cursor == 0 and time.monotonic() - self.ended_at < AGAIN_S):
            return False
        try:
            cursor, names = cast("Any", client.scan(self.cursor, count=SCAN_STEP, **self.arguments))
        except (NoPermissionError, ResponseError):  # not allowed, or a server that knows no TYPE
            self.is_refused = True
            return False
        self.cursor = int(cursor)
        self.found.update(_text(name) for name in names)
        if self.cursor == 0:
            self.whole, self.found, self.ended_at = frozenset(self.found), set(), time.monotonic()
        return self.cursor != 0

    @property
    def names(self) -> set[str]:
        """What was seen in the last whole pass and in this one."""
        return set(self.whole or ()) | self.found


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker's configuration says of the layout; see :mod:`celery_nexus.control.configuration`.

    Attributes:
        separator: Between a queue's name and its priority.
        steps: Priorities that have a list of their own.
        has_own_unacked: Whether its hash of what is in flight has a name of its own, which workers keep to themselves.
    """

    separator: str
    steps: tuple[int, ...]
    has_own_unacked: bool = False


class Survey:
    """Looks through one database. Not thread-safe: who owns it locks.

    Args:
        client: A connection that may be shared.
        prefix: The only application that is asked for (its ``global_keyprefix``); None: all that are there.

    Attributes:
        is_whole: Whether every key was looked at once.
    """

    def __init__(self, client: redis.Redis, prefix: str | None = None) -> None:
        self._client = client
        self._prefix = prefix
        self._bindings = _Pass({"match": f"{'*' if prefix is None else escape_pattern(prefix)}{BINDING}*"})
        self._hashes = _Pass({"_type": "hash"})
        self._kinds: dict[str, bool] = {}
        self._steps: dict[str, set[int]] = {}
        self._separators: dict[str, str] = {}
        self._told: dict[str, Told] = {}
        self._conclude_at = -math.inf
        self._layouts: tuple[Layout, ...] = (stock_layout(prefix or ""),)

    @property
    def is_whole(self) -> bool:
        """Whether every hash of the database was looked at once."""
        return self._hashes.whole is not None

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The applications that were seen, by prefix; a stock one when none was."""
        return self._layouts

    @property
    def has_seen_priorities(self) -> bool:
        """Whether a list of another priority than 0 was ever seen."""
        return any(self._steps.values())

    def hides_unacked(self, layout: Layout) -> bool:
        """Tell whether what is in flight lies in a hash whose name is not known."""
        told = self._told.get(layout.prefix)
        return told is not None and told.has_own_unacked and layout.unacked_name == UNACKED

    def learn(self, prefix: str, told: Told) -> None:
        """Take in what workers say of themselves."""
        self._told[prefix] = told
        self._conclude_at = -math.inf

    def has_told(self, prefix: str) -> bool:
        """Tell whether workers said how they name their keys."""
        return prefix in self._told

    def look(self, budget_s: float) -> tuple[Layout, ...]:
        """Look on for some time, and conclude.

        Raises:
            RedisError: The broker does not answer.
        """
        until = time.monotonic() + budget_s
        if time.monotonic() < self._conclude_at:
            return self._layouts
        more = True
        while more:
            more = self._bindings.step(self._client)
            more = self._hashes.step(self._client) or more
            if time.monotonic() > until:
                break
        began = time.monotonic()
        self._layouts = self._conclude()
        now = time.monotonic()
        self._conclude_at = now + max(CONCLUDE_EVERY_S, (now - began) / CONCLUDE_SHARE)
        return self._layouts

    def _conclude(self) -> tuple[Layout, ...]:
        members = self._members()
        self._sort_hashes()
        prefixes = {prefix for prefix, found in members.items() if any(map(_is_of_application, found))}
        if self._prefix is not None:
            prefixes &= {self._prefix}
        if not prefixes:
            return (self._layout(self._prefix or "", {}),)
        return tuple(self._layout(prefix, members[prefix]) for prefix in sorted(prefixes))

    def _members(self) -> dict[str, dict[str, list[str]]]:
        names = sorted(self._bindings.names)
        found: dict[str, dict[str, list[str]]] = {}
        for name, raw in zip(names, read_all_members(self._client, names), strict=True):
            if isinstance(raw, Exception) or not raw:
                continue
            prefix, _, exchange = name.partition(BINDING)
            found.setdefault(prefix, {})[exchange] = [_text(member) for member in raw]
        return found

    def _layout(self, prefix: str, members: Mapping[str, list[str]]) -> Layout:
        told = self._told.get(prefix)
        separator = told.separator if told else self._separator(prefix, members)
        queues = {member.rpartition(separator)[2] for found in members.values() for member in found}
        seen = self._seen(prefix, separator, {name for name in queues if not name.endswith(MAILBOX)})
        steps = told.steps if told else _steps(seen, separator)
        mailboxes = (name for name in members if name.endswith(MAILBOX) and not name.startswith(_REPLIES))
        control = tuple(sorted(name.removesuffix(MAILBOX) for name in mailboxes)) or ("celery",)
        events = {name for name, found in members.items() if any(map(_hears_events, found))}
        is_reliable = bool(_try(lambda: self._client.exists(prefix + keys.LEASES)))
        unacked = self._unacked(prefix)
        return Layout(separator, steps, prefix, unacked, control, tuple(sorted({"celeryev", *events})), is_reliable)

    def _separator(self, prefix: str, members: Mapping[str, list[str]]) -> str:
        if members:
            self._separators[prefix] = separator_of(members)
        return self._separators.get(prefix, BINDING_SEPARATOR)

    def _seen(self, prefix: str, separator: str, queues: set[str]) -> set[int]:
        """Remember which lists were ever there: an emptied one does not tell any more."""
        seen = self._steps.setdefault(f"{prefix} {separator}", set())
        keys = [f"{prefix}{queue}{separator}" for queue in sorted(queues)]
        unseen = [step for step in PRIORITIES if step and step not in seen]
        chunks = [(step, keys[at : at + KEYS_ASKED]) for step in unseen for at in range(0, len(keys), KEYS_ASKED)]
        answers = self._count_existing([[f"{key}{step}" for key in chunk] for step, chunk in chunks])
        refused = [chunk for chunk, answer in zip(chunks, answers, strict=True) if isinstance(answer, Exception)]
        seen.update(step for (step, _), answer in zip(chunks, answers, strict=True) if _is_positive(answer))
        single = [(step, key) for step, chunk in refused for key in chunk]  # a user may see some of them
        answers = self._count_existing([[f"{key}{step}"] for step, key in single])
        seen.update(step for (step, _), answer in zip(single, answers, strict=True) if _is_positive(answer))
        seen.update(_try(lambda: _remembered(self._client, prefix)) or ())
        return seen

    def _count_existing(self, groups: Sequence[Sequence[str]]) -> list[Any]:
        """Count the keys of each group that are there; a refusal stands in the place of its count."""
        if not groups:
            return []
        pipeline = self._client.pipeline(transaction=False)
        for group in groups:
            pipeline.exists(*group)
        return pipeline.execute(raise_on_error=False)

    def _sort_hashes(self) -> None:
        """Find out which hashes hold messages in flight: one of their values is looked at, once."""
        new = sorted(self._hashes.names - self._kinds.keys())[:MOST_HASHES]
        pipeline = self._client.pipeline(transaction=False)
        for name in new:
            pipeline.hscan(name, 0, count=1)
        answers: list[Any] = pipeline.execute(raise_on_error=False) if new else []
        for name, answer in zip(new, answers, strict=True):
            values = [] if isinstance(answer, Exception) else list(answer[1].values())[:1]
            self._kinds[name] = any(map(_is_delivery, values))

    def _unacked(self, prefix: str) -> str:
        mine = [name.removeprefix(prefix) for name, holds in self._kinds.items() if holds and name.startswith(prefix)]
        others = sorted(name for name in mine if name != UNACKED and not name.startswith("nexus:"))
        return others[0] if others and UNACKED not in mine else UNACKED


def _is_positive(answer: Any) -> bool:
    return not isinstance(answer, Exception) and int(answer) > 0


def _is_of_application(exchange: str) -> bool:
    """An exchange of replies alone is that of somebody who asks."""
    return not exchange.startswith(_REPLIES)


def _hears_events(member: str) -> bool:
    return member.startswith("worker.#")


def _is_delivery(raw: bytes) -> bool:
    """Tell whether this is what kombu keeps of a message in flight: message, exchange and routing key."""
    if not raw.startswith(b"["):
        return False
    try:
        message, _, _ = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        return False
    return isinstance(message, dict) and "properties" in message


def _steps(seen: set[int], separator: str) -> tuple[int, ...]:
    """Who has a separator of their own may have steps of their own: only those that were seen are known to be read."""
    is_stock = separator == BINDING_SEPARATOR and seen <= set(STOCK_STEPS)
    return STOCK_STEPS if is_stock else (0, *sorted(seen - {0}))


def _remembered(client: redis.Redis, prefix: str) -> set[int]:
    """Read which lists there were before operators purged them."""
    found: set[int] = set()
    for token, raw in cast("dict[bytes, bytes]", client.hgetall(prefix + TRASH_HASH)).items():
        purged = f"{prefix}{TRASH_HASH}:{token.decode('utf-8', 'replace')}"
        try:
            steps = read_steps(json.loads(raw))
        except (ValueError, AttributeError, RecursionError):
            continue
        found.update(step for step in steps if client.exists(f"{purged}:{step}"))
    return found


def _try(read: Any) -> Any:
    try:
        return read()
    except ResponseError:  # a user who may not: what can't be seen is not there
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
