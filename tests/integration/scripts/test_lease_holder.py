"""A worker's side of its lease: it waits for its name, goes on after a loss, and gives all back at its end."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
import redis
from celery import Celery
from celery.exceptions import WorkerShutdown

from celery_nexus.delivery import keys, running
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases import lease_holder
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import LEASE_S, Leases, NameTaken, Owner
from celery_nexus.delivery.leases.lease_holder import EXIT_NAME_TAKEN, PATIENCE_S, LeaseHolder
from celery_nexus.delivery.leases.process_identity import ProcessIdentity
from celery_nexus.queues import priority_key

LIST = priority_key("q", 5)
RAW = b'{"headers": {"id": "a", "task": "t"}, "properties": {}}'
PROCESS = ProcessIdentity.identify()
DEAD_HERE = Owner("theirs", f"{PROCESS.boot} {PROCESS.namespace}", "here", PROCESS.pid, PROCESS.start - 1, 3, 1000.0)
THEIRS = Owner("theirs", "another-boot pid:[7]", "far", 7, 70, 3, 1000.0)


class Holder:
    """A lease holder on a clock that goes on by what is slept."""

    def __init__(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = client
        self.now = 1000.0
        self.ended: list[int] = []
        self.registered: list[Any] = []
        monkeypatch.setattr(lease_holder.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(lease_holder.time, "sleep", self._sleep)
        monkeypatch.setattr(lease_holder.atexit, "register", self.registered.append)
        self.flight = InFlight(client, "w")
        self.holder = LeaseHolder(Celery("t", set_as_current=False), self.flight, self.ended.append)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def taken(self, monkeypatch: pytest.MonkeyPatch, *, lives: bool, until: float = 1e9) -> None:
        """Let the name be another's until a time of the clock."""
        take = Leases.take

        def refuse(leases: Leases, node: str) -> Owner:
            if self.now < until:
                raise NameTaken(node, THEIRS, lives=lives)
            return take(leases, node)

        monkeypatch.setattr(Leases, "take", refuse)

    def rob(self) -> None:
        """Let another process own the name."""
        self.client.hset(keys.LEASES, "w", json.dumps(asdict(THEIRS)))

    def free(self) -> None:
        """Let the other process be gone."""
        self.client.hdel(keys.LEASES, "w")

    def hold(self, number: int, key: str = LIST) -> FetchedTag:
        tag = FetchedTag(f"{number:03} {key}")
        self.client.hset(self.flight.key, tag, RAW)
        return tag


@pytest.fixture
def holder(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Holder]:
    yield Holder(client, monkeypatch)
    monkeypatch.setattr(running, "_broker_clock", None)


def test_a_worker_takes_its_name_and_puts_back_what_an_earlier_one_held(holder: Holder) -> None:
    tag = holder.hold(1)
    holder.client.hset(holder.flight.started_key, tag, "")
    holder.client.hset(holder.flight.started_key, "another", "")
    holder.holder.begin()
    assert Leases(holder.client).owners()["w"].token == holder.flight.token
    assert holder.client.llen(LIST) == 1
    assert not holder.client.exists(holder.flight.started_key, holder.flight.key)
    assert holder.registered == [holder.holder.end]
    assert running.now() == pytest.approx(Leases(holder.client).now(), abs=5)


def test_what_a_dead_worker_of_this_machine_held_is_put_back_at_the_second_look(holder: Holder) -> None:
    holder.holder._leases._standstill.clock = lambda: holder.now
    holder.client.hset(keys.LEASES, "dead", json.dumps(asdict(DEAD_HERE)))
    holder.client.hset(keys.LEASES, "far", json.dumps(asdict(THEIRS)))
    holder.client.hset(keys.in_flight_key("dead"), f"001 {LIST}", RAW)
    holder.client.hset(keys.in_flight_key("far"), f"002 {LIST}", RAW)
    holder.holder.begin()
    waiting: list[Any] = []
    for _ in range(3):
        holder.holder.rescue_others()
        waiting.append(holder.client.llen(LIST))
        holder.now += 1.1
    assert waiting == [0, 1, 1]
    assert sorted(Leases(holder.client).owners()) == ["far", "w"]


def test_a_broker_that_is_away_while_others_are_looked_after_ends_no_worker(
    holder: Holder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(Leases, "find_abandoned", refuse)
    holder.holder.rescue_others()
    assert "can't look after other workers: away" in caplog.text


def test_a_live_owner_is_waited_for_shortly(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    holder.taken(monkeypatch, lives=True)
    with pytest.raises(WorkerShutdown) as end:
        holder.holder.begin()
    assert end.value.args == (EXIT_NAME_TAKEN,)
    assert PATIENCE_S <= holder.now - 1000 < PATIENCE_S + 0.5


def test_an_owner_that_may_be_dead_is_watched_for_its_time(
    holder: Holder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    holder.taken(monkeypatch, lives=False)
    with pytest.raises(WorkerShutdown):
        holder.holder.begin()
    assert LEASE_S + PATIENCE_S <= holder.now - 1000 < LEASE_S + PATIENCE_S + 0.5
    assert sum("waiting for up to 15 s" in record.getMessage() for record in caplog.records) == 1


def test_who_is_told_to_stop_waits_for_no_name(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    holder.taken(monkeypatch, lives=False)
    monkeypatch.setattr(lease_holder.worker_state, "should_stop", 0)
    with pytest.raises(WorkerShutdown) as end:
        holder.holder.begin()
    assert end.value.args == (0,)
    assert holder.now == 1000.0


def test_a_name_that_becomes_free_is_taken(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    holder.taken(monkeypatch, lives=True, until=1001.0)
    holder.holder.begin()
    assert holder.flight.token == Leases(holder.client).owners()["w"].token
    assert 1001.0 <= holder.now < 1001.5


def test_after_a_reconnect_what_no_child_runs_is_put_back(holder: Holder) -> None:
    holder.holder.begin()
    runs, fetched = holder.hold(1), holder.hold(2)
    assert holder.flight.start(runs)
    holder.holder.resume()
    assert list(holder.flight.entries()) == [runs]
    assert holder.client.llen(LIST) == 1
    assert fetched not in holder.flight.entries()


def test_a_renewal_settles_what_the_brokers_absence_left(holder: Holder) -> None:
    holder.holder.begin()
    token, tag = holder.flight.token, holder.hold(1)
    fetched = holder.hold(2)
    holder.flight.restore_later(tag)
    holder.holder.renew()
    assert holder.flight.token == token
    assert holder.client.llen(LIST) == 1
    assert list(holder.flight.entries()) == [fetched]


def test_a_renewal_without_a_broker_fails_nothing(
    holder: Holder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    holder.holder.begin()

    def away(*_: Any) -> Owner:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(Leases, "take", away)
    holder.holder.renew()
    assert "can't renew the lease: away" in caplog.text
    with pytest.raises(redis.ConnectionError):
        holder.holder.resume()


def test_who_lost_its_lease_to_a_live_worker_ends(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    holder.holder.begin()
    holder.taken(monkeypatch, lives=True)
    holder.holder.renew()
    assert holder.ended == [EXIT_NAME_TAKEN]


def test_who_lost_its_lease_for_a_rescue_says_so_once_and_goes_on_with_what_it_runs(
    holder: Holder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    holder.holder.begin()
    runs = holder.hold(1)
    assert holder.flight.start(runs)
    token = holder.flight.token
    holder.rob()
    for _ in range(3):
        holder.holder.renew()
    assert holder.ended == []
    assert holder.flight.token == token
    holder.free()
    fetched = holder.hold(2)
    holder.holder.renew()
    assert holder.flight.token not in (token, THEIRS.token)
    assert list(holder.flight.entries()) == [runs]
    assert fetched not in holder.flight.entries()
    lost = "the lease of w went to another process"
    assert caplog.text.count(lost) == 1
    assert caplog.text.count("took the lease of w anew; 1 put back") == 1
    holder.rob()
    holder.holder.renew()
    assert caplog.text.count(lost) == 2


def test_a_fetch_that_is_refused_renews(holder: Holder) -> None:
    holder.holder.begin()
    assert holder.flight.on_fenced == holder.holder.renew


def test_at_its_end_a_worker_gives_back_all_and_frees_its_name(holder: Holder) -> None:
    holder.holder.begin()
    acknowledged, held = holder.hold(1), holder.hold(2)
    holder.flight.call_soon = lambda _: None
    holder.flight.acknowledge(acknowledged)
    holder.holder.end()
    assert holder.client.llen(LIST) == 1
    assert holder.flight.entries() == {}
    assert held not in holder.flight.entries()
    assert Leases(holder.client).owners() == {}


def test_who_never_had_the_name_frees_nothing(holder: Holder) -> None:
    Leases(holder.client).take("w")
    holder.hold(1)
    holder.holder.end()
    assert holder.client.llen(LIST) == 0
    assert set(Leases(holder.client).owners()) == {"w"}


def test_a_forked_child_frees_nothing(holder: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    holder.holder.begin()
    monkeypatch.setattr(lease_holder.os, "getpid", lambda: 1)
    holder.holder.end()
    assert set(Leases(holder.client).owners()) == {"w"}


def test_an_end_without_a_broker_leaves_all_to_the_next_worker(
    holder: Holder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    holder.holder.begin()

    def away(*_: Any, **__: Any) -> int:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(InFlight, "restore_all", away)
    holder.holder.end()
    assert "left messages for the next worker of this name: away" in caplog.text


def test_a_lease_that_is_somebody_elses_by_now_is_not_freed(holder: Holder) -> None:
    holder.holder.begin()
    holder.client.hset(keys.LEASES, "w", json.dumps(asdict(replace(THEIRS, token="new"))))
    holder.holder.end()
    assert Leases(holder.client).owners()["w"].token == "new"
