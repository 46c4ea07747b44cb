"""What the history knows of ended runs, for the balance sheet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from celery_nexus.history.encoding import COUNTERS, FINAL, STATES
from celery_nexus.history.query.history import History
from celery_nexus.history.store.retention import PRUNED
from celery_nexus.history.store.store import REPEAT

_FINAL = {STATES.index(state): state for state in sorted(FINAL)}
_MARKS = ", ".join(str(number) for number in _FINAL)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, as far as the history knows: its id, task, and state."""

    id: str
    task: str
    state: str


class Past:
    """Counts in one history.

    Args:
        history: The recorder's file.
    """

    def __init__(self, history: History) -> None:
        self._history = history

    @property
    def cursor(self) -> str:
        """Id of the last entry of the event stream that was recorded."""
        return str(self._history.meta("cursor") or "0-0")

    @property
    def gaps(self) -> int:
        """Parts of the stream that were never recorded."""
        return len(self._history.gaps())

    def ended(self, since: float, until: float) -> dict[str, int]:
        """Count the runs that ended in each final state between two times, pruned ones included."""

        def question(connection: sqlite3.Connection) -> dict[str, int]:
            rows = connection.execute(
                f"select state, count(*) from run where state in ({_MARKS}) and state_at >= ? and state_at <= ?"  # noqa: S608
                " group by state",
                (since, until),
            )
            counts = dict.fromkeys(_FINAL.values(), 0) | {_FINAL[number]: count for number, count in rows}
            oldest = connection.execute("select min(key) from run").fetchone()[0]
            if oldest is None or oldest / COUNTERS / 1e6 > since:  # something since then may be pruned
                pruned = connection.execute("select name, value from meta where name like ?", (f"{PRUNED}%",))
                for name, count in pruned:
                    state = STATES[int(str(name).removeprefix(PRUNED))]
                    if state in counts:
                        counts[state] += int(count)
            return counts

        return self._history.ask(question, dict.fromkeys(_FINAL.values(), 0))

    def repeated(self, since: float, until: float) -> dict[str, int]:
        """Tell which ids were submitted again between two times, and how many of these submissions were counted."""

        def question(connection: sqlite3.Connection) -> dict[str, int]:
            found: dict[str, int] = {}
            span = (f"{REPEAT}{since:017.6f}", f"{REPEAT}{until:017.6f}")
            for name, counted in connection.execute("select name, value from meta where name >= ? and name < ?", span):
                run_id = str(name)[len(REPEAT) + 18 :]
                found[run_id] = found.get(run_id, 0) + int(counted)
            return found

        return self._history.ask(question, {})

    def states(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return the states of these runs, as far as they are known."""
        wanted = list(run_ids)

        def question(connection: sqlite3.Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for run_id in wanted:
                row = connection.execute("select state from run where id = ?", (run_id,)).fetchone()
                if row:
                    found[run_id] = STATES[int(row[0])]
            return found

        return self._history.ask(question, {})

    def open_runs(self, since: float, until: float, limit: int) -> Sequence[OpenRun]:
        """List runs that were last heard of between two times and have not ended, the oldest first."""

        def question(connection: sqlite3.Connection) -> list[OpenRun]:
            rows = connection.execute(
                "select run.id, coalesce(name.text, ''), state from run left join name on name.id = run.task"  # noqa: S608
                f" where state not in ({_MARKS}) and state_at >= ? and state_at <= ? order by run.key limit ?",
                (since, until, limit),
            )
            return [OpenRun(str(run_id), str(task), STATES[int(state)]) for run_id, task, state in rows]

        return self._history.ask(question, [])
