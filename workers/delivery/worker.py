"""What a worker adds to Celery's own start and end: its lease, its rescue, its guard."""

from __future__ import annotations

import atexit
import os
import time
from typing import Any

import redis
from celery import bootsteps
from celery.exceptions import WorkerShutdown
from celery.signals import before_task_publish, celeryd_init
from celery.utils.log import get_logger
from celery.worker.consumer.tasks import Tasks

from config.celery_config import celery_app
from workers.delivery import children, rescue, running
from workers.delivery.in_flight import InFlight
from workers.delivery.inline_stopping import InlineStop
from workers.delivery.keys import ADOPTED_HEADER, DELIVERIES_HEADER, UNCOUNTED_HEADER
from workers.delivery.lease import RENEW_S, Leases, NameTaken, Owner
from workers.delivery.stopping import SoftStop
from workers.upgrade import FormerListsStep

EXIT_NAME_TAKEN = 69
"""Exit code of a worker whose node name a live worker has."""

PATIENCE_S = 2.0

MAX_TRIES = 1_000_000
"""Of a publication by a child, one a second: its run's time limit comes first. Celery takes no "for ever" here."""

logger = get_logger(__name__)


@celeryd_init.connect
def _name_transport(sender: str = "", conf: Any = None, **_: Any) -> None:
    conf.broker_transport_options["nexus_node"] = sender


@before_task_publish.connect
def _forget_deliveries(headers: dict[str, Any] | None = None, **_: Any) -> None:
    # Celery hands unknown headers on to retries and callbacks: these are new deliveries.
    if headers is not None:
        for name in (DELIVERIES_HEADER, "redelivered", ADOPTED_HEADER, UNCOUNTED_HEADER):
            headers.pop(name, None)


@before_task_publish.connect
def _wait_for_the_broker(retry_policy: dict[str, Any] | None = None, **_: Any) -> None:
    # A child has done its work: the next of a chain, a chord's body and a retry wait until the broker takes them.
    if retry_policy is not None and running.is_child():
        retry_policy["max_retries"] = MAX_TRIES
        retry_policy["retry_errors"] = (redis.OutOfMemoryError, redis.ReadOnlyError)


class LeaseStep(bootsteps.StartStopStep):
    """Owns the node name, and puts back what an earlier worker of this name held, before anything is consumed."""

    requires = (Tasks, FormerListsStep)  # what is put back goes in front of what was taken over

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None
        self._tenure: Tenure | None = None
        self._stop: SoftStop | None = None

    def start(self, parent: Any) -> None:
        """Take or renew the lease; audit what is in flight under this name.

        Raises:
            WorkerShutdown: A live worker has this name.
        """
        if self._tenure is None:
            in_flight = parent.connection.default_channel.in_flight_of(parent.hostname)
            tenure = Tenure(in_flight)
            tenure.begin()
            self._tenure = tenure
            children.watch(parent.pool)
            if children.has_processes(parent.pool):
                self._stop = SoftStop(parent.controller, lambda: in_flight.is_owing)
                self._stop.install()
            else:
                InlineStop(parent.controller, lambda: in_flight.is_owing, tenure.end).install()
        else:
            self._tenure.resume()
        if self._stop is not None:
            self._stop.watch(parent.hub)
        self._timer = parent.timer.call_repeatedly(RENEW_S, self._tenure.renew)

    def stop(self, parent: Any) -> None:
        """Stop renewing."""
        if self._stop is not None:
            self._stop.leave()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Tenure:
    """The time for which this process owns a node name, and with it what is in flight under the name."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._node = in_flight.node
        self._leases = Leases(in_flight.client, in_flight.prefix)
        self._owner: Owner | None = None
        self._pid = os.getpid()

    def begin(self) -> None:
        """Take the name, and put back what an earlier process of this name held.

        An owner that is about to go (the guardian at its rescue, a worker at its end) is waited for.
        """
        self._take(patience_s=PATIENCE_S)
        atexit.register(self.end)
        restored, buried = rescue.rescue(celery_app, self._in_flight)
        if restored or buried:
            logger.warning("an earlier %s held %d: %d put back", self._node, restored + buried, restored)

    def resume(self) -> None:
        """After a reconnect: put back what this process does not run."""
        self._take()
        self._in_flight.send_acknowledgements()
        restored = self._in_flight.restore_all(keep=running.tags())
        if restored:
            logger.warning("put back %d that were lost with the connection", restored)

    def renew(self) -> None:
        """Say that this process lives."""
        try:
            self._take()
            self._in_flight.send_acknowledgements()
        except (redis.RedisError, OSError) as error:
            logger.warning("can't renew the lease: %s", error)

    def _take(self, patience_s: float = 0.0) -> None:
        end = time.monotonic() + patience_s
        while True:
            try:
                self._owner = self._leases.take(self._node)
                running.note_broker_clock(self._owner.renewed_at)
                return
            except NameTaken as problem:
                if time.monotonic() >= end:
                    logger.critical("%s", problem)
                    raise WorkerShutdown(EXIT_NAME_TAKEN) from None
            time.sleep(0.1)

    def end(self) -> None:
        """Put back what is still held and free the name; in the worker itself, not in a forked child."""
        if os.getpid() != self._pid or self._owner is None:
            return
        try:
            self._in_flight.send_acknowledgements()
            self._in_flight.restore_all()
            self._leases.drop(self._node, self._owner)
        except (redis.RedisError, OSError) as error:
            logger.warning("left messages for the next worker of this name: %s", error)


celery_app.steps["consumer"].add(LeaseStep)
celery_app.Task.Request = "workers.delivery.request:Request"
