"""``nexus-tui metrics``: Prometheus' format, printed once or served."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from celery_nexus.extras import require
from nexus_tui.cli.output import print_json
from nexus_tui.cli.shared import Target, add_common_options

if TYPE_CHECKING:
    from celery_nexus.metrics.families import Bounds
    from celery_nexus.metrics.seen import Seen


@click.command()
@click.option("--serve", metavar="ADDRESS", help="Serve them: a port of this machine alone, or HOST:PORT.")
@click.option("--queues", default=500, show_default=True, type=click.IntRange(1), help="Queues with a series each.")
@click.option("--workers", default=500, show_default=True, type=click.IntRange(1), help="The same of workers.")
@click.option("--tasks", default=100, show_default=True, type=click.IntRange(1), help="The same of tasks.")
@add_common_options
def metrics(target: Target, serve: str | None, queues: int, workers: int, tasks: int, as_json: bool) -> None:
    """Print metrics for Prometheus, or serve them: queues, workers and verdicts, runs, beat, dead letters.

    What has no series of its own shares the label "other", and is counted in nexus_label_values_dropped.
    """
    require("metrics", "metrics")
    from celery_nexus.metrics.exposition import read_once, render
    from celery_nexus.metrics.families import Bounds
    from celery_nexus.metrics.labels import Labels

    bounds = Bounds(Labels(queues), Labels(workers), Labels(tasks))
    if serve is not None:
        _serve(target, serve, bounds)
        return
    seen = read_once(target.sources())
    if as_json:
        _print_samples(seen, bounds)
    else:
        click.echo(render(seen, bounds), nl=False)


def _print_samples(seen: Seen, bounds: Bounds) -> None:
    from celery_nexus.metrics.families import make_families

    rows = [sample for family in make_families(seen, bounds) for sample in family.samples]
    print_json([{"name": row.name, "labels": dict(row.labels), "value": row.value} for row in rows])


def _serve(target: Target, address: str, bounds: Bounds) -> None:
    from celery_nexus.metrics.exposition import parse_address
    from celery_nexus.metrics.exposition import serve as serve_metrics
    from celery_nexus.metrics.lasting_reader import LastingReader

    host, port = parse_address(address)
    ended = threading.Event()

    def end(_number: int, _frame: object) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    port, stop = serve_metrics(LastingReader(target.sources), host, port, bounds)
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"metrics at http://{shown}:{port}/metrics; Ctrl+C ends it", err=True)
    ended.wait()
    stop()


COMMANDS = (metrics,)
