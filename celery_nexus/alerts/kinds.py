"""Kinds of alert rules: what each reads of the facts, its unit and its usual threshold, declared once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from celery_nexus.alerts.facts import Facts
from celery_nexus.alerts.rules import Rule
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.history import TaskStats
from celery_nexus.rows.text import duration
from celery_nexus.times import write_span

CLEARS_AT = 0.8
"""Share of the threshold at which a rule is cleared that does not say where."""

HALF = 0.5
"""Threshold of what is so (1) or is not (0)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of one subject.

    Attributes:
        value: In the kind's unit.
        text: What was seen, in one line.
        limit: The threshold that the subject itself declares; None when it declares none.
    """

    value: float
    text: str
    limit: float | None = None


Readings = Mapping[str, Reading]


@dataclass(frozen=True)
class AlertKind:
    """One kind of rule.

    Attributes:
        name: What a rules file calls it.
        about: What its subjects are: ``queue``, ``worker``, ``task`` …
        meaning: When it is raised, in words; the page and the listing have it.
        unit: ``messages``, ``seconds``, ``percent``; empty for what is so or is not.
        above: Its usual threshold.
        read: Its subjects with their values; None when nothing is known of them.
    """

    name: str
    about: str
    meaning: str
    unit: str
    above: float
    read: Callable[[Facts, Rule], Readings | None]

    @property
    def is_a_fact(self) -> bool:
        """Whether its value is not a number, but so or not so: it has no threshold."""
        return not self.unit

    def bounds(self, rule: Rule, reading: Reading | None = None) -> tuple[float, float]:
        """Return above which value a rule is raised, and at which it is cleared."""
        declared = self.above if reading is None or reading.limit is None else reading.limit
        above = declared if rule.above is None else rule.above
        return above, above * CLEARS_AT if rule.clears is None else rule.clears

    def write(self, value: float) -> str:
        """Write a value in its unit."""
        match self.unit:
            case "seconds":
                return write_span(value)
            case "percent":
                return f"{value:.3g} %"
            case "times":
                return f"{value:g}×"
            case _:
                return f"{value:,.0f}"


def _read_unreachable(facts: Facts, rule: Rule) -> Readings:
    del rule
    return {"broker": Reading(float(bool(facts.problem)), facts.problem or "the broker answers")}


def _read_depth(facts: Facts, rule: Rule) -> Readings | None:
    def read(row: QueueStats) -> Reading:
        declared = facts.thresholds.get(row.name)
        return Reading(row.waiting, f"{row.waiting:,} wait", None if declared is None else float(declared.waiting))

    return _of_queues(facts, rule, read)


def _read_oldest(facts: Facts, rule: Rule) -> Readings | None:
    def read(row: QueueStats) -> Reading | None:
        declared = facts.thresholds.get(row.name)
        limit = None if declared is None else float(declared.oldest_s)
        if not row.waiting:
            return Reading(0.0, "nothing waits", limit)
        if row.oldest_age_s is None:
            return None
        return Reading(row.oldest_age_s, f"the oldest waits for {duration(row.oldest_age_s)}", limit)

    return _of_queues(facts, rule, read)


def _read_no_consumer(facts: Facts, rule: Rule) -> Readings | None:
    def read(row: QueueStats) -> Reading:
        if row.flag == "no consumer" or row.verdict in ("no consumer", "for nobody"):
            return Reading(1.0, row.reason or f"{row.waiting:,} wait, and nobody takes them")
        return Reading(0.0, f"{row.waiting:,} wait, taken by {', '.join(row.consumers or ()) or 'nobody yet'}")

    return _of_queues(facts, rule, read)


def _read_deaf(facts: Facts, rule: Rule) -> Readings | None:
    if facts.workers is None:
        return None
    rows = [row for row in facts.workers if not rule.queues or any(map(rule.wants_queue, row.queues))]
    return {row.name: Reading(float(row.verdict == "deaf"), row.reason or row.verdict) for row in rows}


def _read_failures(facts: Facts, rule: Rule) -> Readings | None:
    rows = facts.outcomes.get(rule.over_s)
    if rows is None:
        return None
    sums: dict[str, list[TaskStats]] = {}
    for row in rows:
        if rule.wants_task(row.task) and (not rule.queues or rule.wants_queue(row.queue)):
            sums.setdefault(row.task, []).append(row)
    return {task: _share_of_failures(mine, rule) for task, mine in sums.items()}


def _share_of_failures(rows: Iterable[TaskStats], rule: Rule) -> Reading:
    mine = list(rows)
    failed, ended = sum(row.failed for row in mine), sum(row.failed + row.succeeded for row in mine)
    share = 100 * failed / ended if ended >= max(rule.least, 1) else 0.0
    return Reading(share, f"{failed:,} of {ended:,} runs failed within {duration(rule.over_s)}")


def _read_burn(facts: Facts, rule: Rule) -> Readings | None:
    """Read how fast service levels burn; with few runs nothing is said, unless a message is late by now."""

    def read(row: QueueStats) -> Reading | None:
        slo = row.slo
        if slo is None:
            return None
        is_enough = slo.is_late_now or slo.six_hours.started >= rule.least
        return Reading(slo.burn or 0.0 if is_enough else 0.0, slo.words)

    return _of_queues(facts, rule, read)


def _read_dead_letters(facts: Facts, rule: Rule) -> Readings | None:
    del rule
    count = facts.dead_letters
    return None if count is None else {"dead letters": Reading(count, f"{count:,} messages were set aside")}


def _read_beat(facts: Facts, rule: Rule) -> Readings | None:
    del rule
    late = facts.beat_late_s
    return None if late is None else {"beat": Reading(late, f"beat is late by {duration(late)}")}


def _read_disk(facts: Facts, rule: Rule) -> Readings | None:
    del rule
    return _shares(facts.disk, "of the disk are used")


def _read_memory(facts: Facts, rule: Rule) -> Readings | None:
    del rule
    return _shares(facts.memory, "of its memory are used")


def _shares(shares: Mapping[str, float] | None, words: str) -> Readings | None:
    if shares is None:
        return None
    return {name: Reading(share, f"{share:.0f} % {words}") for name, share in shares.items()}


def _of_queues(facts: Facts, rule: Rule, read: Callable[[QueueStats], Reading | None]) -> Readings | None:
    if facts.queues is None:
        return None
    found = {row.name: read(row) for row in facts.queues if rule.wants_queue(row.name)}
    return {name: reading for name, reading in found.items() if reading is not None}


KINDS: tuple[AlertKind, ...] = (
    AlertKind("unreachable", "broker", "the broker can't be read", "", HALF, _read_unreachable),
    AlertKind("no consumer", "queue", "messages wait and nobody takes them", "", HALF, _read_no_consumer),
    AlertKind("deaf", "worker", "a worker is up and takes nothing", "", HALF, _read_deaf),
    AlertKind("depth", "queue", "messages that wait", "messages", 1_000, _read_depth),
    AlertKind("oldest age", "queue", "age of the oldest message that waits", "seconds", 600, _read_oldest),
    AlertKind("failure rate", "task", "share of ended runs that failed", "percent", 20, _read_failures),
    AlertKind("slo burn", "queue", "how fast a service level burns: the slower of 1 h and 6 h", "times", 6, _read_burn),
    AlertKind("dead letters", "application", "messages that were set aside", "messages", 0, _read_dead_letters),
    AlertKind("beat late", "beat", "time by which beat is late", "seconds", 120, _read_beat),
    AlertKind("disk", "host", "share of the disk that is used", "percent", 95, _read_disk),
    AlertKind("memory", "broker", "share of its memory that the broker or a worker uses", "percent", 90, _read_memory),
)
"""Every kind; the table in docs/alerts.md is compared with it."""

BY_NAME = {kind.name: kind for kind in KINDS}
