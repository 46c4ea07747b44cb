"""What each script does where it has a choice, and beside others."""

from __future__ import annotations

from typing import Any

from nexus_tui.sources.broker import purge_scripts
from tests.integration.scripts.delivery_cases import DELIVERY
from tests.integration.scripts.operator_cases import be_purged
from tests.integration.scripts.refusing import MESSAGE, is_refusal, run
from workers.delivery import scripts


def test_what_is_taken_back_from_a_purge_outlives_the_trash(client: Any) -> None:
    be_purged(client)
    assert client.ttl("trash") == 60
    client.eval(purge_scripts.UNPURGE, 3, "trash", "q", "wake", 10)
    assert (client.ttl("q"), client.lrange("q", 0, -1)) == (-1, [MESSAGE])


def test_a_publication_that_arrived_before_is_known_and_one_that_did_not_is_not(client: Any) -> None:
    case = DELIVERY["publish"]
    client.set("q", "no list")
    assert is_refusal(run(client, case))
    client.delete("q")
    assert [run(client, case), run(client, case)] == [1, 0]
    assert client.lrange("q", 0, -1) == [MESSAGE]
    assert client.hget("counters", "submitted") == b"1"


def test_what_is_due_lands_in_the_list_of_its_priority_and_stays_delayed_while_that_is_no_list(client: Any) -> None:
    client.zadd("delayed", {b"7" + MESSAGE: 1})
    client.set("q7", "no list")
    names = ["flight", "leases", "delayed", "q", "q7"]
    arguments = ["w", "", "1", 1, "07", 1_000_000]
    assert client.eval(scripts.FETCH, len(names), *names, *arguments) is None
    assert client.zrange("delayed", 0, -1) == [b"7" + MESSAGE]
    client.delete("q7")
    assert client.eval(scripts.FETCH, len(names), *names, *arguments) == [b"q7", MESSAGE]
    assert client.hgetall("flight") == {b"1 q7": MESSAGE}


def test_a_lease_is_taken_from_the_record_that_was_seen_alone(client: Any) -> None:
    take = [scripts.TAKE_LEASE, 1, "leases", "w"]
    assert client.eval(*take, "", "first") == 1
    assert client.eval(*take, "", "second") == 0
    assert client.eval(*take, "another", "second") == 0
    assert client.hget("leases", "w") == b"first"
    assert client.eval(*take, "first", "second") == 1
    assert client.hget("leases", "w") == b"second"
