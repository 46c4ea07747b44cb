"""When a worker that does not answer is silent."""

from __future__ import annotations

from celery_nexus.control.presence import Presence


def test_one_missed_answer_leaves_a_worker_as_it_was() -> None:
    presence = Presence()
    presence.note(["w"], {"w": {"active": 3}})
    presence.note(["w"], {})
    assert not presence.is_silent("w", is_beating=False)
    assert presence.last_answer("w") == {"active": 3}


def test_two_missed_answers_and_no_heartbeat_are_silence() -> None:
    presence = Presence()
    presence.note(["w"], {})
    presence.note(["w"], {})
    assert presence.is_silent("w", is_beating=False)
    assert not presence.is_silent("w", is_beating=True)


def test_an_answer_ends_the_silence() -> None:
    presence = Presence()
    presence.note(["w"], {})
    presence.note(["w"], {})
    presence.note(["w"], {"w": {}})
    assert not presence.is_silent("w", is_beating=False)


def test_a_worker_that_is_not_asked_any_more_and_has_no_heartbeat_is_silent() -> None:
    assert Presence().is_silent("w", is_beating=False)
