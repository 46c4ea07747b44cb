"""Metric families made of what was seen: their names, units, labels and help, declared once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from celery_nexus.metrics.labels import MAX_CHARS, OTHER, Labels
from celery_nexus.metrics.seen import Seen
from celery_nexus.metrics.totals import Key, Tally
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Worker

PREFIX = "nexus_"

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the histograms; values are known within one per cent, and so is to which bucket they belong."""

ENDS = {"SUCCESS": "success", "FAILURE": "failure", "REVOKED": "revoked", "REJECTED": "rejected"}

_Value = float | int | None
Row = TypeVar("Row", QueueStats, Worker)


@dataclass(frozen=True, slots=True)
class Gauge(Generic[Row]):
    """A gauge of each queue or worker.

    Attributes:
        name: Without :data:`PREFIX`.
        help: What it tells.
        read: Its value; None when it is unknown.
        combine: Makes one value of those that share a label.
    """

    name: str
    help: str
    read: Callable[[Row], _Value]
    combine: Callable[[Iterable[float]], float] = sum


def backlog(queue: QueueStats) -> int | None:
    """Count what a queue's workers have to do now: by this number they are scaled; None when a part is unknown."""
    return None if queue.in_flight is None else queue.waiting + queue.in_flight


QUEUE_GAUGES: tuple[Gauge[QueueStats], ...] = (
    Gauge("queue_waiting_messages", "Messages that wait in a queue, all priorities.", lambda row: row.waiting),
    Gauge("queue_in_flight_messages", "Messages that workers took and have not ended.", lambda row: row.in_flight),
    Gauge("queue_delayed_messages", "Messages that wait for their time.", lambda row: row.delayed),
    Gauge("queue_backlog_messages", "Waiting in all priorities, and in flight: to scale workers by.", backlog),
    Gauge(
        "queue_oldest_message_age_seconds",
        "Age of the oldest waiting message; 0 when none waits.",
        lambda row: row.oldest_age_s if row.waiting else 0.0,
        max,
    ),
    Gauge("queue_incoming_messages_per_second", "Published, over the last readings.", lambda row: row.in_per_s),
    Gauge("queue_outgoing_messages_per_second", "Taken, over the last readings.", lambda row: row.out_per_s),
    Gauge(
        "queue_drain_seconds", "Time until it is empty; absent when it does not shrink.", lambda q: q.drains_in_s, max
    ),
    Gauge("queue_consumers", "Workers that take from it.", lambda q: None if q.consumers is None else len(q.consumers)),
    Gauge("queue_paused", "Whether an operator paused it.", lambda row: int(row.paused), max),
)

WORKER_GAUGES: tuple[Gauge[Worker], ...] = (
    Gauge("worker_concurrency", "Size of its pool.", lambda row: row.concurrency),
    Gauge("worker_active_tasks", "Runs that it executes.", lambda row: row.active),
    Gauge("worker_reserved_tasks", "Runs that it holds and has not started.", lambda row: row.reserved),
    Gauge("worker_scheduled_tasks", "Runs that it holds until their time.", lambda row: row.scheduled),
    Gauge("worker_prefetch_messages", "Messages that it may hold at once.", lambda row: row.prefetch),
    Gauge("worker_resident_memory_bytes", "Memory of it and its children.", lambda row: row.rss_bytes),
    Gauge("worker_uptime_seconds", "Time since it started.", lambda row: row.uptime_s, max),
    Gauge(
        "worker_last_heartbeat_timestamp_seconds",
        "Its last sign of life.",
        lambda row: None if row.heartbeat_at is None else row.heartbeat_at.timestamp(),
        min,
    ),
)


@dataclass
class Bounds:
    """How many values each label may have.

    Attributes:
        queues: Of ``queue``.
        workers: Of ``worker``.
        tasks: Of ``task`` and ``queue`` together, for counters and histograms of runs.
    """

    queues: Labels = field(default_factory=lambda: Labels(500))
    workers: Labels = field(default_factory=lambda: Labels(500))
    tasks: Labels = field(default_factory=lambda: Labels(100))


def make_families(seen: Seen, bounds: Bounds) -> Iterator[Metric]:
    """Make the families of one scrape, in a fixed order."""
    yield _single("broker_up", "Whether the broker was read; without it nothing else is told.", int(not seen.problem))
    if seen.problem:
        return
    yield _single("broker_replica", "Whether it is a replica, at which no worker is seen.", int(seen.is_replica))
    yield from _queue_families(seen.queues, bounds.queues)
    if not seen.is_replica:
        yield from _worker_families(seen, bounds.workers)
    yield from _run_families(seen, bounds)
    yield from _singles(seen)
    yield _alerts(seen)
    dropped = GaugeMetricFamily(
        f"{PREFIX}label_values_dropped", "Values beyond the bound, which share the label 'other'.", labels=["label"]
    )
    for name, labels in (("queue", bounds.queues), ("worker", bounds.workers), ("task", bounds.tasks)):
        dropped.add_metric([name], labels.dropped)
    yield dropped


def _single(name: str, help_: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, help_, value=value)


def _singles(seen: Seen) -> Iterator[Metric]:
    if seen.dead_letters is not None:
        yield _single("dead_letters", "Messages that were set aside.", seen.dead_letters)
    if seen.lag_s is not None:
        yield _single("recorder_lag_seconds", "Time by which the history is behind.", seen.lag_s)
    if seen.beat is not None:
        yield _single("beat_up", "Whether a beat holds the lock of RedBeat's schedule.", int(seen.beat.is_held))
        yield _single("beat_late_seconds", "Time since the first entry was due; 0 when none is.", seen.beat.late_s)
    if seen.workers_age_s is not None:
        yield _single("workers_reading_age_seconds", "Time since the workers were asked.", seen.workers_age_s)


def _alerts(seen: Seen) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}alerts_raised", "Alerts that are raised.", labels=["rule", "severity"])
    for (rule, severity), count in sorted(Counter((row.rule, row.severity) for row in seen.alerts).items()):
        family.add_metric([safe_text(rule, MAX_CHARS), severity], count)
    return family


# Queues


def _queue_families(rows: Sequence[QueueStats], labels: Labels) -> Iterator[Metric]:
    labels.admit(row.name for row in sorted(rows, key=lambda row: (-row.waiting - (row.in_flight or 0), row.name)))
    yield from _gauges(QUEUE_GAUGES, rows, lambda row: labels.write(row.name), "queue")
    yield from _service_levels(rows, labels)
    by_priority = GaugeMetricFamily(
        f"{PREFIX}queue_waiting_by_priority_messages",
        "Messages that wait, by priority: 0 runs first.",
        labels=["queue", "priority"],
    )
    sums: dict[str, list[int]] = {}
    for row in rows:
        name = labels.write(row.name)
        sums[name] = [a + b for a, b in zip(sums.get(name, [0] * len(row.by_priority)), row.by_priority, strict=True)]
    for name, counts in sums.items():
        for priority, count in enumerate(counts):
            by_priority.add_metric([name, str(priority)], count)
    yield by_priority
    yield _verdicts("queue_verdict", "queue", ((labels.write(row.name), row.verdict or "well") for row in rows))


def _service_levels(rows: Sequence[QueueStats], labels: Labels) -> Iterator[Metric]:
    """Make what is told of service levels; of queues without a series of their own nothing: shares don't add up."""
    name = f"{PREFIX}queue_slo_"
    bound = GaugeMetricFamily(f"{name}start_seconds", "Time within which runs are to start.", labels=["queue"])
    target = GaugeMetricFamily(f"{name}target_ratio", "Share of runs that are to do so.", labels=["queue"])
    kept = GaugeMetricFamily(f"{name}kept_ratio", "Share that did, over a window.", labels=["queue", "window"])
    burn = GaugeMetricFamily(f"{name}burn_rate", "How many times faster than allowed.", labels=["queue", "window"])
    for row in rows:
        label = labels.write(row.name)
        if row.slo is None or label == OTHER:
            continue
        bound.add_metric([label], row.slo.starts_within_s)
        target.add_metric([label], row.slo.target)
        for window, counted in (("1h", row.slo.hour), ("6h", row.slo.six_hours)):
            if counted.share is not None and counted.burn is not None:
                kept.add_metric([label, window], counted.share)
                burn.add_metric([label, window], counted.burn)
    yield from (bound, target, kept, burn)


# Workers


def _worker_families(seen: Seen, labels: Labels) -> Iterator[Metric]:
    rows = seen.workers
    labels.admit(sorted(row.name for row in rows))
    yield from _gauges(WORKER_GAUGES, rows, lambda row: labels.write(row.name), "worker")
    processed = CounterMetricFamily(f"{PREFIX}worker_processed_tasks", "Runs since it started.", labels=["worker"])
    for name, value in _combine(rows, lambda row: labels.write(row.name), lambda row: row.processed, sum).items():
        processed.add_metric([name], value)
    yield processed
    yield _verdicts("worker_verdict", "worker", ((labels.write(row.name), row.verdict) for row in rows))
    counts = GaugeMetricFamily(f"{PREFIX}workers", "Workers by verdict.", labels=["verdict"])
    for verdict, count in sorted(Counter(row.verdict for row in rows).items()):
        counts.add_metric([verdict], count)
    yield counts


def _verdicts(name: str, kind: str, pairs: Iterable[tuple[str, str]]) -> Metric:
    """Make a gauge of how many share a name and a verdict: 1, but for those that share the label of the rest."""
    labels = [kind, "verdict"]
    family = GaugeMetricFamily(PREFIX + name, f"1 for the present verdict of a {kind}.", labels=labels)
    for values, count in sorted(Counter(pairs).items()):
        family.add_metric(list(values), count)
    return family


def _gauges(
    gauges: Sequence[Gauge[Row]], rows: Sequence[Row], label: Callable[[Row], str], kind: str
) -> Iterator[Metric]:
    for gauge in gauges:
        family = GaugeMetricFamily(PREFIX + gauge.name, gauge.help, labels=[kind])
        for name, value in _combine(rows, label, gauge.read, gauge.combine).items():
            family.add_metric([name], value)
        yield family


# Runs


def _run_families(seen: Seen, bounds: Bounds) -> Iterator[Metric]:
    yield _single("history_up", "Whether there is a history to count runs by.", int(seen.runs is not None))
    if seen.runs is None:
        return
    merged = _merge(seen.runs, bounds)
    yield from _run_counters(merged)
    waited, ran = (_durations(merged, name) for name in ("waited", "ran"))
    yield _histogram("task_wait_seconds", "From sent, or due, to started, of runs that ended.", waited)
    yield _histogram("task_run_seconds", "From started to the end.", ran)


def _merge(runs: Mapping[Key, Tally], bounds: Bounds) -> dict[Key, Tally]:
    """Add up what shares its labels."""
    by_task = Counter[str]()
    for (task, _, _), tally in runs.items():
        by_task[task] += tally.count
    bounds.tasks.admit(task for task, _ in by_task.most_common())
    bounds.queues.admit(sorted({queue for _, queue, _ in runs if queue}))
    merged: dict[Key, Tally] = {}
    for (task, queue, state), tally in runs.items():
        key = (bounds.tasks.write(task), bounds.queues.write(queue) if queue else "", state)
        known = merged.setdefault(key, Tally())
        known.count += tally.count
        known.waited.update(tally.waited)
        known.ran.update(tally.ran)
    return merged


def _run_counters(merged: Mapping[Key, Tally]) -> Iterator[Metric]:
    names = ["task", "queue"]
    sent = CounterMetricFamily(f"{PREFIX}task_sent", "Runs that were published.", labels=names)
    retries = CounterMetricFamily(f"{PREFIX}task_retries", "Retries.", labels=names)
    ended = CounterMetricFamily(f"{PREFIX}task_runs", "Runs that ended, by how.", labels=[*names, "state"])
    for (task, queue, state), tally in sorted(merged.items()):
        if state in ENDS:
            ended.add_metric([task, queue, ENDS[state]], tally.count)
        else:
            (sent if state == "SENT" else retries).add_metric([task, queue], tally.count)
    yield from (sent, retries, ended)


def _durations(merged: Mapping[Key, Tally], name: str) -> dict[tuple[str, str], Counter[float]]:
    found: dict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    for (task, queue, _), tally in merged.items():
        if durations := tally.waited if name == "waited" else tally.ran:
            found[task, queue].update(durations)
    return found


def _histogram(name: str, help_: str, durations: Mapping[tuple[str, str], Counter[float]]) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, help_, labels=["task", "queue"])
    for (task, queue), counted in sorted(durations.items()):
        buckets, total = make_buckets(counted)
        family.add_metric([task, queue], buckets, total)
    return family


def make_buckets(durations: Mapping[float, int]) -> tuple[list[tuple[str, float]], float]:
    """Return the buckets of a histogram, each with all that took no longer, and the sum of all durations."""
    counts = [0] * (len(BUCKETS_S) + 1)
    for seconds, times in durations.items():
        counts[sum(bound < seconds for bound in BUCKETS_S)] += times
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets, sum(seconds * times for seconds, times in durations.items())


def _combine(
    rows: Iterable[Row],
    label: Callable[[Row], str],
    read: Callable[[Row], _Value],
    combine: Callable[[Iterable[float]], float],
) -> dict[str, float]:
    """Return a value for each label, made of those of all rows that share it; of unknown ones none."""
    found: dict[str, list[float]] = {}
    for row in rows:
        value = read(row)
        if value is not None:
            found.setdefault(label(row), []).append(float(value))
    return {name: values[0] if len(values) == 1 else combine(values) for name, values in found.items()}
