"""The recount: what Redis held, with what the history knows of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from celery_nexus.delivery.balance import recount
from celery_nexus.delivery.balance.ledger import Ledger
from celery_nexus.delivery.balance.recount import Held, Later, Recorded, complete, order_of
from celery_nexus.rows.diagnosis.balance import Balance

NOTHING_LATER = Later({}, frozenset())


def held(letters: Sequence[str] = (), redelivered: Sequence[str] = (), **figures: Any) -> Held:
    known: dict[str, Any] = {"since": datetime.fromtimestamp(100, UTC), "at": datetime.fromtimestamp(200, UTC)}
    return Held(Balance(**known | figures), tuple(letters), tuple(redelivered), "200-0")


def recorded(
    states: dict[str, str] | None = None, repeats: dict[str, Any] | None = None, cursor: str = "200-0", **ended: int
) -> Recorded:
    return Recorded(cursor, {"FAILURE": 0, "REVOKED": 0, "SUCCESS": 0} | ended, repeats or {}, states or {})


def in_redis(**copies: int) -> Any:
    return lambda ids: {run_id: copies.get(run_id, 0) for run_id in ids}


def test_what_ended_is_taken_from_the_history() -> None:
    sheet = complete(held(submitted=6), recorded(SUCCESS=3, FAILURE=2, REVOKED=1), NOTHING_LATER, in_redis())
    assert (sheet.succeeded, sheet.failed, sheet.revoked, sheet.missing) == (3, 2, 1, 0)


def test_a_run_that_ended_after_redis_was_read_does_not_count() -> None:
    later = Later({"a": "SUCCESS", "b": "FAILURE"}, frozenset())
    sheet = complete(held(submitted=3, in_flight=2), recorded(SUCCESS=2, FAILURE=1), later, in_redis())
    assert (sheet.succeeded, sheet.failed, sheet.missing) == (1, 0, 0)


def test_a_held_message_whose_run_has_ended_is_there_twice() -> None:
    known = recorded({"a": "SUCCESS", "b": "STARTED"}, SUCCESS=1)
    sheet = complete(held(redelivered=["a", "b"], submitted=2, in_flight=2), known, NOTHING_LATER, in_redis())
    assert (sheet.again, sheet.missing) == (1, 0)


def test_a_held_message_whose_run_ended_later_is_there_once() -> None:
    known, later = recorded({"a": "SUCCESS"}, SUCCESS=1), Later({"a": "SUCCESS"}, frozenset())
    sheet = complete(held(redelivered=["a"], submitted=1, in_flight=1), known, later, in_redis())
    assert (sheet.succeeded, sheet.again, sheet.missing) == (0, 0, 0)


def test_a_dead_letter_is_not_a_failure_as_well() -> None:
    known = recorded({"a": "FAILURE", "b": "STARTED"}, FAILURE=1)
    sheet = complete(held(letters=["a", "b"], submitted=2, dead=2), known, NOTHING_LATER, in_redis())
    assert (sheet.failed, sheet.dead, sheet.missing) == (0, 2, 0)


def test_a_dead_letter_whose_failure_is_told_later_takes_nothing_off_the_others() -> None:
    known, later = recorded({"a": "FAILURE"}, FAILURE=2), Later({"a": "FAILURE"}, frozenset())
    sheet = complete(held(letters=["a"], submitted=2, dead=1), known, later, in_redis())
    assert (sheet.failed, sheet.missing) == (1, 0)


def test_deleted_messages_whose_runs_are_revoked_count_once() -> None:
    known = recorded(REVOKED=3)
    sheet = complete(held(submitted=3, deleted=2, deleted_ended=2), known, NOTHING_LATER, in_redis())
    assert (sheet.revoked, sheet.missing) == (1, 0)


@pytest.mark.parametrize(
    ("state", "copies", "ended", "again"),
    [("PENDING", 3, 0, 2), ("SUCCESS", 1, 1, 1), ("SUCCESS", 0, 1, 0), ("STARTED", 0, 0, 0)],
)
def test_messages_of_an_id_that_was_submitted_again(state: str, copies: int, ended: int, again: int) -> None:
    known = recorded({"a": state}, {"a": [(150.0, 1), (160.0, 0)]}, SUCCESS=ended)
    sheet = complete(held(submitted=2, waiting=copies), known, NOTHING_LATER, in_redis(a=copies))
    assert (sheet.repeated, sheet.again) == (1, again)


def test_a_letter_and_a_held_message_of_an_id_that_was_submitted_again_count_with_its_messages() -> None:
    known = recorded({"a": "FAILURE"}, {"a": [(150.0, 1)]}, FAILURE=1)
    sheet = complete(held(["a"], ["a"], submitted=2, dead=1, in_flight=1), known, NOTHING_LATER, in_redis(a=1))
    assert (sheet.failed, sheet.repeated, sheet.again, sheet.missing) == (1, 1, 2, 0)


def test_a_submission_after_redis_was_read_is_no_repetition() -> None:
    known = recorded({"a": "SUCCESS"}, {"a": [(150.0, 1), (201.0, 1)], "b": [(202.0, 1)]}, SUCCESS=1)
    later = Later({}, frozenset({("a", 201.0), ("b", 202.0)}))
    sheet = complete(held(submitted=2), known, later, in_redis())
    assert (sheet.repeated, sheet.missing) == (1, 0)


def test_both_sides_of_the_sheet() -> None:
    sheet = Balance(
        submitted=100, adopted=20, foreign=3, succeeded=50, failed=9, revoked=8, dead=7, deleted=6, waiting=15,
        in_flight=14, delayed=13, repeated=2, again=4, uncounted=1000, deleted_ended=1000,
    )  # fmt: skip
    assert (sheet.accepted, sheet.accounted_for, sheet.missing) == (123, 120, 3)


class Reads:
    """A ledger whose readings are told, and the history beside it."""

    def __init__(self, *readings: Held, cursors: Iterable[str] = ()) -> None:
        self.readings = list(readings)
        self.cursors = list(cursors)
        self.asked: list[Any] = []
        self.now = 0.0

    def read(self) -> Held:
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]

    def latest_event(self) -> str:
        return "200-0"

    def read_later(self, after: str, until: str, at: float) -> Later:
        self.asked.append((after, until, at))
        return NOTHING_LATER

    def copies(self, run_ids: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(run_ids, 0)

    def cursor(self) -> str:
        return self.cursors.pop(0) if len(self.cursors) > 1 else self.cursors[0]

    def read_recorded(self, since: float, run_ids: Iterable[str]) -> Recorded:
        self.asked.append((since, sorted(run_ids)))
        return recorded(cursor="201-0", SUCCESS=2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that goes on by what is slept; its first entry is the time."""
    now = [1000.0]
    monkeypatch.setattr(recount.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(recount.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def take(reads: Reads, patience_s: float = 10.0) -> tuple[Balance, bool]:
    return recount.take(cast("Ledger", reads), reads, reads.cursor, patience_s=patience_s)


def test_a_sheet_that_adds_up_is_taken_once(clock: list[float]) -> None:
    reads = Reads(held(["l"], ["r"], submitted=2), cursors=["200-0"])
    sheet, has_caught_up = take(reads)
    assert (sheet.missing, has_caught_up, clock[0]) == (0, True, 1000.0)
    assert reads.asked == [(100.0, ["l", "r"]), ("200-0", "201-0", 200.0)]


def test_a_broker_that_never_counted_is_asked_from_now_on(clock: list[float]) -> None:
    reads = Reads(held(since=None, submitted=2), cursors=["200-0"])
    take(reads)
    assert reads.asked[0] == (200.0, [])


def test_what_is_on_its_way_is_waited_for(clock: list[float]) -> None:
    reads = Reads(held(submitted=3), held(submitted=3), held(submitted=2), cursors=["200-0"])
    sheet, _ = take(reads)
    assert (sheet.missing, clock[0]) == (0, 1001.5)


def test_patience_ends(clock: list[float]) -> None:
    sheet, has_caught_up = take(Reads(held(submitted=3), cursors=["200-0"]), patience_s=4.0)
    assert (sheet.missing, has_caught_up) == (1, True)
    assert 1004.0 <= clock[0] < 1006.0


def test_a_recorder_that_is_behind_is_waited_for(clock: list[float]) -> None:
    reads = Reads(held(submitted=2), cursors=["199-9", "199-10", "200-0"])
    assert take(reads)[1] is True
    assert clock[0] == pytest.approx(1000.2)


def test_a_recorder_that_stays_behind_is_said_so(clock: list[float]) -> None:
    assert take(Reads(held(submitted=2), cursors=["199-9"]), patience_s=1.0)[1] is False


def test_ids_of_entries_are_in_the_order_of_their_numbers() -> None:
    assert order_of("9-10") > order_of("9-9") > order_of("9") == (9, 0)
