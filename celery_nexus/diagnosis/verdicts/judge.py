"""The verdict of each worker: the worst finding about it, else what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from celery_nexus.diagnosis.verdicts import consuming, holding
from celery_nexus.diagnosis.verdicts.look import Looks
from celery_nexus.rows.findings import Finding
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
"""What is concluded about workers, the heaviest first."""


def find_of_workers(looks: Looks) -> list[Finding]:
    """Conclude everything about workers that can be seen from two looks."""
    return [finding for check in WORKER_CHECKS for finding in check(looks)]


def judge(looks: Looks) -> tuple[Worker, ...]:
    """Give each worker of the later look its verdict: that of the worst finding about it, else as it was."""
    worst: dict[str, Finding] = {}
    for finding in sorted(find_of_workers(looks), key=lambda finding: finding.weight):
        worst.setdefault(finding.subject, finding)
    return tuple(_judged(worker, worst.get(worker.name), looks) for worker in looks.now.workers)


def _judged(worker: Worker, finding: Finding | None, looks: Looks) -> Worker:
    if finding is not None:
        return replace(worker, verdict=finding.kind, reason=finding.proof)
    if worker.verdict == "draining" and (paused := _paused_of(worker, looks)):
        return replace(worker, verdict="paused", reason=f"takes from no queue: {paused} is paused")
    return worker


def _paused_of(worker: Worker, looks: Looks) -> str:
    """Name a paused queue from which a worker took before."""
    return next((row.name for row in looks.now.queues if row.paused and worker.name in row.paused_workers), "")
