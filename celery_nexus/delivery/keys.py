"""Names of reliable delivery's keys in Redis, and the encodings of its tags and members."""

from __future__ import annotations

from celery_nexus.queues import FORMER_SEPARATOR, PRIORITY_SEPARATOR

LEASES = "nexus:leases"
COUNTERS = "nexus:counters"

WAITING = "nexus:waiting"
"""Hash of queue to where its messages are; see :mod:`celery_nexus.delivery.transport.fetch_script`."""

DEAD = "nexus:dead"
DEAD_FACTS = "nexus:dead:facts"
DEAD_BYTES = "nexus:dead:bytes"

ENDS = "nexus:ends"
"""List of the ends that are still to be carried out; see :mod:`celery_nexus.delivery.ends.endings`."""

ENDS_LOCK = "nexus:ends:lock"
"""Lock of the process that carries out ends, or takes some of them back."""

CHORDS = "nexus:chords"
"""Sorted set of the group ids of chords whose body was not called yet, by the time of their start."""

SUBMITTED = "submitted"
"""Counter of messages that start a run, raised in the same step as the message is pushed."""

ADOPTED = "adopted"
"""Counter of messages that somebody else published, raised when a worker takes them for the first time."""

DELETED = "deleted"
"""Counter of waiting messages that an operator deleted or purged."""

DELETED_ENDED = "deleted_ended"
"""Counter of those among them whose run has an end in the history: REVOKED."""

SINCE = "since"
"""Field beside the counters: when the first of them was raised, in seconds since the epoch."""

RETRIED = "retried"
"""Counter of messages that start a run again."""

BAD_CONTROL = "bad_control_messages"
"""Counter of what came over the control channel and was dropped."""


PUBLICATION = "nexus_publication"
"""Property of a message that was counted: names its publication, so that a repeated attempt is known as one."""

PUBLICATION_MARK = b'"nexus_publication"'
"""Spelling of that property in a message's bytes; in a text within the message the quotes would be escaped."""

ADOPTED_PUBLICATION = "adopted"
"""Value of that member, then outside the properties, in a message that somebody else published."""

UNCOUNTED_HEADER = "nexus_uncounted"
"""Header, in the publisher's memory alone: this message was not counted, since its run was a moment ago."""

ADOPTED_HEADER = "nexus_adopted"
"""Header, in the worker's memory alone: the message was counted just now, when the worker took it."""

DELIVERIES_HEADER = "nexus_deliveries"
"""Header of a message: a list of ``{"worker", "at", "lost", "progress"}``, one for each start that came to nothing."""

BINDING_PARTS = 3
"""Number of parts of a binding's member: routing key, pattern and queue."""

REPEAT_S = 60
"""Time within which a repeated publication is recognised."""


def publication_key(run_id: str) -> str:
    """Name the key that remembers the latest publication of a run."""
    return f"nexus:published:{run_id}"


def in_flight_key(node: str) -> str:
    """Name the hash of what a worker holds."""
    return f"nexus:inflight:{node}"


def starts_key(node: str) -> str:
    """Name the hash of what a worker holds and has handed to a child."""
    return f"nexus:started:{node}"


def key_of_delayed(queue: str) -> str:
    """Name the sorted set of a queue's delayed messages."""
    return f"nexus:delayed:{queue}"


def wake_key(queue: str) -> str:
    """Name the list on which a queue's idle workers block."""
    return f"nexus:wake:{queue}"


def encode_delayed_member(priority: int, payload: bytes) -> bytes:
    """Encode a message for the delayed set: its priority, one digit, then its bytes."""
    return b"%d" % priority + payload


def split_delayed_member(member: bytes) -> tuple[int, bytes]:
    """Decode a member of the delayed set: priority and bytes of the message."""
    return int(member[:1]), member[1:]


class FetchedTag(str):
    """Field of a message in the in-flight hash, used as its delivery tag: ``ID LIST``, or ``ID+ LIST`` if adopted."""

    __slots__ = ()

    @property
    def list_key(self) -> str:
        """The list that it was taken from."""
        return self.partition(" ")[2]

    @property
    def is_adopted(self) -> bool:
        """Whether somebody else published the message, and it was counted when it was taken."""
        return self.partition(" ")[0].endswith("+")

    def to_adopted(self) -> FetchedTag:
        """The field of the same message once it was counted."""
        return FetchedTag(self.replace(" ", "+ ", 1))


def queue_of(
    list_key: str, separator: str = PRIORITY_SEPARATOR, former: frozenset[str] = frozenset()
) -> tuple[str, int]:
    """Split a list's key into the queue and the priority.

    Args:
        list_key: The key, without the application's prefix.
        separator: Between the two.
        former: Queues of which an earlier version may have named the list.
    """
    for between in (separator, FORMER_SEPARATOR):
        queue, found, priority = list_key.rpartition(between)
        if found and len(priority) == 1 and priority.isdecimal() and (between == separator or queue in former):
            return queue, int(priority)
    return list_key, 0


def split_binding(member: str, separator: str = PRIORITY_SEPARATOR) -> tuple[str, str, str] | None:
    """Split a member of a binding into routing key, pattern and queue, whichever version wrote it; None for others."""
    if separator in member:
        parts = member.split(separator)
    else:
        half = member[: (len(member) - 2 * len(FORMER_SEPARATOR)) // 2]
        is_twice = half and member == f"{half}{2 * FORMER_SEPARATOR}{half}"  # a queue's name may hold the separator
        parts = [half, "", half] if is_twice else member.split(FORMER_SEPARATOR)
    return (parts[0], parts[1], parts[2]) if len(parts) == BINDING_PARTS else None
