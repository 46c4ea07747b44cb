"""The view ``runs``: the history for other programs, with names instead of numbers.

Its columns are a promise (docs/history.md): names and meanings stay, new ones may come. They are called as those of
exports. Each is looked up only when a question names it, so that ``select state, count(*) …`` reads no texts.
"""

from __future__ import annotations

from celery_nexus.history.encoding import COUNTERS, STATES

_STATES = " ".join(f"when {number} then '{state}'" for number, state in enumerate(STATES))


def _name(column: str) -> str:
    return f"(select text from name where name.id = run.{column})"  # noqa: S608


def _of(table: str, column: str) -> str:
    return f"(select {column} from {table} where {table}.key = run.key)"  # noqa: S608


def _json(table: str, column: str) -> str:
    """Give a stored value as JSON; a repr, where nothing else is known, as a JSON text."""
    return _of(
        table,
        f"case when substr({column}, 1, 1) = '~' then json_quote(substr({column}, 2))"
        f" when json_valid({column}) then {column} when {column} is not null then json_quote({column}) end",
    )


_ERROR_TYPE = "(select substr(text, 1, instr(text, char(10)) - 1) from name where name.id = run.error_group)"

COLUMNS = {
    "key": "key",
    "id": "id",
    "task": _name("task"),
    "state": f"case state {_STATES} end",
    "queue": _name("queue"),
    "priority": "priority",
    "worker": _name("worker"),
    "first_at": f"key / {COUNTERS} / 1e6",
    "sent_at": "sent_at",
    "eta_at": "eta_at",
    "received_at": "received_at",
    "started_at": "started_at",
    "finished_at": "finished_at",
    "waited_s": "waited_s",
    "ran_s": "ran_s",
    "retries": "retries",
    "args": _json("arguments", "args"),
    "kwargs": _json("arguments", "kwargs"),
    "result": _json("ending", "result"),
    "error_type": _ERROR_TYPE,
    "error": _of("ending", "error"),
    "traceback": _of("ending", "traceback"),
    "place": _of("ending", "place"),
    "root_id": "root_id",
    "parent_id": "parent_id",
    "group_id": "group_id",
    "verdict": "verdict",
}
"""Name of each column, and the SQL that gives it for a row of table ``run``."""

_SELECTED = ", ".join(f"{sql} as {name}" for name, sql in COLUMNS.items())
CREATE = f"""
-- The history for other programs; see docs/history.md.
drop view if exists runs;
create view runs as select {_SELECTED} from run;
"""  # noqa: S608
"""Statements that create the view, replacing an older one."""
