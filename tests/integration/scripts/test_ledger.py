"""The Redis side of the balance sheet, on a real server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from celery_nexus.delivery import keys
from celery_nexus.delivery.balance import ledger as ledger_module
from celery_nexus.delivery.balance.ledger import STOCK_IN_FLIGHT, Ledger
from celery_nexus.delivery.keys import encode_delayed_member
from celery_nexus.queues import priority_key

OURS = '"nexus_publication": "p"'


def message(run_id: str, *, is_counted: bool = True, redelivered: bool = False) -> str:
    known = {"headers": {"id": run_id, "task": "t"}, "properties": {"nexus_publication": "p"} if is_counted else {}}
    text = json.dumps(known)
    return text.replace('"task"', '"redelivered": true, "task"') if redelivered else text


def figures(sheet: Any) -> dict[str, int]:
    counters = ["submitted", "adopted", "foreign", "deleted", "deleted_ended"]
    names = [*counters, "dead", "uncounted", "waiting", "in_flight", "delayed"]
    return {name: getattr(sheet, name) for name in names if getattr(sheet, name)}


def test_a_broker_that_nobody_used_holds_nothing(client: Any) -> None:
    held = Ledger(client, ["q"]).read()
    assert figures(held.balance) == {}
    assert (held.letters, held.redelivered, held.latest_event) == ((), (), "0-0")
    assert held.balance.since is None
    assert held.balance.at.timestamp() == pytest.approx(client.time()[0], abs=2)


@pytest.mark.parametrize(("prefix", "separator"), [("", "\x06\x16"), ("p*:", ":")])
def test_everything_is_read_under_its_name(client: Any, prefix: str, separator: str) -> None:
    counts = {"submitted": 9, "adopted": 8, "deleted": 7, "deleted_ended": 6, "since": "123.5"}
    client.hset(prefix + keys.COUNTERS, mapping=counts)
    client.lpush(prefix + "q", message("w0"), message("w0b", is_counted=False))
    client.lpush(prefix + priority_key("q", 9, separator), message("w9"))
    client.zadd(prefix + keys.key_of_delayed("q"), {encode_delayed_member(5, message("d1").encode()): 9e9})
    client.zadd(
        prefix + keys.key_of_delayed("only delayed"),
        {encode_delayed_member(5, message("d2", is_counted=False).encode()): 9},
    )
    client.hset(prefix + keys.in_flight_key("w@h"), mapping={"1 q": message("f1"), "2 q": message("f2")})
    client.hset(prefix + STOCK_IN_FLIGHT, mapping={"x": message("f3"), "y": message("f4", is_counted=False)})
    client.zadd(prefix + keys.DEAD, {"l1": 1, "l2": 2, "l3": 3})
    for letter, facts in (("l1", {"id": "a", "counted": True}), ("l2", {"id": "b"}), ("l3", {"counted": True})):
        client.hset(prefix + keys.DEAD_FACTS, letter, json.dumps(facts | {"reason": "poisoned", "list": "q"}))
    client.xadd(f"{prefix}nexus:events", {"d": "{}"}, id="77-3")
    held = Ledger(client, ["q"], prefix, separator).read()
    assert figures(held.balance) == {
        "submitted": 9, "adopted": 8, "deleted": 7, "deleted_ended": 6, "waiting": 3, "delayed": 2, "in_flight": 4,
        "foreign": 3, "dead": 2, "uncounted": 1,
    }  # fmt: skip
    assert held.balance.since == datetime.fromtimestamp(123.5, UTC)
    assert held.letters == ("a",)
    assert sorted(held.redelivered) == ["f1", "f2", "f3", "f4"]
    assert held.latest_event == "77-3"


def test_what_waits_again_is_told_and_what_waits_is_not(client: Any) -> None:
    client.rpush("q", message("waits"), message("again", redelivered=True))
    client.rpush("q", '{"headers": {"redelivered": true}}', "nonsense")
    assert Ledger(client, ["q"]).read().redelivered == ("again",)


def test_no_more_of_a_long_list_is_read_than_its_end(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "RESTORED_MOST", 2)
    client.rpush("q", *(message(name, redelivered=True) for name in "abc"))
    assert Ledger(client, ["q"]).read().redelivered == ("b", "c")


def test_queues_that_are_bound_on_the_broker_are_read_too(client: Any) -> None:
    client.sadd("_kombu.binding.x", "k\x06\x16\x06\x16bound", "malformed", "k\x06\x16\x06\x16bound too")
    client.sadd("_kombu.binding.celery.pidbox", "\x06\x16\x06\x16w.pidbox")
    client.set("_kombu.binding.odd", "no set")
    for name in ("bound", "bound too", "w.pidbox"):
        client.rpush(name, message(name))
    assert Ledger(client, []).read().balance.waiting == 2


def test_keys_of_somebody_else_hold_nothing(client: Any) -> None:
    client.set("q", "no list")
    client.set(keys.key_of_delayed("q"), "no set")
    client.set(keys.in_flight_key("w"), "no hash")
    client.set(STOCK_IN_FLIGHT, "no hash")
    assert figures(Ledger(client, ["q"]).read().balance) == {}


def test_a_prefix_is_no_pattern(client: Any) -> None:
    client.hset("pat:" + keys.in_flight_key("w"), "1 q", message("of another"))
    client.hset("p?t:" + keys.in_flight_key("w"), "1 q", message("mine"))
    assert Ledger(client, [], "p?t:").read().redelivered == ("mine",)


def test_copies_of_a_run_are_counted_wherever_they_are(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "STEP", 2)
    client.rpush("q", message("b"), *[message("a")] * 3, message("x a"))
    client.rpush(priority_key("q", 3), message("a"))
    client.zadd(
        keys.key_of_delayed("q"),
        {encode_delayed_member(1, message(name).encode()): number for number, name in enumerate("ba")},
    )
    client.hset(keys.in_flight_key("w"), mapping={"1 q": message("a"), "2 q": message("c")})
    ledger = Ledger(client, ["q"])
    assert ledger.copies(["a", "b", "d"]) == {"a": 6, "b": 2, "d": 0}
    assert ledger.copies([]) == {}
    assert ledger.find_present(["a", "c", "d"]) == frozenset({"a", "c"})


def test_a_malformed_message_that_names_a_run_is_there(client: Any) -> None:
    client.rpush("q", '{"headers": {"id": "lost?", "task"', json.dumps({"headers": {"id": 7, "task": "other"}}))
    assert Ledger(client, ["q"]).find_present(["lost?", "other"]) == frozenset({"lost?"})


def test_an_id_is_known_in_each_spelling(client: Any) -> None:
    client.rpush("q", json.dumps({"headers": {"id": "é", "task": "t"}}, ensure_ascii=True))
    client.rpush("q", json.dumps({"headers": {"id": "é", "task": "t"}}, ensure_ascii=False))
    ledger = Ledger(client, ["q"])
    assert ledger.copies(["é"]) == {"é": 2}
    assert ledger.find_present(["é"]) == frozenset({"é"})


def test_the_latest_event_is_told(client: Any) -> None:
    assert Ledger(client, []).latest_event() == "0-0"
    for number in (1, 2):
        client.xadd("p:nexus:events", {"d": "{}"}, id=f"5-{number}")
    assert Ledger(client, [], "p:").latest_event() == "5-2"
