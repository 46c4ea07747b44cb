"""Workers that hold more than they should: messages, memory."""

from __future__ import annotations

from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.verdicts.consuming import stands_still
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.diagnosis.verdicts.remedy import restart_command
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import size
from celery_nexus.rows.workers import GONE, Worker

MULTIPLIER = 4
"""Celery's default of ``worker_prefetch_multiplier``."""

FAR_MORE = 2
"""Factor of what a worker should hold beyond which it is hoarding."""

SPARE = 10
"""Messages beyond what a small worker should hold that are no hoard yet."""

HOST_SHARE = 0.9
"""Of the machine's or container's memory: beyond it, the kernel may end a process at any moment."""

HOARDING = Kind(
    "hoarding",
    "worker",
    "warning",
    "A worker holds, or may take, far more messages than concurrency × prefetch multiplier.",
    "Other workers find nothing, priorities don't count for what it holds, its memory grows, and all of it comes back "
    "at once when it dies.",
    "Restart it. Of runs with an ETA: limit them by worker_eta_task_limit, or let the broker keep them "
    "(celery_nexus.install).",
)
STARVED = Kind(
    "starved",
    "worker",
    "warning",
    "A worker is idle while a sibling of the same queue holds runs that it can't start.",
    "Runs wait although there are places for them.",
    "Set worker_prefetch_multiplier = 1, or task_acks_late with -O fair.",
)
OVER_MEMORY = Kind(
    "over memory",
    "worker",
    "warning",
    "A worker or one of its children uses more memory than it may, or nearly all that its machine has.",
    "A child is replaced when its run ends; a process that goes on growing is killed, and its run with it.",
    "Look at the task that it runs; set worker_max_memory_per_child and restart it.",
)


def find_hoarding(looks: Looks) -> list[Finding]:
    """Find workers that hold, or may take, far more than concurrency × multiplier."""
    found: list[Finding] = []
    for worker in looks.now.workers:
        if worker.verdict in GONE or not worker.concurrency:
            continue
        expected = worker.concurrency * (worker.prefetch_multiplier or MULTIPLIER)
        most = max(FAR_MORE * expected, expected + SPARE)
        held = (worker.active or 0) + (worker.reserved or 0) + (worker.scheduled or 0)
        if max(held, worker.prefetch or 0) > most:
            queues = [row for name in worker.queues if (row := looks.now.queues_by_name.get(name))]
            found.append(HOARDING.make(worker.name, _hoard(worker, held, expected, queues), restart_command(worker)))
    return found


def _hoard(worker: Worker, held: int, expected: float, queues: list[QueueStats]) -> str:
    multiplier = worker.prefetch_multiplier or MULTIPLIER
    should = f"{worker.concurrency} places × {multiplier:g} make {expected:,g}"
    holds = f"it holds {held:,} ({worker.active or 0:,} run, {worker.reserved or 0:,} fetched"
    holds += f", {worker.scheduled:,} before their time)" if worker.scheduled is not None else ")"
    may = f" and may hold {worker.prefetch:,}" if worker.prefetch else " and may hold any number"
    delayed = sum(row.delayed or 0 for row in queues)
    eta = f"; {delayed:,} runs with an ETA wait in workers' memory" if worker.is_stock and delayed else ""
    return f"{holds}{may}; {should}{eta}"


def find_starved(looks: Looks) -> list[Finding]:
    """Find workers that were idle at both looks while a full sibling held runs of the same queue, and moved none."""
    if not looks.is_long_enough:
        return []
    hoards: dict[str, Worker] = {}  # the first of each queue: thousands are not compared with thousands
    for row in looks.now.workers:
        if _is_full_and_holds(row, looks):
            for name in row.queues:
                hoards.setdefault(name, row)
    found: list[Finding] = []
    for worker in looks.now.workers:
        if worker.verdict in GONE or worker.active != 0 or worker.reserved != 0 or not stands_still(worker, looks):
            continue
        shared = next((name for name in worker.queues if name in hoards), None)
        if shared is not None and not _has_work(worker, looks.now):
            other = hoards[shared]
            proof = f"idle, while {other.name} runs {other.active} and holds {other.reserved} more of {shared}"
            found.append(STARVED.make(worker.name, proof, restart_command(other)))
    return found


def _has_work(worker: Worker, now: Look) -> bool:
    rows = (now.queues_by_name.get(name) for name in worker.queues)
    return any(row is not None and row.waiting for row in rows)


def _is_full_and_holds(worker: Worker, looks: Looks) -> bool:
    """Tell whether a worker was full all the while, and what it had fetched could not begin."""
    is_full = bool(worker.concurrency) and (worker.active or 0) >= (worker.concurrency or 0)
    before = looks.earlier(worker)
    return (
        is_full
        and bool(worker.reserved)
        and before is not None
        and bool(before.reserved)
        and stands_still(worker, looks)
    )


def find_over_memory(looks: Looks) -> list[Finding]:
    """Find children over their limit, and workers that take nearly all memory of their machine."""
    found: list[Finding] = []
    for worker in looks.now.workers:
        limit = worker.child_memory_limit_bytes
        over = [child for child in worker.children if limit and (child.rss_bytes or 0) > limit]
        if over:
            runs = f" while it runs {over[0].task}" if over[0].task else ""
            proof = f"its child {over[0].pid} uses {size(over[0].rss_bytes)} of {size(limit)} that it may{runs}"
            found.append(OVER_MEMORY.make(worker.name, proof, restart_command(worker)))
        elif worker.host_memory_bytes and (worker.rss_bytes or 0) > HOST_SHARE * worker.host_memory_bytes:
            proof = f"it uses {size(worker.rss_bytes)} of {size(worker.host_memory_bytes)} that its machine has"
            found.append(OVER_MEMORY.make(worker.name, proof, restart_command(worker)))
    return found
