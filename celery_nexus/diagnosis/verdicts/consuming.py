"""Workers that are up and take nothing, seen from the broker: deaf ones, silent ones, those that go round in starts."""

from __future__ import annotations

from collections.abc import Iterable

from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.diagnosis.verdicts.remedy import restart_command
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.connections import Connections
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.workers import GONE, LOOP_EXITS, Worker

DEAF = Kind(
    "deaf",
    "worker",
    "broken",
    "A worker is up, has free places, and takes nothing from a queue in which messages wait: none of its connections "
    "waits for one.",
    "What waits in its queues stays there, and it looks alive: it answers, or sends heartbeats.",
    "Restart it; then bring celery, kombu and redis-py to versions that belong together.",
)
SILENT = Kind(
    "silent",
    "worker",
    "broken",
    "A worker does not answer and sends no heartbeats.",
    "It takes nothing; what it held runs again only after the visibility timeout.",
    "Look whether its process lives, and start it again.",
)
CRASH_LOOPING = Kind(
    "crash-looping",
    "worker",
    "broken",
    "A worker starts anew again and again under the same name.",
    "What it takes at each start is cut off; a message that kills it kills the next one, too.",
    "Read the end of its log; set the message aside that it dies of.",
)
TWIN = Kind(
    "twin",
    "worker",
    "broken",
    "Several processes answer under one node name.",
    "Orders and answers hit one of them by chance, and figures of both are mixed up.",
    "Give each a name of its own (-n NAME@%h), and stop the one that is too many.",
)


def find_deaf(looks: Looks) -> list[Finding]:
    """Find the workers that stood still between two looks while a queue of theirs waited.

    What proves it is that nobody took the queue's next message, or that fewer connections take messages at all than
    there are workers, and as many are missing as stood still. Workers that hold messages back for a rate limit, that
    are full, or that are just starting are none.
    """
    if looks.before is None or not looks.is_long_enough:
        return []
    now = looks.now
    still = [(worker, queues) for worker in now.workers if (queues := _stuck_queues(worker, looks))]
    missing = _missing_connections(now)
    found: list[Finding] = []
    for worker, queues in still:
        untouched = [queue for queue in queues if is_untouched(queue.name, looks)]
        if untouched or (missing and missing >= len(still)):
            found.append(
                DEAF.make(worker.name, _proof(worker, (untouched or queues)[0], looks), restart_command(worker))
            )
    return found + _find_deaf_unasked(looks)


def find_silent(looks: Looks) -> list[Finding]:
    """Find workers that were known and are heard of no more."""
    return [
        SILENT.make(
            row.name,
            _silence(row, looks.now.connections),
            restart_command(row),
            severity="warning" if "may be busy" in row.reason else "broken",
        )
        for row in looks.now.workers
        if row.verdict == "silent" and row.name != "?"
    ]


def find_crash_loops(looks: Looks) -> list[Finding]:
    """Find workers whose program keeps ending, or that were seen to start anew several times."""
    found = [
        CRASH_LOOPING.make(row.name, row.reason, restart_command(row))
        for row in looks.now.workers
        if row.verdict == "crash-looping"
    ]
    known = {row.subject for row in found}
    return found + [
        CRASH_LOOPING.make(name, f"it was started anew {count} times while it was looked at")
        for name, count in sorted(looks.now.restarts.items())
        if count >= LOOP_EXITS - 1 and name not in known
    ]


def find_twins(looks: Looks) -> list[Finding]:
    """Find names under which several processes answer."""
    return [
        TWIN.make(row.name, f"{row.instances} processes answer as {row.name}")
        for row in looks.now.workers
        if row.instances > 1
    ]


def is_untouched(queue: str, looks: Looks) -> bool:
    """Tell whether the next message of a queue is the one that it was at the earlier look."""
    head = looks.now.heads.get(queue)
    return looks.before is not None and head is not None and looks.before.heads.get(queue) == head


def has_free_place(worker: Worker) -> bool:
    """Tell whether a worker would take a message: it runs fewer than it can, and holds none that it has not started."""
    if worker.active is None or worker.reserved is None or not worker.concurrency:
        return False
    return worker.active < worker.concurrency and worker.reserved == 0


def waits(queue: QueueStats | None) -> bool:
    """Tell whether messages wait in a queue that a worker may take from."""
    return queue is not None and queue.waiting > 0 and not queue.paused


def stands_still(worker: Worker, looks: Looks) -> bool:
    """Tell whether a worker took, started and ended nothing between the looks."""
    before = looks.earlier(worker)
    return before is not None and _counters(worker) == _counters(before) and worker.processed is not None


def _counters(worker: Worker) -> tuple[int | None, ...]:
    return (worker.processed, worker.active, worker.reserved, worker.scheduled)


def _stuck_queues(worker: Worker, looks: Looks) -> list[QueueStats]:
    """List the queues in which messages waited all the while that a worker with free places stood still."""
    if worker.verdict in GONE or not has_free_place(worker) or not stands_still(worker, looks):
        return []
    if worker.uptime_s is not None and worker.uptime_s < looks.span_s:
        return []
    if _may_hold_back(worker, looks.now) or looks.before is None:
        return []
    rows = [looks.now.queues_by_name.get(name) for name in worker.queues]
    return [row for row in rows if row is not None and waits(row) and waits(looks.before.queues_by_name.get(row.name))]


def _may_hold_back(worker: Worker, now: Look) -> bool:
    """Tell whether a worker may hold, for a rate limit, all that it may: a stock one tells nobody."""
    if worker.name not in now.limited or not worker.prefetch or not worker.is_stock:
        return False
    return now.in_flight is None or now.in_flight >= worker.prefetch


def _missing_connections(now: Look) -> int:
    """Count the stock workers that answer and have no connection that takes messages, whichever they are."""
    if now.connections is None:
        return 0
    asked = [row for row in now.workers if row.concurrency is not None and row.queues and row.verdict not in GONE]
    return max(0, len(asked) - now.connections.popping)


def _find_deaf_unasked(looks: Looks) -> list[Finding]:
    """Find deaf workers among those that take no remote control: no connection waits for a message, and none is held.

    A stock worker that is full holds what it fetched ahead before it leaves anything in the queue.
    """
    now, before = looks.now, looks.before
    if before is None or now.connections is None or now.connections.waiting or now.in_flight != 0:
        return []
    if before.connections is None or before.connections.waiting:
        return []
    queues = [row for row in now.queues if waits(row) and not row.consumers and is_untouched(row.name, looks)]
    if not queues:
        return []
    return [
        DEAF.make(row.name, _proof(row, queues[0], looks), restart_command(row))
        for row in now.workers
        if row.verdict not in GONE and row.concurrency is None and row.active == 0 and stands_still(row, looks)
    ]


def _proof(worker: Worker, queue: QueueStats, looks: Looks) -> str:
    places = ""
    if worker.concurrency:
        places = f"{worker.concurrency - (worker.active or 0)} of its {worker.concurrency} places are free, and "
    return (
        f"{queue.waiting:,} wait in {queue.name}; {places}it has begun {worker.processed:,}, as {looks.span_s:.0f} s "
        f"before; {tell_connections(looks.now.connections, [queue.name])}"
    )


def tell_connections(connections: Connections | None, queues: Iterable[str]) -> str:
    """Say how many connections wait for messages; they can't wait for those of a queue that is not empty."""
    if connections is None:
        return "who waits for messages may not be asked (CLIENT LIST)"
    if not connections.waiting:
        return f"none of the {len(connections.rows)} connections to the broker waits for a message"
    names = ", ".join(queues)
    return f"{connections.waiting} of {len(connections.rows)} connections wait for a message, none of them for {names}"


def _silence(worker: Worker, connections: Connections | None) -> str:
    if connections is None or connections.listening:
        return worker.reason
    return f"{worker.reason}; none of the {len(connections.rows)} connections to the broker listens for remote control"
