"""A worker that did not answer for longer than its lease: others have what it held, and it knows."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
import redis

from benchmarks.faults.malformed import message
from celery_nexus.delivery import keys
from celery_nexus.delivery.guardian import Guardian
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases import process_identity
from celery_nexus.delivery.leases.in_flight import InFlight
from celery_nexus.delivery.leases.lease import Leases
from celery_nexus.delivery.transport import fetch_script
from celery_nexus.queues import priority_key

HELD = FetchedTag(f"1 {priority_key('default_queue', 5)}")
ELSEWHERE = "pid:[1]"


@pytest.fixture
def guardian_elsewhere(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A guardian in another container, whose clock runs fast; rescues whatever stands still."""
    monkeypatch.setattr(process_identity, "identify_namespace", lambda: ELSEWHERE)
    now = [0.0]
    guardian = Guardian(stack.producer, InFlight(stack.client, "guardian"), clock=lambda: now[0])

    def rescue() -> None:
        for _ in range(5):
            guardian.look()
            now[0] += 4.0

    return rescue


def test_what_a_frozen_worker_had_only_fetched_runs_once(stack: Any, guardian_elsewhere: Any) -> None:
    for name in ("runs", "a", "b", "c"):
        stack.publish("t.note", name, 1)
    worker = stack.worker("w", "-c", "1", "--prefetch-multiplier", "4")
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 4 and stack.count("started:runs"))
    worker.send_signal(signal.SIGSTOP)
    guardian_elsewhere()
    assert stack.client.hlen(keys.LEASES) == 0
    other = stack.worker("other")
    stack.until(lambda: stack.client.llen("order") >= 4)
    worker.send_signal(signal.SIGCONT)
    stack.until(lambda: stack.log("w").count("is dropped: it was given to others") == 3)
    other.kill()
    other.wait(10)
    stack.publish("t.note", "after")
    stack.until(lambda: stack.count("done:after"))  # by the one that was frozen
    assert [stack.count(f"started:{name}") for name in ("runs", "a", "b", "c")] == [2, 1, 1, 1]
    assert "what it held and had not started is dropped" in stack.log("w")
    assert "took the lease of w@test anew" in stack.log("w")


def test_a_frozen_worker_robs_nothing_of_its_successor(stack: Any) -> None:
    for name in ("long", "a", "b"):
        stack.publish("t.note", name, 60)
    first = stack.worker("w", "-c", "1", "--prefetch-multiplier", "4")
    stack.until(lambda: stack.client.hlen(keys.in_flight_key("w@test")) == 3 and stack.count("started:long"))
    first.send_signal(signal.SIGSTOP)
    stack.environment |= {"NEXUS_TEST_NAMESPACE": ELSEWHERE, "NEXUS_TEST_LEASE_S": "5"}
    second = stack.worker("w", "-c", "3")
    stack.until(lambda: stack.count("started:long") == 2 and stack.count("started:a") and stack.count("started:b"))
    held = stack.client.hgetall(keys.in_flight_key("w@test"))
    first.send_signal(signal.SIGCONT)
    assert first.wait(30) == 69
    assert "w@test already runs on" in stack.log("w")
    assert stack.client.hgetall(keys.in_flight_key("w@test")) == held
    assert [stack.count(f"started:{name}") for name in ("long", "a", "b")] == [2, 1, 1]
    assert second.poll() is None


@pytest.fixture
def held(stack: Any) -> InFlight:
    """What a worker holds that has lost its lease since."""
    in_flight = InFlight(stack.client, "w@x")
    in_flight.token = Leases(stack.client).take("w@x").token
    stack.client.hset(in_flight.key, HELD, json.dumps(message()))
    return in_flight


STEPS: dict[str, Any] = {
    "start": lambda held: held.start(HELD),
    "restore": lambda held: held.restore(HELD),
    "restore all": lambda held: held.restore_all(),
    "delay": lambda held: held.delay(HELD, 1e10),
    "set_aside": lambda held: held.set_aside(HELD, "malformed"),
    "adopt": lambda held: held.adopt(HELD) != HELD,
}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_done_by_the_owner_and_refused_to_everybody_else(stack: Any, held: InFlight, step: str) -> None:
    lease = stack.client.hget(keys.LEASES, "w@x")
    before = snapshot(stack.client)
    for lost in (lease.replace(held.token.encode(), b"of a successor"), None, b"{"):
        stack.client.delete(keys.LEASES)
        if lost is not None:
            stack.client.hset(keys.LEASES, "w@x", lost)
        assert not STEPS[step](held)
        stack.client.hset(keys.LEASES, "w@x", lease)
        assert snapshot(stack.client) == before
    assert STEPS[step](held)
    assert snapshot(stack.client) != before


def test_a_fetch_is_refused_to_who_has_no_lease(stack: Any, held: InFlight) -> None:
    stack.client.lpush("default_queue", json.dumps(message()))
    names = [*held.fence_keys, keys.WAITING]
    arguments = [*held.fence, "id", "", ":", "0", 1_000_000, 1, 1, "default_queue"]
    stack.client.hset(keys.LEASES, "w@x", "another's")
    with pytest.raises(redis.ResponseError, match=r"^FENCED the lease is not ours any more$"):
        stack.client.eval(fetch_script.FETCH, len(names), *names, *arguments)
    assert (stack.client.llen("default_queue"), stack.client.hlen(held.key)) == (1, 1)


def test_a_run_whose_message_is_gone_does_not_start(stack: Any, held: InFlight) -> None:
    stack.client.delete(held.key)
    assert not held.start(HELD)
    assert not stack.client.exists(held.started_key)


def test_a_start_is_noted_until_a_run_has_ended(held: InFlight) -> None:
    held.start(HELD)
    assert held.read_starts() == {HELD: None}
    assert held.handed_over == {HELD}
    held.acknowledge(HELD)
    assert held.handed_over == frozenset()
    later = FetchedTag(f"2 {priority_key('default_queue', 5)}")
    held.client.hset(held.key, later, "{}")
    held.start(later)
    assert held.read_starts() == {later: None}


def snapshot(client: Any) -> dict[bytes, bytes]:
    """Dump everything but the counters, whose time goes on."""
    return {key: client.dump(key) for key in client.scan_iter() if not key.startswith(b"nexus:counters")}
