"""Detection of the separator that an application uses, from the members of its bindings.

A member is ``routing key, separator, pattern, separator, queue`` (``Channel._queue_bind`` in
``kombu/transport/redis.py``). Workers' own bindings are believed first: into the others any client may have written
with a separator of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from celery_nexus.delivery.layout import BINDING_SEPARATOR

MAX_SEPARATOR = 8
MAILBOX = ".pidbox"
_TOPIC = re.compile(r"^(?P<key>.*?)(?P<separator>.{1,8}?)\^.*\$(?P=separator).+$", re.DOTALL)


def separator_of(members: Mapping[str, Iterable[str]]) -> str:
    """Find the separator in the bindings of one application, by exchange; kombu's default when none tells."""
    mailboxes, queues = Counter[str](), Counter[str]()
    for exchange, found in members.items():
        for member in found:
            if exchange.startswith("reply."):
                continue
            if exchange.endswith(MAILBOX):
                mailboxes.update(_doubled(member, 0))
            else:
                queues.update(_between(member))
    for votes in (mailboxes, queues):
        if votes:
            return votes.most_common(1)[0][0]
    return BINDING_SEPARATOR


def _doubled(member: str, start: int) -> list[str]:
    """Read what stands twice at a place, the longest."""
    for length in range(MAX_SEPARATOR, 0, -1):
        first = member[start : start + length]
        if len(first) == length and first == member[start + length : start + 2 * length]:
            return [first]
    return []


def _between(member: str) -> list[str]:
    if member.count(BINDING_SEPARATOR) == 2:
        return [BINDING_SEPARATOR]
    topic = _TOPIC.match(member)
    if topic is not None:
        return [topic["separator"]]
    # Most queues are their routing key.
    for length in range(1, MAX_SEPARATOR + 1):
        name, rest = divmod(len(member) - 2 * length, 2)
        middle = member[name : len(member) - name]
        if name > 0 and not rest and member[:name] == member[-name:] and middle[:length] == middle[length:]:
            return [middle[:length]]
    for key in ("worker.#", "#"):
        if member.startswith(key):
            return _doubled(member, len(key))
    return []
