"""Commands that start something: submit, and programs: start, stop, restart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, cast

import click

from celery_nexus.errors import Invalid
from celery_nexus.rows.catalog import Submitted, TaskParameter, TaskType
from celery_nexus.rows.text import command_line, safe_text
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import How, Target, carry_out, changing, common

_yes = click.option("--yes", "-y", is_flag=True, help="Don't ask.")


@click.command()
@click.argument("task", required=False)
@click.option("--kwargs", "kwargs_text", default="{}", metavar="JSON", help="Keyword arguments, a JSON object.")
@click.option("--args", "args_text", default="[]", metavar="JSON", help="Positional arguments, a JSON array.")
@click.option(
    "--priority",
    type=int,
    metavar="N",
    help="0 first … 9 last; 5 when left out (another application: as its own clients).",
)
@click.option("--countdown", type=float, metavar="S", help="Not before so many seconds from now.")
@click.option("--eta", metavar="T", help="Not before this time, ISO 8601 with zone.")
@click.option("--queue", metavar="Q", help="Another queue than the task's own.")
@click.option("--wait", is_flag=True, help="Wait for the end; exits 1 unless it succeeds.")
@click.option("--timeout", type=float, metavar="S", help="With --wait: give up waiting after so many seconds.")
@click.option("--list", "list_tasks", is_flag=True, help="List the tasks, or with TASK its arguments.")
@_yes
@common
def submit(
    target: Target,
    task: str | None,
    kwargs_text: str,
    args_text: str,
    priority: int | None,
    countdown: float | None,
    eta: str | None,
    queue: str | None,
    wait: bool,
    timeout: float | None,
    list_tasks: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Check the arguments of TASK and put a message into its queue."""
    from nexus_tui.actions.base import perform
    from nexus_tui.actions.submit import Submit

    del yes
    sources = target.sources()
    if list_tasks or task is None:
        _list(sources.catalog.task_types() if task is None else [sources.catalog.task_type(task)], as_json=as_json)
        return
    task = sources.catalog.full_name(task)
    kwargs, args = _parsed(kwargs_text, "--kwargs", dict), _parsed(args_text, "--args", list)
    published: list[Submitted] = []
    perform(Submit(task, args, kwargs, priority, countdown, _time(eta), queue, heard=published.append), sources)
    run = published[0]
    run_id = run.id
    answer: dict[str, Any] = {"id": run_id, "task": task, "queue": run.queue, "priority": run.priority}
    if not wait:
        if as_json:
            print_json(answer)
        else:
            follow = sources.addressed(command_line("task", run_id))
            click.echo(f"{run_id} queued in {safe_text(run.place)}; follow it: {follow}")
        return
    state, value = sources.catalog.wait(run_id, timeout)
    answer |= {"state": state, "result" if state == "SUCCESS" else "error": value}
    if as_json:
        print_json(answer)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        print_fields([("id", run_id), ("state", state), ("result" if state == "SUCCESS" else "error", text)])
    if state != "SUCCESS":
        raise click.exceptions.Exit(1)


def _program_command(name: str, action: str, text: str) -> click.Command:
    @click.argument("names", metavar="PROGRAM…", nargs=-1, required=True)
    @changing
    def command(target: Target, names: tuple[str, ...], how: How) -> None:
        from nexus_tui.actions import programs

        carry_out(target, getattr(programs, action)(names), how)

    return click.command(name, help=text)(command)


def _list(types: Any, *, as_json: bool) -> None:
    rows = cast("list[TaskType]", list(types))
    if as_json:
        print_json(rows)
    elif len(rows) == 1:
        click.echo(f"{rows[0].name} → {rows[0].queue}\n{safe_text(rows[0].summary)}\n")
        print_table(
            ("argument", "type", "default", "help"),
            list(_argument_rows(rows[0].parameters)),
            empty="It has no arguments.",
        )
    else:
        table = [(row.name, row.queue, row.summary) for row in rows]
        print_table(("task", "queue", "what it does"), table, empty="This application's tasks are not known here.")


def _argument_rows(parameters: Iterable[TaskParameter], before: str = "") -> Iterator[tuple[str, ...]]:
    """List arguments, below each that holds objects the fields of those: ``messages[].subject``."""
    for row in parameters:
        name = f"{before}{row.name}"
        default = "required" if row.required else json.dumps(row.default)
        yield name, row.type_label.partition(" with ")[0] if row.fields else row.type_label, default, row.help
        yield from _argument_rows(row.fields, f"{name}[]." if row.type_label.startswith("list") else f"{name}.")


def _parsed(text: str, option: str, kind: type[Any]) -> Any:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise Invalid(f"{option} is not JSON: {error}") from None
    if not isinstance(value, kind):
        expected = "an object like '{\"name\": 1}'" if kind is dict else "an array like '[1, 2]'"
        raise Invalid(f"{option} must be {expected}")
    return cast("Any", value)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is no ISO 8601 time; write it like 2030-01-31T09:00:00+00:00") from None


COMMANDS = (
    submit,
    _program_command("start", "StartProgram", "Start PROGRAMs: workers:ai, ai, or workers for all of the group."),
    _program_command("stop", "StopProgram", "Stop PROGRAMs; short runs finish, a long one goes back to its queue."),
    _program_command("restart", "RestartProgram", "Stop PROGRAMs and start them again."),
)
