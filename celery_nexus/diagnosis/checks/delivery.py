"""Checks of what is delivered twice, late or never: time limits, prefetch, ETAs, leftovers, dead letters."""

from __future__ import annotations

from celery_nexus.diagnosis.evidence import Evidence
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.verdicts.holding import MULTIPLIER
from celery_nexus.rows.diagnosis.findings import Finding
from celery_nexus.rows.text import command_line, duration

MOST_ETA = 100
"""Runs with an ETA in workers' memory from which on it is told."""

MOST_REVOKED = 10_000
"""Revoked ids in a worker's memory from which on it is told; Celery forgets the oldest beyond 50,000."""

VISIBILITY = Kind(
    "visibility timeout",
    "application",
    "warning",
    "A run takes longer, or is due later, than the visibility timeout.",
    "It is delivered again while it still runs or waits, and runs twice or more.",
    "Raise visibility_timeout above the longest of them, or install the library's delivery.",
)
PREFETCH = Kind(
    "prefetch",
    "application",
    "warning",
    "Messages have priorities, and each worker fetches several ahead.",
    "What is fetched runs first, however urgent what comes later is.",
    "Set worker_prefetch_multiplier = 1.",
)
ETA_HELD = Kind(
    "eta in memory",
    "application",
    "warning",
    "Many runs that are not due yet wait in the memory of stock workers.",
    "They fill memory, are not seen in their queue, and all come back when the worker dies.",
    "Set worker_eta_task_limit, or let the broker keep them (celery_nexus.install).",
)
LEFTOVERS = Kind(
    "leftovers",
    "queue",
    "warning",
    "Messages are held by no worker that answers: a worker died with them.",
    "They run again only when the visibility timeout is over.",
    "They come back by themselves; a worker with the library's delivery gives them back at once.",
)
DEAD_LETTERS = Kind(
    "dead letters",
    "application",
    "warning",
    "Messages were set aside: malformed ones, or runs that killed their worker.",
    "They wait for a person, and never run by themselves.",
    "Look at them; retry or delete each.",
)
UNREAD_LISTS = Kind(
    "lists",
    "queue",
    "broken",
    "A list holds messages of a queue, and none of its workers reads it.",
    "They never run: a client with other transport options put them there.",
    "Move them where workers look, and give that client the workers' options.",
    is_safe=True,
)
REVOKED = Kind(
    "revoked ids",
    "worker",
    "warning",
    "A worker remembers very many revoked runs.",
    "At 50,000 it forgets the oldest, which then run; each start and each mingle carries them all.",
    "Delete waiting messages (nexus-tui delete) rather than revoke them.",
)


def check_visibility(evidence: Evidence) -> list[Finding]:
    """Say which runs are delivered again while they still run or wait; stock delivery alone does that."""
    if not any(worker.is_stock for worker in evidence.looks.now.workers):
        return []
    limit_s = evidence.visibility_s
    found: list[Finding] = []
    late = [
        (row, (row.due_at - row.since).total_seconds())
        for row in evidence.held
        if row.due_at is not None and row.since is not None
    ]
    row, wait_s = max(late, key=lambda pair: pair[1], default=(None, 0.0))
    told = f"visibility_timeout is {duration(limit_s)}"
    fix = "celery -A APPLICATION inspect conf"
    if row is not None and wait_s > limit_s:
        proof = f"{row.id} ({row.task}) was taken to wait for {duration(wait_s)}; {told}"
        found.append(VISIBILITY.make(row.queue or "?", proof, fix))
    past = evidence.past
    longest_s = None if past is None else past.longest_run_s
    if past is not None and longest_s is not None and longest_s > limit_s and evidence.acknowledges_late:
        proof = f"{past.longest_task} ran for {duration(longest_s)}, acknowledged at its end; {told}"
        found.append(VISIBILITY.make(past.longest_task, proof, fix))
    return found


def check_prefetch(evidence: Evidence) -> list[Finding]:
    """Say where priorities don't count for what workers have fetched ahead."""
    if not evidence.uses_priorities:
        return []
    rows = [row for row in evidence.looks.now.workers if row.is_stock and row.concurrency]
    ahead = [row for row in rows if (row.prefetch_multiplier or MULTIPLIER) > 1]
    if not ahead:
        return []
    worker = ahead[0]
    count = int((worker.concurrency or 1) * (worker.prefetch_multiplier or MULTIPLIER))
    proof = f"messages have priorities, and {worker.name} takes up to {count:,} at once for {worker.concurrency} places"
    more = f"; {len(ahead) - 1:,} more workers do so, too" if len(ahead) > 1 else ""
    return [PREFETCH.make(worker.name, proof + more, "celery -A APPLICATION worker --prefetch-multiplier 1")]


def check_eta(evidence: Evidence) -> list[Finding]:
    """Say how many runs with an ETA stock workers keep in memory."""
    if not evidence.is_foreign:
        return []
    held = sum(row.delayed or 0 for row in evidence.looks.now.queues)
    if held < MOST_ETA:
        return []
    proof = f"{held:,} runs with an ETA wait in workers' memory"
    return [ETA_HELD.make("workers", proof, "celery -A APPLICATION inspect scheduled")]


def check_leftovers(evidence: Evidence) -> list[Finding]:
    """Say what is held by nobody who answers, and when it comes back."""
    rows = evidence.leftovers
    if not rows:
        return []
    back = min((row.redelivered_at for row in rows if row.redelivered_at), default=None)
    when = "" if back is None else f"; the first comes back at {back.astimezone():%Y-%m-%d %H:%M}"
    proof = f"{len(rows):,} messages are held by no worker that answers, {rows[0].id} ({rows[0].task}) among them{when}"
    return [LEFTOVERS.make(rows[0].queue or "?", proof, command_line("why", rows[0].id))]


def check_dead_letters(evidence: Evidence) -> list[Finding]:
    """Say how many dead letters wait."""
    if not evidence.dead_letters:
        return [DEAD_LETTERS.make_well("dead letters", "there are none")]
    proof = f"{evidence.dead_letters:,} wait for a person"
    return [DEAD_LETTERS.make("dead letters", proof, "nexus-tui dead-letters")]


def check_unread_lists(evidence: Evidence) -> list[Finding]:
    """Say which lists hold messages that no worker reads."""
    by_queue: dict[str, list[str]] = {}
    for row in evidence.unread_lists:
        by_queue.setdefault(row.queue, []).append(f"{row.waiting:,} of {row.queue} in {row.name!r}")
    if not by_queue:
        return [UNREAD_LISTS.make_well("lists", "every list of messages is read")]
    return [
        UNREAD_LISTS.make(queue, f"no worker reads {', '.join(facts)}", command_line("reclaim", queue))
        for queue, facts in by_queue.items()
    ]


def check_revoked(evidence: Evidence) -> list[Finding]:
    """Say which workers remember too many revoked runs."""
    return [
        REVOKED.make(name, f"{name} remembers {count:,} revoked runs of 50,000 that it can", "")
        for name, count in sorted(evidence.revoked.items())
        if count >= MOST_REVOKED
    ]


KINDS = (UNREAD_LISTS, VISIBILITY, PREFETCH, ETA_HELD, LEFTOVERS, DEAD_LETTERS, REVOKED)
CHECKS = (
    check_unread_lists,
    check_visibility,
    check_prefetch,
    check_eta,
    check_leftovers,
    check_dead_letters,
    check_revoked,
)
