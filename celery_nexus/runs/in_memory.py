"""Questions to runs in memory, where there is no history: which match a filter, which are of one workflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from celery_nexus.filters.errors import FilterError
from celery_nexus.filters.parser import parse
from celery_nexus.history.encoding import COUNTERS
from celery_nexus.history.filter.matching import Facts, holds
from celery_nexus.history.query.families import Family, Member
from celery_nexus.rows.runs import Run
from celery_nexus.runs.source import FilterInvalid


def make_matcher(filter_text: str, now: float) -> Callable[[Run], bool]:
    """Make what tells whether a run matches a filter at a time (seconds since the epoch).

    Raises:
        FilterInvalid: The filter can't be understood.
    """
    try:
        node = parse(filter_text)
    except FilterError as error:
        raise FilterInvalid(f"{error} (at {error.position + 1})", error.position, error.length) from error
    return lambda run: holds(node, _facts(run), now)


def find_order_time(run: Run) -> float:
    """Return when a run was sent, or first heard of (seconds since the epoch): runs are in its order."""
    at = run.sent_at or run.received_at or run.started_at
    return at.timestamp() if at else 0.0


def find_family(run_id: str, runs: Iterable[Run]) -> Family:
    """Find the runs of the workflow that a run belongs to, oldest first; what follows them is not known."""
    known = {run.id: run for run in runs}
    own = known.get(run_id)
    if own is None:
        return Family((), {}, {})
    roots = {own.root_id or own.id, *(run.root_id for run in known.values() if run.group_id and _is_near(run, own))}
    members = [run for run in known.values() if (run.root_id or run.id) in roots or _is_near(run, own)]
    members.sort(key=find_order_time)
    errors = {run.id: run.error for run in members if run.error and run.state == "FAILURE"}
    return Family(tuple(map(_member, members)), {}, errors)


def _is_near(run: Run, other: Run) -> bool:
    return run.group_id is not None and run.group_id == other.group_id


def _member(run: Run) -> Member:
    sent, started, finished = (at and at.timestamp() for at in (run.sent_at, run.started_at, run.finished_at))
    return Member(
        int(find_order_time(run) * 1e6) * COUNTERS, run.id, run.task, run.state, sent, started, finished, run.waited_s,
        run.ran_s, run.retries, run.root_id, run.parent_id, run.group_id, run.queue, run.verdict,
    )  # fmt: skip


def _facts(run: Run) -> Facts:
    sent, started = (at.timestamp() if at else None for at in (run.sent_at, run.started_at))
    return Facts(
        id=run.id, at=find_order_time(run), state=run.state, task=run.task, queue=run.queue, worker=run.worker,
        error=run.error, root=run.root_id, parent=run.parent_id, group=run.group_id, verdict=run.verdict,
        retries=run.retries, priority=run.priority, sent_at=sent, started_at=started, waited_s=run.waited_s,
        ran_s=run.ran_s, args=_text(run.args), kwargs=_text(run.kwargs), result=_text(run.result),
    )  # fmt: skip


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
