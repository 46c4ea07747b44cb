"""Entries of RedBeat, in the broker's Redis or another one: a hash an entry, and a sorted set with what is due when.

Source: ``redbeat/schedulers.py`` of celery-redbeat 2.4. It is read here with bounded waits and without RedBeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import redis

from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import NotFound, Refused, SourceError
from celery_nexus.rows.schedule import Beat
from celery_nexus.rows.text import duration
from celery_nexus.schedule.due import next_due
from celery_nexus.schedule.redbeat_format import NoEntry, change_definition, change_meta, read_entry
from celery_nexus.schedule.stored import StoredEntry, StoredPage

if TYPE_CHECKING:
    from celery import Celery

SOURCE = "RedBeat"

PREFIX = "redbeat:"
"""RedBeat's default of ``redbeat_key_prefix``."""

_SCHEDULE, _STATICS, _LOCK = ":schedule", ":statics", ":lock"
_PAGE = 500
_LOOK_FOR_S = 2.0
_TICK_S = 300.0
"""Longest time between two looks of RedBeat, which renew its lock, unless ``beat_max_loop_interval`` is set."""

_GRACE_S = 15.0

_IS_STATIC = "; it is in beat_schedule, too: a beat that starts anew sends it again"


@dataclass(frozen=True)
class RedBeatKeys:
    """How an application's RedBeat names its keys, and how it behaves.

    Attributes:
        prefix: Before every key.
        lock: Key that the beat at work holds; empty for none.
        lock_s: The lock lasts so long; None where nobody says it.
        tick_s: Beat looks at least so often.
        keeps_pauses: Whether entries of ``beat_schedule`` stay paused when beat starts anew.
    """

    prefix: str = PREFIX
    lock: str = PREFIX + _LOCK
    lock_s: float | None = None
    tick_s: float = _TICK_S
    keeps_pauses: bool = False

    @property
    def schedule(self) -> str:
        """Key of the sorted set."""
        return self.prefix + _SCHEDULE

    @property
    def statics(self) -> str:
        """Key of the set with the names of those that come from ``beat_schedule``."""
        return self.prefix + _STATICS


class RedBeatStore:
    """The entries of one RedBeat.

    Args:
        url: Its Redis.
        keys: Names of its keys.
        app: The application; None when its code is not here.
    """

    source = SOURCE
    notes_late_s = 0.0

    def __init__(self, url: BrokerUrl, keys: RedBeatKeys, app: Celery | None = None) -> None:
        self._url = url
        self._keys = keys
        self._app = app
        self._reader = connect(url, attempts=2)
        self._writer = connect(url)

    def exists(self) -> bool:
        """Tell whether a RedBeat ever wrote its schedule there.

        Raises:
            SourceError: It can't be read.
        """
        with translate_errors(self._url):
            return bool(self._reader.exists(self._keys.schedule))

    def page(self, limit: int) -> StoredPage:
        """Read what is due first; a key that holds no entry is one with a problem."""
        try:
            with translate_errors(self._url):
                names, total = self._due_first(limit)
                return StoredPage(self._read(names), total)
        except SourceError as error:
            return StoredPage(problem=f"{SOURCE}: {error}")

    def find(self, name: str) -> StoredEntry | None:
        """Read one entry, by its name."""
        key = self._keys.prefix + name
        with translate_errors(self._url):
            score = self._reader.zscore(self._keys.schedule, key)
            return None if score is None else self._read([(key, score)])[0]

    def names(self, limit: int) -> Sequence[str]:
        """Name entries."""
        with translate_errors(self._url):
            return [self._name(key) for key, _ in self._due_first(limit)[0]]

    def obstacle(self, name: str, change: str) -> str:
        """Say nothing: its entries can be changed."""
        del name, change
        return ""

    def set_enabled(self, entry: StoredEntry, now: datetime, *, is_enabled: bool) -> str:
        """Write its definition anew; what is enabled again counts from now."""
        key = str(entry.handle)

        def change(pipeline: Any) -> None:
            definition, meta = pipeline.hmget(key, "definition", "meta")
            pipeline.multi()
            pipeline.hset(key, "definition", _rewritten(entry, definition, is_enabled=is_enabled))
            if is_enabled:
                self._count_from(pipeline, entry, meta, now, now)

        self._transact(key, change)
        is_static = not is_enabled and not self._keys.keeps_pauses and self._is_static(entry.name)
        return f"{'resumed' if is_enabled else 'paused'}{_IS_STATIC if is_static else ''}"

    def skip(self, entry: StoredEntry, due_at: datetime, then_at: datetime | None) -> None:
        """Let beat take the due time for done: it goes on from there."""
        key = str(entry.handle)

        def change(pipeline: Any) -> None:
            meta = pipeline.hget(key, "meta")
            pipeline.multi()
            self._count_from(pipeline, entry, meta, due_at, then_at)

        self._transact(key, change)

    def beat(self, now: datetime) -> Beat | None:
        """Judge by the lock, which a beat at work takes anew whenever it looks."""
        del now
        keys = self._keys
        if not keys.lock:
            return Beat(SOURCE, None, "redbeat_lock_key is None: nothing tells of a beat, or keeps a second one away")
        with translate_errors(self._url):
            left_s = self._reader.pttl(keys.lock) / 1000
        if left_s < 0:
            return Beat(SOURCE, False, f"no beat holds {keys.lock}")
        if keys.lock_s is None:
            return Beat(SOURCE, True, f"a beat holds {keys.lock}")
        silent_s = max(0.0, keys.lock_s - left_s)
        is_alive = silent_s <= keys.tick_s + _GRACE_S
        return Beat(SOURCE, is_alive, f"a beat took {keys.lock} {duration(silent_s)} ago")

    def _due_first(self, limit: int) -> tuple[list[tuple[str, float]], int]:
        """Return keys with their scores, those that are never due again last, and how many there are."""
        pipeline = self._reader.pipeline(transaction=False)
        pipeline.zcard(self._keys.schedule)
        pipeline.zrangebyscore(self._keys.schedule, 0, "+inf", start=0, num=limit, withscores=True)
        pipeline.zrangebyscore(self._keys.schedule, "-inf", "(0", start=0, num=limit, withscores=True)
        total, due, never = cast("tuple[int, list[Any], list[Any]]", tuple(pipeline.execute()))
        rows = [(raw.decode("utf-8", "replace"), float(score)) for raw, score in [*due, *never]]
        return rows[:limit], total

    def _read(self, keys: Sequence[tuple[str, float]]) -> list[StoredEntry]:
        found: list[StoredEntry] = []
        for start in range(0, len(keys), _PAGE):
            part = keys[start : start + _PAGE]
            pipeline = self._reader.pipeline(transaction=False)
            for key, _ in part:
                pipeline.hmget(key, "definition", "meta")
            answers = pipeline.execute(raise_on_error=False)
            found += [self._entry(key, score, answer) for (key, score), answer in zip(part, answers, strict=True)]
        return found

    def _entry(self, key: str, score: float, answer: Any) -> StoredEntry:
        name = self._name(key)
        if isinstance(answer, redis.ResponseError):
            return StoredEntry(name, "", problem=f"the key {key} is no hash; beat ends with an error", handle=key)
        if isinstance(answer, Exception):
            raise answer
        try:
            entry = read_entry(name, answer[0], answer[1], self._app)
        except NoEntry as error:
            return StoredEntry(name, "", problem=str(error), handle=key)
        return replace(entry, next_at=_moment(score), handle=key)

    def _name(self, key: str) -> str:
        return key.removeprefix(self._keys.prefix)

    def _count_from(
        self, pipeline: Any, entry: StoredEntry, meta: bytes | None, last_at: datetime, next_at: datetime | None
    ) -> None:
        due = next_due(entry.when, last_at) if entry.when is not None else next_at
        pipeline.hset(entry.handle, "meta", change_meta(meta, last_at))
        pipeline.zadd(self._keys.schedule, {entry.handle: -1 if due is None else int(due.timestamp())})

    def _is_static(self, name: str) -> bool:
        with translate_errors(self._url):
            return bool(self._reader.sismember(self._keys.statics, name))

    def _transact(self, key: str, change: Callable[[Any], None]) -> None:
        with translate_errors(self._url):
            cast("Any", self._writer).transaction(change, key)


def _rewritten(entry: StoredEntry, definition: bytes | None, *, is_enabled: bool) -> bytes:
    if definition is None:
        raise NotFound(f"{entry.name} is no longer there: beat or somebody else removed it")
    try:
        return change_definition(definition, is_enabled=is_enabled)
    except NoEntry as error:
        raise Refused(f"{entry.name} can't be changed: {error}") from None


def _moment(score: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(score, UTC) if score >= 0 else None
    except (OverflowError, OSError, ValueError):
        return None


def prefixes_on(url: BrokerUrl) -> list[str]:
    """Find the prefixes of the RedBeats on a broker whose application is not known: the default one, or by SCAN.

    Raises:
        SourceError: It can't be read.
    """
    client = connect(url, attempts=2)
    with translate_errors(url):
        if client.exists(PREFIX + _SCHEDULE):
            return [PREFIX]
        found = [name for name in _scan(client) if _is_schedule(client, name)]
    return [name.removesuffix(_SCHEDULE) for name in found]


def _scan(client: redis.Redis) -> Iterable[str]:
    until = time.monotonic() + _LOOK_FOR_S
    for raw in cast("Iterable[bytes]", client.scan_iter(match=f"*{_SCHEDULE}", count=2000, _type="zset")):
        yield raw.decode("utf-8", "replace")
        if time.monotonic() > until:
            return


def _is_schedule(client: redis.Redis, name: str) -> bool:
    """Tell whether a sorted set lists keys below its own prefix, as RedBeat's does."""
    members = cast("list[bytes]", client.zrange(name, 0, 0))
    return bool(members) and members[0].decode("utf-8", "replace").startswith(name.removesuffix(_SCHEDULE))
