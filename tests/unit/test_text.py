"""Text that is safe to draw, and numbers as people read them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_nexus.rows import text
from celery_nexus.rows.runs import Run


@pytest.mark.parametrize(
    ("outside", "drawn"),
    [
        ("plain", "plain"),
        ("\x1b[31mred", "␛[31mred"),
        ("a\nb\tc\x00", "a␊b␉c␀"),
        ("\x7f", "␡"),
        ("\x9b31m", "<U+009B>31m"),
        ("abc\u202egpj.exe", "abc<U+202E>gpj.exe"),
        ("a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"),
        ("\udc80", "<U+DC80>"),
        ("[bold]x[/bold] [@click=app.quit]y", "[bold]x[/bold] [@click=app.quit]y"),
        ("žluťoučký 日本", "žluťoučký 日本"),
        (None, "None"),
    ],
)
def test_outside_text_becomes_visible_and_harmless(outside: object, drawn: str):
    assert text.safe_text(outside) == drawn


def test_a_long_text_is_cut_and_says_by_how_much():
    assert text.safe_text("x" * 10_007) == "x" * 10_000 + "… 7 more"


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_control_or_format_character_is_ever_left(value: str):
    drawn = text.safe_text(value)
    left = {unicodedata.category(character) for character in drawn} & {"Cc", "Cs", "Zl", "Zp"}
    assert not left
    assert not any(character in drawn for character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def test_lines_keep_their_indentation_and_lose_their_controls():
    assert text.safe_lines("a\r\n\tb\x1b]0;x\x07\nc") == ["a", "    b␛]0;x␇", "c"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "?"),
        (0.0123, "12 ms"),
        (0.9999, "1.0 s"),
        (2.14, "2.1 s"),
        (41.4, "41 s"),
        (59.7, "1 m 00 s"),
        (62, "1 m 02 s"),
        (3900, "1 h 05 m"),
        (187_200, "2 d 4 h"),
        (-1, "0 ms"),
    ],
)
def test_durations_read_well(seconds: float | None, words: str):
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "?"), (2.4, "2 s"), (59.6, "1 m"), (2460, "41 m"), (5400, "1.5 h"), (190_000, "2 d")]
)
def test_ages_change_seldom(seconds: float | None, words: str):
    assert text.age(seconds) == words


@pytest.mark.parametrize(("amount", "words"), [(None, "?"), (999, "999 B"), (118_400_000, "118 MB"), (2.5e9, "2.5 GB")])
def test_sizes_have_units(amount: int | None, words: str):
    assert text.size(amount) == words


def test_numbers_have_thousands_and_unknown_is_a_question_mark():
    assert (text.number(1204), text.number(None), text.rate(3.21), text.rate(1204.4), text.percent(None)) == (
        "1,204",
        "?",
        "3.2",
        "1,204",
        "?",
    )


def test_a_row_as_json_has_iso_times():
    run = Run("a", "t", "SUCCESS", sent_at=datetime(2026, 3, 14, tzinfo=UTC))
    assert '"sent_at": "2026-03-14T00:00:00+00:00"' in text.raw_json(run)
