"""Ages of messages that carry no time."""

from __future__ import annotations

from celery_nexus.broker.read.ages import Ages


def test_a_stamped_message_tells_its_age() -> None:
    ages = Ages()
    ages.begin(1000.0)
    assert ages.find_oldest([[b"990.5"], [], [b"995"]]) == (9.5, False)


def test_a_message_without_a_time_has_waited_at_least_since_it_was_first_seen() -> None:
    ages = Ages()
    ages.begin(1000.0)
    assert ages.find_oldest([[b"id a1"]]) == (None, False)
    ages.begin(1007.0)
    assert ages.find_oldest([[b"id a1"]]) == (7.0, True)


def test_a_message_that_left_and_came_again_begins_anew() -> None:
    ages = Ages()
    for now, head in ((1000.0, b"id a1"), (1001.0, b"id b2"), (1002.0, b"id a1")):
        ages.begin(now)
        ages.find_oldest([[head]])
    ages.begin(1003.0)
    assert ages.find_oldest([[b"id a1"]]) == (1.0, True)


def test_events_tell_when_a_message_without_a_time_was_sent() -> None:
    ages = Ages()
    ages.sent_at = {"a1": 940.0}.get
    ages.begin(1000.0)
    assert ages.find_oldest([[b"id a1"], [b"990"]]) == (60.0, False)


def test_an_event_that_comes_later_is_asked_for_again_after_some_seconds() -> None:
    asked: list[str] = []
    ages = Ages()
    ages.sent_at = lambda run_id: asked.append(run_id)
    for now in (1000.0, 1001.0, 1004.9, 1005.0):
        ages.begin(now)
        ages.find_oldest([[b"id a1"]])
    assert asked == ["a1", "a1"]


def test_a_stamped_message_beside_one_of_unknown_age_gives_a_lower_bound() -> None:
    ages = Ages()
    ages.begin(1000.0)
    assert ages.find_oldest([[b"997", b""]]) == (3.0, True)
