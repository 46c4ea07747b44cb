"""Groups of equal failures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from celery_nexus.filters.table import Field, Kind
from celery_nexus.rows import moment
from celery_nexus.rows.runs import Run
from celery_nexus.rows.text import age, number
from nexus_tui.screens.tables.cells import Cells, short_task, text, text_or_unknown
from nexus_tui.widgets.tables.columns import Column


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed runs of one task with one type of exception; ``newest`` is the last of them.

    Attributes:
        is_at_least: Whether only the newest failures were looked at, so that there may be more.
    """

    kind: str
    count: int
    newest: Run
    is_at_least: bool = False

    @property
    def id(self) -> str:
        """What identifies the group."""
        return f"{self.kind} {self.newest.task}"


FAILURE_COLUMNS = (
    Column("FAILURE", 22, field=Field("error", Kind.TEXT, lambda group: group.kind)),
    Column("TASK", 22, flex=1, field=Field("task", Kind.TEXT, lambda group: group.newest.task)),
    Column("COUNT", 5, right=True, field=Field("count", Kind.NUMBER)),
    Column("LAST", 11, right=True, field=Field("last", Kind.DURATION, lambda group: _age_of(group))),
    Column("SAYS", 20, flex=2, field=Field("says", Kind.TEXT, lambda group: group.newest.error)),
)


def failure_groups(failures: Iterable[Run], *, are_all: bool = True) -> tuple[FailureGroup, ...]:
    """Group failed runs (newest first) by exception type and task; the group that failed last comes first."""
    groups: dict[tuple[str, str | None], FailureGroup] = {}
    for run in failures:
        kind = (run.error or "unknown error").partition(":")[0]
        known_group = groups.get((kind, run.task))
        groups[kind, run.task] = FailureGroup(
            kind,
            known_group.count + 1 if known_group else 1,
            known_group.newest if known_group else run,
            is_at_least=not are_all,
        )
    return tuple(groups.values())


def failure_cells(group: FailureGroup) -> Cells:
    """Draw a group."""
    run = group.newest
    return (
        (("✗ ", "bad"), *text(group.kind, "bad")),
        text_or_unknown(short_task(run.task)),
        (("≥ " if group.is_at_least else "", "dim"), (number(group.count), "strong")),
        ((f"{age(_age_of(group))} ago", "dim"),),
        text((run.error or "").partition(": ")[2], "dim"),
    )


def _age_of(group: FailureGroup) -> float | None:
    """Count the seconds since the last of them ended."""
    ended = group.newest.finished_at
    return (moment.now() - ended).total_seconds() if ended else None
