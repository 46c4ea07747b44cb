"""Checks of the server itself: version, role, persistence, eviction, memory, clocks, time limits, rights."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping

from celery_nexus.diagnosis.evidence import Evidence
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import duration, size

CLOCK_S = 2.0
MEMORY_SHARE = 0.9
SNAPSHOT_S = 2 * 3600.0
"""Time after which a stock server that had a single change has made a snapshot: an hour, and some more."""

STARTING_S = 10.0
OLDEST = (6, 2)
"""Oldest version of Redis whose commands are all that is needed here."""

VERSION = Kind(
    "broker version",
    "broker",
    "warning",
    "The server is older than Redis 6.2.",
    "It gets no security fixes any more, and what workers hold can't be read of it as a whole.",
    "Move to a current Redis or Valkey.",
)
ROLE = Kind(
    "role",
    "broker",
    "broken",
    "The server is a replica.",
    "It refuses every message and every acknowledgement.",
    "Connect to the primary, or by Sentinel.",
)
CLUSTER = Kind(
    "cluster",
    "broker",
    "broken",
    "The server is a node of a Redis Cluster.",
    "The Redis transport of kombu can't use it: keys of one queue lie on different nodes.",
    "Use a server without cluster mode.",
)
EVICTION = Kind(
    "eviction",
    "broker",
    "broken",
    "The server deletes keys when its memory is short (maxmemory-policy).",
    "Queues, or what workers hold, vanish without a word: runs are lost.",
    "Set maxmemory-policy noeviction.",
)
PERSISTENCE = Kind(
    "persistence",
    "broker",
    "warning",
    "The server keeps nothing on disk, or can't write what it keeps. Snapshots alone are told and are no fault: they "
    "lose nothing at an orderly restart, and at a crash what came since the last one.",
    "A restart of the server loses what waits and what workers hold.",
    "Set appendonly yes, here and in its configuration file, and let the server write its data folder.",
)
MEMORY = Kind(
    "memory",
    "broker",
    "warning",
    "The server's memory is nearly full.",
    "At the limit nothing can be submitted, and workers fail.",
    "Raise maxmemory, or empty queues.",
)
CLOCK = Kind(
    "clock",
    "host",
    "warning",
    "Clocks of the broker, of this host or of a worker's host differ.",
    "Delayed runs start early or late, expiries are wrong, and times of logs and events can't be compared.",
    "Set the clocks by NTP.",
)
IDLE_TIMEOUT = Kind(
    "idle timeout",
    "broker",
    "warning",
    "The server closes idle connections, or does not ask whether a silent client still lives.",
    "Producers meet closed connections at their next publish; workers behind a firewall or load balancer may be cut "
    "off and not know it.",
    "Set timeout 0 and tcp-keepalive 60.",
)
RIGHTS = Kind(
    "rights",
    "broker",
    "warning",
    "The user may not use commands that are needed to look.",
    "What they tell is unknown, so that some findings can't be made.",
    "Grant them: they only look.",
)

COSTS = {
    "INFO": "version, persistence, eviction policy and memory of the server",
    "CONFIG GET": "time limits of the server",
    "CLIENT LIST": "who waits for messages, which proves a deaf worker",
    "SCAN": "leaked answers, results that never expire, queues that nobody declared",
    "TIME": "the broker's clock",
    "EVALSHA": "ages of messages, and what is in flight",
    "PUBLISH": "everything that workers tell",
}
"""Commands that only look, and what is unknown without them."""


def check_version(evidence: Evidence) -> list[Finding]:
    """Say whether the server is too old."""
    name = str(evidence.info.get("server_name") or "redis")
    told = str(evidence.info.get(f"{name}_version") or evidence.info.get("redis_version") or "")
    found = re.match(r"(\d+)\.(\d+)", told)
    if found is None:
        return []
    fact = f"{name} {told}"
    if name == "redis" and (int(found[1]), int(found[2])) < OLDEST:
        return [VERSION.make(evidence.broker, fact)]
    return [VERSION.make_well(evidence.broker, fact)]


def check_role(evidence: Evidence) -> list[Finding]:
    """Say whether the server takes changes, and is no node of a cluster."""
    role = evidence.info.get("role")
    if role is None:
        return []
    if evidence.info.get("cluster_enabled"):
        return [CLUSTER.make(evidence.broker, "cluster mode is on (cluster_enabled:1)")]
    if role != "master":
        return [ROLE.make(evidence.broker, f"it is a {role} of {evidence.info.get('master_host', '?')}")]
    return [ROLE.make_well(evidence.broker, "it is the primary")]


def check_eviction(evidence: Evidence) -> list[Finding]:
    """Say whether the server would delete messages when memory is short."""
    policy = evidence.info.get("maxmemory_policy")
    if policy is None:
        return []
    if policy == "noeviction":
        return [EVICTION.make_well(evidence.broker, "maxmemory-policy is noeviction")]
    limit = evidence.number("maxmemory") or 0
    evicted = int(evidence.number("evicted_keys") or 0)
    fact = f"maxmemory-policy is {policy}; maxmemory is {size(int(limit)) if limit else 'not set'}"
    fact += f"; {evicted:,} keys were deleted since its start" if evicted else ""
    loses = str(policy).startswith("allkeys") and (limit or evicted)
    fix = "redis-cli CONFIG SET maxmemory-policy noeviction"
    return [EVICTION.make(evidence.broker, fact, fix, severity="broken" if loses else "warning")]


def check_persistence(evidence: Evidence) -> list[Finding]:
    """Say whether what waits survives a restart of the server; see INFO, section Persistence."""
    if "aof_enabled" not in evidence.info:
        return []
    return [judge_persistence(evidence.info, evidence.config.get("save"), evidence.broker)]


def judge_persistence(info: Mapping[str, object], save: str | None = None, broker: str = "") -> Finding:
    """Judge what INFO says of persistence.

    Args:
        info: The server's INFO.
        save: Its setting ``save``: when it makes snapshots; empty for never, None when its user may not ask.
        broker: The broker's address.
    """
    look = "redis-cli CONFIG GET dir"
    if info.get("aof_enabled"):
        failing = [name for name in ("aof_last_write_status", "aof_last_bgrewrite_status") if info.get(name) != "ok"]
        if not failing:
            return PERSISTENCE.make_well(broker, "append-only file is on")
        fact = f"append-only file is on, but can't be written ({', '.join(failing)}: err)"
        words = "make room on the broker's disk; its log names the error"
        return PERSISTENCE.make(broker, f"{fact}; {words}", look, severity="broken")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        fact = "append-only file is off, and the last snapshot failed: the broker may refuse every change (MISCONF)"
        return PERSISTENCE.make(broker, f"{fact}; make room on its disk", look, severity="broken")
    saved = f"the last snapshot was {_since(info, 'rdb_last_save_time')}"
    saved += f", and {_number(info, 'rdb_changes_since_last_save'):,.0f} changes are newer"
    if save or (save is None and not _never_saved(info)):
        return PERSISTENCE.make_well(broker, f"append-only file is off; {saved}: a crash loses those")
    fact = "append-only file is off, and no snapshots are made" if save == "" else f"append-only file is off; {saved}"
    return PERSISTENCE.make(broker, fact, "redis-cli CONFIG SET appendonly yes")


def _never_saved(info: Mapping[str, object]) -> bool:
    """Tell whether a server that has run for longer than stock ones wait for a snapshot has changes and made none."""
    uptime_s = _number(info, "uptime_in_seconds")
    is_since_start = time.time() - _number(info, "rdb_last_save_time") > uptime_s - STARTING_S
    return uptime_s > SNAPSHOT_S and _number(info, "rdb_changes_since_last_save") > 0 and is_since_start


def _since(info: Mapping[str, object], name: str) -> str:
    at = _number(info, name)
    return f"{duration(max(0.0, time.time() - at))} ago" if at else "at an unknown time"


def _number(info: Mapping[str, object], name: str) -> float:
    value = info.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def check_memory(evidence: Evidence) -> list[Finding]:
    """Say whether memory is nearly full."""
    used, limit = evidence.number("used_memory"), evidence.number("maxmemory") or 0
    if used is None:
        return []
    fact = f"{size(int(used))} used" + (f" of {size(int(limit))}" if limit else ", no limit")
    if limit and used >= MEMORY_SHARE * limit:
        severity = "broken" if used >= limit else "warning"
        return [MEMORY.make(evidence.broker, fact, _raise_limit(evidence, limit), severity=severity)]
    return [MEMORY.make_well(evidence.broker, fact)]


def _raise_limit(evidence: Evidence, limit: float) -> str:
    """Write the command that doubles the limit; where the machine has no such room, the one that shows what waits."""
    total = evidence.number("total_system_memory")
    if total is not None and 2 * limit > MEMORY_SHARE * total:
        return "nexus-tui queues"
    return f"redis-cli CONFIG SET maxmemory {2 * limit:.0f}"


def check_clocks(evidence: Evidence) -> list[Finding]:
    """Say whose clock differs from the broker's, and by how much."""
    found: list[Finding] = []
    if evidence.skew_s is not None:
        fact = f"{abs(evidence.skew_s):.1f} s between the broker's clock and ours"
        is_well = abs(evidence.skew_s) < CLOCK_S
        found.append(CLOCK.make_well("this host", fact) if is_well else CLOCK.make("this host", fact, "timedatectl"))
    for name, ahead_s in sorted(evidence.clocks.items()):
        if abs(ahead_s) >= CLOCK_S:
            words = "ahead of" if ahead_s > 0 else "behind"
            found.append(CLOCK.make(name, f"{name} is {abs(ahead_s):,.1f} s {words} the broker", "timedatectl"))
    return found


def check_timeouts(evidence: Evidence) -> list[Finding]:
    """Say whether the server cuts idle connections, or does not notice dead ones."""
    if not evidence.config:
        return []
    idle_s, keepalive_s = (_whole(evidence.config.get(name)) for name in ("timeout", "tcp-keepalive"))
    if idle_s:
        fact = f"the server closes connections that are idle for {idle_s:,} s (timeout)"
        return [IDLE_TIMEOUT.make(evidence.broker, fact, "redis-cli CONFIG SET timeout 0")]
    if keepalive_s == 0:
        fact = "tcp-keepalive is off: a client that is cut off is never noticed"
        return [IDLE_TIMEOUT.make(evidence.broker, fact, "redis-cli CONFIG SET tcp-keepalive 60")]
    fact = "the server leaves idle connections open"
    if evidence.longest_idle_s:
        fact += f", one for {duration(evidence.longest_idle_s)}: nothing between cuts sooner"
    if keepalive_s:
        fact += f"; it asks silent ones every {keepalive_s:,} s, which keeps a load balancer awake that waits longer"
    return [IDLE_TIMEOUT.make_well(evidence.broker, fact)]


def check_rights(evidence: Evidence) -> list[Finding]:
    """Say which commands are missing, and what is unknown for that: all in one finding."""
    if not evidence.refused:
        return []
    costs = "; ".join(f"without {name}: {COSTS.get(name, 'some figures')} are unknown" for name in evidence.refused)
    words = [f"+{name.lower().replace(' ', '|')}" for name in evidence.refused]
    return [RIGHTS.make(evidence.broker, costs, shlex.join(("redis-cli", "ACL", "SETUSER", evidence.user, *words)))]


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


KINDS = (CLUSTER, ROLE, EVICTION, PERSISTENCE, MEMORY, VERSION, CLOCK, IDLE_TIMEOUT, RIGHTS)
CHECKS = (
    check_version,
    check_role,
    check_eviction,
    check_persistence,
    check_memory,
    check_clocks,
    check_timeouts,
    check_rights,
)
