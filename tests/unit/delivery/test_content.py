"""What ends with a run, read from its message."""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import zlib
from typing import Any

import pytest

from celery_nexus.delivery.content import Part, fields_of, parts_of

LINK = {"task": "next", "options": {"task_id": "n1", "group_id": "g2", "group_index": 4}}


def message(body: Any, headers: Any, pack: Any = None) -> dict[str, Any]:
    data = json.dumps(body).encode()
    packed = pack(data) if pack else data
    return {"body": base64.b64encode(packed).decode(), "headers": headers, "properties": {"body_encoding": "base64"}}


HEADERS: dict[str, Any] = {"id": "r1", "task": "t", "group": "g1", "group_index": 0}


def test_a_run_and_what_follows_it_in_its_chain_end_together() -> None:
    found = message([[1], {"a": 2}, {"chain": [LINK], "chord": {"task": "body"}}], HEADERS)
    assert list(parts_of(found)) == [Part("r1", "g1", "0"), Part("n1", "g2", "4")]
    fields = fields_of(found)
    assert (fields["args"], fields["kwargs"], fields["chord"]) == ([1], {"a": 2}, {"task": "body"})


def test_a_member_without_a_place_is_counted_as_the_last() -> None:
    assert list(parts_of(message([[], {}, {}], {"id": "r1", "task": "t", "group": "g1"}))) == [Part("r1", "g1", "+inf")]
    assert list(parts_of(message([[], {}, {}], {"id": "r1", "task": "t", "group": 7}))) == [Part("r1", None, "+inf")]


NO_LINKS: list[Any] = [{"task": "t"}, {"task": "t", "options": {"task_id": 7}}, {"options": {"task_id": "x"}}, 7]


@pytest.mark.parametrize("link", NO_LINKS)
def test_a_link_without_an_id_is_left_out(link: Any) -> None:
    assert list(parts_of(message([[], {}, {"chain": [link, LINK]}], HEADERS)))[1:] == [Part("n1", "g2", "4")]


def test_a_message_of_protocol_1_has_its_facts_in_its_body() -> None:
    old = {"id": "r1", "task": "t", "taskset": "g1", "args": [1], "retries": 2}
    found = message(old, {"lang": "py", "group": None, "retries": 3})
    fields = fields_of(found)
    assert (fields["id"], fields["group"], fields["args"], fields["retries"]) == ("r1", "g1", [1], 3)
    assert list(parts_of(found)) == [Part("r1", "g1", "+inf")]


def test_headers_win_over_nothing_of_a_body_that_can_not_be_read() -> None:
    for body in ("nonsense", None, 7):
        found = message([], HEADERS) | {"body": body}
        assert fields_of(found) == HEADERS
    assert fields_of({"headers": HEADERS}) == HEADERS
    assert fields_of({"headers": []}) == {}
    assert list(parts_of({})) == []


@pytest.mark.parametrize("body", [[[], {}], [[], {}, {}, {}], "text"])
def test_a_body_of_another_shape_holds_no_arguments(body: Any) -> None:
    assert fields_of(message(body, HEADERS)) == HEADERS


def test_an_embed_that_is_no_object_is_nothing() -> None:
    assert fields_of(message([[1], {}, None], HEADERS)) == HEADERS | {"args": [1], "kwargs": {}}


@pytest.mark.parametrize(
    ("compression", "pack"),
    [
        ("application/x-gzip", zlib.compress),
        ("zlib", zlib.compress),
        ("application/x-bz2", bz2.compress),
        ("application/x-lzma", lzma.compress),
    ],
)
def test_a_packed_body_is_read_and_a_broken_one_is_nothing(compression: str, pack: Any) -> None:
    headers = HEADERS | {"compression": compression}
    assert fields_of(message([[1], {}, {}], headers, pack))["args"] == [1]
    assert fields_of(message([[1], {}, {}], headers)) == headers


def test_a_body_may_be_plain_text() -> None:
    found = {"body": "[[1], {}, {}]", "headers": HEADERS, "properties": {}}
    assert fields_of(found)["args"] == [1]
