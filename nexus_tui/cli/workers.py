"""Orders to workers: pool, limits, queues, drain, shutdown; ``--remember`` keeps them over restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.text import safe_text
from nexus_tui.cli.output import print_json, print_table
from nexus_tui.cli.shared import How, Target, carry_out, changing, common

if TYPE_CHECKING:
    from nexus_tui.actions.orders import WorkerOrder

Command = TypeVar("Command", bound=Callable[..., Any])

_workers = click.argument("workers", metavar="WORKER…", nargs=-1, required=True)
_some = click.option("--worker", "workers", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
_remember = click.option(
    "--remember", is_flag=True, help="Obey it again after a restart (Nexus' own workers); else it holds until then."
)


def _order(target: Target, order: WorkerOrder, how: How) -> None:
    """Carry out an order; on a terminal each answer is shown as it comes."""

    def heard(worker: str, obeys: bool, told: str) -> None:
        click.echo(f"{'…' if obeys else '✗'} {safe_text(worker)} answers: {safe_text(told)}", err=True)

    carry_out(target, order if how.as_json else replace(order, heard=heard), how)


def _resizing(name: str, action: str, text: str) -> click.Command:
    @_workers
    @click.option("--by", "n", default=1, show_default=True, metavar="N", help="By so many children.")
    @_remember
    @changing
    def command(target: Target, workers: tuple[str, ...], n: int, remember: bool, how: How) -> None:
        from nexus_tui.actions import pools

        _order(target, getattr(pools, action)(_without_number(workers), _number(workers, n), remember=remember), how)

    return click.command(name, help=text)(command)


def _plain(name: str, module: str, action: str, text: str) -> click.Command:
    @_workers
    @changing
    def command(target: Target, workers: tuple[str, ...], how: How) -> None:
        from nexus_tui import actions

        _order(target, getattr(getattr(actions, module), action)(workers), how)

    return click.command(name, help=text)(command)


def _consuming(name: str, action: str, text: str) -> click.Command:
    @click.argument("words", metavar="WORKER… QUEUE", nargs=-1, required=True)
    @_remember
    @changing
    def command(target: Target, words: tuple[str, ...], remember: bool, how: How) -> None:
        from nexus_tui.actions import workers as orders

        if len(words) < 2:
            raise Invalid(f"give one or more workers and then the queue: nexus-tui {name} WORKER… QUEUE")
        _order(target, getattr(orders, action)(words[:-1], words[-1], remember=remember), how)

    return click.command(name, help=text)(command)


@click.command()
@click.argument("program")
@click.argument("size", metavar="N", type=int)
@_remember
@changing
def scale(target: Target, program: str, size: int, remember: bool, how: How) -> None:
    """Give the worker of PROGRAM a pool of N children."""
    from nexus_tui.actions.pools import Scale

    _order(target, Scale((program,), size, remember=remember), how)


@click.command()
@click.argument("worker")
@click.argument("most", type=int)
@click.argument("least", type=int)
@changing
def autoscale(target: Target, worker: str, most: int, least: int, how: How) -> None:
    """Let WORKER, started with --autoscale, have MOST children under load and LEAST without."""
    from nexus_tui.actions.pools import Autoscale

    _order(target, Autoscale((worker,), most, least), how)


@click.command("rate-limit")
@click.argument("task")
@click.argument("rate")
@_some
@_remember
@changing
def rate_limit(target: Target, task: str, rate: str, workers: tuple[str, ...], remember: bool, how: How) -> None:
    """Start runs of TASK at most at RATE on each worker (two workers: twice that): 10/m, 2/s, 100/h, or none."""
    from nexus_tui.actions.limits import RateLimit

    _order(target, RateLimit(workers, task, "" if rate == "none" else rate, remember=remember), how)


@click.command("time-limit")
@click.argument("task")
@click.option("--hard", type=float, metavar="S", help="Kill its child after so many seconds; never when left out.")
@click.option("--soft", type=float, metavar="S", help="Tell it to end after so many seconds; never when left out.")
@_some
@_remember
@changing
def time_limit(
    target: Target,
    task: str,
    hard: float | None,
    soft: float | None,
    workers: tuple[str, ...],
    remember: bool,
    how: How,
) -> None:
    """Limit how long runs of TASK may take."""
    from nexus_tui.actions.limits import TimeLimit

    _order(target, TimeLimit(workers, task, hard, soft, remember=remember), how)


@click.command()
@common
def orders(target: Target, as_json: bool) -> None:
    """List the remembered orders, which workers obey again when they start."""
    known = target.sources().control.remembered()
    if as_json:
        print_json([{"order": name, **told} for name, told in known.items()])
        return
    rows = [
        (name, ", ".join(f"{key} {value}" for key, value in told.items() if key != "at"))
        for name, told in known.items()
    ]
    print_table(("order", "says"), rows, empty="No order is remembered.")


@click.command()
@click.argument("names", metavar="ORDER…", nargs=-1, required=True)
@changing
def forget(target: Target, names: tuple[str, ...], how: How) -> None:
    """Forget remembered ORDERs, as nexus-tui orders lists them."""
    from nexus_tui.actions.workers import ForgetOrders

    carry_out(target, ForgetOrders(names), how)


def _number(words: tuple[str, ...], by: int) -> int:
    """``grow WORKER 2`` says the number as its last word, ``grow WORKER --by 2`` as an option."""
    return int(words[-1]) if len(words) > 1 and words[-1].isdecimal() else by


def _without_number(words: tuple[str, ...]) -> tuple[str, ...]:
    return words[:-1] if len(words) > 1 and words[-1].isdecimal() else words


COMMANDS = (
    _resizing("grow", "GrowPool", "Give WORKERs more children, for more runs at a time."),
    _resizing("shrink", "ShrinkPool", "Take children from WORKERs; what runs is finished."),
    scale,
    autoscale,
    rate_limit,
    time_limit,
    _consuming("add-consumer", "AddConsumer", "Let WORKERs take from QUEUE."),
    _consuming("cancel-consumer", "CancelConsumer", "Let WORKERs take nothing more from QUEUE."),
    _plain("drain", "workers", "Drain", "Let WORKERs (or programs) finish what they hold and take nothing more."),
    _plain("shutdown", "workers", "ShutdownWorker", "End WORKERs that were started by hand."),
    _plain("pool-restart", "pools", "RestartPool", "Replace the children of WORKERs by new ones."),
    orders,
    forget,
)
