"""Mail for later: kept, listed, changed, cancelled, and handed over once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis

from celery_nexus.task_errors import InvalidArgument, TransientError
from tests.integration.mail.conftest import nowhere
from workers.services.mail import scheduled
from workers.services.mail.scheduled import Schedule, ScheduledMail, parse_time


class _Queue:
    """Where due mail is published; can break like a broker."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[str, Any], int | None]] = []
        self.broken = False

    def __call__(self, task_id: str, mail: Mapping[str, Any], priority: int | None) -> None:
        if self.broken:
            raise TransientError("broker away")
        self.published.append((task_id, mail, priority))

    @property
    def subjects(self) -> list[Any]:
        return [mail["subject"] for _, mail, _ in self.published]


@pytest.fixture
def schedule(client: redis.Redis) -> Iterator[Schedule]:
    for key in client.scan_iter("nexus:scheduled-mail:*"):
        client.delete(key)
    yield Schedule(client)


@pytest.fixture
def queue() -> _Queue:
    return _Queue()


def _mail(subject: str, in_s: float = -1, priority: int | None = None) -> ScheduledMail:
    now = datetime.now(UTC)
    mail = {"to_email": "a@example.org", "subject": subject, "body": "x"}
    return ScheduledMail(uuid4().hex, now + timedelta(seconds=in_s), mail, now, priority)


def test_only_what_is_due_is_published_and_only_once(schedule: Schedule, queue: _Queue) -> None:
    due, later = _mail("due", priority=2), _mail("in three weeks", 21 * 86400)
    assert [schedule.add(due), schedule.add(later)] == ["waiting", "waiting"]
    assert schedule.publish_due(queue) == [due.id]
    assert schedule.publish_due(queue) == []
    assert queue.published == [(due.task_id, due.mail, 2)]
    assert schedule.list_waiting() == [later]


def test_the_listing_is_in_the_order_of_time(schedule: Schedule) -> None:
    for subject, in_s in (("c", 300), ("a", 100), ("b", 200)):
        schedule.add(_mail(subject, in_s))
    assert [entry.mail["subject"] for entry in schedule.list_waiting()] == ["a", "b", "c"]
    assert [entry.mail["subject"] for entry in schedule.list_waiting(2)] == ["a", "b"]


def test_a_cancelled_mail_is_never_published_even_when_asked_for_again(schedule: Schedule, queue: _Queue) -> None:
    mail = _mail("x")
    schedule.add(mail)
    schedule.cancel(mail.id)
    schedule.cancel(mail.id)
    assert schedule.add(mail) == "cancelled"
    assert schedule.publish_due(queue) == []


def test_a_repeated_request_changes_nothing(schedule: Schedule, queue: _Queue) -> None:
    mail = _mail("x")
    schedule.add(mail)
    schedule.add(mail)
    assert schedule.publish_due(queue) == [mail.id]
    assert schedule.add(mail) == "sent"
    assert schedule.publish_due(queue) == []


def test_time_and_text_can_be_changed_until_it_is_sent(schedule: Schedule, queue: _Queue) -> None:
    mail = _mail("old", 3600)
    schedule.add(mail)
    changed = schedule.change(mail.id, {"subject": "new"}, None)
    assert (changed.mail["subject"], changed.mail["body"], changed.send_at) == ("new", "x", mail.send_at)
    schedule.change(mail.id, {}, datetime.now(UTC) - timedelta(seconds=1))
    assert schedule.publish_due(queue) == [mail.id]
    assert queue.subjects == ["new"]
    assert queue.published[0][0] == mail.task_id


@pytest.mark.parametrize("action", ["cancel", "change"])
def test_what_was_sent_or_never_was_is_said(schedule: Schedule, queue: _Queue, action: str) -> None:
    def act(schedule_id: str) -> None:
        if action == "cancel":
            schedule.cancel(schedule_id)
        else:
            schedule.change(schedule_id, {"subject": "y"}, None)

    mail = _mail("x")
    schedule.add(mail)
    schedule.publish_due(queue)
    with pytest.raises(InvalidArgument, match="handed over for sending already"):
        act(mail.id)
    with pytest.raises(InvalidArgument, match="there is no scheduled e-mail 'nope'"):
        act("nope")


def test_a_claim_that_was_not_published_comes_back_under_the_same_task_id(
    schedule: Schedule, queue: _Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = _mail("x")
    schedule.add(mail)
    queue.broken = True
    with pytest.raises(TransientError):
        schedule.publish_due(queue)
    queue.broken = False
    assert schedule.publish_due(queue) == []
    with pytest.raises(InvalidArgument, match="handed over"):
        schedule.cancel(mail.id)
    monkeypatch.setattr(scheduled, "CLAIM_S", 0)
    assert schedule.publish_due(queue) == [mail.id]
    assert [task_id for task_id, _, _ in queue.published] == [mail.task_id]


def test_a_kill_between_publishing_and_settling_repeats_the_same_task_id(
    schedule: Schedule, queue: _Queue, client: redis.Redis
) -> None:
    mail = _mail("x")
    schedule.add(mail)

    def publish_and_die(*message: Any) -> None:
        queue(*message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        schedule.publish_due(publish_and_die)
    client.zadd(scheduled.CLAIMED, {mail.id: 0})
    assert schedule.publish_due(queue) == [mail.id]
    assert {task_id for task_id, _, _ in queue.published} == {mail.task_id}


def test_a_thousand_due_at_once_are_all_published(schedule: Schedule, queue: _Queue) -> None:
    for n in range(1000):
        schedule.add(_mail(str(n)))
    assert len(schedule.publish_due(queue)) == 1000
    assert len(set(queue.subjects)) == 1000


def test_nothing_is_left_behind_but_notes_that_expire(schedule: Schedule, queue: _Queue, client: redis.Redis) -> None:
    mail = _mail("x")
    schedule.add(mail)
    schedule.publish_due(queue)
    left = [key.decode() for key in client.scan_iter("nexus:scheduled-mail:*")]
    assert left == [f"nexus:scheduled-mail:settled:{mail.id}"]
    assert int(str(client.ttl(left[0]))) > 0


def test_without_redis_the_error_passes_by_itself() -> None:
    with pytest.raises(TransientError, match="scheduled mail"):
        Schedule(nowhere()).add(_mail("x"))


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2030-01-31T09:00:00+01:00", "2030-01-31T08:00:00+00:00"),
        ("2030-01-31T09:00:00Z", "2030-01-31T09:00:00+00:00"),
        (" 2030-01-31 09:00+00:00 ", "2030-01-31T09:00:00+00:00"),
    ],
)
def test_a_time_with_its_zone_is_read(text: str, utc: str) -> None:
    assert parse_time(text).isoformat() == utc


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2030-01-31T09:00:00", "has no time zone; expected 2030-01-31T09:00:00[+]01:00"),
        ("2030-01-31", "has no time zone"),
        ("tomorrow", "is no ISO 8601 time"),
        ("", "is no ISO 8601 time"),
        ("2030-02-30T09:00:00Z", "is no ISO 8601 time"),
        ("0001-01-01T00:00:00+14:00", "out of range"),
    ],
)
def test_any_other_time_is_refused_with_an_example(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^invalid_argument: send_at: .*{words}"):
        parse_time(text)
