"""Names of lists: which queue and priority one means, whatever separator its client uses."""

from __future__ import annotations

import pytest

from celery_nexus.broker.read.unread import split_name

QUEUES = {"mail", "mail-1", "mail:", "q7"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mail:3", ("mail", 3)),
        ("mail\x06\x169", ("mail", 9)),
        ("mail--12", ("mail", 12)),
        ("mail-1-4", ("mail-1", 4)),
        ("mail::5", ("mail:", 5)),
        ("q7", ("", 0)),
        ("mail", ("", 0)),
        ("mail3", ("", 0)),
        ("mail:notes", ("", 0)),
        ("mail:12345", ("", 0)),
        ("letters:3", ("", 0)),
        (":3", ("", 0)),
    ],
)
def test_a_list_is_of_the_queue_whose_name_and_a_separator_it_begins_with(name: str, expected: tuple[str, int]) -> None:
    assert split_name(name, QUEUES) == expected
