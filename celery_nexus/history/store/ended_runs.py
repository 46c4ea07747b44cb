"""Count of runs that have ended since the broker began to count, for the balance sheet.

A time of day decides nothing here: clocks of hosts differ, and are set. All runs that ever ended are counted, and those
that had ended when counting began, which the recorder writes down once, are taken off.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import Any

import orjson

from celery_nexus.history.encoding import COUNTERS, FINAL, STATES
from celery_nexus.history.store.retention import PRUNED
from celery_nexus.history.store.store import REPEAT

COUNT_START = "count_start"
"""Name under which the recorder remembers, as JSON, since when the broker counts, and what had ended before."""

CLOCKS_S = 1.0
"""Largest difference between the broker's clock and those of event writers when counting begins."""

_FINAL = {STATES.index(state): state for state in sorted(FINAL)}
_MARKS = ", ".join(str(number) for number in _FINAL)


def count_ended(connection: sqlite3.Connection, since: float) -> dict[str, int]:
    """Count the runs in each final state, without those that had ended before the broker began to count.

    Args:
        connection: Of the history.
        since: When the broker began to count, in seconds since the epoch, by its clock.
    """
    before = _known_before(connection, since)
    if before is None:  # no recorder has seen that count begin
        since_then = _ended_since(connection, since)
        return {state: since_then[state] for state in sorted(FINAL)}
    ever = _ended_ever(connection)
    return {state: ever[state] - before.get(state, 0) for state in sorted(FINAL)}


def list_repeats(connection: sqlite3.Connection, since: float) -> dict[str, list[tuple[float, int]]]:
    """List, by id, when runs were submitted again since the broker counts, and 1 or 0: whether that was counted."""
    is_known = _known_before(connection, since) is not None  # then those from before are gone
    first = f"{REPEAT}{0.0 if is_known else since - CLOCKS_S:017.6f}"
    found: dict[str, list[tuple[float, int]]] = {}
    rows = connection.execute("select name, value from meta where name >= ? and name < ?", (first, f"{REPEAT}~"))
    for name, counted in rows:
        at, _, run_id = str(name).removeprefix(REPEAT).partition(":")
        found.setdefault(run_id, []).append((float(at), int(counted)))
    return found


def note_count_start(connection: sqlite3.Connection, since: float) -> None:
    """Write down, once, what had ended when the broker began to count; to be called soon after that.

    Raises:
        sqlite3.Error: Nothing was written.
    """
    if _known_before(connection, since) is not None:
        return
    connection.execute("begin immediate")
    try:
        counted, ever = _ended_since(connection, since), _ended_ever(connection)
        before = {state: ever[state] - counted[state] for state in sorted(FINAL)}
        text = orjson.dumps({"since": since, "ended": before}).decode()
        connection.execute("insert or replace into meta values (?, ?)", (COUNT_START, text))
        span = (REPEAT, f"{REPEAT}{since - CLOCKS_S:017.6f}")
        connection.execute("delete from meta where name >= ? and name < ?", span)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _known_before(connection: sqlite3.Connection, since: float) -> dict[str, int] | None:
    row = connection.execute("select value from meta where name = ?", (COUNT_START,)).fetchone()
    known: dict[str, Any] = orjson.loads(row[0]) if row else {}
    return known["ended"] if known.get("since") == since else None


def _ended_ever(connection: sqlite3.Connection) -> Counter[str]:
    rows = connection.execute(f"select state, count(*) from run where state in ({_MARKS}) group by state")  # noqa: S608
    return Counter({_FINAL[number]: count for number, count in rows}) + _pruned(connection)


def _ended_since(connection: sqlite3.Connection, since: float) -> Counter[str]:
    rows = connection.execute(
        f"select state, count(*) from run where state in ({_MARKS}) and state_at >= ? group by state",  # noqa: S608
        (since - CLOCKS_S,),
    )
    counts = Counter({_FINAL[number]: count for number, count in rows})
    oldest = connection.execute("select min(key) from run").fetchone()[0]
    is_pruned = oldest is None or oldest / COUNTERS / 1e6 > since  # something since then may be
    return counts + _pruned(connection) if is_pruned else counts


def _pruned(connection: sqlite3.Connection) -> Counter[str]:
    rows = connection.execute("select name, value from meta where name like ?", (f"{PRUNED}%",))
    counts = {STATES[int(str(name).removeprefix(PRUNED))]: int(count) for name, count in rows}
    return Counter({state: count for state, count in counts.items() if state in FINAL})
