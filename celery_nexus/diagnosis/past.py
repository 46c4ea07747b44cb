"""Ended runs as the history knows them, for the balance sheet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from celery_nexus.delivery.balance.recount import Recorded
from celery_nexus.history.encoding import FINAL, STATES
from celery_nexus.history.query.history import History
from celery_nexus.history.store.ended_runs import count_ended, list_repeats
from celery_nexus.rows.diagnosis.balance import OpenRun

NOTHING_READ = "0-0"
_MARKS = ", ".join(str(STATES.index(state)) for state in sorted(FINAL))


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
        return str(self._history.meta("cursor") or NOTHING_READ)

    @property
    def gaps(self) -> int:
        """Parts of the stream that were never recorded."""
        return len(self._history.gaps())

    def read_recorded(self, since: float, run_ids: Iterable[str]) -> Recorded:
        """Read, at one instant of the file, what has ended, and what was submitted again, since the broker counts.

        Args:
            since: When the broker began to count, in seconds since the epoch, by its clock.
            run_ids: Runs whose states are wanted, beside those that were submitted again.
        """
        wanted = list(run_ids)

        def question(connection: sqlite3.Connection) -> Recorded:
            row = connection.execute("select value from meta where name = 'cursor'").fetchone()
            repeats = list_repeats(connection, since)
            return Recorded(
                cursor=str(row[0]) if row else NOTHING_READ,
                ended=count_ended(connection, since),
                repeats=repeats,
                states=_states(connection, {*wanted, *repeats}),
            )

        return self._history.ask(question, Recorded(NOTHING_READ, dict.fromkeys(sorted(FINAL), 0), {}, {}))

    def states(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return the states of these runs, as far as they are known."""
        wanted = list(run_ids)
        return self._history.ask(lambda connection: _states(connection, wanted), {})

    def list_open_runs(self, since: float, until: float, limit: int) -> Sequence[OpenRun]:
        """List runs that were last heard of between two times and have not ended, the oldest first."""

        def question(connection: sqlite3.Connection) -> list[OpenRun]:
            rows = connection.execute(
                "select run.id, coalesce(name.text, ''), state from run left join name on name.id = run.task"  # noqa: S608
                f" where state not in ({_MARKS}) and state_at >= ? and state_at <= ? order by run.key limit ?",
                (since, until, limit),
            )
            return [OpenRun(str(run_id), str(task), STATES[int(state)]) for run_id, task, state in rows]

        return self._history.ask(question, [])


def _states(connection: sqlite3.Connection, run_ids: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for run_id in run_ids:
        row = connection.execute("select state from run where id = ?", (run_id,)).fetchone()
        if row:
            found[run_id] = STATES[int(row[0])]
    return found
