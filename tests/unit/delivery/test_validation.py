"""What validation lets through, and what it says of the rest."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from benchmarks.faults.malformed import MALFORMED, message
from celery_nexus.delivery import validation


def _read(raw: bytes) -> None:
    decoded = validation.decode(raw)
    body = base64.b64decode(decoded["body"])
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise validation.Malformed(str(error)) from None
    validation.check_payload(payload, decoded["headers"] or {})


def test_lets_a_message_of_celery_through() -> None:
    _read(json.dumps(message("t.note", ("a",), eta="2030-01-01T00:00:00+00:00", timelimit=[None, 3.5])).encode())


def test_lets_a_compressed_body_through() -> None:
    right = message("t.note", compression="gzip")
    right["body"] = base64.b64encode(zlib.compress(base64.b64decode(right["body"]))).decode()
    assert validation.decode(json.dumps(right).encode())["headers"]["compression"] == "gzip"


def test_lets_a_message_of_protocol_1_through() -> None:
    old = message()
    old["headers"] = {}
    body = {"task": "t.note", "id": "a", "args": ["x"], "kwargs": {}, "retries": 0}
    old["body"] = base64.b64encode(json.dumps(body).encode()).decode()
    _read(json.dumps(old).encode())


@pytest.mark.parametrize("kind", MALFORMED)
def test_refuses_what_is_malformed(kind: str) -> None:
    with pytest.raises((validation.Malformed, ValueError)):
        _read(MALFORMED[kind])


def test_says_which_header_is_wrong_without_repeating_it_whole() -> None:
    with pytest.raises(validation.Malformed, match=r"^headers\.retries is str '9{59}…$"):
        validation.decode(json.dumps(message(retries="9" * 10_000)).encode())


def test_a_compression_bomb_is_refused_without_unpacking_it() -> None:
    with pytest.raises(validation.Malformed, match="more than 67108864 bytes when decompressed"):
        validation.decode(MALFORMED["a compression bomb"])


def test_reads_a_naive_eta_as_utc_and_no_eta_from_nonsense() -> None:
    assert validation.due_at({"eta": "1970-01-01T00:01:00"}) == 60.0
    assert validation.due_at({"eta": "1970-01-01T01:00:00+01:00"}) == 0.0
    assert validation.due_at({"eta": "soon"}) is None
    assert validation.due_at(None) is None


def test_trusts_no_id_that_could_not_be_printed() -> None:
    assert validation.run_of(message(id="a\x1b[2J")) == (None, "t.note")
    assert validation.run_of({"headers": "nothing"}) == (None, None)
