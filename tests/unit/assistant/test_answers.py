"""Answers for assistants: bounded, without secrets, inert, and marked as data."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from celery_nexus.rows.diagnosis.why import Answer, Obstacle
from nexus_tui.assistant.answers import (
    MAX_ANSWER_CHARS,
    MAX_FIELD_CHARS,
    UNTRUSTED,
    answer_one,
    answer_page,
)
from nexus_tui.documents import make_safe, make_safe_text


def test_every_answer_says_first_that_what_follows_is_data() -> None:
    assert next(iter(answer_one("x").items())) == ("untrusted", UNTRUSTED)
    assert next(iter(answer_page([], limit=1).items())) == ("untrusted", UNTRUSTED)


def test_rows_become_json_with_times_in_iso_8601() -> None:
    row = answer_one(
        {"at": datetime(2030, 1, 31, 9, tzinfo=UTC), "row": Answer("q", "queue", "waits", (Obstacle("c", "f"),))}
    )
    assert row["data"]["at"] == "2030-01-31T09:00:00+00:00"
    assert row["data"]["row"]["findings"] == [{"cause": "c", "fact": "f", "command": ""}]


def test_a_secret_is_masked_wherever_it_stands() -> None:
    told = make_safe(
        {"kwargs": {"password": "hunter2"}, "error": "token=abcdefgh12345678", "url": "redis://:pw@host/0"}
    )
    assert told == {"kwargs": {"password": "***"}, "error": "token=***", "url": "redis://:***@host/0"}


def test_what_stands_beside_the_data_is_masked_too() -> None:
    assert answer_page([], limit=1, note="redis://:pw@host/0 is away")["note"] == "redis://:***@host/0 is away"


def test_control_characters_are_pictures_also_in_names_and_lines_stay_lines() -> None:
    assert make_safe({"a\x1b[2J": ["one\ntwo\x07", "\u202ex"]}) == {"a␛[2J": ["one\ntwo␇", "<U+202E>x"]}
    assert make_safe_text("a\x9bb") == "a<U+009B>b"


def test_half_a_character_and_no_number_can_be_written_as_json() -> None:
    assert json.dumps(make_safe(["\ud800", float("nan"), 1.5])).encode() == b'["<U+D800>", "nan", 1.5]'


def test_a_page_says_that_there_is_more_and_where_it_begins() -> None:
    page = answer_page(["a", "b", "c"], limit=2, offset=10)
    assert (page["data"], page["shown"], page["more"], page["next_offset"]) == (["a", "b"], 2, True, 12)


def test_the_last_page_says_that_there_is_no_more() -> None:
    page = answer_page(["a", "b"], limit=2, offset=10)
    assert (page["shown"], page["more"], page["next_offset"]) == (2, False, None)


def test_a_list_without_pages_names_no_next_one() -> None:
    page = answer_page(["a", "b"], limit=1, can_go_on=False)
    assert (page["more"], "next_offset" in page) == (True, False)


def test_a_long_field_is_cut_and_says_how_much_is_left_out() -> None:
    page = answer_page([{"id": "a", "args": ["x" * 5_000]}], limit=1)
    assert page["data"][0]["id"] == "a"
    assert page["data"][0]["args"] == f'["{"x" * (MAX_FIELD_CHARS - 2)}… 3,004 more characters'


def test_an_answer_stays_short_however_many_rows_were_asked_for() -> None:
    page = answer_page([{"text": "x" * MAX_FIELD_CHARS} for _ in range(200)], limit=200)
    assert len(json.dumps(page, ensure_ascii=False)) < MAX_ANSWER_CHARS * 1.1
    assert (page["shown"], page["more"], page["next_offset"]) == (24, True, 24)
