"""Cutting long texts, and finding JSON in what models write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.services.llm.json_answers import find_json
from workers.services.llm.splitting import split


@given(st.text(alphabet="ab .\n`!。", max_size=300), st.integers(min_value=1, max_value=50))
def test_parts_are_never_too_long_and_joined_are_the_text(text: str, limit: int):
    parts = split(text, limit)
    assert "".join(parts) == text
    assert all(0 < len(part) <= limit for part in parts)


def test_paragraphs_stay_whole_where_they_fit():
    assert split("One one.\n\nTwo two.\n\nThree.", 20) == ["One one.\n\nTwo two.\n\n", "Three."]


def test_a_long_paragraph_is_cut_after_sentences():
    assert split("First one. Second one. Third.", 14) == ["First one. ", "Second one. ", "Third."]


def test_a_block_of_code_is_not_cut_at_its_blank_lines():
    code = "```\na = 1\n\nb = 2\n```\n\n"
    assert split("Before it.\n\n" + code + "After.", 25) == ["Before it.\n\n", code, "After."]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here it is:\n```json\n{"a": [1, 2]}\n```\nHope it helps {smile}', {"a": [1, 2]}),
        ('Sure! {"a": {"b": "}"}} is the answer.', {"a": {"b": "}"}}),
        ('{"a": [1, 2,], }', {"a": [1, 2]}),
        ("{not json} but [1]", [1]),
        ("no JSON at all", None),
        ("3", None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_json_is_found_through_what_models_write_around_it(text: str, found: object):
    assert find_json(text) == found
