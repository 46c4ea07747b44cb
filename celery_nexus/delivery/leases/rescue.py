"""Rescue of what dead workers and children held: requeued, or dead-lettered when it makes no progress."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery

from celery_nexus.delivery import running, validation
from celery_nexus.delivery.ends.ending import carry_out_what_can_be
from celery_nexus.delivery.keys import DELIVERIES_HEADER, FetchedTag
from celery_nexus.delivery.leases.in_flight import InFlight, encode_redelivered, mark_redelivered
from celery_nexus.delivery.leases.lease import Leases, Owner
from celery_nexus.delivery.leases.starts import MAX_STARTS, is_exhausted, read_earlier_starts, with_start

GRACE_S = 1.0
"""Time after a local worker's death before its messages are touched: its children learn of it a moment later, and its
successor, if there is one, needs longer to start."""

logger = logging.getLogger(__name__)


def rescue_abandoned(app: Celery, in_flight: InFlight, leases: Leases, grace_s: float = GRACE_S) -> int:
    """Deal with what workers held that are gone; to be called every second or so, and returns how many messages.

    Args:
        app: Ends the runs that are set aside.
        in_flight: Of any node: it has the connection.
        leases: What this process saw of the names.
        grace_s: How long a worker must have been seen dead.

    Raises:
        RedisError: The broker does not answer.
    """
    found = leases.find_abandoned(grace_s)
    return sum(_rescue_node(app, in_flight.of_node(node), leases, owner, record) for node, owner, record in found)


def _rescue_node(app: Celery, held: InFlight, leases: Leases, owner: Owner, record: bytes) -> int:
    # Owning the name meanwhile keeps a new worker of it from fetching into the hash that is emptied here
    mine = leases.take_over(held.node, record)
    if mine is None:
        return 0  # it came back
    held.token = mine.token
    restored, dead = rescue(app, held)
    leases.drop(held.node, mine)
    logger.warning(
        "%s (pid %d on %s) is gone: %d put back, %d set aside", held.node, owner.pid, owner.host, restored, dead
    )
    return restored + dead


def rescue(app: Celery, in_flight: InFlight) -> tuple[int, int]:
    """Deal with everything that a dead worker held; returns how many were put back and how many set aside."""
    restored = dead = 0
    started = in_flight.read_starts()
    for tag, raw in reversed(in_flight.entries().items()):
        if tag not in started:
            restored += in_flight.restore(tag, payload=mark_redelivered(raw))
        elif give_up_or_restore(app, in_flight, tag, raw, lost="worker", progress=started[tag]):
            restored += 1
        else:
            dead += 1
    return restored, dead


def give_up_or_restore(
    app: Celery, in_flight: InFlight, tag: FetchedTag, raw: bytes, *, lost: str, progress: float | None
) -> bool:
    """Put back the message of a run that was started in vain; False when it was set aside, or is not held any more.

    Args:
        app: The application, where the run ends as FAILURE when it is set aside.
        in_flight: Where the message is.
        tag: Which.
        raw: Its bytes.
        lost: What died: ``worker`` or ``child``; ``rejected`` of a run that put its message back.
        progress: How far the start got, or None when it told nothing.
    """
    message = validation.decode_loosely(raw)
    if message is None or validation.run_of(message)[0] is None:
        return in_flight.restore(tag)  # the validation at the next fetch says what is wrong with it
    starts = with_start(
        read_earlier_starts(message), worker=in_flight.node, at=running.now(), lost=lost, progress=progress
    )
    if is_exhausted(starts):
        give_up(app, in_flight, tag, message, starts)
        return False
    message["headers"][DELIVERIES_HEADER] = starts
    # Who rejects waits for something: others come first. A process that died has lost its turn to nobody.
    return in_flight.restore(tag, first=lost != "rejected", payload=encode_redelivered(message))


def give_up(
    app: Celery, in_flight: InFlight, tag: FetchedTag, message: validation.Json, starts: list[dict[str, Any]]
) -> None:
    """Make a run a dead letter, and let it end as FAILURE for whoever waits for it."""
    run_id, task = validation.run_of(message)
    ends = {"rejected": "it put its message back"}.get(starts[-1]["lost"], "its process died")
    detail = f"started {MAX_STARTS} times without progress, and each time {ends}"
    in_flight.set_aside(tag, "poisoned", detail, id=run_id, task=task, deliveries=starts)
    carry_out_what_can_be(app, in_flight.client, in_flight.prefix)
