"""Idempotency: an effect at most once per key (a task id), however often its message is delivered.

A mark in Redis stands around the effect::

    (none) ──start──▶ started ──finish(outcome)──▶ done
       ▲                 │
       └─────release─────┘      the effect certainly did not happen

``start`` is ``SET NX``: of two deliveries at the same time one wins. What the other one, or a later delivery, finds:

* ``done``: the stored outcome, to be returned as if it were its own.
* ``started``, and its process still runs: :class:`InProgress`, which is retried.
* ``started``, and its process died (on this host: it is gone; elsewhere: its lease ran out while it was watched):
  nobody knows whether the effect happened. The mark says so (``abandoned``), and the caller decides. Whoever does it
  again makes at most one duplicate, because ``start`` with ``again=True`` can be used up only once.

Ages are taken on the clock of one boot that nobody sets; the mark of another machine is as old as it was watched here.
Marks live :data:`TTL_S`, longer than any redelivery of a message takes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from celery_nexus.delivery.leases.process_identity import ProcessIdentity, identify_boot
from celery_nexus.installation import broker_of, current_application
from celery_nexus.task_errors import OutcomeUnknown, TaskError, TransientError

if TYPE_CHECKING:
    import redis

TTL_S = 72 * 3600
LEASE_S = 180
"""Time for which an effect counts as under way while its process can't be asked, or does other things already."""

_PREFIX = "nexus:once:"

START = """
local found = redis.call('GET', KEYS[1])
if found then
  local mark = cjson.decode(found)
  if mark.state == 'done' or (mark.state == 'started' and found ~= ARGV[3]) then return found end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false
"""


class InProgress(TransientError):
    """Another delivery of the same message is at it; look again later."""


@dataclass(frozen=True)
class Mark:
    """What is known of an effect.

    Attributes:
        state: ``started``, ``done``, or ``open``: not under way, with a note of what was done so far.
        value: The outcome of ``done``; of the others the note that was given.
        at: Seconds since the epoch when it was written, for people.
        owner: Boot, pid namespace, pid and start of the process that wrote it.
        again: Whether this start repeats one that was abandoned.
        lease_s: Longest time that the effect can take.
        clock_s: When it was written, by the monotonic clock of the owner's boot; None in one of the version before.
        age_s: Its age as far as it is known here; not stored.
        text: How it is stored.
    """

    state: str
    value: Any
    at: float
    owner: str
    again: bool = False
    lease_s: float = LEASE_S
    clock_s: float | None = None
    age_s: float = 0.0
    text: str = ""

    @property
    def abandoned(self) -> bool:
        """Whether its process died between start and end, so that the outcome is unknown."""
        if self.state != "started":
            return False
        owner = _process(self.owner)
        return self.remaining_s <= 0 or (owner is not None and owner.is_running() is False)

    @property
    def remaining_s(self) -> float:
        """Seconds until its lease ends."""
        return self.lease_s - self.age_s

    @property
    def is_of_this_boot(self) -> bool:
        """Whether its time was taken on the clock of this machine's boot."""
        owner = _process(self.owner)
        return self.clock_s is not None and owner is not None and owner.boot == identify_boot()


class Once:
    """The mark of one effect.

    Args:
        client: A Redis client that decodes replies or not.
        key: What the effect belongs to: a task's id, with an index when it has several.
        lease_s: Longest time that the effect can take.
    """

    def __init__(self, client: redis.Redis, key: str, *, lease_s: float = LEASE_S) -> None:
        self._client = client
        self._key = _PREFIX + key
        self._lease_s = lease_s

    def look(self) -> Mark | None:
        """Read the mark.

        Raises:
            TransientError: Redis can't be reached.
        """
        return self._aged(_parsed(ask_redis(lambda: self._client.get(self._key))))

    def start(self, note: Any = None, *, again: bool = False) -> None:
        """Claim the effect, right before it.

        Args:
            note: Kept with the mark, for whoever finds it abandoned.
            again: Repeat an effect whose process died.

        Raises:
            InProgress: Another delivery is at it, or was faster.
            OutcomeUnknown: It was abandoned and ``again`` is not set, or used up.
            TransientError: Redis can't be reached; the effect must not happen.
        """
        found = self.look()
        if found and found.abandoned and (found.again or not again):
            raise OutcomeUnknown("an earlier delivery ended in the middle; nobody knows whether it took effect")
        mark = self._mark("started", note, again=bool(found and found.abandoned))
        replaced = found.text if found and found.abandoned else ""
        other = self._aged(_parsed(ask_redis(lambda: self._client.eval(START, 1, self._key, mark, TTL_S, replaced))))
        if other:
            raise InProgress("another delivery of this message is under way", retry_after_s=_wait_s(other))

    def finish(self, outcome: Any) -> None:
        """Store the outcome. When Redis is away the mark stays ``started``, and a duplicate is told *unknown*."""
        with suppress(TransientError):  # the effect happened: failing now would invite a repetition
            ask_redis(lambda: self._client.set(self._key, self._mark("done", outcome), ex=TTL_S))

    def release(self, note: Any = None) -> None:
        """Say that the effect did not happen; with a note, keep what was done so far.

        Raises:
            TransientError: Redis can't be reached.
        """
        if note is None:
            ask_redis(lambda: self._client.delete(self._key))
        else:
            ask_redis(lambda: self._client.set(self._key, self._mark("open", note), ex=TTL_S))

    def _mark(self, state: str, value: Any, *, again: bool = False) -> str:
        owner = _spelled(ProcessIdentity.identify())
        return _written(Mark(state, value, time.time(), owner, again, self._lease_s, time.monotonic()))

    def _aged(self, mark: Mark | None) -> Mark | None:
        """Tell how old a started mark is; one of another machine is watched, beginning now."""
        if mark is None or mark.state != "started":
            return mark
        if mark.is_of_this_boot and mark.clock_s is not None:
            return replace(mark, age_s=time.monotonic() - mark.clock_s)
        return replace(mark, age_s=self._watched_s(mark))

    def _watched_s(self, mark: Mark) -> float:
        sight = [mark.text, identify_boot()]
        watch = self._key + ":watch"
        seen: Any = json.loads(ask_redis(lambda: self._client.get(watch)) or "[]")
        if seen[:2] == sight:
            return time.monotonic() - seen[2]
        ask_redis(lambda: self._client.set(watch, json.dumps([*sight, time.monotonic()]), ex=TTL_S))
        return 0.0


def run_once(once: Once, effect: Callable[[], Any], *, again: bool = False) -> Any:
    """Return the effect's outcome: the stored one if there is one, else do it and store it.

    An effect that raises a :class:`TaskError` says that it did not happen; after any other exception, as
    after a kill, its outcome is unknown.

    Args:
        once: The effect's mark.
        effect: Returns a JSON value.
        again: Do it once more when an earlier delivery ended in the middle (at most one duplicate).

    Raises:
        OutcomeUnknown: An earlier delivery ended in the middle.
        InProgress: Another delivery is at it.
    """
    found = once.look()
    if found and found.state == "done":
        return found.value
    once.start(again=again)
    try:
        outcome = effect()
    except TaskError:
        once.release()
        raise
    once.finish(outcome)
    return outcome


def marks(client: redis.Redis, keys: Sequence[str]) -> list[Mark | None]:
    """Read many marks at once."""
    if not keys:
        return []
    found = cast("list[Any]", ask_redis(lambda: client.mget([_PREFIX + key for key in keys])))
    return [_parsed(item) for item in found]


@lru_cache(maxsize=1)
def redis_client() -> redis.Redis:
    """Connect to the broker's Redis, once a process (the pool notices a fork)."""
    from celery_nexus.connection.redis_client import open_redis

    url = broker_of(current_application()).redis_py
    return open_redis(url, socket_timeout=10, socket_connect_timeout=5, health_check_interval=30)


def ask_redis(question: Callable[[], Any], purpose: str = "to make sure of one effect") -> Any:
    """Ask Redis.

    Raises:
        TransientError: It can't be reached, or can't answer now; says for what it was asked.
    """
    from redis import RedisError

    try:
        return question()
    except RedisError as error:
        raise TransientError(f"the broker can't be reached {purpose} ({type(error).__name__})") from None


def _written(mark: Mark) -> str:
    stored = {name: value for name, value in vars(mark).items() if name not in ("age_s", "text")}
    return json.dumps(stored, separators=(",", ":"))


def _parsed(text: str | bytes | None) -> Mark | None:
    if not text:
        return None
    told = text.decode() if isinstance(text, bytes) else text
    return Mark(**json.loads(told), text=told)


def _spelled(process: ProcessIdentity) -> str:
    return f"{process.boot} {process.namespace} {process.pid} {process.start}"


def _process(owner: str) -> ProcessIdentity | None:
    """Read who wrote a mark; None of the version before, whose start was a time of day."""
    boot, namespace, pid, start = owner.rsplit(" ", 3)
    return ProcessIdentity(boot, namespace, int(pid), int(start)) if start.isdecimal() else None


def _wait_s(other: Mark) -> float:
    return 1.0 if other.state == "done" else max(1.0, min(30.0, other.remaining_s))
