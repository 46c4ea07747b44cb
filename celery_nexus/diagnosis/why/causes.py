"""The table of causes: each looks at a situation and says what it sees, in order of weight."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from celery_nexus.broker.read.in_flight import VISIBILITY_S
from celery_nexus.diagnosis.verdicts.remedy import grow_command, restart_command, start_command
from celery_nexus.diagnosis.why.situation import Situation
from celery_nexus.queues import QueueRegistry
from celery_nexus.rows.arguments import find_obstacle, is_whole
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.diagnosis import findings
from celery_nexus.rows.diagnosis.why import Obstacle
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import command_line, duration
from celery_nexus.rows.workers import GONE, Worker
from celery_nexus.times import parse_time

MAX_COMMAND_CHARS = 1_000
"""Longest command that is suggested: more is nothing to type."""

_ENDS = {
    "deleted": "an operator deleted its message",
    "purged": "its queue was purged",
    "expired": "it expired before a worker took it",
}
"""Explanations of the ends of revoked runs, by the history's word."""

Seen = tuple[str, str] | None
"""Obstacle of a cause: fact and command, or None when it does not hold the run."""


def find_causes(situation: Situation) -> tuple[Obstacle, ...]:
    """Return what holds a run or a queue's next message, the heaviest first."""
    if situation.is_over or (situation.is_queue and situation.message is None):
        return _ended(situation)
    found: list[Obstacle] = []
    for name, look in CAUSES:
        seen = look(situation)
        if seen is not None:
            found.append(Obstacle(name, *seen))
    return tuple(found)


def find_worker_causes(
    worker: Worker,
    queues: Sequence[QueueStats],
    declared: QueueRegistry,
    verdicts: Sequence[findings.Finding] = (),
) -> tuple[Obstacle, ...]:
    """Return what keeps a worker from taking work, the heaviest first.

    Args:
        worker: Whose program is known, if it has one.
        queues: Every queue.
        declared: What the application declared of them.
        verdicts: What was concluded about workers.
    """
    if worker.verdict in GONE:
        return (Obstacle(STOPPED, worker.reason or worker.verdict, _wake(worker)),)
    found = [Obstacle(row.kind, row.proof, row.fix) for row in verdicts if row.subject == worker.name]
    mine = [queue for queue in queues if queue.name in worker.queues]
    spec = next((spec for spec in declared if spec.program == worker.program), None)
    paused = [queue for queue in queues if queue.paused and (queue in mine or (spec and queue.name == spec.name))]
    found += [Obstacle("paused", f"{queue.name} is paused", command_line("resume", queue.name)) for queue in paused]
    if not worker.queues and not paused:
        own = spec.name if spec else "QUEUE"
        found.append(Obstacle("no queue", "it consumes no queue", command_line("add-consumer", worker.name, own)))
    if (full := _full_words([worker])) is not None:
        found.append(Obstacle("all full", full, grow_command(worker)))
    elif worker.reserved:
        fact = f"it holds {worker.reserved} that it has not started: rate limits, or children that are starting"
        found.append(Obstacle("rate-limited", fact, ""))
    waiting = sum(queue.waiting for queue in mine)
    if mine and not waiting and not worker.active:
        found.append(Obstacle("nothing to do", f"nothing waits in {', '.join(worker.queues)}"))
    return tuple(found)


def _ended(situation: Situation) -> tuple[Obstacle, ...]:
    run = situation.run
    if situation.letter is not None:
        return (Obstacle("dead letter", *_dead_letter(situation)),)  # type: ignore[misc]
    if run is not None and run.state in ("FAILURE", "REVOKED"):
        obstacle = find_obstacle(run)
        fact = f"it ended as {run.state}: {_end(situation, run)}"
        fact += f"; to run it again: {obstacle}" if obstacle else ""
        return (Obstacle("ended", fact, "" if obstacle else command_line("retry", run.id)),)
    return ()


def _end(situation: Situation, run: Run) -> str:
    """Say what ended a run that did not succeed."""
    if run.state == "FAILURE":
        return run.error or "its error was not told"
    if situation.end in _ENDS:
        return _ENDS[situation.end]
    if situation.end.startswith("terminated"):
        signal = situation.end.removeprefix("terminated").strip()
        return f"an operator revoked it while it ran ({signal or 'terminated'})"
    return "an operator revoked it" if situation.is_revoked else "it was revoked; nobody told why"


def _dead_letter(situation: Situation) -> Seen:
    letter = situation.letter
    if letter is None:
        return None
    return f"set aside: {letter.reason}", command_line("dead-letters", "retry", letter.id)


def _unregistered(situation: Situation) -> Seen:
    task, consumers = situation.task, situation.consumers
    asked = [worker for worker in consumers if worker.name in situation.tasks]
    if not task or not asked or any(task in situation.tasks[worker.name] for worker in asked):
        return None
    names = ", ".join(worker.name for worker in asked)
    spec, queue = situation.declared.of_task(task), situation.queue.name if situation.queue else ""
    if spec is not None and spec.name != queue and not situation.is_queue:
        command = command_line("move", situation.subject, spec.name)
    else:
        programs = [worker.program for worker in asked if worker.program]
        command = command_line("restart", programs[0]) if programs else ""
    fate = "thrown away" if all(worker.is_stock for worker in asked) else "set aside or thrown away"
    return f"{names} knows no task {task}: it would be {fate}", command


def _revoked(situation: Situation) -> Seen:
    if not situation.is_revoked:
        return None
    return "an operator revoked it: it is thrown away when a worker takes it", _resubmit(situation)


def _expired(situation: Situation) -> Seen:
    expires = parse_time(situation.message.headers.get("expires")) if situation.message else None
    if expires is None or expires > situation.now:
        return None
    ago = duration((situation.now - expires).total_seconds())
    return f"expired {ago} ago: it is thrown away when a worker takes it", _resubmit(situation)


def _paused(situation: Situation) -> Seen:
    queue = situation.queue
    if queue is None or not queue.paused or situation.message is None:
        return None
    if any(worker.is_stock for worker in situation.consumers):  # it restarted, or started later, and forgot the pause
        return None
    return f"{queue.name} is paused", command_line("resume", queue.name)


def _stopped(situation: Situation) -> Seen:
    if situation.message is None or situation.consumers:
        return None
    for worker in situation.missing:
        return f"{worker.name} is {worker.verdict}: {worker.reason}", _wake(worker)
    return None


def _no_consumer(situation: Situation) -> Seen:
    queue = situation.queue
    if situation.message is None or queue is None or queue.paused or situation.consumers or situation.missing:
        return None
    spec = situation.spec
    for worker in situation.workers:
        if spec and worker.verdict not in GONE and spec.program == worker.program:
            return f"no worker consumes {queue.name}", command_line("add-consumer", worker.name, queue.name)
    if spec is not None:
        return f"no worker consumes {queue.name}", command_line("start", spec.program)
    if situation.near:
        command = command_line("move", "--from", queue.name, situation.near)
        return f"no worker consumes {queue.name}; was {situation.near} meant?", command
    return f"no worker consumes {queue.name}", start_command(queue.name)


def _not_due(situation: Situation) -> Seen:
    message, held = situation.message, situation.held
    due = (message.eta if message else None) or (held.due_at if held else None)
    if due is None or due <= situation.now:
        return None
    left = duration((due - situation.now).total_seconds())
    command = command_line("delay", situation.subject, "--now") if message is not None else ""
    return f"not before {due.isoformat()}: in {left}", command


def _redelivery(situation: Situation) -> Seen:
    held = situation.held
    if held is None or situation.whereabouts is not None or situation.rates:
        return None
    holder = held.worker or "a worker that does not answer any more"
    if held.redelivered_at is None:
        return f"held by {holder}; it comes back when that worker is started again, or found dead", ""
    left = (held.redelivered_at - situation.now).total_seconds()
    when = f"in {duration(left)}" if left > 0 else "at any moment"
    since = "" if held.since is None else f" since {held.since.isoformat(timespec='seconds')}"
    default = f" ({duration(VISIBILITY_S)} after it was taken, unless the application sets another visibility_timeout)"
    return f"held by {holder}{since}; redelivered {when}{default if situation.is_foreign else ''}", ""


def _rate_limited(situation: Situation) -> Seen:
    """Celery's workers don't tell what they hold back: it is in flight, and no worker knows it."""
    for name, rate in situation.rates.items():
        worker = situation.worker(name)
        is_held = situation.held is not None and situation.whereabouts is None and situation.held.worker in (None, name)
        is_behind = situation.message is not None and worker is not None and bool(worker.reserved)
        if is_held or (is_behind and worker is not None and _full_words([worker]) is None):
            return f"{name} runs {situation.task} at most {rate}", command_line("rate-limit", situation.task, "none")
    return None


def _prefetched(situation: Situation) -> Seen:
    if situation.whereabouts is None or situation.whereabouts[0] != "reserved":
        return None
    worker = situation.worker(situation.whereabouts[1])
    full = _full_words([worker]) if worker else None
    if worker is None or full is None:
        return None
    return f"{worker.name} fetched it in advance, and {full}", grow_command(worker)


def _all_full(situation: Situation) -> Seen:
    full = _full_words(situation.consumers) if situation.message is not None else None
    return None if full is None else (full, grow_command(situation.consumers[0]))


def _behind(situation: Situation) -> Seen:
    message = situation.message
    if message is None or message.is_delayed or not message.position:
        return None
    same = message.depth or 0
    urgent = message.position - same
    parts = [f"{urgent:,} more urgent"] if urgent > 0 else []
    parts += [f"{same:,} of its own priority"] if same else []
    return f"behind {' and '.join(parts)}", command_line("priority", situation.subject, "0", "--front")


STOPPED = "worker stopped or wedged"

CAUSES: tuple[tuple[str, Callable[[Situation], Seen]], ...] = (
    ("dead letter", _dead_letter),
    ("unregistered task", _unregistered),
    ("revoked", _revoked),
    ("expired", _expired),
    ("paused", _paused),
    (STOPPED, _stopped),
    ("no consumer", _no_consumer),
    ("not due", _not_due),
    ("redelivery pending", _redelivery),
    ("rate-limited", _rate_limited),
    ("held by prefetch", _prefetched),
    ("all full", _all_full),
    ("behind others", _behind),
)
"""Names and functions of all causes, the heaviest first: one that would hold a run even if all others were gone."""


def _full_words(workers: Sequence[Worker]) -> str | None:
    """Say that every place of these workers is taken; None when one is free or unknown."""
    if not workers or any(row.active is None or row.concurrency is None for row in workers):
        return None
    taken, places = sum(row.active or 0 for row in workers), sum(row.concurrency or 0 for row in workers)
    if any((row.active or 0) < (row.concurrency or 0) for row in workers):
        return None
    longest = max((child.ran_s or 0.0 for row in workers for child in row.children), default=0.0)
    runs = f"; the longest runs for {duration(longest)}" if longest else ""
    return f"{taken} of {places} places at {', '.join(row.name for row in workers)} are taken{runs}"


def _wake(worker: Worker) -> str:
    if worker.program is None and worker.verdict == "silent":
        return f"kill -CONT {worker.pid}" if worker.pid else ""
    return restart_command(worker)


def _resubmit(situation: Situation) -> str:
    """Write the command that submits a waiting message anew; empty when its arguments can't be had or are long."""
    message = situation.message
    if message is None or not message.task or not is_whole([message.args, message.kwargs]):
        return ""
    words = ["submit", message.task, "--queue", message.queue]
    words += ["--args", json.dumps(message.args, ensure_ascii=False)] if message.args else []
    words += ["--kwargs", json.dumps(message.kwargs, ensure_ascii=False)] if message.kwargs else []
    command = command_line(*words)
    return command if len(command) <= MAX_COMMAND_CHARS else ""
