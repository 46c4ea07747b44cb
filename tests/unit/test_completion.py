"""Completion of filters and of names in commands."""

from __future__ import annotations

import pytest

from nexus_tui.widgets.completion import complete_filter, complete_words

FIELDS = ("state", "queue", "task", "args")
VALUES: dict[str, list[tuple[str, int | None]]] = {
    "state": [("success", 90), ("failure", 12), ("retry", None)],
    "queue": [("ai_queue", 3), ("my ai", 2), ("email_queue", 1)],
    "task": [("bad\u202e", 1), ("\x1b[31m", 1), ('quo"te', 1), ("tasks.send", 4)],
}


def complete(text: str) -> list[tuple[str, str, int | None]]:
    found = complete_filter(text, FIELDS, lambda field: VALUES.get(field, []))
    return [(one.word, one.text, one.count) for one in found]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", ("state:", "state:", None)),
        ("q", ("queue:", "queue:", None)),
        ("a OR -ta", ("task:", "a OR -task:", None)),
        ("(sta", ("state:", "(state:", None)),
        ("state:", ("success", "state:success", 90)),
        ("state:fa", ("failure", "state:failure", 12)),
        ("STATE:FA", ("failure", "STATE:failure", 12)),
        ("state:failure,re", ("retry", "state:failure,retry", None)),
        ("queue:em", ("email_queue", "queue:email_queue", 1)),
        ("queue:my", ("my ai", 'queue:"my ai"', 2)),
        ('queue:"my', ("my ai", 'queue:"my ai"', 2)),
        ("task:send", ("tasks.send", "task:tasks.send", 4)),
    ],
)
def test_the_first_way_to_go_on(text: str, first: tuple[str, str, int | None]) -> None:
    assert complete(text)[0] == first


def test_values_that_begin_so_come_before_those_that_contain_it() -> None:
    assert [word for word, _, _ in complete("queue:ai")] == ["ai_queue", "my ai", "email_queue"]


def test_a_value_that_a_filter_can_not_spell_or_a_terminal_would_obey_is_not_offered() -> None:
    assert [word for word, _, _ in complete("task:")] == ["tasks.send"]


def test_nothing_is_offered_for_a_word_that_no_field_begins_with() -> None:
    assert complete("zebra") == []


def test_names_are_offered_for_the_rest_of_a_command() -> None:
    found = complete_words("queue em", 6, ("ai_queue", "email_queue", "evil\x1b"))
    assert [(one.word, one.text) for one in found] == [("email_queue", "queue email_queue")]
