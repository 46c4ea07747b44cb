"""Checks for faults of a stack before anything is lost: the broker's settings, the disk, the recorder."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.deployment import Deployment
from celery_nexus.embedded_broker.append_only.repair import LOG, read_repairs
from celery_nexus.errors import Refused, SourceError
from celery_nexus.history.recorder.status import find_trouble
from celery_nexus.history.store.schema import lock_path
from celery_nexus.paths import Paths
from celery_nexus.rows.broker import QueueStats, UnreadList, describe_unconsumed
from celery_nexus.rows.checkup import Finding
from celery_nexus.rows.text import command_line
from celery_nexus.rows.workers import Program
from celery_nexus.sources import Sources

FREE_DISK_BYTES = 500_000_000
CLOCK_S = 2.0
RECORDER_S = 15.0
MEMORY_SHARE = 0.9


def unread_finding(rows: Sequence[UnreadList]) -> Finding:
    """Say which lists hold messages that no worker reads."""
    facts = [f"{row.waiting:,} of {row.queue} in {row.name!r}" for row in rows]
    commands = dict.fromkeys(command_line("reclaim", row.queue) for row in rows)
    return Finding(
        "lists",
        not rows,
        "no worker reads " + ", ".join(facts) if rows else "every list of messages is read",
        f"a client with other transport options put them there; move them: {'; '.join(commands)}",
    )


def consumer_finding(queues: Sequence[QueueStats]) -> Finding:
    """Say which queues hold messages and have no worker."""
    rows = [row for row in queues if row.flag == "no consumer"]
    first = f": celery -A APPLICATION worker -Q {shlex.quote(rows[0].name)}" if rows else ""
    return Finding(
        "consumers",
        not rows,
        "; ".join(map(describe_unconsumed, rows)) or "every queue with messages has a worker",
        f"start a worker that takes from it{first}",
    )


def clock_findings(ahead_s: Mapping[str, float]) -> tuple[Finding, ...]:
    """Say whose clock differs from the broker's, and by how much; nothing when no worker told."""
    if not ahead_s:
        return ()
    wrong = [f"{name} is {_ahead(skew)} the broker" for name, skew in sorted(ahead_s.items()) if abs(skew) >= CLOCK_S]
    return (
        Finding(
            "clocks",
            not wrong,
            "; ".join(wrong) or f"{len(ahead_s)} workers' within {CLOCK_S:.0f} s of the broker's",
            "set the clocks of those hosts by NTP: the times in logs, events and history are theirs",
        ),
    )


def run_check(name: str, look: Callable[[], tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """Look at something; when the broker refuses what that needs, the finding says so, and the rest is looked at."""
    try:
        return look()
    except Refused as problem:
        return (
            Finding(name, False, f"could not be looked at: {problem}", "mend what is found above, then look again"),
        )


@dataclass
class CheckupSource:
    """Looks at one stack.

    Args:
        sources: Of the broker. Of a stock application only the broker is looked at: disk, recorder and programs are
            elsewhere.
    """

    sources: Sources

    def findings(self) -> tuple[Finding, ...]:
        """Look at everything.

        Raises:
            Unreachable: The broker does not answer.
        """
        url, deployment = self.sources.broker.url, self.sources.deployment
        client = connect(url, attempts=2)
        try:
            with translate_errors(url):
                found = (*self._broker(client), self._clock(client))
                if deployment is None:
                    return found
                return (
                    *found,
                    *run_check("clocks", lambda: clock_findings(self.sources.control.clocks())),
                    self._disk(deployment),
                    *self._programs(),
                    self._recorder(client, deployment),
                    *self._repairs(deployment),
                )
        finally:
            client.close()

    @staticmethod
    def _broker(client: redis.Redis) -> tuple[Finding, ...]:
        info = client.info()
        policy = str(info.get("maxmemory_policy", "?"))
        limit, used = int(info.get("maxmemory", 0)), int(info.get("used_memory", 0))
        is_master = info.get("role") == "master"
        share = used / limit if limit else 0.0
        return (
            Finding(
                "eviction",
                policy == "noeviction",
                f"maxmemory-policy is {policy}",
                "set maxmemory-policy noeviction: any other deletes messages when memory is short",
            ),
            judge_persistence(info),
            Finding(
                "memory",
                share < MEMORY_SHARE,
                f"{used / 1e6:,.0f} MB used" + (f" of {limit / 1e6:,.0f}" if limit else ", no limit"),
                "raise maxmemory or empty queues: at the limit nothing can be submitted",
            ),
            Finding(
                "role",
                is_master,
                f"the broker is a {info.get('role', '?')}",
                "connect to the primary: a replica refuses every message",
            ),
        )

    @staticmethod
    def _clock(client: redis.Redis) -> Finding:
        before = time.time()
        seconds, micros = client.time()
        skew_s = abs((before + time.time()) / 2 - seconds - micros / 1_000_000)
        return Finding(
            "clock",
            skew_s < CLOCK_S,
            f"{skew_s:.1f} s between the broker's clock and ours",
            "set the clocks by NTP: delayed runs and leases go by them",
        )

    @staticmethod
    def _disk(deployment: Deployment) -> Finding:
        home = deployment.home
        there = next(folder for folder in (home, *home.parents) if folder.exists())  # it is made with its first file
        free = shutil.disk_usage(there).free
        return Finding(
            "disk",
            free > FREE_DISK_BYTES,
            f"{free / 1e9:,.1f} GB free below {home}",
            "make room: without it neither broker nor history can write",
        )

    def _programs(self) -> tuple[Finding, ...]:
        try:
            programs = self.sources.supervisor.programs()
        except SourceError as error:
            return (Finding("programs", False, str(error), "start the stack: nexus-tui up"),)
        loops = [program for program in programs if program.is_looping]
        well = Finding("programs", True, f"{len(programs)} programs stay up", "")
        return tuple(self._loop(program) for program in loops) or ((well,) if programs else ())

    def _loop(self, program: Program) -> Finding:
        error = self.sources.supervisor.last_error(program.name)
        says = f"its log says: {error}" if error else "its log is empty"
        command = command_line("restart", program.name)
        return Finding("programs", False, f"{program.summary}; {says}", f"mend that, then: {command}")

    @staticmethod
    def _repairs(deployment: Deployment) -> tuple[Finding, ...]:
        """What was mended of the embedded broker's files; nothing when nothing was, or the broker is another."""
        paths = Paths.of(deployment.home)
        repairs = read_repairs(paths.broker_data, 1) if deployment.broker.path == str(paths.broker_socket) else []
        log = paths.broker_data / LOG
        advice = f"see what is missing: nexus-tui doctor --balance; then delete {log}"
        return tuple(Finding("broker files", False, f"mended {line}", advice) for line in repairs)

    @staticmethod
    def _recorder(client: redis.Redis, deployment: Deployment) -> Finding:
        why = find_trouble(client, deployment.layout.prefix, deployment.recorder_command)
        if why:
            return Finding("recorder", False, f"writes nothing: {why}", "it goes on by itself once that has passed")
        start = f"start it: {deployment.recorder_command}"
        try:
            age_s = max(0.0, time.time() - lock_path(deployment.history).stat().st_mtime)
        except OSError:
            return Finding("recorder", False, "never ran", start)
        return Finding(
            "recorder",
            age_s < RECORDER_S,
            f"history complete {age_s:,.0f} s ago",
            f"{start}; until then the history stands still",
        )


def judge_persistence(info: Mapping[str, Any]) -> Finding:
    """Judge whether what waits survives a restart of the broker; see INFO, section Persistence."""
    folder = "in its data folder (CONFIG GET dir)"
    if info.get("aof_enabled"):
        failing = [name for name in ("aof_last_write_status", "aof_last_bgrewrite_status") if info.get(name) != "ok"]
        fact = f"append-only file is on, but can't be written ({', '.join(failing)}: err)"
        advice = f"make room on the broker's disk and let it write {folder}; its log names the error"
        return Finding("persistence", not failing, fact if failing else "append-only file is on", advice)
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        fact = "append-only file is off, and the last snapshot failed: the broker may refuse every change (MISCONF)"
        return Finding("persistence", False, fact, f"make room on the broker's disk and let it write {folder}")
    return Finding(
        "persistence",
        False,
        "append-only file is off",
        "set appendonly yes: a restart of the broker would lose what waits",
    )


def _ahead(skew_s: float) -> str:
    return f"{abs(skew_s):,.1f} s {'ahead of' if skew_s > 0 else 'behind'}"
