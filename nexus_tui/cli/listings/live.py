"""Commands that list queues, workers and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import click

from celery_nexus.errors import Invalid, NotFound, SourceError
from celery_nexus.rows.broker import Held, Message, QueueStats
from celery_nexus.rows.slo import SloStatus
from celery_nexus.rows.text import duration, safe_text
from celery_nexus.rows.workers import Program
from celery_nexus.sources import Sources
from nexus_tui.cli.listings.runs import arguments, moment
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import describe_message, describe_queue


@click.command()
@click.argument("queue", required=False, help="One queue.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(0), help="Messages to show.")
@click.option("--offset", default=0, type=click.IntRange(0), help="Messages to skip.")
@click.option("--by-task", is_flag=True, help="Count the waiting messages of QUEUE by task instead.")
@add_common_options
def queues(target: Target, queue: str | None, limit: int, offset: int, by_task: bool, as_json: bool) -> None:
    """List queues, or one QUEUE with its waiting messages in run order."""
    if by_task and queue is None:
        raise Invalid("--by-task is about one QUEUE: name it")
    from celery_nexus.alerts.levels import ServiceLevels
    from celery_nexus.diagnosis.watch import read_queues

    sources = target.sources()
    rows = list(ServiceLevels(sources).attach(read_queues(sources)))
    _say_what_is_missing(sources)
    if queue is None:
        if as_json:
            print_json([describe_queue(row) for row in rows])
        else:
            print_queues(rows)
            print_note(sources)
            print_levels({row.name: row.slo for row in rows if row.slo is not None})
        return
    found = next((row for row in rows if row.name == queue), None)
    if found is None:
        raise NotFound(f"no queue {queue!r}; there are {', '.join(row.name for row in rows)}")
    if by_task:
        _print_by_task(sources.broker.count_by_task(queue), as_json=as_json)
        return
    messages = sources.broker.messages(queue, limit=limit, offset=offset)
    held = _held(sources, queue)
    if as_json:
        print_json({**describe_queue(found), "messages": [describe_message(row) for row in messages], "held": held})
        return
    _print_queue(sources, found)
    _print_held(held[:limit])
    _print_messages(messages)


def _print_queue(sources: Sources, row: QueueStats) -> None:
    print_queues([row])
    print_note(sources)
    print_levels({} if row.slo is None else {row.name: row.slo})
    if row.declared and (spec := sources.code.queues.by_name.get(row.name)) and spec.rate_limit:
        click.echo(f"each worker starts at most {spec.rate_limit} of each task; two workers twice that")
    click.echo("")


def _print_held(held: list[Held]) -> None:
    if not held:
        return
    print_table(
        ("held", "task", "by", "since", "due", "redelivered"),
        [
            (
                row.id,
                row.task,
                row.worker,
                moment(row.since),
                moment(row.due_at),
                moment(row.redelivered_at) if row.redelivered_at else "when its worker is gone",
            )
            for row in held
        ],
        empty="",
    )
    click.echo("")


def _print_messages(messages: list[Message]) -> None:
    print_table(
        ("#", "pri", "age", "id", "task", "arguments"),
        [
            (row.position, row.priority, duration(row.age_s), row.id, row.task or row.problem, arguments(row))
            for row in messages
        ],
        empty="nothing waits here",
    )


@click.command()
@click.argument("name", required=False, help="One worker: its node name, the part before the @, or its program.")
@add_common_options
def workers(target: Target, name: str | None, as_json: bool) -> None:
    """List workers with their verdicts, or show one by NAME."""
    from celery_nexus.diagnosis.watch import read_workers

    sources = target.sources()
    rows = list(read_workers(sources))
    if name is not None:
        rows = [row for row in rows if name in (row.name, row.name.partition("@")[0], row.program)]
        if not rows:
            raise NotFound(f"no worker {name!r}; see: nexus-tui workers")
    if as_json:
        print_json(rows[0] if name is not None else rows)
        return
    print_table(
        ("worker", "verdict", "reason", "queues", "active", "pool", "processed", "cpu %", "memory MB", "uptime"),
        [
            (
                row.name,
                row.verdict,
                row.reason,
                ",".join(row.queues),
                row.active,
                row.concurrency,
                row.processed,
                None if row.cpu_percent is None else f"{row.cpu_percent:.0f}",
                None if row.rss_bytes is None else row.rss_bytes // 1_000_000,
                duration(row.uptime_s),
            )
            for row in rows
        ],
        empty="no worker answers" if sources.is_foreign else "no worker answers; start them: nexus-tui up",
    )


@click.command()
@add_common_options
def programs(target: Target, as_json: bool) -> None:
    """List Supervisor's programs."""
    sources = target.sources()
    rows = sources.supervisor.programs()
    if as_json:
        print_json(rows)
        return
    print_table(
        ("program", "state", "pid", "uptime", "says"),
        [(row.name, row.state, row.pid, duration(row.uptime_s), row.description) for row in rows],
        empty="no programs" if sources.supervisor.is_used else "no programs: supervisord runs none of what is watched",
    )


def explain_in_flight(sources: Sources) -> str:
    """Say what ``in flight`` counts where that is another thing than one thinks; empty elsewhere."""
    if not sources.is_foreign:
        return ""
    return (
        "in flight: what workers hold and have not acknowledged. With early acknowledgement (Celery's default) a run "
        "is acknowledged when it begins, and not among them: nexus-tui workers lists what runs"
    )


def read_programs(sources: Sources) -> tuple[list[Program], str]:
    try:
        return list(sources.supervisor.programs()), ""
    except SourceError as error:
        return [], str(error)


def _held(sources: Sources, queue: str) -> list[Held]:
    """List what workers hold of a queue; stock delivery does not note who has it, the workers themselves know."""
    rows = [row for row in sources.broker.list_held() if row.queue == queue]
    unknown = [row.id for row in rows if row.worker is None and row.id]
    try:
        places = sources.control.find_holders(unknown)
    except SourceError:
        places = {}
    return [replace(row, worker=places[row.id][1]) if row.id in places else row for row in rows]


def _say_what_is_missing(sources: Sources) -> None:
    if sources.broker.missing:
        click.echo(f"nexus-tui: not everything is known of this broker: {sources.broker.missing}", err=True)


def print_levels(levels: Mapping[str, SloStatus]) -> None:
    """Say of each queue with a service level how far it is kept."""
    for name, slo in levels.items():
        sign = "·" if slo.is_kept is None else "✓" if slo.is_kept else "✗"
        click.echo(f"{sign} slo of {safe_text(name)}: {slo.words}")


def print_queues(rows: list[QueueStats]) -> None:
    print_table(
        (
            "queue",
            "waiting",
            "by priority 0…9",
            "in flight",
            "delayed",
            "oldest",
            "in/s",
            "out/s",
            "consumers",
            "state",
        ),
        [
            (
                row.name,
                row.waiting,
                " ".join(str(number) for number in row.by_priority),
                row.in_flight,
                row.delayed,
                ("≥ " if row.oldest_is_at_least else "") + duration(row.oldest_age_s) if row.waiting else "–",
                None if row.in_per_s is None else f"{row.in_per_s:.1f}",
                None if row.out_per_s is None else f"{row.out_per_s:.1f}",
                None if row.consumers is None else len(row.consumers),
                _gate(row),
            )
            for row in rows
        ],
        empty="no queues",
    )


def print_note(sources: Sources) -> None:
    """Say below a table of queues what ``in flight`` counts."""
    if note := explain_in_flight(sources):
        click.echo(note)


def _gate(row: QueueStats) -> str:
    if row.paused:
        return f"paused, but {row.flag}" if row.flag else "paused"
    return row.verdict or row.flag or "open"


def _print_by_task(counts: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        print_json([{"task": task or None, "waiting": count} for task, count in counts.items()])
        return
    rows = [(count, task or "not a message of Celery") for task, count in counts.items()]
    print_table(("waiting", "task"), rows, empty="nothing waits here")


COMMANDS = (queues, workers, programs)
