"""What a probe concludes of a queue from what the broker told."""

from __future__ import annotations

from celery_nexus.probe import queue
from celery_nexus.probe.answer import BROKEN, UNKNOWN, WELL
from celery_nexus.probe.clients import Client

WAITS = Client("10.0.0.7:1", "", 8, 0, True, "brpop")
TOOK = WAITS._replace(is_blocked=False, idle_s=40)
SEEN = queue.Seen(
    name="mail",
    heads=(b"one",),
    waiting=3,
    delayed=0,
    is_bound=True,
    is_paused=False,
    listening=1,
    clients=(WAITS,),
)
EMPTY = SEEN._replace(heads=(), waiting=0)


def test_a_queue_whose_next_message_changes_moves() -> None:
    assert queue.has_moved(SEEN, SEEN._replace(heads=(b"two",)))
    assert queue.has_moved(SEEN, SEEN._replace(waiting=2))


def test_a_queue_that_only_grows_stands_still() -> None:
    assert not queue.has_moved(SEEN, SEEN._replace(waiting=4, heads=(b"urgent", b"one")))


def test_an_empty_queue_with_somebody_who_waits_is_well() -> None:
    found = queue.judge_empty(EMPTY)
    assert (found.code, found.line) == (WELL, "mail is empty; 1 connection to this database waits for messages")


def test_an_empty_queue_whose_workers_are_busy_is_well() -> None:
    assert queue.judge_empty(EMPTY._replace(clients=(TOOK,))).code == WELL


def test_an_empty_queue_that_nobody_waits_for_is_broken() -> None:
    found = queue.judge_empty(EMPTY._replace(clients=(), delayed=7))
    assert (found.code, found.line) == (
        BROKEN,
        "mail is empty, 7 before their time, and nobody waits for messages in this database",
    )


def test_of_a_name_that_nothing_has_nothing_is_told() -> None:
    assert queue.judge_empty(EMPTY._replace(is_bound=False)).code == UNKNOWN


def test_messages_that_no_waiting_worker_is_given_have_no_worker() -> None:
    found = queue.judge_standing(SEEN, in_flight=0)
    assert found.code == BROKEN
    assert found.line.startswith("3 messages wait in mail, and no worker takes from it (1 connection")


def test_messages_behind_others_in_flight_wait_for_busy_workers() -> None:
    found = queue.judge_standing(SEEN, in_flight=2)
    assert (found.code, found.line) == (WELL, "3 messages wait in mail, 2 are in flight: its workers are busy")


def test_a_busy_worker_may_be_the_queues_own() -> None:
    assert queue.judge_standing(SEEN._replace(clients=(TOOK, WAITS)), in_flight=0).code == UNKNOWN


def test_without_the_right_to_see_connections_nothing_is_told() -> None:
    assert queue.judge_standing(SEEN._replace(clients=None), in_flight=0).code == UNKNOWN
    assert queue.judge_empty(EMPTY._replace(clients=None)).code == UNKNOWN


def test_a_message_in_flight_is_its_queues_by_list_or_route() -> None:
    assert queue._is_of(b"7.0 mail\x06\x163", "mail", "")
    assert queue._is_of(b"7.0 shop:mail", "mail", "shop:")
    assert not queue._is_of(b"7.0 mailing", "mail", "")
    assert queue._is_routed(b'[{"body": "mail"}, "", "mail"]', "mail")
    assert not queue._is_routed(b'[{"body": "mail"}, "", "other"]', "mail")
    assert not queue._is_routed(b"nonsense", "mail")
