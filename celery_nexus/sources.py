"""The sources of everything that is shown; only they talk to Redis, Celery, Supervisor and SQLite.

Sources block; call them in threads. Each raises :mod:`celery_nexus.errors` only.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.connection.redis_cli import address_redis_cli
from celery_nexus.steps import Steps

if TYPE_CHECKING:
    from celery_nexus.broker import BrokerSource
    from celery_nexus.broker.dead_letters import DeadLetterSource
    from celery_nexus.catalog.own import CatalogSource
    from celery_nexus.control.source import ControlSource
    from celery_nexus.deployment import Deployment
    from celery_nexus.runs.recording import Recording
    from celery_nexus.runs.source import HistorySource
    from celery_nexus.schedule.source import ScheduleSource
    from celery_nexus.stack.programs import SupervisorSource


@dataclass(frozen=True)
class Sources:
    """One of each source, on one broker.

    Attributes:
        broker: Queues and messages (Redis).
        control: Workers (Celery's remote control and heartbeats).
        history: Runs (the recorder's SQLite).
        supervisor: Programs (supervisord's XML-RPC).
        catalog: What can be submitted, and submitting it (the Celery application).
        read_only: Whether every change is refused.
        how_to_write: What has to be done so that changes are no longer refused.
        why_read_only: Why every change is refused, where nobody asked for that; empty elsewhere.
        allowed: Names of the only changes that are not refused (``retry``); None: all of them.
        address: Options of ``nexus-tui`` that name this broker; None: its URL and prefix.
        prefix: Which application of a foreign broker was chosen; None: whatever is there.
        recording: Recorder of a foreign application, to be started by who looks for long; None for our own stack.
        code: The application's code, as far as it is here.
        deployment: The application where it runs, when this library is installed in it; None for a stock one.
        application: What ``celery -A`` calls it; empty when it was not named so.
        via: The program that asks on behalf of the operator, for the audit log; empty for our own.
        steps: What a change at work tells, and where it learns that it should end: who asked goes away, or cancels.
    """

    broker: BrokerSource
    control: ControlSource
    history: HistorySource
    supervisor: SupervisorSource
    catalog: CatalogSource
    read_only: bool = False
    how_to_write: str = "start without --read-only and NEXUS_READ_ONLY to change things"
    why_read_only: str = ""
    allowed: frozenset[str] | None = None
    address: str | None = None
    recording: Recording | None = None
    prefix: str | None = None
    code: ApplicationCode = NO_CODE
    deployment: Deployment | None = None
    application: str = ""
    via: str = ""
    steps: Steps = field(default_factory=Steps)

    @cached_property
    def schedule(self) -> ScheduleSource:
        """What beat sends by the clock, wherever that is kept."""
        from celery_nexus.schedule.source import ScheduleSource

        return ScheduleSource(self.code, self.broker, self.history, self.catalog, self.control)

    @cached_property
    def dead_letters(self) -> DeadLetterSource:
        """What reliable delivery set aside."""
        from celery_nexus.broker.dead_letters import DeadLetterSource

        return DeadLetterSource(self.broker)

    @property
    def is_foreign(self) -> bool:
        """Whether the application is somebody else's: no programs of ours, workers that read nothing of ours."""
        return self.recording is not None

    @property
    def recorder_command(self) -> str:
        """The command that starts the recorder of an installed application; empty for a stock one."""
        return self.deployment.recorder_command if self.deployment is not None else ""

    def address_command(self, command: str) -> str:
        """Complete a line of ``nexus-tui``, ``redis-cli`` or ``celery``, so that it acts here wherever it is typed.

        A password stays ``***``: whoever types the line knows it.
        """
        if command.startswith("redis-cli "):
            return address_redis_cli(self.broker.url, command)
        if self.application and command.startswith("celery "):
            return command.replace("-A APPLICATION", f"-A {shlex.quote(self.application)}")
        if not command.startswith("nexus-tui "):
            return command
        if self.address is not None:
            return f"{command} {self.address}"
        if self.application:
            return f"{command} -A {shlex.quote(self.application)}"
        if not self.is_foreign:
            return command
        chosen = "" if self.prefix is None else f" --prefix {shlex.quote(self.prefix)}"
        return f"{command} --broker {shlex.quote(self.broker.url.masked)}{chosen}"
