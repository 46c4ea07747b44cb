"""What becomes of each message that a dead worker held, on a real server: put back, or set aside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery

from celery_nexus.delivery import keys
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases import rescue
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import Leases
from celery_nexus.queues import priority_key

LIST = priority_key("q", 5)
LOST = {"worker": "w", "at": 1.0, "lost": "worker", "progress": None}


@pytest.fixture
def held(client: Any, monkeypatch: pytest.MonkeyPatch) -> InFlight:
    monkeypatch.setattr(rescue.running, "now", lambda: 1.0)
    flight = InFlight(client, "w")
    flight.token = Leases(client).take("w").token
    return flight


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Celery:
    """An application that is only handed on; what ends there is another test's."""
    carried: list[Any] = []
    monkeypatch.setattr(rescue, "carry_out_what_can_be", lambda *arguments: carried.append(arguments))
    app = Celery("t", set_as_current=False)
    app.__dict__["carried"] = carried
    return app


def hold(held: InFlight, number: int, *, starts: int = 0, is_started: bool = True, **headers: Any) -> FetchedTag:
    tag = FetchedTag(f"{number:03} {LIST}")
    known = {"id": f"run {number}", "task": "t", **headers}
    if starts:
        known[keys.DELIVERIES_HEADER] = [LOST] * starts
    held.client.hset(held.key, tag, json.dumps({"headers": known, "properties": {}}))  # type: ignore[arg-type]
    if is_started:
        held.client.hset(held.started_key, tag, "")  # type: ignore[arg-type]
    return tag


def waiting(held: InFlight) -> list[dict[str, Any]]:
    """Headers of what waits, the next to run first."""
    rows: Any = held.client.lrange(LIST, 0, -1)
    return [json.loads(row)["headers"] for row in reversed(rows)]


def test_what_had_not_started_goes_back_without_a_start(held: InFlight, app: Celery) -> None:
    hold(held, 1, starts=2, is_started=False)
    assert rescue.rescue(app, held) == (1, 0)
    assert waiting(held) == [{"id": "run 1", "task": "t", "nexus_deliveries": [LOST, LOST], "redelivered": True}]


def test_what_had_started_goes_back_with_a_start_more(held: InFlight, app: Celery) -> None:
    hold(held, 1, starts=1)
    assert rescue.rescue(app, held) == (1, 0)
    assert waiting(held) == [{"id": "run 1", "task": "t", "nexus_deliveries": [LOST, LOST], "redelivered": True}]
    assert held.entries() == {}


def test_the_third_start_in_vain_sets_a_run_aside(held: InFlight, app: Any) -> None:
    hold(held, 1, starts=2)
    assert rescue.rescue(app, held) == (0, 1)
    assert waiting(held) == []
    [facts] = [json.loads(text) for text in held.client.hvals(keys.DEAD_FACTS)]  # type: ignore[union-attr]
    assert (facts["id"], facts["task"], facts["reason"]) == ("run 1", "t", "poisoned")
    assert facts["detail"] == "started 3 times without progress, and each time its process died"
    assert facts["deliveries"] == [LOST, LOST, LOST]
    assert app.carried == [(app, held.client, "")]


def test_what_it_told_of_its_progress_keeps_a_run_going(held: InFlight, app: Celery) -> None:
    tag = hold(held, 1, starts=2)
    held.client.hset(held.started_key, tag, "7")  # type: ignore[arg-type]
    assert rescue.rescue(app, held) == (1, 0)
    assert waiting(held)[0]["nexus_deliveries"][-1] == LOST | {"progress": 7.0}


def test_everything_is_dealt_with_in_the_order_in_which_it_ran(held: InFlight, app: Celery) -> None:
    for number in (2, 1, 4, 3):
        hold(held, number, starts=2 if number == 3 else 0, is_started=number > 1)
    assert rescue.rescue(app, held) == (3, 1)
    assert [headers["id"] for headers in waiting(held)] == ["run 1", "run 2", "run 4"]


@pytest.mark.parametrize(
    "raw",
    [b'{"headers": {"task": "t"}}', b'{"headers": {"id": 7, "task": "t"}}', b"nonsense", b'{"headers": null}'],
)
def test_a_message_without_an_id_stops_no_rescue(held: InFlight, app: Celery, raw: bytes) -> None:
    first, odd, last = hold(held, 1), FetchedTag(f"002 {LIST}"), hold(held, 3)
    held.client.hset(held.key, odd, raw)  # type: ignore[arg-type]
    held.client.hset(held.started_key, odd, "")  # type: ignore[arg-type]
    assert rescue.rescue(app, held) == (3, 0)
    assert held.client.llen(LIST) == 3
    assert held.entries() == {}
    assert {first, last}.isdisjoint(held.entries())
    assert not held.client.exists(keys.DEAD)


def give_up_or_restore(held: InFlight, app: Celery, tag: FetchedTag, lost: str) -> bool:
    raw = held.get(tag)
    assert raw is not None
    return rescue.give_up_or_restore(app, held, tag, raw, lost=lost, progress=None)


@pytest.mark.parametrize(("lost", "order"), [("child", ["run 1", "w"]), ("rejected", ["w", "run 1"])])
def test_who_rejects_waits_behind_others_and_who_died_does_not(
    held: InFlight, app: Celery, lost: str, order: list[str]
) -> None:
    held.client.lpush(LIST, json.dumps({"headers": {"id": "w"}}))
    assert give_up_or_restore(held, app, hold(held, 1), lost)
    assert [headers["id"] for headers in waiting(held)] == order


def test_who_rejects_for_ever_is_set_aside_with_that_reason(held: InFlight, app: Celery) -> None:
    assert not give_up_or_restore(held, app, hold(held, 1, starts=2), "rejected")
    [facts] = [json.loads(text) for text in held.client.hvals(keys.DEAD_FACTS)]  # type: ignore[union-attr]
    assert facts["detail"] == "started 3 times without progress, and each time it put its message back"


def test_what_is_not_held_any_more_is_not_restored(held: InFlight, app: Celery) -> None:
    tag = hold(held, 1)
    raw = held.get(tag)
    assert raw is not None
    held.client.delete(held.key)
    assert not rescue.give_up_or_restore(app, held, tag, raw, lost="child", progress=None)
    assert waiting(held) == []
