"""``nexus-tui status``: health in one screen; what could not be looked at is no calm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from celery_nexus.errors import Refused
from celery_nexus.rows.broker import QueueStats
from celery_nexus.rows.text import UNKNOWN, safe_text
from celery_nexus.rows.workers import CALM, Program, Worker
from celery_nexus.sources import Sources
from nexus_tui.cli.listings.live import print_note, print_queues, read_programs
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options
from nexus_tui.documents import describe_queue

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class _Health:
    """What one look at everything showed.

    Attributes:
        workers: None when they could not be asked.
        unknown: What this user may not look at.
    """

    broker: str
    queues: list[QueueStats]
    workers: list[Worker] | None
    programs: list[Program]
    troubles: list[str]
    unknown: list[str]


@click.command()
@add_common_options
def status(target: Target, as_json: bool) -> None:
    """Show health in one screen; exits 1 when something is in trouble, or may not be looked at."""
    sources = target.sources()
    health = _look(sources)
    if as_json:
        _print_json(health)
    else:
        _print(sources, health)
    if health.troubles or health.unknown:
        raise click.exceptions.Exit(1)


def _look(sources: Sources) -> _Health:
    from celery_nexus.diagnosis.verdicts.judge import judge_queues, judge_workers
    from celery_nexus.diagnosis.verdicts.look import Look, Looks
    from celery_nexus.diagnosis.watch import observe

    unknown: list[str] = []

    def read_allowed(read: Callable[[], Seen], nothing: Seen) -> Seen:
        """Read what this user may read; note what the broker refuses, in its words: they name the command."""
        try:
            return read()
        except Refused as refused:
            unknown.append(str(refused))
            return nothing

    programs, supervisor = read_programs(sources)
    looks = read_allowed(lambda: observe(sources), Looks(Look(0.0)))
    queues, workers = list(judge_queues(looks, sources.code.queues.names)), list(judge_workers(looks))
    unknown += [str(looks.now.problem)] if looks.now.problem else []
    broker = read_allowed(sources.broker.describe, "?")
    refuses = read_allowed(sources.broker.write_trouble, "")
    recorder = ""
    if not sources.is_foreign and not refuses:
        recorder = read_allowed(lambda: sources.broker.recorder_trouble(sources.recorder_command), "")
    if sources.broker.missing:
        unknown.append(sources.broker.missing)
    troubles = [*([refuses] if refuses else []), *_troubles(sources, programs, workers)]
    troubles += [row.reason for row in queues if row.verdict and row.verdict != "paused"]
    troubles += [supervisor] if supervisor else []
    troubles += [f"nothing is recorded: {recorder}"] if recorder else []
    told = list(dict.fromkeys(f"could not look at everything: {problem}" for problem in unknown))
    is_asked = looks.now.problem is None or bool(workers)
    return _Health(broker, queues, workers if is_asked else None, programs, troubles, told)


def _print_json(health: _Health) -> None:
    print_json(
        {
            "healthy": not health.troubles and not health.unknown,
            "broker": health.broker,
            "troubles": [*health.troubles, *health.unknown],
            "queues": [describe_queue(row) for row in health.queues],
            "workers": health.workers,
            "programs": health.programs,
        }
    )


def _print(sources: Sources, health: _Health) -> None:
    click.echo(f"broker    {safe_text(health.broker)}")
    if sources.supervisor.is_used:
        running = sum(row.state == "RUNNING" for row in health.programs)
        click.echo(f"programs  {running} of {len(health.programs)} running")
    if health.workers is None:
        click.echo(f"workers   {UNKNOWN}")
    else:
        click.echo(f"workers   {sum(row.verdict in CALM for row in health.workers)} of {len(health.workers)} well")
    click.echo("")
    print_queues(health.queues)
    print_note(sources)
    click.echo("")
    troubles = (*health.troubles, *health.unknown)
    click.echo("\n".join(f"✗ {safe_text(trouble)}" for trouble in troubles) or "✓ no trouble")


def _troubles(sources: Sources, programs: list[Program], workers: list[Worker]) -> list[str]:
    troubles: list[str] = []
    for row in programs:
        if row.is_looping or row.state == "UNKNOWN":
            error = sources.supervisor.last_error(row.name)
            troubles.append(row.summary + (f"; its log says: {error}" if error else ""))
    return troubles + [f"{row.name}: {row.verdict}, {row.reason}" for row in workers if row.verdict not in CALM]


COMMANDS = (status,)
