"""Attention list: queues and workers that need an operator, the worst first, each with its proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows.alerts import OpenAlert
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.dead_letters import DeadLetter
from celery_nexus.rows.history import Recent
from celery_nexus.rows.snapshot import Snapshot
from celery_nexus.rows.text import age, number
from celery_nexus.rows.workers import Worker
from nexus_tui.screens.tables.cells import Cells, text
from nexus_tui.screens.tables.worker_cells import WORKER_LOOKS
from nexus_tui.widgets.lines import Span
from nexus_tui.widgets.tables.arrangement import HEALTHY
from nexus_tui.widgets.tables.columns import Column

_PASSING = frozenset({"paused", "starting", "unknown"})
"""Verdicts of workers that somebody wanted, that end by themselves, or that only say that nobody can be asked."""

_SLOW = frozenset({"growing", "all full", "paused"})
"""Verdicts of queues that move, or that somebody stopped."""

NEED_COLUMNS = (
    Column("WHAT", 22, flex=1, field=Field("name", Kind.NAME)),
    Column("IS", 16, field=Field("verdict")),
    Column("BECAUSE", 34, flex=3, field=Field("why", Kind.TEXT, lambda need: need.reason)),
)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing in trouble.

    Attributes:
        name: Of the queue or worker.
        verdict: What it is.
        reason: What proves it.
        is_bad: Whether work stands still or is lost, and not only late.
        opens: The command that shows it; empty where ``why`` explains it.
    """

    name: str
    verdict: str
    reason: str
    is_bad: bool
    opens: str = ""


def weigh_queue(queue: QueueStats) -> int:
    """Return how bad it is: 0 when work stands still or is lost, 1 when it is late, 2 when nothing is wrong."""
    return HEALTHY if not queue.verdict else 1 if queue.verdict in _SLOW else 0


def weigh_worker(worker: Worker) -> int:
    """Return how bad it is, as of a queue."""
    look = WORKER_LOOKS.get(worker.verdict, ("?", "warn"))[1]
    return HEALTHY if look not in ("bad", "warn") or worker.verdict in _PASSING else 0 if look == "bad" else 1


def find_needs(queues: Iterable[QueueStats], workers: Iterable[Worker]) -> tuple[Need, ...]:
    """Find what is in trouble, the worst first; queues before workers where both are as bad."""
    found = [
        Need(queue.name, queue.verdict, queue.reason or _waiting(queue), weight == 0)
        for queue in queues
        if (weight := weigh_queue(queue)) < HEALTHY
    ]
    found += [
        Need(worker.name, worker.verdict, worker.reason, weight == 0)
        for worker in workers
        if (weight := weigh_worker(worker)) < HEALTHY
    ]
    return tuple(sorted(found, key=lambda need: not need.is_bad))


def need_of_letters(count: int, newest: Sequence[DeadLetter], now: datetime) -> tuple[Need, ...]:
    """Say that something was set aside, why, and how long ago; nothing when nothing was.

    Args:
        count: How many dead letters there are.
        newest: The newest of them.
        now: The present.
    """
    if not count or not newest:
        return ()
    reasons = Counter(letter.reason for letter in newest).most_common()
    told = ", ".join(f"{number(many)} {reason}" for reason, many in reasons)
    latest = f"the last {age((now - newest[0].at).total_seconds())} ago, of {newest[0].queue}"
    return (Need("dead letters", f"{number(count)} set aside", f"{told}; {latest}", is_bad=True, opens="dead-letters"),)


def join_alerts(needs: Iterable[Need], alerts: Iterable[OpenAlert], now: datetime) -> tuple[Need, ...]:
    """Add raised alerts: to what is known of the same queue or worker, else each by itself, critical ones first."""
    found = {need.name: need for need in needs}
    for alert in alerts:
        since = age((now - (alert.raised_at or alert.since)).total_seconds())
        told = f"alert {alert.rule} for {since}"
        known = found.get(alert.subject)
        if known is not None:
            found[alert.subject] = replace(known, reason=f"{told} · {known.reason}")
        else:
            is_bad = alert.severity == "critical"
            found[alert.subject] = Need(alert.subject, alert.rule, f"{alert.text} · {told}", is_bad, "alerts")
    return tuple(sorted(found.values(), key=lambda need: not need.is_bad))


def count_troubles(snapshot: Snapshot, recent: Recent) -> dict[str, Span]:
    """Count for the tabs what is in trouble: queues and workers with the sign of the worst, failures of the hour."""
    queues = map(weigh_queue, snapshot.queues.value or ())
    workers = map(weigh_worker, snapshot.workers.value or ())
    counts = {"queues": _count_ill(queues), "workers": _count_ill(workers)}
    failed = recent.hour.failed if recent.hour else 0
    counts["failures"] = (f"✗{number(failed)}", "bad") if failed else ("", "plain")
    return {view: count for view, count in counts.items() if count[0]}


def _count_ill(weights: Iterable[int]) -> Span:
    ill = [weight for weight in weights if weight < HEALTHY]
    if not ill:
        return ("", "plain")
    return (f"✗{len(ill)}", "bad") if 0 in ill else (f"▲{len(ill)}", "warn")


def need_cells(need: Need) -> Cells:
    """Draw one."""
    sign, look = ("✗", "bad") if need.is_bad else ("▲", "warn")
    return (
        ((f"{sign} ", look), *text(need.name, "strong")),
        text(need.verdict, look),
        text(need.reason, "plain"),
    )


def _waiting(queue: QueueStats) -> str:
    oldest = "" if queue.oldest_age_s is None else f", the oldest for {age(queue.oldest_age_s)}"
    return f"{number(queue.waiting)} wait{oldest}"
