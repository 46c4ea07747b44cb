"""The values of one argument, compared at once, against each compared alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_nexus.filters.parser import Argument
from celery_nexus.filters.texts import lower
from celery_nexus.history.filter.matching import compares
from celery_nexus.history.index.arguments.encoding import collect_values, merge_values
from celery_nexus.history.index.arguments.number_patterns import match_spellings
from celery_nexus.history.index.arguments.values import Values, decode_values
from celery_nexus.history.index.arguments.zone_map import all_contain, all_match, may_match
from celery_nexus.history.store.event_fields import encode_value

WORDS = st.sampled_from(
    ("", "a", "A", "aB", "page-1", "Page-12", "page-2", "page-20.pdf", "é-1", "4", "42", "1e5", "*")
)
VALUES = WORDS | st.text(max_size=4) | st.integers(-3, 50) | st.sampled_from((1.5, 4.0, None, True, 1e300))
WANTED = st.sampled_from((
    "", "*", "**", "?", "a*", "*a", "A*", "*b", "?b", "page-*",
    "*.pdf", "page-?", "PAGE-1*", "*-1*", "*e*1", "p*2*", "é*",
    "4", "4*", "42", "4?", "*2", "-*", "page-2", "q", "Z", "1.5", "1*5", "nan", "inf",
))  # fmt: skip
TERMS = st.builds(Argument, st.just("x"), st.sampled_from(("=", "!=", "<", "<=", ">", ">=")), WANTED)
LISTS = st.lists(VALUES, min_size=1, max_size=8) | st.lists(
    st.sampled_from(("page-10", "page-12", "PAGE-13")), min_size=1
)


def written(values: list[Any], count: int) -> Values:
    return decode_values(collect_values(list(range(len(values))), values, count).encode(), count)


@given(values=LISTS, term=TERMS, missing=st.integers(0, 2))
def test_all_values_compare_as_each_does(values: list[Any], term: Argument, missing: int) -> None:
    count = len(values) + missing
    found, unknown = written(values, count).match_term(term, [], np.ones(count, np.bool_))
    assert not unknown.any()
    assert found.tolist() == [compares(value, term.operator, term.value) for value in values] + [False] * missing


@given(parts=st.lists(LISTS, min_size=1, max_size=3), term=TERMS)
def test_joined_values_compare_as_each_does(parts: list[list[Any]], term: Argument) -> None:
    joined = merge_values(written(values, len(values)) for values in parts)
    found, _ = joined.match_term(term, [], np.ones(joined.count, np.bool_))
    assert found.tolist() == [compares(value, term.operator, term.value) for values in parts for value in values]


@given(values=LISTS, term=TERMS)
def test_zone_maps_say_nothing_that_is_not_so(values: list[Any], term: Argument) -> None:
    zone_map = written(values, len(values)).zone_map()
    each = [compares(value, term.operator, term.value) for value in values]
    assert may_match(zone_map, term, []) or not any(each)
    assert all(each) or not all_match(zone_map, term)
    contain = [isinstance(value, str) and "page-1" in lower(value) for value in values]
    assert all(contain) or not all_contain(zone_map, "page-1")


@pytest.mark.parametrize(
    ("operator", "value"),
    [("<", "page-2"), (">", "page-0"), ("<=", "page-19"), (">=", "page-10"), ("=", "page-1*"), ("=", "PAGE-*")],
)
def test_limits_tell_that_all_match(operator: str, value: str) -> None:
    assert all_match((None, None, "page-10", "page-19", False), Argument("x", operator, value))


@pytest.mark.parametrize("value", ["page-2*", "q*", "pbge*.pdf"])
def test_limits_tell_that_no_text_is_like_a_pattern(value: str) -> None:
    assert not may_match((None, None, "page-10", "page-19", False), Argument("x", "=", value), [])


@pytest.mark.parametrize("pattern", ["4?2", "*", "-*", "1*", "*9?", "?", "65*", "4\n*", "x*"])
def test_many_integers_are_spelt_as_each_is(pattern: str) -> None:
    numbers = np.arange(-70_000, 70_000)
    found = match_spellings(numbers, pattern)
    assert numbers[found].tolist() == [number for number in numbers.tolist() if compares(number, "=", pattern)]


def test_integers_far_apart_are_spelt_as_each_is() -> None:
    assert match_spellings(np.array([-(1 << 52), 4, 42, 1 << 52]), "4*").tolist() == [False, True, True, True]


def test_a_pattern_is_looked_for_among_few_of_many_texts() -> None:
    texts = [f"page-{number:04d}.pdf" for number in range(1_000)]
    wanted = np.zeros(1_000, np.bool_)
    wanted[[7, 8]] = True
    found, _ = written(texts, 1_000).match_term(Argument("x", "=", "*07.pdf"), [], wanted)
    assert np.flatnonzero(found & wanted).tolist() == [7]


def test_an_integer_of_more_than_64_bits_is_kept_as_it_is() -> None:
    assert encode_value([-(2**63) - 1]) == "[-9223372036854775809]"
    assert encode_value(["\ud800"]) == '["\\ud800"]'
