"""Reader of a workflow: history first, then what broker, result backend and workers know of what has not ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from celery_nexus.errors import NotFound, SourceError
from celery_nexus.history.query.families import MAX_MEMBERS, Family
from celery_nexus.rows import moment
from celery_nexus.rows.workflows import BrokerView, Workflow
from celery_nexus.workflows.items import LOST, Facts, Item, merge
from celery_nexus.workflows.tree import build_workflow

if TYPE_CHECKING:
    from celery_nexus.sources import Sources

SETTLED_S = 10.0
"""Age from which a run that is nowhere is looked for: events come a moment after what they tell."""

MAX_ASKED = 200
"""Most runs whose result and worker are asked for."""

_NOT_STARTED = frozenset({"PENDING", "RECEIVED", "RETRY"})


def read_workflow(sources: Sources, run_id: str) -> Workflow:
    """Read the workflow that a run belongs to.

    Args:
        sources: Where everything is read.
        run_id: The run's id, or its unique beginning.

    Raises:
        NotFound: Neither history nor broker knows it.
        Invalid: Several runs begin so.
        Unreachable: The history can't be read.
    """
    whole_id, family = _find_family(sources, run_id)
    view, problem = _ask_broker(sources, whole_id, family)
    now = moment.now().timestamp()
    items = merge(family, view, now)
    unknown = [problem] if problem else []
    if view is not None:
        unknown += _find_lost(sources, items, view, now)
    unknown += _describe_gaps(family, items, view)
    return build_workflow(whole_id, Facts(items, view, now, tuple(unknown)), is_whole=family.is_whole)


def read_recorded_workflow(sources: Sources, run_id: str) -> Workflow:
    """Read what the history alone knows of a workflow; as :func:`read_workflow` else, and quicker."""
    whole_id, family = _find_family(sources, run_id)
    now = moment.now().timestamp()
    return build_workflow(whole_id, Facts(merge(family, None, now), None, now), is_whole=family.is_whole)


def _find_family(sources: Sources, run_id: str) -> tuple[str, Family]:
    try:
        whole_id = sources.history.run(run_id).id
    except NotFound:
        message = sources.broker.find(run_id)
        if message is None:
            raise
        return message.id, sources.history.family(message.headers.get("root_id") or message.id)
    return whole_id, sources.history.family(whole_id)


def _ask_broker(sources: Sources, run_id: str, family: Family) -> tuple[BrokerView | None, str]:
    """Look for what has not ended: of another application also where all that is known has, whose events may lack."""
    members = family.members
    groups = sorted({member.group_id for member in members if member.group_id})
    is_over = bool(members) and all(member.state == "SUCCESS" for member in members) and not groups
    if is_over and not sources.is_foreign:
        return None, ""
    ids = {run_id, *(member.id for member in members), *(member.root_id for member in members if member.root_id)}
    try:
        return sources.broker.view_workflow(ids, groups), ""
    except SourceError as error:
        return None, f"the broker could not be asked what is still to run: {error}"


def _find_lost(sources: Sources, items: Mapping[str, Item], view: BrokerView, now: float) -> list[str]:
    """Find runs that have not ended and are nowhere; of those that ended untold the result backend has the state."""
    if not view.is_whole:
        return ["there are too many messages to look at all of them: what is lost is not told"]
    nowhere = [
        item for item in items.values() if item.state in _NOT_STARTED and not item.place and now - item.at > SETTLED_S
    ]
    try:
        states = {item.id: sources.control.result_state(item.id) for item in nowhere[:MAX_ASKED]}
        holders = sources.control.find_holders([run_id for run_id, state in states.items() if not state])
    except SourceError as error:
        return [f"what became of {len(nowhere):,} runs could not be asked: {error}"] if nowhere else []
    for item in nowhere[:MAX_ASKED]:
        state = states[item.id]
        if state:
            item.state = state
        elif item.id not in holders:
            item.state = LOST
    rest = len(nowhere) - MAX_ASKED
    return [f"{rest:,} more runs have no message, and nobody was asked for them"] if rest > 0 else []


def _describe_gaps(family: Family, items: Mapping[str, Item], view: BrokerView | None) -> list[str]:
    told: list[str] = []
    if not family.is_whole:
        told.append(f"only the first {MAX_MEMBERS:,} runs are here")
    unplanned = [item for item in items.values() if item.state in ("FAILURE", "REVOKED") and not item.is_planned]
    if unplanned and not any(item.is_planned for item in items.values()):
        what = "a run that failed" if len(unplanned) == 1 else f"{len(unplanned):,} runs that failed"
        told.append(f"what was to follow {what} stood in messages, which are gone: only installed applications keep it")
    return told
