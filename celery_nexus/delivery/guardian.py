"""The program ``guardian``: rescues what workers that are gone for good held, ends runs that will not run, restarts
programs that gave up, and keeps the watch of alerts at work.

A worker that supervisord starts again rescues its own messages within a second. The guardian waits a little, so
that it does so, and deals with those whose name nobody takes again.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from types import FrameType
from typing import Any, cast
from xmlrpc.client import Error as RpcError

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from celery_nexus.application_import import application_of_arguments
from celery_nexus.connection.keys import GUARDIAN_BEAT, GUARDIAN_BEAT_FOR_S
from celery_nexus.connection.redis_client import open_redis
from celery_nexus.delivery.ends.ending import carry_out_ends
from celery_nexus.delivery.leases import rescue
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import Leases
from celery_nexus.delivery.upgrade.signals import open_former_lists
from celery_nexus.installation import Installation, broker_of, installation_of, prefix_of
from celery_nexus.parent import end_with_supervisor
from celery_nexus.privacy.program_log import begin_log

LOOK_EVERY_S = 1.0
TIMEOUT_S = 5.0
COOL_DOWN_S = 30.0
MAX_COOL_DOWN_S = 600.0

FIRST_WATCH_S = 20.0
"""Time for a stack to start before alerts are watched: workers that are not there yet are no trouble."""

STOP_WATCH_S = 3.0

logger = logging.getLogger("guardian")


class Guardian:
    """Looks at leases.

    Args:
        app: Ends the runs that were set aside.
        in_flight: Of any node: it has the connection.
        clock: Seconds of a clock that nobody sets; the broker's stops when the broker is frozen.
    """

    def __init__(self, app: Celery, in_flight: InFlight, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._in_flight = in_flight
        self._leases = Leases(in_flight.client, in_flight.prefix, clock=clock)

    def look(self) -> None:
        """Rescue what is due.

        Raises:
            RedisError: The broker does not answer.
        """
        rescue.rescue_abandoned(self._app, self._in_flight, self._leases)


@dataclass
class FatalPrograms:
    """Starts programs that supervisord gave up.

    Attributes:
        restarts: When each may be started again, and the pause after that.
    """

    restarts: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def restart(self, rpc: Any) -> None:
        """Start programs that supervisord gave up, each with a pause that doubles."""
        clock = time.monotonic()
        for program in cast("list[dict[str, Any]]", rpc.supervisor.getAllProcessInfo()):
            name = f"{program['group']}:{program['name']}"
            if program["statename"] == "RUNNING" and program["now"] - program["start"] > COOL_DOWN_S:
                self.restarts.pop(name, None)
            if program["statename"] != "FATAL":
                continue
            due, pause = self.restarts.get(name, (clock, COOL_DOWN_S))
            if clock >= due:
                self.restarts[name] = (clock + pause, min(pause * 2, MAX_COOL_DOWN_S))
                logger.warning("starting %s, which supervisord gave up", name)
                try:
                    rpc.supervisor.startProcess(name, False)
                except RpcError as error:
                    logger.warning("%s does not start: %s", name, error)


class AlertWatch:
    """The watch of alerts, a process of its own, so that nothing that happens in it harms the guardian.

    Args:
        arguments: Of its command line: the application, as the guardian was given it.
        clock: Tells the seconds, and only goes forward.
    """

    def __init__(self, arguments: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._arguments = arguments
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._due = clock() + FIRST_WATCH_S
        self._pause = COOL_DOWN_S

    @property
    def pid(self) -> int | None:
        """Its process; None while there is none."""
        return None if self._child is None else self._child.pid

    def keep(self) -> None:
        """Start it when it is due; after it ended, with a pause that doubles."""
        now = self._clock()
        if self._child is not None and self._child.poll() is not None:
            logger.warning("the watch of alerts ended with %s; again in %.0f s", self._child.returncode, self._pause)
            self._child, self._due = None, now + self._pause
            self._pause = min(self._pause * 2, MAX_COOL_DOWN_S)
        if self._child is None and now >= self._due:
            try:
                self._child = subprocess.Popen([sys.executable, "-m", "celery_nexus.alerts", *self._arguments])
            except OSError as error:
                logger.warning("the watch of alerts can't be started: %s", error)
                self._due = now + self._pause

    def stop(self) -> None:
        """End it; what it was telling is told after the next start."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_WATCH_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def main() -> None:
    """Run until SIGTERM."""
    begin_log()
    end_with_supervisor()
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    app = application_of_arguments("guardian", "Rescue what workers that are gone for good held.", with_tasks=True)
    installed = installation_of(app) or Installation(delivery=False)
    guardian: Guardian | None = None
    fatal, former = FatalPrograms(), open_former_lists(app)
    client = open_redis(broker_of(app).redis_py, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    alerts = AlertWatch(sys.argv[1:])
    while not stopping.wait(LOOK_EVERY_S):
        alerts.keep()
        try:
            if installed.upgrades:
                former.take_over(app.amqp.queues)
            if installed.delivery:
                guardian = guardian or Guardian(app, _in_flight(app))
                guardian.look()
            carry_out_ends(app, client, prefix_of(app), most_s=LOOK_EVERY_S / 2)
            if "SUPERVISOR_SERVER_URL" in os.environ:
                fatal.restart(_supervisor())
            client.set(GUARDIAN_BEAT, os.getpid(), ex=GUARDIAN_BEAT_FOR_S)
        except (redis.RedisError, OperationalError, RpcError, HTTPException, OSError) as error:
            logger.warning("can't look: %s", error)
    alerts.stop()


def _supervisor() -> Any:
    from supervisor import childutils  # elsewhere, as in a container, it need not be installed

    return childutils.getRPCInterface(os.environ)


def _in_flight(app: Celery) -> InFlight:
    channel: Any = app.connection_for_write().default_channel
    return channel.in_flight_of("guardian")


if __name__ == "__main__":
    main()
