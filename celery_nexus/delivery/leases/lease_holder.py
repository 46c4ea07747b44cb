"""Lease holder, the worker's side of its lease: acquires it, renews it, notices its loss, releases it."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from typing import Any

import redis
from celery import Celery
from celery.exceptions import WorkerShutdown
from celery.utils.log import get_logger
from celery.worker import state as _state

from celery_nexus.delivery import running
from celery_nexus.delivery.leases import rescue
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import LEASE_S, Leases, NameTaken, Owner

EXIT_NAME_TAKEN = 69
"""Exit code of a worker whose node name a live worker has."""

PATIENCE_S = 2.0
"""Longest wait for an owner that is about to go (a worker at its end)."""

LOOK_EVERY_S = 0.2

logger = get_logger(__name__)
worker_state: Any = _state  # the stubs know an older Celery


class LeaseHolder:
    """Owns a node name for this process, and with it what is in flight under the name.

    Args:
        app: Ends the runs that were set aside.
        in_flight: Of the node.
        end_worker: Ends this worker when a live one has the name; what runs was given to others, and is not waited for.
    """

    def __init__(self, app: Celery, in_flight: InFlight, end_worker: Callable[[int], None]) -> None:
        self._app = app
        self.in_flight = in_flight
        self._node = in_flight.node
        self._leases = Leases(in_flight.client, in_flight.prefix)
        self._end_worker = end_worker
        self._owner: Owner | None = None
        self._is_lost = False
        self._pid = os.getpid()
        in_flight.on_fenced = self.renew

    def begin(self) -> None:
        """Take the name, and put back what an earlier process of this name held.

        Raises:
            WorkerShutdown: A live worker has the name.
        """
        self._hold(self._wait_for_name())
        atexit.register(self.end)
        restored, dead = rescue.rescue(self._app, self.in_flight)
        self.in_flight.forget_starts()
        if restored or dead:
            logger.warning("an earlier %s held %d: %d put back", self._node, restored + dead, restored)

    def rescue_others(self) -> None:
        """Put back what dead workers of this machine held: the guardian may be dead, too, or there is none.

        To be called twice, :data:`~celery_nexus.delivery.leases.rescue.GRACE_S` apart: only what was seen dead both
        times is touched.
        """
        try:
            rescue.rescue_abandoned(self._app, self.in_flight, self._leases)
        except (redis.RedisError, OSError) as error:
            logger.warning("can't look after other workers: %s", error)

    def resume(self) -> None:
        """After a reconnect: put back what this process does not run.

        Raises:
            RedisError: The broker does not answer.
        """
        self._renew()
        self.in_flight.settle()
        restored = self.in_flight.restore_all(keep=self.in_flight.handed_over)
        if restored:
            logger.warning("put back %d that were lost with the connection", restored)

    def renew(self) -> None:
        """Say that this process lives; take the lease anew, or end the worker, when others took it meanwhile."""
        try:
            self._renew()
            self.in_flight.settle()
        except (redis.RedisError, OSError) as error:
            logger.warning("can't renew the lease: %s", error)

    def _wait_for_name(self) -> Owner:
        began_at = time.monotonic()
        while True:
            try:
                return self._leases.take(self._node)
            except NameTaken as problem:
                waited_s = time.monotonic() - began_at
                if waited_s >= (PATIENCE_S if problem.lives else LEASE_S + PATIENCE_S):
                    logger.critical("%s", problem)
                    raise WorkerShutdown(EXIT_NAME_TAKEN) from None
                if waited_s < LOOK_EVERY_S and not problem.lives:
                    logger.warning("%s; waiting for up to %g s to see whether it lives", problem, LEASE_S)
            worker_state.maybe_shutdown()
            time.sleep(LOOK_EVERY_S)

    def _renew(self) -> None:
        token = self.in_flight.token
        try:
            self._hold(self._leases.take(self._node))
        except NameTaken as problem:
            self._lose(problem)
            return
        if self.in_flight.token != token:
            self._note_loss()
            restored = self.in_flight.restore_all(keep=self.in_flight.handed_over)
            logger.warning("took the lease of %s anew; %d put back", self._node, restored)
        self._is_lost = False

    def _hold(self, owner: Owner) -> None:
        self._owner = owner
        self.in_flight.token = owner.token
        running.note_broker_clock(owner.renewed_at)

    def _lose(self, problem: NameTaken) -> None:
        self._note_loss()
        if problem.lives:
            logger.critical("%s", problem)
            self._end_worker(EXIT_NAME_TAKEN)

    def _note_loss(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            logger.error(
                "the lease of %s went to another process: what it held and had not started is dropped, each is named",
                self._node,
            )

    def end(self) -> None:
        """Put back what is still held and free the name; in the worker itself, not in a forked child."""
        if os.getpid() != self._pid or self._owner is None:
            return
        try:
            self.in_flight.settle()
            self.in_flight.restore_all()
            self._leases.drop(self._node, self._owner)
        except (redis.RedisError, OSError) as error:
            logger.warning("left messages for the next worker of this name: %s", error)
