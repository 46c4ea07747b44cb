"""What the scripts of delivery do where they have a choice, and when others were faster."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from celery_nexus.delivery import letter_scripts, scripts
from celery_nexus.delivery.transport import fetch_script
from tests.integration.scripts.delivery_cases import DELIVERY, be_leased, hold
from tests.integration.scripts.refusing import MESSAGE, OTHER, is_refusal, run

FENCED = ["w", "another's token"]
OURS = ["w", "t"]
FIELD = "1 q"
LETTERS = ["dead", "facts", "bytes"]
BURIAL = ["l", '{"a": 1}', '{"counted": 1}', 100, 0, 10_000, 1_000_000]

STEPS: dict[str, tuple[str, list[str], list[Any]]] = {
    "adopt": (scripts.ADOPT, ["flight", "leases", "counters"], [FIELD, "1+ q", "adopted"]),
    "start": (scripts.START, ["flight", "leases", "started"], [FIELD, 0]),
    "restore": (scripts.RESTORE, ["flight", "leases", "q", "wake"], [FIELD, "RPUSH", "", 0]),
    "restore with other bytes": (scripts.RESTORE, ["flight", "leases", "q", "wake"], [FIELD, "RPUSH", "changed", 0]),
    "delay": (scripts.DELAY, ["flight", "leases", "delayed"], [FIELD, 9e9, 0, 0]),
    "set_aside": (letter_scripts.SET_ASIDE, ["flight", "leases", *LETTERS, "ends"], [FIELD, *BURIAL]),
}


def call(client: Any, name: str, fence: list[str]) -> Any:
    script, keys, arguments = STEPS[name]
    return client.eval(script, len(keys), *keys, *fence, *arguments)


def dump(client: Any) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.scan_iter()}


@pytest.mark.parametrize("name", STEPS)
def test_who_lost_the_lease_changes_nothing(client: Any, name: str) -> None:
    hold(client)
    before = dump(client)
    assert call(client, name, FENCED) == 0
    client.hdel("leases", "w")
    assert call(client, name, OURS) == 0
    hold(client)
    assert dump(client) == before


@pytest.mark.parametrize("name", STEPS)
def test_what_is_not_held_any_more_is_left_alone(client: Any, name: str) -> None:
    be_leased(client)
    before = dump(client)
    assert call(client, name, OURS) == 0
    assert dump(client) == before


@pytest.mark.parametrize("name", STEPS)
def test_who_has_the_lease_and_a_tool_without_one_take_the_step(client: Any, name: str) -> None:
    for fence in (OURS, ["w", ""]):
        client.flushall()
        hold(client)
        assert call(client, name, fence) == 1
        assert client.hexists("flight", FIELD) == (name == "start")


PUBLISH = ["q", "wake", "counters", "delayed", "mark"]


def publish(client: Any, *, counter: str = "submitted", due: Any = "", name: str = "p q") -> Any:
    return client.eval(scripts.PUBLISH, 5, *PUBLISH, MESSAGE, counter, due, b"5" + MESSAGE, name, 60)


def test_a_publication_is_last_in_its_list_wakes_one_worker_and_is_counted(client: Any) -> None:
    client.lpush("q", OTHER)
    assert publish(client) == 1
    assert client.lrange("q", 0, -1) == [MESSAGE, OTHER]
    assert client.lrange("wake", 0, -1) == [b"1"]
    assert client.hget("counters", "submitted") == b"1"
    assert (client.get("mark"), client.ttl("mark")) == (b"p q", 60)
    assert publish(client, name="p2 q", counter="forwarded") == 1
    assert client.lrange("wake", 0, -1) == [b"1"]
    assert client.hget("counters", "forwarded") == b"1"
    assert client.llen("q") == 3


def test_the_counters_know_since_when(client: Any) -> None:
    publish(client)
    since = client.hget("counters", "since")
    assert abs(float(since) - time.time()) < 60
    publish(client, name="p2 q", counter="forwarded")
    assert client.hget("counters", "since") == since


def test_a_publication_that_arrived_before_is_known_and_one_that_did_not_is_not(client: Any) -> None:
    case = DELIVERY["publish"]
    client.set("q", "no list")
    assert is_refusal(run(client, case))
    client.delete("q")
    assert [run(client, case), run(client, case)] == [1, 0]
    assert client.lrange("q", 0, -1) == [MESSAGE]
    assert client.hget("counters", "submitted") == b"1"


def test_a_run_that_was_published_a_moment_ago_is_not_counted_again(client: Any) -> None:
    publish(client)
    assert publish(client, name="p2 q") == scripts.NOT_COUNTED == 2
    assert client.llen("q") == 2
    assert client.hget("counters", "submitted") == b"1"
    assert client.get("mark") == b"p2 q"


def test_what_is_due_later_is_delayed_and_wakes_nobody(client: Any) -> None:
    assert publish(client, due=9e9) == 1
    assert client.zrange("delayed", 0, -1, withscores=True) == [(b"5" + MESSAGE, 9e9)]
    assert not client.exists("q", "wake")


def test_what_was_due_before_waits_for_its_turn(client: Any) -> None:
    assert publish(client, due=1) == 1
    assert client.lrange("q", 0, -1) == [MESSAGE]
    assert not client.exists("delayed")


def test_a_message_that_is_counted_keeps_its_bytes_under_another_name(client: Any) -> None:
    hold(client)
    assert call(client, "adopt", OURS) == 1
    assert client.hgetall("flight") == {b"1+ q": MESSAGE}
    assert client.hget("counters", "adopted") == b"1"


def fetch(client: Any, queues: list[str], digits: str, *, limit: int = 1_000_000, fence: list[str] = OURS) -> Any:
    """Fetch one message after a look through all lists; returns its list, its bytes, and what else is told of it."""
    keys = ["flight", "leases", "waiting"]
    answer: Any = client.eval(fetch_script.FETCH, 3, *keys, *fence, "7", "", "", digits, limit, 1, 1, *queues)
    return answer[0][1:] if isinstance(answer, list) else answer


def test_who_lost_the_lease_fetches_nothing(client: Any) -> None:
    be_leased(client)
    client.lpush("a", MESSAGE)
    with pytest.raises(redis.ResponseError, match=r"^FENCED the lease is not ours any more"):
        fetch(client, ["a"], "0", fence=FENCED)
    assert client.lrange("a", 0, -1) == [MESSAGE]
    assert not client.exists("flight")


def test_priorities_come_before_queues_and_the_right_end_first(client: Any) -> None:
    be_leased(client)
    client.rpush("a5", "a5 last", "a5 next")
    client.rpush("b", "b0")
    client.rpush("b5", "b5")
    fetched = [fetch(client, ["a", "b"], "05") for _ in range(5)]
    assert fetched == [[b"b", b"b0"], [b"a5", b"a5 next"], [b"a5", b"a5 last"], [b"b5", b"b5"], None]
    assert client.hgetall("flight") == {b"7.0 b": b"b0", b"7.0 a5": b"a5 last", b"7.0 b5": b"b5"}


def test_a_message_that_is_too_large_is_held_and_only_its_size_is_told(client: Any) -> None:
    be_leased(client)
    client.lpush("a", MESSAGE)
    assert fetch(client, ["a"], "0", limit=len(MESSAGE) - 1) == [b"a", None, len(MESSAGE)]
    assert client.hgetall("flight") == {b"7.0 a": MESSAGE}
    client.lpush("a", OTHER)
    assert fetch(client, ["a"], "0", limit=len(OTHER)) == [b"a", OTHER]


def test_what_is_due_runs_in_its_priority_of_its_queue_behind_what_waits_there(client: Any) -> None:
    be_leased(client)
    client.zadd("nexus:delayed:b", {"9due later": 2, "9due": 1, "0first": 3})
    client.rpush("b9", "waited")
    client.rpush("a9", "of a")
    fetched = [fetch(client, ["a", "b"], "09") for _ in range(5)]
    assert fetched == [
        [b"b", b"first"],
        [b"a9", b"of a"],
        [b"b9", b"waited"],
        [b"b9", b"due"],
        [b"b9", b"due later"],
    ]
    assert not client.exists("nexus:delayed:b")


def test_what_is_due_at_an_unknown_priority_runs_in_the_first(client: Any) -> None:
    be_leased(client)
    client.zadd("nexus:delayed:a", {"xodd": 1})
    assert fetch(client, ["a"], "09") == [b"a", b"odd"]


def test_of_what_is_due_a_hundred_are_taken_at_a_time(client: Any) -> None:
    be_leased(client)
    client.zadd("nexus:delayed:a", {f"0{number:03}": number for number in range(150)})
    assert fetch(client, ["a"], "0") == [b"a", b"000"]
    assert (client.llen("a"), client.zcard("nexus:delayed:a")) == (99, 50)
    assert client.lindex("a", 0) == b"099"


def test_who_finds_nothing_learns_when_the_next_is_due(client: Any) -> None:
    be_leased(client)
    assert fetch(client, ["a", "b"], "0") is None
    now = client.time()[0]
    client.zadd("nexus:delayed:a", {"0later": now + 300})
    client.zadd("nexus:delayed:b", {"0soon": now + 100})
    assert 95 < float(fetch(client, ["a", "b"], "0")) <= 100
    client.zadd("nexus:delayed:a", {"0sooner": now + 50})
    assert 45 < float(fetch(client, ["a", "b"], "0")) <= 50
    assert not client.exists("flight")


def test_keys_of_another_type_are_passed_over(client: Any) -> None:
    be_leased(client)
    client.set("nexus:delayed:a", "no sorted set")
    client.set("a", "no list")
    client.lpush("a5", MESSAGE)
    assert fetch(client, ["a"], "05") == [b"a5", MESSAGE]


def test_a_due_message_whose_list_is_none_stays_delayed(client: Any) -> None:
    be_leased(client)
    client.zadd("nexus:delayed:a", {b"0" + MESSAGE: 1})
    client.set("a", "no list")
    assert fetch(client, ["a"], "0") is None
    assert client.zrange("nexus:delayed:a", 0, -1) == [b"0" + MESSAGE]


def test_a_start_is_noted_once_and_ends_take_their_notes_away(client: Any) -> None:
    hold(client)
    client.hset("started", mapping={FIELD: "0.5", "0 q": "", "2 q": ""})
    keys = ["flight", "leases", "started"]
    assert client.eval(scripts.START, 3, *keys, *OURS, FIELD, 0, "0 q") == 1
    assert client.hgetall("started") == {FIELD.encode(): b"", b"2 q": b""}


def test_a_start_takes_acknowledgements_along_and_tells_how_many_were_held(client: Any) -> None:
    hold(client)
    client.hset("flight", mapping={"2 q": OTHER, "3 q": OTHER})
    keys = ["flight", "leases", "started"]
    assert client.eval(scripts.START, 3, *keys, *OURS, FIELD, 2, "2 q", "gone", "0 q") == 2
    assert sorted(client.hkeys("flight")) == [FIELD.encode(), b"3 q"]


def test_a_message_goes_back_as_the_next_or_as_the_last_and_wakes_a_worker(client: Any) -> None:
    for side, order in (("RPUSH", [OTHER, MESSAGE]), ("LPUSH", [MESSAGE, OTHER])):
        client.flushall()
        hold(client)
        client.lpush("q", OTHER)
        assert client.eval(scripts.RESTORE, 4, "flight", "leases", "q", "wake", *OURS, FIELD, side, "", 0) == 1
        assert client.lrange("q", 0, -1) == order
        assert client.lrange("wake", 0, -1) == [b"1"]


def test_other_bytes_go_back_when_they_are_given(client: Any) -> None:
    hold(client)
    assert call(client, "restore with other bytes", OURS) == 1
    assert client.lrange("q", 0, -1) == [b"changed"]


@pytest.mark.parametrize(
    ("message", "adopted", "marked"),
    [
        (OTHER, 1, b'{"nexus_publication": "adopted", "headers": {"id": "b"}}'),
        (OTHER, 0, OTHER),
        (MESSAGE, 1, MESSAGE),  # it says so already
        (b"no json", 1, b"no json"),
    ],
)
def test_what_was_counted_says_so_when_it_leaves_its_worker(
    client: Any, message: bytes, adopted: int, marked: bytes
) -> None:
    be_leased(client)
    client.hset("flight", FIELD, message)
    client.eval(scripts.RESTORE, 4, "flight", "leases", "q", "wake", *OURS, FIELD, "RPUSH", "", adopted)
    assert client.lrange("q", 0, -1) == [marked]
    client.hset("flight", FIELD, message)
    client.eval(scripts.DELAY, 3, "flight", "leases", "delayed", *OURS, FIELD, 8e9, 3, adopted)
    assert client.zrange("delayed", 0, -1, withscores=True) == [(b"3" + marked, 8e9)]


def test_messages_that_nobody_counted_are_counted_of_lists_and_of_sorted_sets(client: Any) -> None:
    client.rpush("q", OTHER, MESSAGE, OTHER, MESSAGE)
    client.zadd("delayed", {b"0" + OTHER: 1, b"0" + MESSAGE: 2})
    assert client.eval(scripts.UNMARKED, 1, "q", 0, -1) == [4, 2]
    assert client.eval(scripts.UNMARKED, 1, "q", 2, 2) == [1, 1]
    assert client.eval(scripts.UNMARKED, 1, "delayed", 0, -1) == [2, 1]


CHORD = ["result", "parts", "counted", "claim"]


@pytest.mark.parametrize(("status", "stays"), [("REVOKED", 0), ("FAILURE", 0), ("SUCCESS", 1), ("STARTED", 1)])
def test_a_run_that_runs_after_all_has_not_failed_yet(client: Any, status: str, stays: int) -> None:
    client.set("result", f'{{"status": "{status}"}}')
    assert client.eval(scripts.REVIVE, 1, "result", "a", "") == 1
    assert client.exists("result") == stays


def test_the_part_of_a_run_that_runs_after_all_leaves_its_chord_and_no_others_does(client: Any) -> None:
    client.zadd("parts", {'[1, "a", null]': 3, '[1, "b", null]': 3, '[1, "aa", null]': 4})
    client.sadd("counted", "a:3", "b:3", "aa:4")
    assert client.eval(scripts.REVIVE, 4, *CHORD, "a", 3) == 1
    assert client.zrange("parts", 0, -1) == [b'[1, "b", null]', b'[1, "aa", null]']
    assert client.smembers("counted") == {b"b:3", b"aa:4"}
    assert client.eval(scripts.REVIVE, 4, *CHORD, "a", 3) == 1  # once more, nothing changes
    assert client.scard("counted") == 2


def test_a_chord_that_has_ended_is_not_changed(client: Any) -> None:
    client.zadd("parts", {'[1, "a", null]': 3})
    client.sadd("counted", "a:3")
    client.set("claim", 1)
    assert client.eval(scripts.REVIVE, 4, *CHORD, "a", 3) == 0
    assert (client.zcard("parts"), client.scard("counted")) == (1, 1)


def test_a_lock_is_released_by_who_holds_it_alone(client: Any) -> None:
    client.set("lock", "me")
    assert client.eval(scripts.RELEASE_LOCK, 1, "lock", "other") == 0
    assert client.get("lock") == b"me"
    assert client.eval(scripts.RELEASE_LOCK, 1, "lock", "me") == 1
    assert not client.exists("lock")


def test_a_lease_is_dropped_by_who_has_it_alone_with_its_notes_of_starts(client: Any) -> None:
    be_leased(client)
    client.hset("started", FIELD, "")
    for token in ("another", ""):
        assert client.eval(scripts.DROP_LEASE, 2, "leases", "started", "w", token) == 0
    assert client.exists("leases", "started") == 2
    assert client.eval(scripts.DROP_LEASE, 2, "leases", "started", *OURS) == 1
    assert not client.exists("leases", "started")


def test_a_lease_is_taken_from_the_record_that_was_seen_alone(client: Any) -> None:
    take = [scripts.TAKE_LEASE, 1, "leases", "w"]
    assert client.eval(*take, "", "first") == 1
    assert client.eval(*take, "", "second") == 0
    assert client.eval(*take, "another", "second") == 0
    assert client.hget("leases", "w") == b"first"
    assert client.eval(*take, "first", "second") == 1
    assert client.hget("leases", "w") == b"second"
