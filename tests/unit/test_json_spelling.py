"""Texts inside JSON that was not parsed."""

from __future__ import annotations

import json

import pytest

from celery_nexus.serializers.json_spelling import spellings, unescape

TEXTS = ["pdf.read", "отчёты.собрать", "報告.作成", 'say "hi"', "back\\slash", "a/b", "tab\t", "😀.run", "é"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_found_however_a_producer_writes_it(text: str) -> None:
    ways = [json.dumps(text), json.dumps(text, ensure_ascii=False), json.dumps(text).replace("/", "\\/")]
    assert set(ways) <= set(spellings(text))
    assert {json.loads(way) for way in spellings(text)} == {text}
    assert {unescape(way[1:-1]) for way in spellings(text)} == {text}


def test_capital_digits_are_one_of_the_ways() -> None:
    assert '"\\u00E9"' in spellings("é")


@pytest.mark.parametrize("token", ["\\", "\\u12", "\\q"])
def test_what_is_no_text_of_json_stays_as_it_is(token: str) -> None:
    assert unescape(token) == token
