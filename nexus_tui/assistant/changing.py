"""Tools that change something, made of what the actions declare; each is a dry run until it is told otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

from pydantic import Field, create_model

from celery_nexus.actions.base import Action, Plan, perform
from celery_nexus.actions.declaration import Argument, Option, Section
from celery_nexus.actions.registry import ACTIONS
from celery_nexus.client import Nexus
from celery_nexus.errors import Refused
from celery_nexus.sources import Sources
from nexus_tui.assistant.answers import answer_page
from nexus_tui.assistant.tool import MAX_NAME, Parameters, Tool

MAX_TARGETS = 1_000
"""Most ids or names of one call; for more there are filters."""

MAX_ROWS = 50
"""Targets that an answer tells of one by one."""

_JSON = "JSON"
"""Mark of options whose value is an object or an array."""


class Change(Parameters):
    """What every change takes."""

    dry_run: bool = Field(True, description="Only say what would happen.")
    count: int | None = Field(
        None,
        ge=0,
        description="Needed without dry_run: what the dry run counted.",
    )


def list_changes(sources: Sources) -> tuple[Tool, ...]:
    """Make a tool of each action that may be carried out here; none where nothing may be changed.

    Left out are those that leave no trace in the audit log, and those on the history's files, which are a
    person's to care for.
    """
    if sources.read_only:
        return ()
    return tuple(make_tool(action) for action in ACTIONS if _is_offered(action, sources))


def make_tool(action: type[Action]) -> Tool:
    """Make the tool that carries out an action."""
    undo = "the undo tool takes it back for a day" if action.can_be_undone else "it can't be undone"
    return Tool(
        action.command_name.replace(" ", "_").replace("-", "_"),
        f"{action.help_text()}\nFirst call it as it is: a dry run. Then, when the user agrees, with dry_run=false and "
        f"the count that was told; {undo}.",
        create_model("Given", __base__=Change, **dict(_fields(action))),
        partial(_carry_out, action),
        is_change=True,
        can_destroy=not action.can_be_undone,
    )


def _is_offered(action: type[Action], sources: Sources) -> bool:
    is_known = action.is_recorded and action.section is not Section.PAST and "--" not in action.command_name
    is_here = action.section is not Section.STACK or sources.supervisor.is_used
    return is_known and is_here and (sources.allowed is None or action.name() in sources.allowed)


def _fields(action: type[Action]) -> Iterator[tuple[str, Any]]:
    for declared in action.parameters:
        kind, default = _shape(declared)
        most = {list[str]: MAX_TARGETS, str: MAX_NAME, str | None: MAX_NAME}.get(kind)
        alias = None if isinstance(declared, Argument) else declared.flag.lstrip("-").replace("-", "_")
        field = Field(default, alias=alias, description=declared.help, max_length=most)
        yield declared.name, (kind, field)


def _shape(declared: Argument | Option) -> tuple[Any, Any]:
    """Return type and default of a parameter; an ellipsis for one that must be given."""
    if isinstance(declared, Argument):
        if declared.is_many:
            return list[str], ... if declared.is_required else []
        return declared.type, ... if declared.default is None else declared.default
    if not declared.metavar:
        return bool, False
    if declared.is_repeated:
        return list[str], []
    if declared.metavar == _JSON:
        return (dict[str, Any] if declared.name == "kwargs" else list[Any]) | None, None
    return declared.type | None, declared.default


def _carry_out(action: type[Action], nexus: Nexus, given: Change) -> dict[str, Any]:
    made = action.from_command({row.name: _typed(row, getattr(given, row.name)) for row in action.parameters})
    plan = made.plan(nexus.sources)
    if given.dry_run:
        return _announce(plan)
    if given.count != plan.count:
        told = "missing" if given.count is None else f"{given.count:,}"
        raise Refused(
            f"count is {told}, and not {plan.count:,} as the targets are: nothing was changed; see the dry run"
        )
    outcome = perform(plan.action, nexus.sources)
    rows = [{"target": row.target, "done": row.done, "message": row.message} for row in outcome.targets]
    return answer_page(
        rows, limit=MAX_ROWS, can_go_on=False, dry_run=False, done=outcome.done, count=len(rows), undo=outcome.undo,
        command=plan.action.recorded,
    )  # fmt: skip


def _announce(plan: Plan) -> dict[str, Any]:
    rows = [{"target": row.target, "possible": row.done, "message": row.message} for row in plan.rows()]
    note = f"nothing was changed. To do it, after the user agreed: the same with dry_run=false and count={plan.count}"
    return answer_page(
        rows, limit=MAX_ROWS, can_go_on=False, dry_run=True, count=plan.count, question=plan.action.question, note=note
    )


def _typed(declared: Argument | Option, value: Any) -> Any:
    """Write a value as the command line gives it to an action."""
    if isinstance(declared, Option) and declared.metavar == _JSON:
        return None if value is None else json.dumps(value)
    return tuple(cast("list[str]", value)) if isinstance(value, list) else value
