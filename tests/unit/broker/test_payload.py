"""Changing one member of a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celery_nexus.broker.wire.payload import replace_member

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON), st.dictionaries(st.text(), JSON), st.booleans(), st.sampled_from([None, 1]))
def test_only_the_member_changes(outer: Any, inner: Any, ascii_only: bool, indent: Any) -> None:
    before = {**outer, "properties": inner}
    raw = json.dumps(before, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    before = json.loads(raw)
    after = json.loads(replace_member(raw, ("properties", "priority"), 3))
    assert after.pop("properties") == {**before.pop("properties"), "priority": 3}
    assert after == before


def test_every_other_byte_stays() -> None:
    raw = b'{ "a" : 1.0e5,"priority":1, "properties" :{"x":[ ],"priority":   9 , "y":"\\u00e9"} }'
    changed = b'{ "a" : 1.0e5,"priority":1, "properties" :{"x":[ ],"priority":   0 , "y":"\\u00e9"} }'
    assert replace_member(raw, ("properties", "priority"), 0) == changed


def test_of_repeated_members_the_last_counts_as_for_json() -> None:
    raw = b'{"properties": {"priority": 1, "priority": 2}}'
    assert replace_member(raw, ("properties", "priority"), 7) == b'{"properties": {"priority": 1, "priority": 7}}'


def test_a_missing_member_is_added() -> None:
    assert replace_member(b'{"properties": {}}', ("properties", "priority"), 7) == b'{"properties": {"priority": 7}}'


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"7", b"{", b'{"properties"}', b'{"properties": 1}', b"{}", b'{"properties": {"a": }}', b"\xff"]
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        replace_member(raw, ("properties", "priority"), 1)
