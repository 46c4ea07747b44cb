"""Messages that one worker holds: started, acknowledged, returned, delayed, or dead-lettered.

Each step is one script that looks first whether the worker still owns its name, and holds the message.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import redis

from celery_nexus.delivery import keys, letter_scripts, running, scripts, validation
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases.starts import read_progress
from celery_nexus.delivery.quick_script import QuickScript
from celery_nexus.queues import PRIORITY_SEPARATOR, priority_key

MAX_DEAD_LETTERS = 10_000
DEAD_LETTER_AGE_S = 90 * 24 * 3600
MOST_ENDED = 100
"""Notes of ended runs that one start removes."""

logger = logging.getLogger(__name__)

_start = QuickScript(scripts.START)


class InFlight:
    """The in-flight hash of one node.

    It has connections of its own, so that a run that outlives a broken connection can still be acknowledged.

    Args:
        client: Without a key prefix; used by any thread.
        node: Node name of the worker.
        prefix: kombu's ``global_keyprefix``.
        separator: Between queue and priority in a list's key.
        former: Queues of which an earlier version may have named the list.

    Attributes:
        token: Of the lease of the node; empty for a tool that holds none.
        on_fenced: What to do when a fetch is refused because the lease is another's by now.
        call_soon: Does something in a moment, in the same thread: acknowledgements of one moment go together, with the
            next start if there is one. None where runs end in other threads.
        tell_ends: Writes what there is to tell of ended runs. It comes before their acknowledgements: who is killed
            between the two runs them again, and nobody waits for ever for an end that was never told.
    """

    def __init__(
        self,
        client: redis.Redis,
        node: str,
        prefix: str = "",
        separator: str = PRIORITY_SEPARATOR,
        former: frozenset[str] = frozenset(),
    ) -> None:
        self.client = client
        self.node = node
        self.prefix = prefix
        self.separator = separator
        self.former = former
        self.key = prefix + keys.in_flight_key(node)
        self.started_key = prefix + keys.starts_key(node)
        self.token = ""
        self.on_fenced: Callable[[], None] | None = None
        self.call_soon: Callable[[Callable[[], None]], Any] | None = None
        self.tell_ends: Callable[[], None] | None = None
        self._will_acknowledge = False
        self._unsent: set[FetchedTag] = set()
        self._on_their_way: set[FetchedTag] = set()
        self._unrestored: set[FetchedTag] = set()
        self._started: set[FetchedTag] = set()
        self._ended: deque[FetchedTag] = deque()
        self._restore = client.register_script(scripts.RESTORE)
        self._adopt = client.register_script(scripts.ADOPT)
        self._delay = client.register_script(scripts.DELAY)
        self._set_aside = client.register_script(letter_scripts.SET_ASIDE)

    @property
    def fence_keys(self) -> list[str]:
        """The first keys of each script: what is held, and the leases."""
        return [self.key, self.prefix + keys.LEASES]

    @property
    def fence(self) -> list[str]:
        """The first arguments of each script: whose lease it must be."""
        return [self.node, self.token]

    def start(self, tag: FetchedTag) -> bool:
        """Note that a run is handed to a child; False when it must not be: others have its message by now.

        Raises:
            RedisError: The broker does not answer, so that nobody knows.
        """
        ended = [self._ended.popleft() for _ in range(min(MOST_ENDED, len(self._ended)))]
        names = [*self.fence_keys, self.started_key]
        with self._sending() as unsent:
            arguments = [*self.fence, _raw(tag), len(unsent), *map(_raw, unsent), *map(_raw, ended)]
            answer = cast("int", _start(self.client.connection_pool, names, arguments))
            if answer > 0:
                _warn_of_others(unsent, answer - 1)
            else:
                self._unsent.update(unsent)
        if answer:
            self._started.add(tag)
        return bool(answer)

    def read_starts(self) -> dict[FetchedTag, float | None]:
        """List which of the messages were handed to a child, whoever did so, and how far each run got."""
        notes = cast("dict[bytes, bytes]", self.client.hgetall(self.started_key))
        return {_tag(field): read_progress(note) for field, note in notes.items()}

    def progress(self, tag: FetchedTag) -> float | None:
        """Read how far the run of a message got; None when it told nothing."""
        return read_progress(cast("bytes | None", self.client.hget(self.started_key, _raw(tag))))

    def get(self, tag: FetchedTag) -> bytes | None:
        """Read a message; None when it is not held any more."""
        return cast("bytes | None", self.client.hget(self.key, _raw(tag)))

    @property
    def handed_over(self) -> frozenset[FetchedTag]:
        """Messages whose runs this process has handed to a child, and that have not ended."""
        return frozenset(self._started)

    def forget_start(self, tag: FetchedTag) -> None:
        """Note that a run was not started after all; the broker learns of it at the next start."""
        self._note_end(tag)

    def forget_starts(self) -> None:
        """Remove the notes of starts: nothing is held any more."""
        self.client.delete(self.started_key)

    def acknowledge(self, tag: FetchedTag) -> None:
        """Forget a message; when the broker is away, remember to do it at the next :meth:`settle`."""
        self._note_end(tag)
        self._unsent.add(tag)
        if self.call_soon is None:
            self.acknowledge_now()
        elif not self._will_acknowledge:
            self._will_acknowledge = True
            self.call_soon(self.acknowledge_now)

    def acknowledge_now(self) -> None:
        """Send the acknowledgements that were not sent yet, if the broker answers."""
        self._will_acknowledge = False
        try:
            self._send_acknowledgements()
        except (redis.RedisError, OSError) as error:
            logger.warning("acknowledgement waits for the broker: %s", error)

    @property
    def is_owing(self) -> bool:
        """Whether there are acknowledgements that were not sent yet, or not answered."""
        return bool(self._unsent or self._on_their_way)

    def restore_later(self, tag: FetchedTag) -> None:
        """Remember to put a message back at the next :meth:`settle`: the broker does not answer now."""
        self._unrestored.add(tag)

    def settle(self) -> None:
        """Do what the broker's absence left undone.

        Raises:
            RedisError: The broker is still away.
        """
        self._send_acknowledgements()
        for tag in tuple(self._unrestored):
            self.restore(tag)
            self._unrestored.discard(tag)

    def _send_acknowledgements(self) -> None:
        while self._unsent:
            with self._sending() as unsent:
                _warn_of_others(unsent, self.client.hdel(self.key, *map(_raw, unsent)))

    @contextmanager
    def _sending(self) -> Generator[list[FetchedTag]]:
        """Take acknowledgements that are to be sent, so that no other thread or greenlet sends them, too."""
        unsent = [self._unsent.pop() for _ in range(min(MOST_ENDED, len(self._unsent)))]
        self._on_their_way.update(unsent)
        try:
            if unsent and self.tell_ends is not None:
                self.tell_ends()
            yield unsent
        except (redis.RedisError, OSError):
            self._unsent.update(unsent)
            raise
        finally:
            self._on_their_way.difference_update(unsent)

    def _note_end(self, tag: FetchedTag) -> None:
        if tag in self._started:
            self._started.discard(tag)
            self._ended.append(tag)

    def entries(self) -> dict[FetchedTag, bytes]:
        """List what the node holds, in order of delivery."""
        found = cast("dict[bytes, bytes]", self.client.hgetall(self.key))
        return {_tag(field): found[field] for field in sorted(found)}

    def adopt(self, tag: FetchedTag) -> FetchedTag:
        """Count a message that somebody else published, once; returns its new field, or the old one if it can't be."""
        adopted = tag.to_adopted()
        names = [*self.fence_keys, self.prefix + keys.COUNTERS]
        arguments = [*self.fence, _raw(tag), _raw(adopted), keys.ADOPTED]
        try:
            return adopted if self._adopt(keys=names, args=arguments) else tag
        except redis.ResponseError as error:  # out of memory: the run is worth more than the count
            logger.warning("can't count a message of another producer: %s", error)
            return tag

    def restore(self, tag: FetchedTag, *, first: bool = True, payload: bytes = b"") -> bool:
        """Put a message back into its list, marked as delivered before; False when it is not held any more.

        Args:
            tag: Which.
            first: Whether it is next in its priority, or last.
            payload: What to put back, when the recorded bytes were read and marked already.
        """
        payload = payload or mark_redelivered(self.get(tag) or b"")
        queue, priority = self._queue_of(tag)
        list_key = self.prefix + priority_key(queue, priority, self.separator)
        places = [*self.fence_keys, _raw(list_key), _raw(self.prefix + keys.wake_key(queue))]
        arguments = [*self.fence, _raw(tag), "RPUSH" if first else "LPUSH", payload, int(tag.is_adopted)]
        self._note_end(tag)
        try:
            return bool(self._restore(keys=places, args=arguments))
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            logger.error("a message stays in flight: its key is no list any more: %r", tag.list_key)  # noqa: TRY400
            return False

    def of_node(self, node: str) -> InFlight:
        """Return what another worker of the application holds."""
        return InFlight(self.client, node, self.prefix, self.separator, self.former)

    def _queue_of(self, tag: FetchedTag) -> tuple[str, int]:
        return keys.queue_of(tag.list_key.removeprefix(self.prefix), self.separator, self.former)

    def restore_all(self, *, keep: frozenset[Any] = frozenset()) -> int:
        """Put everything back in its old order; returns how many."""
        keep |= self._unsent | self._on_their_way
        held = reversed(self.entries().items())
        return sum(self.restore(tag, payload=mark_redelivered(raw)) for tag, raw in held if tag not in keep)

    def delay(self, tag: FetchedTag, due_at: float) -> bool:
        """Move a message to the delayed set of its queue; False when it is not held any more."""
        queue, priority = self._queue_of(tag)
        places = [*self.fence_keys, _raw(self.prefix + keys.key_of_delayed(queue))]
        return bool(self._delay(keys=places, args=[*self.fence, _raw(tag), due_at, priority, int(tag.is_adopted)]))

    def set_aside(self, tag: FetchedTag, reason: str, detail: str = "", **facts: Any) -> bool:
        """Make a message a dead letter, and note that its run ends; False when it is not held any more.

        Args:
            tag: Which.
            reason: One of the few words of :mod:`celery_nexus.delivery.ends.dead_letters`.
            detail: What exactly was wrong.
            **facts: Further facts for people: run id, task, deliveries.
        """
        now = running.now()
        record = {
            "reason": reason,
            "detail": detail[:1000],
            "list": tag.list_key.removeprefix(self.prefix),
            "worker": self.node,
            "at": now,
            **facts,
        }
        counted = json.dumps(record | {"counted": True})
        stores = (keys.DEAD, keys.DEAD_FACTS, keys.DEAD_BYTES, keys.ENDS)
        names = [*self.fence_keys, *(self.prefix + name for name in stores)]
        letter_id = uuid.uuid4().hex[:12]
        others = counted if tag.is_adopted else json.dumps(record)
        limits = [now, now - DEAD_LETTER_AGE_S, MAX_DEAD_LETTERS, validation.MAX_MESSAGE_BYTES]
        arguments = [*self.fence, _raw(tag), letter_id, others, counted, *limits]
        self._note_end(tag)
        is_set_aside = bool(self._set_aside(keys=names, args=arguments))
        if is_set_aside:
            logger.error("dead letter %s: %s: %s", letter_id, reason, detail[:200])
        return is_set_aside

    def count(self, counter: str) -> None:
        """Add one to a counter, if the broker answers."""
        try:
            self.client.hincrby(self.prefix + keys.COUNTERS, counter, 1)
        except (redis.RedisError, OSError) as error:
            logger.warning("can't count %s: %s", counter, error)


def _warn_of_others(acknowledged: list[FetchedTag], held: int) -> None:
    if held < len(acknowledged):
        others, tags = len(acknowledged) - held, ", ".join(acknowledged)
        logger.warning("%d of the runs that ended here had been given to others meanwhile: %s", others, tags)


def mark_redelivered(raw: bytes) -> bytes:
    """Mark a message's bytes as kombu does at a redelivery; what is no message stays as it is."""
    message = validation.decode_loosely(raw)
    return raw if message is None else encode_redelivered(message)


def encode_redelivered(message: validation.Json) -> bytes:
    """Encode a message marked as redelivered; Python's JSON keeps every number and list as it is."""
    headers, properties = message.get("headers"), message.get("properties")
    if isinstance(headers, dict):
        headers["redelivered"] = True
    delivery_info = cast("validation.Json", properties).get("delivery_info") if isinstance(properties, dict) else None
    if isinstance(delivery_info, dict):
        delivery_info["redelivered"] = True
    return json.dumps(message).encode()


def _tag(field: bytes) -> FetchedTag:
    return FetchedTag(field.decode("utf-8", "surrogateescape"))


def _raw(text: str) -> bytes:
    """Return the bytes of a name as they were read: a queue's name need not be text."""
    return text.encode("utf-8", "surrogateescape")
