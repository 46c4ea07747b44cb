"""Bootsteps of a worker with reliable delivery: its lease, rescue and message validation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import redis
from celery import Celery, bootsteps
from celery.signals import celeryd_init
from celery.worker import state as _state
from celery.worker.consumer.tasks import Tasks
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.broker_fitness import find_unfitness
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.delivery.leases import rescue
from celery_nexus.delivery.leases.lease import RENEW_S
from celery_nexus.delivery.leases.lease_holder import LeaseHolder
from celery_nexus.delivery.upgrade.signals import FormerListsStep
from celery_nexus.delivery.worker import children
from celery_nexus.delivery.worker.inline_stopping import InlineStop
from celery_nexus.delivery.worker.stopping import SoftStop
from celery_nexus.installation import broker_of, installation_of

PROBE_S = 2.0
LOOK_AGAIN_S = rescue.GRACE_S + 0.1
"""Time between a worker's two looks after others, at its start and after each reconnect."""

state: Any = _state  # the stubs know an older Celery


@celeryd_init.connect
def _begin(sender: str = "", instance: Any = None, conf: Any = None, **_: Any) -> None:
    """Name the transport's node, and refuse a broker that can't be delivered from; of applications with delivery."""
    app: Celery = instance.app
    installed = installation_of(app)
    if installed is None or not installed.delivery:
        return
    conf.broker_transport_options = {**conf.broker_transport_options, "nexus_node": sender}
    _refuse_an_unfit_broker(broker_of(app))


def _refuse_an_unfit_broker(broker: BrokerUrl) -> None:
    client = open_redis(
        broker.redis_py, socket_timeout=PROBE_S, socket_connect_timeout=PROBE_S, retry=Retry(NoBackoff(), 0)
    )
    try:
        problem = find_unfitness(client, broker.username)
    except (redis.RedisError, OSError):
        return  # it is waited for later
    finally:
        client.close()
    if problem:
        sys.exit(f"worker: broker {broker.masked}: {problem}")


class LeaseStep(bootsteps.StartStopStep):
    """Owns the node name, and puts back what an earlier worker of this name held, before anything is consumed."""

    requires = (Tasks, FormerListsStep)  # what is put back goes in front of what was taken over

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None
        self._holder: LeaseHolder | None = None
        self._stop: SoftStop | None = None

    def start(self, parent: Any) -> None:
        """Take or renew the lease; audit what is in flight under this name.

        Raises:
            WorkerShutdown: A live worker has this name.
        """
        channel = parent.connection.default_channel
        if self._holder is None:
            holder = LeaseHolder(parent.app, channel.in_flight_of(parent.hostname), partial(_end, parent.controller))
            holder.begin()
            self._holder = holder
            children.watch(parent.pool)
            if children.has_processes(parent.pool):
                self._stop = SoftStop(parent.controller, lambda: holder.in_flight.is_owing)
                self._stop.install()
            else:
                InlineStop(parent.controller, lambda: holder.in_flight.is_owing, holder.end).install()
        else:
            self._holder.resume()
        channel.in_flight = self._holder.in_flight
        channel.in_flight.tell_ends = _event_writer(parent.app)
        if children.has_processes(parent.pool):
            channel.in_flight.call_soon = parent.hub.call_soon
            channel.qos.count_children = lambda: int(parent.pool.num_processes)
        if self._stop is not None:
            self._stop.watch(parent.hub)
        self._timer = parent.timer.call_repeatedly(RENEW_S, self._holder.renew)
        self._holder.rescue_others()
        parent.timer.call_after(LOOK_AGAIN_S, self._holder.rescue_others)

    def stop(self, parent: Any) -> None:
        """Stop renewing; the event loop ends."""
        if self._holder is not None:
            self._holder.in_flight.call_soon = None
            self._holder.in_flight.acknowledge_now()
        if self._stop is not None:
            self._stop.leave()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _event_writer(app: Any) -> Callable[[], None] | None:
    """Find what writes events to the stream; None where the application has stock Celery's events."""
    writer: Any = getattr(app.events, "writer", None)
    return None if writer is None else writer.confirm


def _end(controller: Any, exit_code: int) -> None:
    controller.exitcode = exit_code
    state.should_terminate = exit_code  # seen by the next round of the worker's loop
