"""Names of keys, and what is encoded in them."""

from __future__ import annotations

from workers.delivery import keys, running
from workers.delivery.keys import FetchedTag


def test_a_delivery_tag_names_the_list_that_the_message_came_from() -> None:
    assert FetchedTag("0190-0001 email_queue:3").list_key == "email_queue:3"
    assert FetchedTag("0190-0001 a queue with spaces").list_key == "a queue with spaces"


def test_a_lists_key_is_a_queue_and_a_priority() -> None:
    assert keys.queue_of("email_queue:3", ":") == ("email_queue", 3)
    assert keys.queue_of("email_queue", ":") == ("email_queue", 0)
    assert keys.queue_of("tenant:42", ":") == ("tenant:42", 0)
    assert keys.queue_of("q\x06\x166", "\x06\x16") == ("q", 6)


def test_a_delayed_member_keeps_the_messages_bytes() -> None:
    assert keys.split_delayed_member(keys.delayed_member(7, b'{"a": "\\ud800"}')) == (7, b'{"a": "\\ud800"}')


def test_fetch_ids_sort_in_the_order_of_delivery() -> None:
    ids = [running.next_fetch_id() for _ in range(1000)]
    assert sorted(ids) == ids
