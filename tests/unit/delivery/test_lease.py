"""Who owns a node name, as far as a record and a clock that nobody sets can tell."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from typing import Any

import pytest

from celery_nexus.delivery.leases.lease import Owner, Standstill, read_owner
from celery_nexus.delivery.leases.process_identity import ProcessIdentity

PROCESS = ProcessIdentity.identify()
MINE = Owner("t", f"{PROCESS.boot} {PROCESS.namespace}", "here", PROCESS.pid, PROCESS.start, 3, 1000.0)
EARLIER_VERSION = {"place": MINE.place, "host": "here", "pid": PROCESS.pid, "born_at": 1e9, "renewed_at": 2e9}


def test_a_record_is_read_as_it_was_written() -> None:
    assert read_owner(json.dumps(asdict(MINE)).encode()) == MINE


def test_what_a_later_version_adds_to_a_record_does_not_free_the_name() -> None:
    assert read_owner(json.dumps(asdict(MINE) | {"later": 1}).encode()) == MINE


@pytest.mark.parametrize(
    "odd",
    [
        {"pid": -5},
        {"pid": "x"},
        {"pid": 1.5},
        {"renewed_at": "soon"},
        {"renewed_at": float("nan")},
        {"start": None},
        {"start": 10**400},
        {"place": 1},
        {"token": 7},
        {"renewals": -1},
    ],
    ids=str,
)
def test_a_record_that_nobody_can_have_written_is_none(odd: dict[str, Any]) -> None:
    assert read_owner(json.dumps(asdict(MINE) | odd).encode()) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"1", b"{}", b"\xff", b"[" * 100_000], ids=repr)
def test_what_is_no_record_is_none(text: bytes) -> None:
    assert read_owner(text) is None


def test_a_record_of_the_version_before_says_only_whether_the_process_is_there() -> None:
    owner = read_owner(json.dumps(EARLIER_VERSION).encode())
    assert owner is not None
    assert owner == Owner("", MINE.place, "here", PROCESS.pid, 1e9, 0, 2e9)
    assert owner.is_running(by_socket=True) is None  # its start moved with the clock: it is watched
    gone = os.fork()
    if not gone:
        os._exit(0)
    os.waitpid(gone, 0)
    assert replace(owner, pid=gone).is_running(by_socket=True) is False


def test_an_owner_on_the_brokers_own_machine_died_with_an_earlier_boot() -> None:
    earlier = replace(MINE, place=f"another-boot {PROCESS.namespace}", by_socket=True)
    assert earlier.is_running(by_socket=True) is False
    assert earlier.is_running(by_socket=False) is None
    assert replace(earlier, by_socket=False).is_running(by_socket=True) is None


def test_what_changes_does_not_stand_still() -> None:
    now = [0.0]
    still = Standstill(lambda: now[0])
    told: list[float] = []
    for at, sight in ((0, "a"), (4, "a"), (8, "a"), (9, "b"), (13, "b")):
        now[0] = at
        still.look()
        told.append(still.seconds("w@x", sight))
    assert told == [0, 4, 8, 0, 4]


def test_who_did_not_look_for_a_while_has_seen_nothing_stand_still() -> None:
    now = [0.0]
    still = Standstill(lambda: now[0])
    still.look()
    still.seconds("w@x", "a")
    now[0] = 3600.0
    still.look()
    assert still.seconds("w@x", "a") == 0
