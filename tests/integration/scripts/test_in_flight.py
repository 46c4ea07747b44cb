"""What a worker holds: started, put back, delayed, set aside, and settled after the broker's absence."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from celery_nexus.delivery import keys
from celery_nexus.delivery.keys import FetchedTag
from celery_nexus.delivery.leases.in_flight import InFlight, encode_redelivered, mark_redelivered
from celery_nexus.delivery.leases.lease import Leases
from celery_nexus.queues import priority_key

LIST = priority_key("q", 5)
RAW = b'{"headers": {"id": "a"}, "properties": {"delivery_info": {"exchange": "q"}}}'
MARKED = {
    "headers": {"id": "a", "redelivered": True},
    "properties": {"delivery_info": {"exchange": "q", "redelivered": True}},
}


@pytest.fixture
def held(client: Any) -> InFlight:
    flight = InFlight(client, "w")
    flight.token = Leases(client).take("w").token
    return flight


def hold(held: InFlight, number: int, raw: bytes = RAW, list_key: str = LIST, mark: str = "") -> FetchedTag:
    tag = FetchedTag(f"{number:03}{mark} {list_key}")
    held.client.hset(held.key, tag, raw)  # type: ignore[arg-type]
    return tag


def waiting(held: InFlight) -> list[Any]:
    rows: Any = held.client.lrange(LIST, 0, -1)
    return [json.loads(row) for row in rows]


def test_what_goes_back_is_marked_as_redelivered_and_wakes_a_worker(held: InFlight) -> None:
    tag = hold(held, 1)
    assert held.restore(tag)
    assert waiting(held) == [MARKED]
    assert held.client.llen(keys.wake_key("q")) == 1
    assert not held.restore(tag)
    assert len(waiting(held)) == 1


@pytest.mark.parametrize(
    "message", [{}, {"headers": 1, "properties": []}, {"properties": {"delivery_info": 1}}, {"headers": None}]
)
def test_what_has_no_place_for_the_mark_goes_back_as_it_is(message: dict[str, Any]) -> None:
    assert json.loads(encode_redelivered(json.loads(json.dumps(message)))) == message


def test_bytes_that_are_no_message_go_back_as_they_are() -> None:
    assert mark_redelivered(b"nonsense") == b"nonsense"


def test_what_is_put_back_is_next_or_last_of_its_priority(held: InFlight) -> None:
    held.client.rpush(LIST, '{"waits": 1}')
    held.restore(hold(held, 1), first=False)
    held.restore(hold(held, 2, b'{"next": 1}'))
    assert waiting(held) == [MARKED, {"waits": 1}, {"next": 1}]


def test_everything_goes_back_in_its_order_but_what_is_kept(held: InFlight) -> None:
    tags = [hold(held, number, b'{"n": %d}' % number) for number in (3, 1, 2)]
    assert held.restore_all(keep=frozenset(tags[:1])) == 2
    assert waiting(held) == [{"n": 2}, {"n": 1}]
    assert held.entries() == {tags[0]: b'{"n": 3}'}


def test_a_message_whose_key_is_no_list_any_more_stays_held(held: InFlight) -> None:
    tag = hold(held, 1)
    held.client.set(LIST, "no list")
    assert not held.restore(tag)
    assert held.get(tag) == RAW


def test_another_refusal_is_told(held: InFlight) -> None:
    tag = hold(held, 1)
    held.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            held.restore(tag)
    finally:
        held.client.config_set("maxmemory", 0)
    assert held.get(tag) == RAW


def test_what_is_adopted_says_so_when_it_goes_back(held: InFlight) -> None:
    tag = held.adopt(hold(held, 1))
    assert tag == FetchedTag(f"001+ {LIST}")
    assert held.client.hget(keys.COUNTERS, keys.ADOPTED) == b"1"
    held.restore(tag)
    assert waiting(held) == [{"nexus_publication": "adopted", **MARKED}]


def test_a_message_that_can_not_be_counted_runs_all_the_same(held: InFlight) -> None:
    tag = hold(held, 1)
    held.client.config_set("maxmemory", 1)
    try:
        assert held.adopt(tag) == tag
    finally:
        held.client.config_set("maxmemory", 0)
    gone = FetchedTag(f"009 {LIST}")
    assert held.adopt(gone) == gone


def test_a_start_is_noted_until_another_start_after_its_end(held: InFlight) -> None:
    first, second = hold(held, 1), hold(held, 2)
    assert held.start(first)
    assert held.handed_over == {first}
    assert held.read_starts() == {first: None}
    held.acknowledge(first)
    assert held.handed_over == frozenset()
    assert held.start(second)
    assert held.read_starts() == {second: None}
    assert not held.start(first)
    held.forget_starts()
    assert held.read_starts() == {}


def test_a_run_tells_how_far_it_got(held: InFlight) -> None:
    tag = hold(held, 1)
    held.start(tag)
    assert held.progress(tag) is None
    held.client.hset(held.started_key, tag, "0.5")
    assert held.progress(tag) == 0.5
    assert held.read_starts() == {tag: 0.5}


def test_what_is_delayed_waits_for_its_time_in_its_priority(held: InFlight) -> None:
    assert held.delay(hold(held, 1), 9e9)
    assert held.client.zrange(keys.key_of_delayed("q"), 0, -1, withscores=True) == [(b"5" + RAW, 9e9)]
    assert not held.delay(FetchedTag(f"001 {LIST}"), 9e9)


@pytest.mark.parametrize(("mark", "is_counted"), [("+", True), ("", False)])
def test_what_is_set_aside_has_its_facts_and_its_run_ends(held: InFlight, mark: str, is_counted: bool) -> None:
    tag = hold(held, 1, mark=mark)
    assert held.set_aside(tag, "poisoned", "x" * 2000, id="a", task="t")
    [(letter_id, text)] = held.client.hgetall(keys.DEAD_FACTS).items()  # type: ignore[union-attr]
    facts = json.loads(text)
    assert len(letter_id) == 12
    assert 0 <= facts.pop("at") - held.client.zscore(keys.DEAD, letter_id) < 1e-3  # type: ignore[operator]
    told = {"reason": "poisoned", "detail": "x" * 1000, "list": LIST, "worker": "w", "id": "a", "task": "t"}
    assert facts == told | ({"counted": True} if is_counted else {})
    assert held.client.hget(keys.DEAD_BYTES, letter_id) == RAW
    [note] = held.client.lrange(keys.ENDS, 0, -1)  # type: ignore[misc]
    assert bytes(note).endswith(b"\n" + RAW)  # type: ignore[arg-type]
    assert not held.set_aside(tag, "poisoned")


def test_an_acknowledgement_waits_for_the_broker(held: InFlight, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = hold(held, 1)
    client = held.client

    class Away:
        def hdel(self, *_: Any) -> int:
            raise redis.ConnectionError("away")

    held.client = Away()  # type: ignore[assignment]
    held.acknowledge(tag)
    assert held.is_owing
    with pytest.raises(redis.ConnectionError):
        held.settle()
    held.client = client
    held.settle()
    assert not held.is_owing
    assert held.entries() == {}


def test_acknowledgements_of_one_moment_go_with_the_next_start(held: InFlight) -> None:
    first, second, third = (hold(held, number) for number in (1, 2, 3))
    soon: list[Any] = []
    held.call_soon = soon.append
    held.acknowledge(first)
    held.acknowledge(second)
    assert (len(soon), held.is_owing, len(held.entries())) == (1, True, 3)
    assert held.start(third)
    assert (held.is_owing, list(held.entries())) == (False, [third])
    soon.pop()()
    held.acknowledge(third)
    soon.pop()()
    assert (held.is_owing, held.entries()) == (False, {})


def test_what_is_to_be_acknowledged_is_not_put_back(held: InFlight) -> None:
    held.call_soon = lambda _: None
    held.acknowledge(hold(held, 1))
    hold(held, 2)
    assert held.restore_all() == 1
    assert waiting(held) == [MARKED]


def test_what_could_not_be_put_back_is_put_back_later_and_once(held: InFlight) -> None:
    held.restore_later(hold(held, 1))
    for _ in range(2):
        held.settle()
    assert waiting(held) == [MARKED]


def test_names_have_the_prefix_of_the_application(client: Any) -> None:
    flight = InFlight(client, "w", "app.")
    tag = hold(flight, 1, list_key=f"app.{LIST}")
    flight.count("somebody")
    assert flight.delay(tag, 9e9)
    flight.restore(hold(flight, 2, list_key=f"app.{LIST}"))
    flight.set_aside(hold(flight, 3, list_key=f"app.{LIST}"), "malformed")
    assert {key.decode().split(LIST[1:])[0] for key in client.scan_iter()} == {
        *(f"app.{name}" for name in (keys.COUNTERS, keys.key_of_delayed("q"), "q", keys.wake_key("q"), keys.WAITING)),
        *(f"app.{name}" for name in (keys.DEAD, keys.DEAD_FACTS, keys.DEAD_BYTES, keys.ENDS)),
    }
    [facts] = client.hvals("app." + keys.DEAD_FACTS)
    assert json.loads(facts)["list"] == LIST
