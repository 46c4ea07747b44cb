"""Names of keys, and what is encoded in them."""

from __future__ import annotations

import pytest

from celery_nexus.delivery import keys, running
from celery_nexus.delivery.keys import FetchedTag


def test_a_delivery_tag_names_the_list_that_the_message_came_from() -> None:
    assert FetchedTag("0190-0001 email_queue\x06\x163").list_key == "email_queue\x06\x163"
    assert FetchedTag("0190-0001 a queue with spaces").list_key == "a queue with spaces"


def test_a_lists_key_is_a_queue_and_a_priority() -> None:
    assert keys.queue_of("email_queue\x06\x163") == ("email_queue", 3)
    assert keys.queue_of("email_queue") == ("email_queue", 0)
    assert keys.queue_of("tenant:42", ":") == ("tenant:42", 0)
    assert keys.queue_of("q@6", "@") == ("q", 6)


@pytest.mark.parametrize(
    ("member", "binding"),
    [
        ("ai_queue\x06\x16\x06\x16ai_queue", ("ai_queue", "", "ai_queue")),
        ("ai_queue::ai_queue", ("ai_queue", "", "ai_queue")),
        ("tenant:4::tenant:4", ("tenant:4", "", "tenant:4")),
        ("key:pattern:queue", ("key", "pattern", "queue")),
        ("::w@host.celery.pidbox", ("", "", "w@host.celery.pidbox")),
        ("nonsense", None),
        ("", None),
    ],
)
def test_a_binding_of_either_version_is_split(member: str, binding: tuple[str, str, str] | None) -> None:
    assert keys.split_binding(member) == binding


def test_a_delayed_member_keeps_the_messages_bytes() -> None:
    assert keys.split_delayed_member(keys.encode_delayed_member(7, b'{"a": "\\ud800"}')) == (7, b'{"a": "\\ud800"}')


def test_fetch_ids_sort_in_the_order_of_delivery() -> None:
    ids = [running.next_fetch_id() for _ in range(1000)]
    assert sorted(ids) == ids


def test_a_list_of_an_earlier_version_is_known_by_the_queue_in_its_name() -> None:
    assert keys.queue_of("mails:3", former=frozenset({"mails"})) == ("mails", 3)
    assert keys.queue_of("tenant:4", former=frozenset({"mails"})) == ("tenant:4", 0)
