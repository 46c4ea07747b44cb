"""Deployment of an application: its broker, its code, its run-time files."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from celery_nexus.application_code import ApplicationCode
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.diagnosis.outside import OutsideService
from celery_nexus.rows.settings import Setting


def _nothing(reveal: bool) -> Sequence[Setting]:
    del reveal
    return ()


def _none() -> Sequence[OutsideService]:
    return ()


@dataclass(frozen=True)
class Deployment:
    """An application that this library is installed in, as dashboard and command line find it.

    Attributes:
        broker: Its broker.
        code: Its code, imported when its tasks are first needed.
        home: Folder of its run-time files.
        history: The file that its recorder writes.
        layout: Names of its keys.
        supervisor: Unix socket of the supervisord that runs its programs; None when another thing runs them.
        logs: Folder of its programs' logs; None when they are elsewhere.
        uploads: Folder below which its tasks read files; None when they read where they like.
        is_read_only: Whether its operator lets nothing be changed.
        is_embedded: Whether its broker is started with it.
        describe: Lists its settings, with their secrets or without.
        ask_services: Asks the services outside that its tasks need, for some seconds at most.
        name: What ``celery -A`` calls it; empty for the stack that is opened when nothing is named.
    """

    broker: BrokerUrl
    code: ApplicationCode
    home: Path
    history: Path
    layout: Layout = Layout()  # noqa: RUF009  (frozen)
    supervisor: Path | None = None
    logs: Path | None = None
    uploads: Path | None = None
    is_read_only: bool = False
    is_embedded: bool = False
    describe: Callable[[bool], Sequence[Setting]] = _nothing
    ask_services: Callable[[], Sequence[OutsideService]] = _none
    name: str = ""

    @property
    def recorder_command(self) -> str:
        """The command that starts its recorder, or starts it anew."""
        if self.supervisor is not None:
            return "nexus-tui restart recorder"
        return f"python -m celery_nexus.history.recorder -A {shlex.quote(self.name or 'APPLICATION')}"
