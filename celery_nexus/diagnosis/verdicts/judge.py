"""The verdict of each worker and queue: the worst finding about it, else what it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from celery_nexus.diagnosis.verdicts import consuming, holding, queues
from celery_nexus.diagnosis.verdicts.look import Looks
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.workers import Worker

WORKER_CHECKS: tuple[Callable[[Looks], list[Finding]], ...] = (
    consuming.find_crash_loops,
    consuming.find_deaf,
    consuming.find_silent,
    consuming.find_twins,
    holding.find_over_memory,
    holding.find_hoarding,
    holding.find_starved,
)
"""Verdicts of workers, the heaviest first."""


def find_of_workers(looks: Looks) -> list[Finding]:
    """Conclude everything about workers that can be seen from two looks."""
    return [finding for check in WORKER_CHECKS for finding in check(looks)]


def find_of_queues(
    looks: Looks,
    known: Collection[str] = (),
    *,
    programs: Mapping[str, str] = queues.NO_PROGRAMS,
    free_bytes: float | None = None,
    message_bytes: float | None = None,
) -> list[Finding]:
    """Conclude everything about queues that can be seen from two looks.

    Args:
        looks: What was seen; verdicts of workers are concluded first.
        known: Names of queues that were declared.
        programs: Supervisor's program for the worker of each queue.
        free_bytes: What the broker's memory still takes; None when there is no limit.
        message_bytes: Size of a message there; None when unknown.
    """
    judged = replace(looks, now=replace(looks.now, workers=judge_workers(looks)))
    return [
        *queues.find_no_consumer(judged, known, programs),
        *queues.find_idle_consumers(judged),
        *queues.find_growing(judged, free_bytes=free_bytes, message_bytes=message_bytes),
    ]


def judge_workers(looks: Looks) -> tuple[Worker, ...]:
    """Give each worker of the later look its verdict: that of the worst finding about it, else as it was."""
    worst = _worst(find_of_workers(looks))
    return tuple(_judged(worker, worst.get(worker.name), looks) for worker in looks.now.workers)


def judge_queues(looks: Looks, known: Collection[str] = ()) -> tuple[QueueStats, ...]:
    """Give each queue of the later look its verdict, if there is a finding about it."""
    worst = _worst(find_of_queues(looks, known))
    return tuple(
        replace(queue, verdict=found.kind, reason=found.proof) if (found := worst.get(queue.name)) else queue
        for queue in looks.now.queues
    )


def _worst(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Pick the worst finding about each subject."""
    worst: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda finding: finding.weight):
        worst.setdefault(finding.subject, finding)
    return worst


def _judged(worker: Worker, finding: Finding | None, looks: Looks) -> Worker:
    if finding is not None:
        return replace(worker, verdict=finding.kind, reason=finding.proof)
    if worker.verdict == "draining" and (paused := _paused_of(worker, looks)):
        return replace(worker, verdict="paused", reason=f"takes from no queue: {paused} is paused")
    return worker


def _paused_of(worker: Worker, looks: Looks) -> str:
    """Name a paused queue from which a worker took before."""
    return next((row.name for row in looks.now.queues if row.paused and worker.name in row.paused_workers), "")
