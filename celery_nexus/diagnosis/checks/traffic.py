"""Checks of workers and queues: their verdicts as findings."""

from __future__ import annotations

from celery_nexus.diagnosis.evidence import Evidence
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.verdicts import consuming, holding, judge, queues
from celery_nexus.rows.diagnosis.findings import Finding

UNASKED = Kind(
    "unasked",
    "worker",
    "warning",
    "Workers could not be asked.",
    "What they hold, run and take from is unknown.",
    "Mend what the broker says.",
)


def check_workers(evidence: Evidence) -> list[Finding]:
    """Say what is wrong with workers."""
    found = judge.find_of_workers(evidence.looks)
    if evidence.looks.now.problem is not None:
        found.append(UNASKED.make("workers", str(evidence.looks.now.problem)))
    return found or [Finding("workers", "well", "worker", "workers", _count_workers(evidence))]


def check_queues(evidence: Evidence) -> list[Finding]:
    """Say what is wrong with queues."""
    limit, used = evidence.number("maxmemory"), evidence.number("used_memory")
    total = evidence.number("total_system_memory")
    free = None if used is None or not (limit or total) else max(0.0, (limit or total or 0.0) - used)
    waiting = sum(row.waiting for row in evidence.looks.now.queues)
    message = None if not waiting or used is None else min(used / waiting, 1e6)
    found = [
        *judge.find_of_queues(
            evidence.looks,
            evidence.declared,
            programs=evidence.programs,
            free_bytes=free,
            message_bytes=message,
        ),
        *queues.find_unregistered(evidence.looks, evidence.heads, evidence.registered),
        *queues.find_rounds(evidence.heads),
    ]
    return found or [
        Finding("queues", "well", "queue", "queues", "every queue with messages has a worker that takes them")
    ]


def _count_workers(evidence: Evidence) -> str:
    count = len(evidence.looks.now.workers)
    if not count:
        return "none is running"
    return f"{count:,} worker{'' if count == 1 else 's'}, and nothing is wrong with {'it' if count == 1 else 'them'}"


KINDS = (
    consuming.CRASH_LOOPING,
    consuming.DEAF,
    consuming.SILENT,
    consuming.TWIN,
    holding.OVER_MEMORY,
    holding.HOARDING,
    holding.STARVED,
    UNASKED,
    queues.NO_CONSUMER,
    queues.FOR_NOBODY,
    queues.ALL_DEAF,
    queues.ALL_PAUSED,
    queues.ALL_FULL,
    queues.GROWING,
    queues.UNREGISTERED,
    queues.GOES_ROUND,
)
CHECKS = (check_workers, check_queues)
