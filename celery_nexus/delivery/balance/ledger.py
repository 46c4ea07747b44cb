"""The Redis side of the balance sheet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import redis

from celery_nexus.connection.keys import EVENT_FIELD, EVENT_STREAM
from celery_nexus.connection.set_members import read_members
from celery_nexus.delivery import keys, validation
from celery_nexus.delivery.balance.recount import Held, Later, order_of
from celery_nexus.delivery.ends.dead_letters import DeadLetters
from celery_nexus.delivery.ends.purging import STEP, count_unmarked
from celery_nexus.queues import PRIORITIES, PRIORITY_SEPARATOR, priority_key
from celery_nexus.rows.diagnosis.balance import Balance
from celery_nexus.serializers.json_spelling import spellings

_REDELIVERED = re.compile(rb'"redelivered"\s*:\s*true')

STOCK_IN_FLIGHT = "unacked"
_FINAL_STATES = {"task-succeeded": "SUCCESS", "task-failed": "FAILURE", "task-revoked": "REVOKED"}
_SUBMISSIONS = frozenset({"task-sent", "task-received"})

RESTORED_MOST = 200
"""Messages at the end of a list that are looked at for redelivered ones."""


@dataclass
class Ledger:
    """Reads the Redis side of the sheet.

    Args:
        client: The broker; its replies are bytes.
        queues: Names of queues that are known; those bound on the broker are added.
        prefix: kombu's ``global_keyprefix``.
        separator: Between queue and priority in a list's key.
    """

    client: redis.Redis
    queues: Sequence[str]
    prefix: str = ""
    separator: str = PRIORITY_SEPARATOR
    _holders: list[str] = field(default_factory=list[str])

    def read(self) -> Held:
        """Read everything.

        Raises:
            RedisError: The broker does not answer.
        """
        queues = self._discover()
        lists = [self.prefix + name for queue in queues for name in self._lists_of(queue)]
        delayed = [self.prefix + keys.key_of_delayed(queue) for queue in queues]
        foreign = sum(count_unmarked(self.client, name)[1] for name in (*lists, *delayed))
        answers = self._ask(lists, delayed)
        counters, (seconds, micros), newest = answers[0], answers[1], answers[2]
        rest = answers[3:]
        sizes, ends = rest[: len(lists)], rest[len(lists) : 2 * len(lists)]
        held, dues = rest[2 * len(lists) : 2 * len(lists) + len(self._holders)], rest[-len(delayed) :]
        store = DeadLetters(self.client, self.prefix, self.separator)
        letters = store.list(limit=store.count() or 1)
        counts = {name.decode(): value for name, value in counters.items()}
        taken = [message for messages in held for message in messages]
        balance = Balance(
            submitted=int(counts.get(keys.SUBMITTED, 0)),
            adopted=int(counts.get(keys.ADOPTED, 0)),
            deleted=int(counts.get(keys.DELETED, 0)),
            deleted_ended=int(counts.get(keys.DELETED_ENDED, 0)),
            foreign=foreign + self._unmarked_in_flight(),
            dead=sum(letter.counted for letter in letters),
            uncounted=sum(not letter.counted for letter in letters),
            waiting=sum(size for size in sizes if isinstance(size, int)),
            in_flight=len(taken),
            delayed=sum(size for size in dues if isinstance(size, int)),
            since=_time(float(counts[keys.SINCE])) if keys.SINCE in counts else None,
            at=_time(seconds + micros / 1_000_000),
        )
        last = [message for end in ends if isinstance(end, list) for message in cast("list[bytes]", end)]
        redelivered = [message for message in last if _REDELIVERED.search(message)]
        ids = tuple(letter.run_id for letter in letters if letter.counted and letter.run_id)
        return Held(balance, ids, _ids_in([*taken, *redelivered]), _newest(newest))

    def latest_event(self) -> str:
        """Return the id of the last entry of the event stream."""
        return _newest(cast("Any", self.client.xrevrange(self.prefix + EVENT_STREAM, count=1)))

    def read_later(self, after: str, until: str, at: float) -> Later:
        """Read what came into the event stream behind one entry, up to another one, and happened after a time.

        An event is written a moment after what it tells: one that happened before counts as if it had come in time.

        Args:
            after: Id of an entry.
            until: Id of a later one.
            at: Seconds since the epoch, by the broker's clock.

        Raises:
            RedisError: The broker does not answer.
        """
        ended: dict[str, str] = {}
        submitted: set[tuple[str, float]] = set()
        while order_of(after) < order_of(until):
            part = cast("Any", self.client.xrange(self.prefix + EVENT_STREAM, f"({after}", until, count=STEP))
            for _, fields in part:
                event = validation.decode_loosely(fields.get(EVENT_FIELD, b"")) or {}
                kind, run_id, happened_at = event.get("type"), event.get("uuid"), event.get("timestamp")
                if not isinstance(run_id, str) or not isinstance(happened_at, int | float) or happened_at <= at:
                    continue
                if kind in _FINAL_STATES and ended.get(run_id) != "SUCCESS":
                    ended[run_id] = _FINAL_STATES[kind]
                elif kind in _SUBMISSIONS:
                    submitted.add((run_id, float(happened_at)))
            if len(part) < STEP:
                break
            after = part[-1][0].decode()
        return Later(ended, frozenset(submitted))

    def copies(self, run_ids: Sequence[str]) -> dict[str, int]:
        """Count the messages of each of these runs in queues, in flight, and delayed; looks at every message.

        Raises:
            RedisError: The broker does not answer.
        """
        found = dict.fromkeys(run_ids, 0)
        texts = [text for run_id in found for text in _texts(run_id)]
        if found:
            for messages in self._parts():
                for run_id in _ids_in([message for message in messages if any(text in message for text in texts)]):
                    if run_id in found:
                        found[run_id] += 1
        return found

    def find_present(self, run_ids: Sequence[str]) -> frozenset[str]:
        """Tell which of these runs have a message in a queue, in flight, or delayed; looks at every message.

        Raises:
            RedisError: The broker does not answer.
        """
        wanted, there = frozenset(run_ids), set[str]()
        for messages in self._parts():
            for message in messages:
                known = validation.decode_loosely(message)
                if known is None:  # it ends as malformed, whatever its run is
                    there |= {run_id for run_id in wanted if any(text in message for text in _texts(run_id))}
                elif (run_id := validation.run_of(known)[0]) in wanted:
                    there.add(str(run_id))
        return frozenset(there)

    def _parts(self) -> Generator[list[bytes]]:
        """Read all messages, some hundred at a time."""
        queues = self._discover()
        for holder in self._holders:
            yield cast("list[bytes]", self.client.hvals(holder))
        for queue in queues:
            for name in self._lists_of(queue):
                yield from self._pages(self.client.lrange, self.prefix + name)
            for members in self._pages(cast("Any", self.client).zrange, self.prefix + keys.key_of_delayed(queue)):
                yield [member[1:] for member in members]  # without their priority

    @staticmethod
    def _pages(read: Callable[[str, int, int], Any], key: str) -> Generator[list[bytes]]:
        for start in itertools.count(0, STEP):
            try:
                part = cast("list[bytes]", read(key, start, start + STEP - 1))
            except redis.ResponseError:  # somebody else's key
                return
            if part:
                yield part
            if len(part) < STEP:
                return

    def _ask(self, lists: list[str], delayed: list[str]) -> list[Any]:
        pipeline: Any = self.client.pipeline(transaction=True)
        pipeline.hgetall(self.prefix + keys.COUNTERS)
        pipeline.time()
        pipeline.xrevrange(self.prefix + EVENT_STREAM, count=1)
        for name in lists:
            pipeline.llen(name)
        for name in lists:
            pipeline.lrange(name, -RESTORED_MOST, -1)
        for name in self._holders:
            pipeline.hvals(name)
        for name in delayed:
            pipeline.zcard(name)
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, redis.ResponseError):
                raise answer
        return [[] if isinstance(answer, redis.ResponseError) else answer for answer in answers]

    def _lists_of(self, queue: str) -> list[str]:
        return [priority_key(queue, priority, self.separator) for priority in PRIORITIES]

    def _discover(self) -> list[str]:
        """Find the workers' hashes, and queues that only the broker knows."""
        names, holders = dict.fromkeys(self.queues), [self.prefix + STOCK_IN_FLIGHT]
        start = self.prefix + keys.in_flight_key("")
        later = self.prefix + keys.key_of_delayed("")
        bindings = self.prefix + "_kombu.binding."
        for raw in cast("Any", self.client.scan_iter(match=f"{_literal(self.prefix)}*", count=1000)):
            key = cast("bytes", raw).decode("utf-8", "replace")
            if key.startswith(start):
                holders.append(key)
            elif key.startswith(later):
                names[key.removeprefix(later)] = None
            elif key.startswith(bindings) and not key.endswith(".pidbox") and not key.endswith("celeryev"):
                names |= dict.fromkeys(self._bound(key))
        self._holders = sorted(holders)
        return list(names)

    def _bound(self, key: str) -> list[str]:
        try:
            members = read_members(self.client, key)
        except redis.ResponseError:
            return []
        bindings = (keys.split_binding(member.decode("utf-8", "replace"), self.separator) for member in members)
        return [binding[2] for binding in bindings if binding]

    def _unmarked_in_flight(self) -> int:
        """Count what workers with stock delivery took from producers that are not ours."""
        try:
            values = cast("list[bytes]", self.client.hvals(self.prefix + STOCK_IN_FLIGHT))
        except redis.ResponseError:
            return 0
        return sum(keys.PUBLICATION_MARK not in value for value in values)


def _newest(entries: Any) -> str:
    return entries[0][0].decode() if entries else "0-0"


def _texts(run_id: str) -> list[bytes]:
    """Write an id in the ways in which it stands in a message, without the quotes."""
    return [spelt[1:-1].encode("utf-8", "surrogatepass") for spelt in spellings(run_id)]


def _ids_in(messages: Sequence[bytes]) -> tuple[str, ...]:
    found = (validation.run_of(validation.decode_loosely(message))[0] for message in messages)
    return tuple(run_id for run_id in found if run_id)


def _literal(prefix: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\" else character for character in prefix)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
