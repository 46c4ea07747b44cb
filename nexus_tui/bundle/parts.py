"""Parts of a support bundle: each a file, and one line that says what it is."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from celery_nexus.client import Nexus
from celery_nexus.errors import NotFound
from celery_nexus.stack.log_file import read_log_end
from nexus_tui.bundle.inquiry import Inquiry
from nexus_tui.documents import (
    as_json,
    describe_contexts,
    describe_failures,
    describe_history,
    describe_queue,
    describe_stats,
)
from nexus_tui.front_door.door import describe_choice, describe_variables
from nexus_tui.front_door.opening import user_contexts
from nexus_tui.versions import find_version

FIGURES_H = 1
"""Hours of which there are figures."""

LOG_LINES = 300
"""Lines of each log, at most, from its end."""

MAX_LOGS = 40
MAX_ROWS = 1_000
MAX_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a bundle.

    Attributes:
        name: Its name in the archive.
        what: What it is, in a line.
        read: Returns a text, or what is written as JSON. Raises ``SourceError``, ``ConfigError`` or ``OSError``.
        asks_broker: Whether it asks the broker, by :attr:`Inquiry.live`.
    """

    name: str
    what: str
    read: Callable[[Inquiry], Any]
    asks_broker: bool = False


def list_parts(inquiry: Inquiry) -> list[Part]:
    """List the parts of a bundle, those that need no broker first."""
    logs = [
        Part(f"logs/{path.stem}.txt", f"last {LOG_LINES} lines of {path}", partial(_read_log, path))
        for path in inquiry.list_logs()[:MAX_LOGS]
    ]
    return [*PARTS, *logs]


def _describe_versions(_: Inquiry) -> dict[str, Any]:
    packages = {row.metadata["Name"]: row.version for row in metadata.distributions() if row.metadata["Name"]}
    return {
        "nexus": find_version() or "a checkout",
        "python": sys.version,
        "platform": platform.platform(),
        "packages": dict(sorted(packages.items(), key=lambda row: row[0].lower())),
    }


def _describe_settings(inquiry: Inquiry) -> dict[str, Any]:
    own = inquiry.own
    return {
        "opens": as_json(describe_choice(inquiry.door)),
        "stack": [] if own is None else [as_json(row) for row in own.describe(False)],
        "celery_variables": [as_json(row) for row in describe_variables()],
        "other_variables": sorted(name for name in os.environ if name.startswith(("NEXUS_", "CELERY_"))),
    }


def _describe_application(inquiry: Inquiry) -> dict[str, Any]:
    return inquiry.app_settings


def _describe_broker(inquiry: Inquiry) -> dict[str, Any]:
    broker = inquiry.live.broker
    return {
        "server": broker.describe(),
        "url": broker.url.masked,
        "answers_in_s": broker.ping(),
        "refuses_writes": broker.write_trouble(),
        "not_known": broker.missing,
        "layouts": [as_json(layout) for layout in broker.layouts],
        "lists_that_nobody_reads": [as_json(row) for row in broker.unread_lists()[:MAX_ROWS]],
    }


def _examine(inquiry: Inquiry) -> list[Any]:
    return [as_json(row) for row in Nexus(inquiry.live).doctor()]


def _list_queues(inquiry: Inquiry) -> list[Any]:
    return [describe_queue(row) for row in Nexus(inquiry.live).queues()[:MAX_ROWS]]


def _list_workers(inquiry: Inquiry) -> list[Any]:
    return [as_json(row) for row in Nexus(inquiry.live).workers()[:MAX_ROWS]]


def _list_schedule(inquiry: Inquiry) -> dict[str, Any]:
    found = Nexus(inquiry.live).schedule(MAX_ENTRIES)
    entries = [as_json(entry) for entry in found.entries]
    for entry in entries:
        entry.pop("args")
        entry.pop("kwargs")
    return {
        "total": found.total,
        "beats": as_json(found.beats),
        "problems": as_json(found.problems),
        "entries": entries,
    }


def _list_programs(inquiry: Inquiry) -> list[Any]:
    if not inquiry.sources.supervisor.is_used:
        raise NotFound("supervisord runs none of what is looked at")
    return [as_json(row) for row in inquiry.sources.supervisor.programs()]


def _describe_history(inquiry: Inquiry) -> dict[str, Any]:
    return describe_history(inquiry.sources.history)


def _count_runs(inquiry: Inquiry) -> list[Any]:
    rows = Nexus(inquiry.sources).stats(_begin(), by_queue=True)
    return [describe_stats(row) for row in rows[:MAX_ROWS]]


def _list_failures(inquiry: Inquiry) -> list[Any]:
    return [describe_failures(row) for row in Nexus(inquiry.sources).failures(_begin())]


def _list_footprint(inquiry: Inquiry) -> list[Any]:
    rows = inquiry.live.broker.footprint()
    return [{"key": row.key, "what": row.trace.what, "expires_in_s": row.expires_in_s} for row in rows]


def _list_contexts(_: Inquiry) -> dict[str, Any]:
    return describe_contexts(user_contexts())


def _read_log(path: Path, _: Inquiry) -> str:
    return "\n".join(read_log_end(path, LOG_LINES))


def _begin() -> datetime:
    return datetime.now(UTC) - timedelta(hours=FIGURES_H)


PARTS = (
    Part("versions.json", "versions of Nexus, Python, the system and each installed package", _describe_versions),
    Part("settings.json", "what is opened and why, and the settings in force; of other variables the names alone",
         _describe_settings),
    Part("application.json", "settings of the application that are not Celery's defaults; of its own the names alone",
         _describe_application),
    Part("contexts.json", "the brokers that have names here, without their passwords", _list_contexts),
    Part("broker.json", "the server, how keys are laid out, lists that no worker reads", _describe_broker,
         asks_broker=True),
    Part("doctor.json", "what nexus-tui doctor says", _examine, asks_broker=True),
    Part("queues.json", "each queue: what waits, who consumes, verdict", _list_queues, asks_broker=True),
    Part("workers.json", "each worker with its verdict", _list_workers, asks_broker=True),
    Part("schedule.json", "what beat sends by the clock, without arguments", _list_schedule, asks_broker=True),
    Part("programs.json", "what supervisord runs", _list_programs),
    Part("history.json", "the history's file: size, age, gaps", _describe_history),
    Part("stats.json", f"what became of runs in the last {FIGURES_H} h, by task and queue; times in seconds",
         _count_runs),
    Part("failures.json", f"failed runs of the last {FIGURES_H} h by type and place; with the text of one error each",
         _list_failures),
    Part("footprint.json", "keys that Nexus left on another application's broker", _list_footprint, asks_broker=True),
)  # fmt: skip
