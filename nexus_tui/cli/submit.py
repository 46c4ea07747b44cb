"""``nexus-tui submit``: start a run, follow it to its end, or list what can be started."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, cast

import click

from celery_nexus.actions.base import perform
from celery_nexus.actions.submit import Submit
from celery_nexus.rows.catalog import Submitted, TaskParameter, TaskType
from celery_nexus.rows.text import command_line, safe_text
from celery_nexus.sources import Sources
from nexus_tui.cli.changes import declare_command
from nexus_tui.cli.output import print_fields, print_json, print_table
from nexus_tui.cli.shared import Target, add_common_options


@click.option("--wait", is_flag=True, help="Wait for the end; exits 1 unless it succeeds.")
@click.option("--timeout", type=float, metavar="S", help="With --wait: give up waiting after so many seconds.")
@click.option("--list", "is_list", is_flag=True, help="List the tasks, or with TASK its arguments.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@add_common_options
def _submit(
    target: Target, *, wait: bool, timeout: float | None, is_list: bool, yes: bool, as_json: bool, **given: Any
) -> None:
    del yes
    sources, task = target.sources(), given["task"]
    if is_list or task is None:
        _list(sources.catalog.task_types() if task is None else [sources.catalog.task_type(task)], as_json=as_json)
        return
    published: list[Submitted] = []
    action = Submit.from_command({**given, "task": sources.catalog.full_name(task)})
    perform(replace(action, heard=published.append), sources)
    run = published[0]
    answer: dict[str, Any] = {"id": run.id, "task": action.task, "queue": run.queue, "priority": run.priority}
    if wait:
        _wait(sources, run, answer, timeout, as_json=as_json)
    elif as_json:
        print_json(answer)
    else:
        follow = sources.address_command(command_line("task", run.id))
        click.echo(f"{run.id} queued in {safe_text(run.place)}; follow it: {follow}")


def _wait(sources: Sources, run: Submitted, answer: dict[str, Any], timeout: float | None, *, as_json: bool) -> None:
    """Print how a run ended, and exit by it."""
    state, value = sources.catalog.wait(run, timeout)
    kind = "result" if state == "SUCCESS" else "error"
    if as_json:
        print_json(answer | {"state": state, kind: value})
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        print_fields([("id", run.id), ("state", state), (kind, text)])
    if state != "SUCCESS":
        raise click.exceptions.Exit(1)


def _list(types: Any, *, as_json: bool) -> None:
    rows = cast("list[TaskType]", list(types))
    if as_json:
        print_json(rows)
    elif len(rows) == 1:
        told = "\n".join(filter(None, (safe_text(rows[0].summary), safe_text(rows[0].limits))))
        click.echo(f"{rows[0].name} → {rows[0].queue}\n{told}\n")
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


COMMANDS = (declare_command(Submit, _submit),)
