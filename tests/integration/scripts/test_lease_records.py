"""Leases on a real server: taken, renewed, watched by a clock of one's own, and freed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from celery_nexus.delivery import keys
from celery_nexus.delivery.leases.lease import LEASE_S, Leases, NameTaken, Owner
from celery_nexus.delivery.leases.process_identity import ProcessIdentity, start_of

PROCESS = ProcessIdentity.identify()
HERE = f"{PROCESS.boot} {PROCESS.namespace}"
ELSEWHERE = Owner("theirs", "another-boot pid:[7]", "far", 7, 70, 3, 1000.0)
DEAD_HERE = Owner("dead", HERE, "here", PROCESS.pid, PROCESS.start - 1, 3, 1000.0)


class Watch:
    """Leases with a clock that the test sets."""

    def __init__(self, client: Any) -> None:
        self.now = 0.0
        self.leases = Leases(client, "p:", clock=lambda: self.now)
        self.client = client

    def write(self, owner: Owner, node: str = "w") -> None:
        self.client.hset("p:" + keys.LEASES, node, json.dumps(asdict(owner)))

    def record(self, node: str = "w") -> Owner:
        return self.leases.owners()[node]

    def refused(self) -> NameTaken:
        with pytest.raises(NameTaken) as problem:
            self.leases.take("w")
        return problem.value


@pytest.fixture
def watch(client: Any) -> Watch:
    return Watch(client)


def test_a_free_name_is_owned_with_a_token_of_its_own(watch: Watch) -> None:
    mine = watch.leases.take("w")
    assert watch.record() == mine
    assert (mine.pid, mine.start, mine.place, mine.renewals) == (PROCESS.pid, PROCESS.start, HERE, 0)
    assert mine.by_socket
    assert not mine.is_rescuing
    assert len(mine.token) == 32
    assert mine.renewed_at == pytest.approx(watch.leases.now(), abs=5)
    assert watch.leases.take("v").token != mine.token


def test_a_renewal_counts_and_keeps_its_token(watch: Watch) -> None:
    mine = watch.leases.take("w")
    assert [watch.leases.take("w").renewals for _ in range(2)] == [1, 2]
    assert watch.record().token == mine.token


def test_another_instance_in_this_process_takes_the_name_over(watch: Watch) -> None:
    mine = watch.leases.take("w")
    other = Leases(watch.client, "p:").take("w")
    assert other.token != mine.token
    assert other.renewals == 0


def test_the_name_of_a_dead_process_of_this_machine_is_free_at_once(watch: Watch) -> None:
    watch.write(DEAD_HERE)
    assert watch.leases.take("w").pid == PROCESS.pid


def test_the_name_of_a_live_process_of_this_machine_is_taken(watch: Watch) -> None:
    start = start_of(1) or 0
    watch.write(replace(DEAD_HERE, pid=1, start=start))
    problem = watch.refused()
    assert problem.lives
    assert str(problem) == "w already runs on here with pid 1; give one of them another -n"
    watch.write(replace(DEAD_HERE, pid=1, start=start, is_rescuing=True))
    assert not watch.refused().lives


def test_a_name_elsewhere_is_free_when_it_stood_still_for_its_time(watch: Watch) -> None:
    watch.write(ELSEWHERE)
    for at in (0, 4, 8, 12, LEASE_S - 0.1):
        watch.now = at
        assert not watch.refused().lives
    watch.now = LEASE_S
    assert watch.leases.take("w").pid == PROCESS.pid


def test_who_did_not_look_for_a_while_watches_a_name_from_the_beginning(watch: Watch) -> None:
    watch.write(ELSEWHERE)
    for at in (0, 4, 100, 104, 108, 112):
        watch.now = at
        assert not watch.refused().lives
    watch.now = 115
    assert watch.leases.take("w").pid == PROCESS.pid


def test_a_name_elsewhere_that_is_renewed_lives(watch: Watch) -> None:
    watch.write(ELSEWHERE)
    assert not watch.refused().lives
    watch.write(replace(ELSEWHERE, renewals=4))
    assert watch.refused().lives
    watch.write(replace(ELSEWHERE, token="another", renewals=5))
    assert not watch.refused().lives  # taken over meanwhile: nothing was seen of that one yet


def test_the_names_of_the_dead_are_found_after_the_grace_and_those_of_others_after_their_time(watch: Watch) -> None:
    watch.write(DEAD_HERE, "dead")
    watch.write(ELSEWHERE, "far")
    watch.leases.take("mine")
    found: dict[float, list[str]] = {}
    for at in (0.0, 0.9, 1.0, 5.0, 9.0, 13.0, 14.9, 15.0):
        watch.now = at
        found[at] = sorted(node for node, _, _ in watch.leases.find_abandoned(1.0))
    assert found == {
        0.0: [], 0.9: [], 1.0: ["dead"], 5.0: ["dead"], 9.0: ["dead"], 13.0: ["dead"], 14.9: ["dead"],
        15.0: ["dead", "far"],
    }  # fmt: skip


def test_who_is_renewed_is_not_found(watch: Watch) -> None:
    watch.write(ELSEWHERE)
    for at in range(0, 40, 4):
        watch.now = float(at)
        watch.write(replace(ELSEWHERE, renewals=at))
        assert watch.leases.find_abandoned(1.0) == []


def test_a_name_is_taken_over_while_its_record_is_as_it_was_seen(watch: Watch) -> None:
    watch.write(DEAD_HERE)
    watch.leases.find_abandoned(0.0)
    watch.now = 1.0
    [(node, owner, record)] = watch.leases.find_abandoned(0.0)
    assert (node, owner) == ("w", DEAD_HERE)
    assert watch.leases.take_over("w", b"another") is None
    mine = watch.leases.take_over("w", record)
    assert mine is not None
    assert mine.is_rescuing
    assert watch.record() == mine
    assert watch.leases.take_over("w", record) is None


def test_a_name_is_dropped_with_its_starts_by_its_owner_alone(watch: Watch) -> None:
    mine = watch.leases.take("w")
    watch.client.hset("p:" + keys.starts_key("w"), "tag", "")
    assert not watch.leases.drop("w", replace(mine, token="another"))
    assert not watch.leases.drop("w", replace(mine, token=""))
    assert watch.client.exists("p:" + keys.starts_key("w"))
    assert watch.leases.drop("w", mine)
    assert watch.leases.owners() == {}
    assert not watch.client.exists("p:" + keys.starts_key("w"))
    assert not watch.leases.drop("w", mine)


def test_records_that_nobody_can_read_are_left_out(watch: Watch) -> None:
    watch.client.hset("p:" + keys.LEASES, "odd", "nonsense")
    assert watch.leases.owners() == {}
    assert watch.leases.take("odd").renewals == 0
