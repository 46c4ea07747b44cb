"""Names of the keys of reliable delivery, and the two small encodings in them."""

from __future__ import annotations

LEASES = "nexus:leases"
COUNTERS = "nexus:counters"
DEAD = "nexus:dead"
DEAD_FACTS = "nexus:dead:facts"
DEAD_BYTES = "nexus:dead:bytes"

SUBMITTED = "submitted"
"""Counter of messages that start a run."""

RETRIED = "retried"
"""Counter of messages that start a run again."""

BAD_CONTROL = "bad_control_messages"
"""Counter of what came over the control channel and was dropped."""


def in_flight(node: str) -> str:
    """Name the hash of what a worker holds."""
    return f"nexus:inflight:{node}"


def delayed(queue: str) -> str:
    """Name the sorted set of a queue's delayed messages."""
    return f"nexus:delayed:{queue}"


def wake(queue: str) -> str:
    """Name the list on which a queue's idle workers block."""
    return f"nexus:wake:{queue}"


def delayed_member(priority: int, payload: bytes) -> bytes:
    """Encode a message for the delayed set: its priority, one digit, then its bytes."""
    return b"%d" % priority + payload


def split_delayed_member(member: bytes) -> tuple[int, bytes]:
    """Decode a member of the delayed set: priority and bytes of the message."""
    return int(member[:1]), member[1:]


class FetchedTag(str):
    """Field of a message in the in-flight hash, used as its delivery tag: ``ID LIST``."""

    __slots__ = ()

    @property
    def list_key(self) -> str:
        """The list that it was taken from."""
        return self.partition(" ")[2]


def queue_of(list_key: str, separator: str) -> tuple[str, int]:
    """Split a list's key into the queue and the priority."""
    queue, found, priority = list_key.rpartition(separator)
    if found and len(priority) == 1 and priority.isdecimal():
        return queue, int(priority)
    return list_key, 0
