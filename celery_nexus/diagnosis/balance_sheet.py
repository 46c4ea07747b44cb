"""The balance sheet of one broker, with the facts that help to judge it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from celery_nexus.broker import BrokerSource
from celery_nexus.broker.wire.connection import connect, translate_errors
from celery_nexus.delivery.balance import recount as balance
from celery_nexus.delivery.balance.ledger import Ledger
from celery_nexus.diagnosis.past import Past
from celery_nexus.errors import Unreachable
from celery_nexus.history.encoding import FINAL
from celery_nexus.history.errors import HistoryError
from celery_nexus.history.query.history import History
from celery_nexus.history.store.ended_runs import CLOCKS_S
from celery_nexus.history.store.schema import lock_path
from celery_nexus.rows.diagnosis.balance import MOST_OPEN, Balance, BalanceSheet, OpenRun

SHOWN = 10
REJECTED = "REJECTED"
"""State of a run that its task rejected: nothing of it is left on the broker, and no end follows."""

RECORDED_WITHIN_S = 2.0


@dataclass
class BalanceSource:
    """Takes balance sheets.

    Args:
        broker: The queues of the application.
        history: The recorder's file.
    """

    broker: BrokerSource
    history: Path

    def take(self, patience_s: float = 10.0) -> BalanceSheet:
        """Take one; waits for a recorder that is behind, and for what is on its way.

        Raises:
            Unreachable: The broker does not answer, or the history can't be read.
        """
        ledger = Ledger(
            connect(self.broker.url, attempts=2),
            self.broker.queue_names(),
            self.broker.layout.prefix,
            self.broker.layout.separator,
        )
        with History(self.history) as history:
            past = Past(history)
            try:
                with translate_errors(self.broker.url):
                    sheet, has_caught_up = balance.take(ledger, past, lambda: past.cursor, patience_s=patience_s)
                    began = sheet.at.timestamp() if sheet.since is None else sheet.since.timestamp() - CLOCKS_S
                    lost = self._nowhere(ledger, past, began, math.inf) if sheet.missing > 0 else ()
                    older = [run for run in self._nowhere(ledger, past, 0.0, began) if run.state != REJECTED]
                shown = _judge(sheet, has_caught_up, self._recorded_until(), past.gaps)
                return replace(shown, older=len(older), nowhere=(*lost, *older)[:SHOWN])
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
    def _nowhere(ledger: Ledger, past: Past, since: float, until: float) -> tuple[OpenRun, ...]:
        """List runs last heard of between two times that have not ended, and whose message is nowhere."""
        found = past.list_open_runs(since, until, MOST_OPEN)
        if not found:  # each message of the broker would be looked at
            return ()
        there = ledger.find_present([run.id for run in found])
        gone = [run for run in found if run.id not in there]
        balance.wait_for(ledger, lambda: past.cursor, RECORDED_WITHIN_S)  # one may have ended meanwhile
        states = past.states([run.id for run in gone])
        return tuple(run for run in gone if states.get(run.id) not in FINAL)


def _judge(sheet: Balance, has_caught_up: bool, recorded_until: datetime | None, gaps: int) -> BalanceSheet:
    figures = {figure.name: getattr(sheet, figure.name) for figure in fields(sheet)}
    return BalanceSheet(**figures, is_recorded=has_caught_up, recorded_until=recorded_until, gaps=gaps)
