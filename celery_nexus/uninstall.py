"""Return to stock delivery: ``python -m celery_nexus.uninstall -A shop``, once the workers are stopped.

What reliable delivery keeps beside the queues goes back into them: what dead workers held, and what is not due yet.
Celery's own workers take it from there; a message with an ETA waits in the worker then, as Celery does it.
"""

from __future__ import annotations

import sys
import time
from typing import Any, cast

import redis
from celery import Celery

from celery_nexus.application_import import application_of_arguments
from celery_nexus.delivery import keys, scripts
from celery_nexus.delivery.ends.ending import carry_out_ends
from celery_nexus.delivery.layout import Layout, layout_of
from celery_nexus.delivery.leases import rescue
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import LEASE_S, Leases
from celery_nexus.delivery.transport.connection import ReliableConnection

_LOOK_EVERY_S = 0.5
_PATIENCE_S = LEASE_S + 5.0
"""Longest wait for the lease of a worker that was killed elsewhere to stand still."""


class StillRunning(Exception):
    """Workers with reliable delivery run; the message names them."""


def give_back(app: Celery) -> tuple[int, int]:
    """Put what reliable delivery keeps beside the queues back into them; returns how many workers held, and delayed.

    Raises:
        StillRunning: A worker that delivers reliably runs, and would go on.
        redis.RedisError: The broker does not answer.
    """
    plain: Any = app.connection_for_write()
    reliable: Any = ReliableConnection  # the application may be plain again
    with reliable(**dict(plain._info(resolve=False))) as connection:
        channel = connection.default_channel
        in_flight: InFlight = channel.in_flight_of("uninstall")
        held = _give_back_held(app, in_flight)
        return held, _give_back_delayed(in_flight.client, layout_of(app))


def _give_back_held(app: Celery, in_flight: InFlight) -> int:
    leases = Leases(in_flight.client, in_flight.prefix)
    until, held = time.monotonic() + _PATIENCE_S, 0
    while owners := leases.owners():
        held += rescue.rescue_abandoned(app, in_flight, leases, grace_s=0.0)
        if time.monotonic() > until:
            raise StillRunning(f"{', '.join(sorted(owners))}; stop these workers first")
        time.sleep(_LOOK_EVERY_S)
    carry_out_ends(app, in_flight.client, in_flight.prefix, most_s=60.0)
    return held


def _give_back_delayed(client: Any, layout: Layout) -> int:
    release: Any = client.register_script(scripts.RELEASE)
    pattern, given = keys.key_of_delayed("*"), 0
    for key in cast("list[bytes]", list(client.scan_iter(match=layout.prefix + pattern, count=1000))):
        queue = key.decode().removeprefix(layout.prefix + keys.key_of_delayed(""))
        for member in cast("list[bytes]", client.zrange(key, 0, -1)):
            priority, payload = keys.split_delayed_member(member)
            step = max(step for step in layout.steps if step <= priority)
            given += release(keys=[key, layout.key(queue, step)], args=[member, payload])
    return given


def main() -> None:
    """Run the program."""
    app = application_of_arguments("uninstall", "Give messages back to stock delivery.", with_tasks=True)
    try:
        held, delayed = give_back(app)
    except StillRunning as problem:
        sys.exit(f"uninstall: still running: {problem}")
    except redis.RedisError as error:
        sys.exit(f"uninstall: the broker can't be used: {error}")
    sys.stdout.write(f"{held} that workers held and {delayed} that are not due yet are back in their queues\n")


if __name__ == "__main__":
    main()
