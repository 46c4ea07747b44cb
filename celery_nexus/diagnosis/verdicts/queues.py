"""Queues in which messages wait and why they are not taken: nobody, all full, all paused, all deaf, unknown tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.verdicts.consuming import tell_connections, waits
from celery_nexus.diagnosis.verdicts.look import Look, Looks
from celery_nexus.diagnosis.verdicts.near_names import find_near_name
from celery_nexus.diagnosis.verdicts.remedy import grow_command, start_command
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import command_line, duration
from celery_nexus.rows.workers import GONE, Worker

BACKLOG_S = 60.0
"""Seconds of work in a queue up to which its growth is no trouble."""

ROUNDS = 2
"""Returns of a message, while it is looked at, from which on it goes round."""

MOST_NAMED = 3

NO_PROGRAMS: Mapping[str, str] = MappingProxyType({})
"""Of an application whose workers Supervisor does not start."""

NO_CONSUMER = Kind(
    "no consumer",
    "queue",
    "broken",
    "Messages wait in a queue from which no worker takes.",
    "They wait for ever, and whoever waits for their results, too.",
    "Start a worker for it, or let one take from it, too.",
)
FOR_NOBODY = Kind(
    "for nobody",
    "queue",
    "broken",
    "Messages wait in a queue that no worker has and nobody declared, under a name that is nearly another's.",
    "They wait for ever: the name was probably mistyped by who sent them.",
    "Move them to the queue that was meant, and mend the name in the route or call.",
)
ALL_FULL = Kind(
    "all full",
    "queue",
    "warning",
    "Every place of every worker of a queue is taken, what waits there grows, and would take minutes to run.",
    "Runs start later and later; at some time the broker's memory is full.",
    "Give its workers more places, or start one more.",
)
ALL_PAUSED = Kind(
    "paused",
    "queue",
    "warning",
    "Messages wait in a queue that an operator paused.",
    "They wait until it is resumed.",
    "Resume it.",
)
ALL_DEAF = Kind(
    "all deaf",
    "queue",
    "broken",
    "Every worker of a queue is up and takes nothing, or is silent or stopped.",
    "What waits in it stays there.",
    "Restart its workers.",
)
GROWING = Kind(
    "growing",
    "queue",
    "warning",
    "More messages come into a queue than leave it, and what waits would already take minutes to run.",
    "Runs start later and later; at some time the broker's memory is full.",
    "Give its workers more places, start one more, or send less.",
)
UNREGISTERED = Kind(
    "unregistered task",
    "queue",
    "broken",
    "The next messages of a queue are for tasks that none of its workers has.",
    "A stock worker throws such a message away when it takes it, and the run is lost.",
    "Deploy the code that has the task to these workers, or move the messages to the queue of workers that have it.",
)
GOES_ROUND = Kind(
    "goes round",
    "queue",
    "broken",
    "A message is taken and comes back, again and again.",
    "It takes a place for ever, and what is behind it may never run; each round may do its work again.",
    "Take it out, mend its task, and submit it anew.",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The next messages of a queue.

    Attributes:
        tasks: Names of their tasks, each once, in run order; empty for what is not Celery's.
        messages: How many were looked at.
        rounds: Ids of runs whose message was seen to come back, and how often; from redelivered ones alone.
    """

    tasks: tuple[str, ...] = ()
    messages: int = 0
    rounds: Mapping[str, int] | None = None


def find_no_consumer(
    looks: Looks, known: Collection[str] = (), programs: Mapping[str, str] = NO_PROGRAMS
) -> list[Finding]:
    """Find queues with messages and without a worker.

    Args:
        looks: What was seen.
        known: Names of queues that were declared.
        programs: Supervisor's program for the worker of each queue.
    """
    found: list[Finding] = []
    used = frozenset(_used_names(looks.now, known))
    for queue in looks.now.queues:
        if not waits(queue) or not _has_nobody(queue, looks):
            continue
        near = find_near_name(queue.name, used)
        if near and queue.name not in known:
            proof = f"{_waiting(queue)}, and no worker takes from it; there is a queue {near}"
            found.append(FOR_NOBODY.make(queue.name, proof, command_line("move", "--from", queue.name, near)))
        else:
            proof = f"{_waiting(queue)}, and no worker takes from it; {_dismissed(queue, looks.now)}"
            program = programs.get(queue.name)
            is_there = program and any(worker.program == program for worker in looks.now.workers)
            command = command_line("start", program) if is_there else start_command(queue.name)
            found.append(NO_CONSUMER.make(queue.name, proof, command))
    return found


def find_idle_consumers(looks: Looks) -> list[Finding]:
    """Find queues whose workers are all paused, or all deaf, silent or stopped, while messages wait.

    Call it with workers whose verdicts were concluded; see :func:`celery_nexus.diagnosis.verdicts.judge.judge`.
    """
    found: list[Finding] = []
    for queue in looks.now.queues:
        if queue.waiting and queue.paused and not queue.consumers:
            command = command_line("resume", queue.name)
            found.append(ALL_PAUSED.make(queue.name, f"{_waiting(queue)}, and it is paused", command))
        workers = _workers_of(queue, looks.now)
        if waits(queue) and workers and all(row.verdict in GONE for row in workers):
            proof = f"{_waiting(queue)}; {_names(f'{row.name} is {row.verdict}' for row in workers)}"
            found.append(ALL_DEAF.make(queue.name, proof, command_line("why", queue.name)))
    return found


def find_growing(looks: Looks, *, free_bytes: float | None = None, message_bytes: float | None = None) -> list[Finding]:
    """Find queues that grow while what waits would take more than a minute to run.

    Args:
        looks: What was seen.
        free_bytes: What the broker's memory still takes; None when there is no limit.
        message_bytes: Size of a message there; None when unknown.
    """
    found: list[Finding] = []
    for queue in looks.now.queues:
        workers = [row for row in _workers_of(queue, looks.now) if row.verdict not in GONE]
        rates = _rates(queue, workers, looks)
        if not workers or not waits(queue) or rates is None:
            continue
        in_per_s, out_per_s = rates
        if in_per_s <= out_per_s or queue.waiting <= out_per_s * BACKLOG_S:
            continue
        full_at = _full_at(in_per_s - out_per_s, free_bytes, message_bytes)
        proof = f"{_waiting(queue)}; {in_per_s:,.1f} come in a second and {out_per_s:,.1f} leave{full_at}"
        is_full = all(row.concurrency and (row.active or 0) >= row.concurrency for row in workers)
        kind = ALL_FULL if is_full else GROWING
        places = sum(row.concurrency or 0 for row in workers)
        proof += f"; all {places} places of {_names(row.name for row in workers)} are taken" if is_full else ""
        found.append(kind.make(queue.name, proof, grow_command(workers[0])))
    return found


def find_unregistered(
    looks: Looks, heads: Mapping[str, Head], registered: Mapping[str, Collection[str]]
) -> list[Finding]:
    """Find queues whose next messages no worker of theirs could run.

    Args:
        looks: What was seen.
        heads: The next messages of queues.
        registered: Names of the tasks that each worker has; workers that were not asked are missing.
    """
    found: list[Finding] = []
    for queue in looks.now.queues:
        head = heads.get(queue.name)
        asked = [row for row in _workers_of(queue, looks.now) if row.name in registered]
        tasks = [task for task in head.tasks if task] if head else []
        if head is None or not tasks or not asked or "" in head.tasks:
            continue
        if any(task in registered[row.name] for row in asked for task in tasks):
            continue
        others = [name for name, known in registered.items() if all(task in known for task in tasks)]
        target = next((name for row in looks.now.workers if row.name in others for name in row.queues), "")
        names = _names(row.name for row in asked)
        proof = f"the next {head.messages} of {queue.name} are {_names(tasks)}, which {names} don't have"
        fix = command_line("move", "--from", queue.name, target) if target else command_line("pause", queue.name)
        found.append(UNREGISTERED.make(queue.name, proof, fix))
    return found


def find_rounds(heads: Mapping[str, Head]) -> list[Finding]:
    """Find messages that came back several times while they were looked at."""
    return [
        GOES_ROUND.make(
            queue,
            f"the message of {run_id} was taken and came back {count} times while it was looked at",
            command_line("delete", run_id),
        )
        for queue, head in sorted(heads.items())
        for run_id, count in sorted((head.rounds or {}).items())
        if count >= ROUNDS
    ]


def _has_nobody(queue: QueueStats, looks: Looks) -> bool:
    """Tell whether no worker takes from a queue: all told it, or no connection takes messages at all."""
    if queue.consumers is not None:
        return not queue.consumers
    connections = looks.now.connections
    is_moving = any(row.active for row in looks.now.workers)
    return connections is not None and not connections.popping and not is_moving and looks.is_long_enough


def _used_names(now: Look, known: Collection[str]) -> set[str]:
    used = {row.name for row in now.queues if row.consumers}
    return used | set(known) | {name for row in now.workers for name in row.queues}


def _workers_of(queue: QueueStats, now: Look) -> Sequence[Worker]:
    return now.workers_by_queue.get(queue.name, ())


def _waiting(queue: QueueStats) -> str:
    oldest = "" if queue.oldest_age_s is None else f", the oldest for {duration(queue.oldest_age_s)}"
    return f"{queue.waiting:,} wait in {queue.name}{oldest}"


def _dismissed(queue: QueueStats, now: Look) -> str:
    told = tell_connections(now.connections, [queue.name])
    if not now.dismissed:
        return told
    return f"{told}; {_names(now.dismissed)} had a mailbox here, and does not listen: it is gone, or deaf"


def _names(texts: Iterable[str]) -> str:
    rows: Sequence[str] = list(texts)
    more = f" and {len(rows) - MOST_NAMED:,} more" if len(rows) > MOST_NAMED else ""
    return ", ".join(rows[:MOST_NAMED]) + more


def _rates(queue: QueueStats, workers: Sequence[Worker], looks: Looks) -> tuple[float, float] | None:
    """Messages that come in and leave a second: as measured over some readings, else between the looks.

    Between the looks it is known only of a queue whose workers serve no other.
    """
    if queue.in_per_s is not None and queue.out_per_s is not None:
        return queue.in_per_s, queue.out_per_s
    earlier = looks.before.queues_by_name.get(queue.name) if looks.before and looks.is_long_enough else None
    pairs = [(row.processed, before.processed) for row in workers if (before := looks.earlier(row)) is not None]
    if earlier is None or len(pairs) < len(workers) or any(len(row.queues) > 1 for row in workers):
        return None
    if any(now is None or before is None for now, before in pairs):
        return None
    out = sum((now or 0) - (before or 0) for now, before in pairs) / looks.span_s
    return max(0.0, (queue.waiting - earlier.waiting) / looks.span_s + out), out


def _full_at(per_s: float, free_bytes: float | None, message_bytes: float | None) -> str:
    """Say when the broker's memory is full at this rate."""
    if free_bytes is None or not message_bytes or per_s <= 0:
        return ""
    left_s = free_bytes / message_bytes / per_s
    if left_s > timedelta(days=365).total_seconds():
        return ""
    at = datetime.now(UTC).astimezone() + timedelta(seconds=left_s)
    return f"; the broker's memory is full in {duration(left_s)}, at {at:%Y-%m-%d %H:%M}"
