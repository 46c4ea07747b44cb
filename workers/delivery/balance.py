"""The balance sheet: what was submitted must be somewhere.

Three sources that know nothing of each other: a counter that each publish increments in the same step as it pushes
the message, the lists and sets in Redis, and the history. They agree when nothing moves; under load the history is
a second behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from workers.delivery import keys
from workers.delivery.dead_letters import DeadLetters
from workers.delivery.lease import Leases

STOCK_IN_FLIGHT = "unacked"


@dataclass(frozen=True, slots=True)
class Balance:
    """Where everything that was submitted is.

    Attributes:
        submitted: Messages that start a run, counted at publish by our transport.
        succeeded: Runs in the history that succeeded.
        failed: Runs in the history that failed, dead letters not among them.
        revoked: Runs in the history that were revoked.
        dead: Dead letters that name a run.
        waiting: Messages in the queues' lists.
        in_flight: Messages that workers hold.
        delayed: Messages before their time.
        unreadable: Dead letters that name no run: nobody submitted them here, so they are outside the sum.
    """

    submitted: int
    succeeded: int
    failed: int
    revoked: int
    dead: int
    waiting: int
    in_flight: int
    delayed: int
    unreadable: int = 0

    @property
    def accounted_for(self) -> int:
        """The right side of the sheet."""
        ended = self.succeeded + self.failed + self.revoked + self.dead
        return ended + self.waiting + self.in_flight + self.delayed

    @property
    def missing(self) -> int:
        """Submitted and nowhere; negative for what others published past our counter."""
        return self.submitted - self.accounted_for


def take(
    client: redis.Redis, queues: Sequence[str], ended: Callable[[str], int], *, prefix: str = "", separator: str = ":"
) -> Balance:
    """Count.

    Args:
        client: The broker.
        queues: Their names.
        ended: Count of the history's runs in a final state, for example ``SUCCESS``.
        prefix: kombu's ``global_keyprefix``.
        separator: Between queue and priority in a list's key.

    Raises:
        RedisError: The broker does not answer.
    """
    letters = DeadLetters(client, prefix, separator)
    dead = sum(letter.run_id is not None for letter in letters.list(limit=letters.count() or 1))
    holders = [prefix + STOCK_IN_FLIGHT, *(prefix + keys.in_flight(node) for node in Leases(client, prefix).owners())]
    lists = [prefix + name for queue in queues for name in (queue, *(f"{queue}{separator}{n}" for n in range(1, 10)))]
    pipeline: Any = client.pipeline()
    pipeline.hget(prefix + keys.COUNTERS, keys.SUBMITTED)
    for name in lists:
        pipeline.llen(name)
    for name in holders:
        pipeline.hlen(name)
    for queue in queues:
        pipeline.zcard(prefix + keys.delayed(queue))
    submitted, *sizes = pipeline.execute()
    waiting, rest = sum(sizes[: len(lists)]), sizes[len(lists) :]
    return Balance(
        submitted=int(submitted or 0),
        succeeded=ended("SUCCESS"),
        failed=ended("FAILURE") - dead,
        revoked=ended("REVOKED"),
        dead=dead,
        waiting=waiting,
        in_flight=sum(rest[: len(holders)]),
        delayed=sum(rest[len(holders) :]),
        unreadable=letters.count() - dead,
    )
