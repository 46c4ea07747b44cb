"""The balance sheet of one broker, with the facts that help to judge it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.broker_url import BrokerUrl
from config.queues import QUEUES
from nexus_tui.models.balance import OpenRun, Sheet
from nexus_tui.sources.broker.connection import connect, reaching
from nexus_tui.sources.broker.layout import Layout
from nexus_tui.sources.errors import Unreachable
from workers.delivery import balance
from workers.delivery.ledger import Ledger
from workers.delivery.past import Past
from workers.history.errors import HistoryError
from workers.history.queries import History
from workers.history.schema import lock_path

MOST_OPEN = 1000
SHOWN = 10


@dataclass
class BalanceSource:
    """Takes balance sheets.

    Args:
        url: The broker.
        layout: Names of its keys.
        history: The recorder's file.
    """

    url: BrokerUrl
    layout: Layout
    history: Path

    def take(self, patience_s: float = 10.0) -> Sheet:
        """Take one; waits for a recorder that is behind, and for what is on its way.

        Raises:
            Unreachable: The broker does not answer, or the history can't be read.
        """
        ledger = Ledger(
            connect(self.url, attempts=2),
            [spec.name for spec in QUEUES],
            self.layout.prefix,
            self.layout.separator,
        )
        with History(self.history) as history:
            past = Past(history)
            try:
                with reaching(self.url):
                    sheet, has_caught_up = balance.take(ledger, past, lambda: past.cursor, patience_s=patience_s)
                    lost = self._nowhere(ledger, past, sheet) if sheet.missing > 0 else ()
                return _shown(sheet, lost, has_caught_up, self._recorded_until(), past.gaps)
            except HistoryError as error:
                raise Unreachable(str(error)) from error
            finally:
                ledger.client.close()

    def _recorded_until(self) -> datetime | None:
        try:
            return datetime.fromtimestamp(lock_path(self.history).stat().st_mtime, UTC)
        except OSError:
            return None

    @staticmethod
    def _nowhere(ledger: Ledger, past: Past, sheet: balance.Balance) -> tuple[OpenRun, ...]:
        """List runs that have not ended, and whose message is nowhere."""
        since = sheet.since or 0.0
        found = past.open_runs(since - balance.CLOCKS_S, sheet.at, MOST_OPEN)
        there = ledger.which_are_there([run.id for run in found])
        return tuple(OpenRun(run.id, run.task, run.state) for run in found if run.id not in there)[:SHOWN]


def _shown(
    sheet: balance.Balance, lost: tuple[OpenRun, ...], has_caught_up: bool, recorded_until: datetime | None, gaps: int
) -> Sheet:
    return Sheet(
        submitted=sheet.submitted,
        adopted=sheet.adopted,
        foreign=sheet.foreign,
        succeeded=sheet.succeeded,
        failed=sheet.failed,
        revoked=sheet.revoked,
        dead=sheet.dead,
        deleted=sheet.deleted,
        waiting=sheet.waiting,
        in_flight=sheet.in_flight,
        delayed=sheet.delayed,
        repeated=sheet.repeated,
        again=sheet.again,
        uncounted=sheet.uncounted,
        missing=sheet.missing,
        since=None if sheet.since is None else datetime.fromtimestamp(sheet.since, UTC),
        at=datetime.fromtimestamp(sheet.at, UTC),
        is_recorded=has_caught_up,
        recorded_until=recorded_until,
        gaps=gaps,
        nowhere=lost,
    )
