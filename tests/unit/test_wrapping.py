"""Wrapping of text by words."""

from __future__ import annotations

import pytest

from nexus_tui.widgets.lines import Line, width_of
from nexus_tui.widgets.wrapping import wrap, wrap_line


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


@pytest.mark.parametrize(
    ("text", "width", "parts"),
    [
        ("RateLimited: the provider asks to wait", 20, ["RateLimited: the", "provider asks to", "wait"]),
        ("exactly ten", 7, ["exactly", "ten"]),
        ("two  spaces", 4, ["two", "spac", "es"]),
        ("see https://example.org/a/path now", 14, ["see", "https://exampl", "e.org/a/path", "now"]),
        ("日本語", 4, ["日本", "語"]),
        ("日本語 and words", 9, ["日本語", "and words"]),
        ("ab 日本語日本語", 7, ["ab 日本", "語日本", "語"]),
        ("e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]),
        ("語", 1, ["語"]),
        ("", 5, [""]),
    ],
)
def test_lines_break_at_spaces_and_within_a_word_only_where_it_is_too_long(text: str, width: int, parts: list[str]):
    assert list(wrap(text, width)) == parts


def test_the_rest_of_a_line_stands_below_its_text():
    line: Line = ((" email  ", "cyan"), ("a line of the log that is long", "plain"))
    assert [text_of(part) for part in wrap_line(line, 20)] == [
        " email  a line of",
        "        the log that",
        "        is long",
    ]


def test_spans_keep_their_looks_where_a_line_breaks_within_one():
    line: Line = ((" why  ", "dim"), ("nobody takes it", "warn"), ("  w says why", "dim"))
    assert list(wrap_line(line, 22)) == [
        ((" why  ", "dim"), ("nobody takes it", "warn")),
        (("      ", "plain"), ("w says why", "dim")),
    ]


def test_code_that_is_wrapped_keeps_its_indentation():
    parts = [text_of(part) for part in wrap_line((("    raise ValueError(an argument)", "plain"),), 26)]
    assert parts == ["    raise ValueError(an", "    argument)"]
    parts = [text_of(part) for part in wrap_line((("  ", "plain"), ("  raise ValueError(an argument)", "plain")), 26)]
    assert parts == ["    raise ValueError(an", "    argument)"]


@pytest.mark.parametrize("width", [1, 2, 5, 9, 30])
def test_no_line_is_wider_than_its_room(width: int):
    line: Line = ((" name ", "dim"), ("word", "bad"), (" and a very-long-word of it", "plain"))
    assert max(width_of(part) for part in wrap_line(line, width)) <= max(width, 1)


def test_an_ordinary_line_stays_as_it_is():
    line: Line = (("short", "plain"),)
    assert list(wrap_line(line, 80)) == [line]
