"""Reading a waiting message, whatever it is."""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import pickle
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.broker.wire import decode as decoding
from celery_nexus.broker.wire.decode import MAX_BODY_BYTES, decode, mask_message
from celery_nexus.rows.broker import Message

NOW = 1_000.0
BODY: Any = [["a.docx", 1], {"password": "hunter2"}, {"chain": None}]


def message(body: Any = BODY, *, packed: bytes | None = None, **changes: Any) -> dict[str, Any]:
    """Write a message of Celery's second protocol; ``packed`` is its body's bytes."""
    data = json.dumps(body).encode() if packed is None else packed
    envelope: dict[str, Any] = {
        "body": base64.b64encode(data).decode(),
        "content-type": "application/json",
        "headers": {"id": "r1", "task": "a.task", "eta": None, "nexus_sent_at": 990.5},
        "properties": {"body_encoding": "base64", "priority": 3},
    }
    return envelope | changes


def read(envelope: Any) -> Message:
    """Decode it as it waits."""
    raw = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    return decode(raw, queue="q", priority=3, position=7, now=NOW, depth=2)


def with_headers(**headers: Any) -> dict[str, Any]:
    """Write a message with other headers."""
    return message(headers={"id": "r1", "task": "a.task"} | headers)


def test_a_message_of_celery_is_described_whole() -> None:
    raw = json.dumps(message()).encode()
    assert read(raw) == Message(
        id="r1",
        task="a.task",
        queue="q",
        priority=3,
        position=7,
        age_s=9.5,
        args=["a.docx", 1],
        kwargs={"password": "hunter2"},
        eta=None,
        headers={"id": "r1", "task": "a.task", "eta": None, "nexus_sent_at": 990.5},
        problem="",
        raw=raw,
        depth=2,
        is_delayed=False,
    )


def test_a_message_of_protocol_1_has_its_facts_in_the_body() -> None:
    old = {"id": "r1", "task": "a.task", "args": [1], "kwargs": {"b": 2}, "retries": 4}
    found = read(message(old, headers={"lang": "py"}))
    assert (found.id, found.task, found.args, found.kwargs, found.problem) == ("r1", "a.task", [1], {"b": 2}, "")
    assert found.headers == {"id": "r1", "task": "a.task", "retries": 4, "lang": "py"}


@pytest.mark.parametrize(
    "body",
    [
        [[1], {}],
        [[1], {}, {}, {}],
        [{}, {}, {}],
        [[1], [], {}],
        "text",
        7,
        {"args": [1], "kwargs": {}},  # beside headers that name a task
    ],
)
def test_a_body_that_holds_no_arguments_says_so_and_keeps_the_rest(body: Any) -> None:
    found = read(message(body))
    assert found.problem == "body does not hold arguments as Celery writes them"
    assert (found.id, found.task, found.args, found.kwargs) == ("r1", "a.task", None, None)


@pytest.mark.parametrize("broken", [{"args": {}, "kwargs": {}}, {"args": [], "kwargs": []}, {}])
def test_a_body_of_protocol_1_needs_both_kinds_of_arguments(broken: Any) -> None:
    found = read(message({"id": "r1", "task": "a.task"} | broken, headers={}))
    assert found.problem == "body does not hold arguments as Celery writes them"


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"nonsense", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a Celery message: no JSON object"),
        (b"null", "not a Celery message: no JSON object"),
    ],
)
def test_what_is_no_message_keeps_its_place_and_its_bytes(raw: bytes, problem: str) -> None:
    assert read(raw) == Message("", "", "q", 3, 7, None, None, None, problem=problem, raw=raw, depth=2)


@pytest.mark.parametrize("missing", ["id", "task"])
def test_a_message_without_id_or_task_is_none_of_celery(missing: str) -> None:
    found = read(with_headers(**{missing: 7}))
    assert found.problem == "not a Celery message: no task or id"
    assert getattr(found, missing) == ""
    assert found.args == ["a.docx", 1]


def test_what_is_wrong_with_the_body_is_said_before_a_missing_id() -> None:
    assert read(message(headers={}) | {"body": None}).problem == "no body"


def test_headers_that_are_no_object_are_none() -> None:
    assert read(message(headers=["id"])).headers == {}


@pytest.mark.parametrize(
    ("sent_at", "age_s"),
    [
        (990, 10.0),
        (1_001.0, 0.0),
        (True, None),
        ("990", None),
        (float("inf"), None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_an_age_comes_from_a_finite_time_and_is_never_below_zero(sent_at: Any, age_s: float | None) -> None:
    assert read(with_headers(nexus_sent_at=sent_at)).age_s == age_s


def test_an_eta_is_read_and_nonsense_is_none() -> None:
    assert read(with_headers(eta="2030-01-01T00:00:00+00:00")).eta == datetime(2030, 1, 1, tzinfo=UTC)
    assert read(with_headers(eta="soon")).eta is None


@pytest.mark.parametrize(
    ("compression", "pack"),
    [
        ("application/x-gzip", zlib.compress),
        ("application/x-bz2", bz2.compress),
        ("application/x-lzma", lzma.compress),
    ],
)
def test_a_compressed_body_is_opened(compression: str, pack: Any) -> None:
    packed = pack(json.dumps(BODY).encode())
    headers = {"id": "r1", "task": "a.task", "compression": compression}
    assert read(message(packed=packed, headers=headers)).args == ["a.docx", 1]
    broken = read(message(packed=b"nonsense", headers=headers))
    assert broken.problem == f"body is not the {compression} that it says it is"


@pytest.mark.parametrize("compression", ["application/zstd", 7, ["x"]])
def test_another_compression_is_not_opened(compression: Any) -> None:
    assert read(with_headers(compression=compression)).problem == f"body is compressed with {compression!r}: not opened"


def test_a_bomb_is_not_opened_and_one_byte_less_is(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"id": "r1", "task": "a.task", "compression": "application/x-gzip"}
    data = json.dumps(BODY).encode()
    monkeypatch.setattr(decoding, "MAX_BODY_BYTES", len(data))
    assert read(message(packed=zlib.compress(data), headers=headers)).args == ["a.docx", 1]
    assert "not opened" in read(message(packed=zlib.compress(data + b" "), headers=headers)).problem


def test_a_bomb_says_how_large_a_body_may_be() -> None:
    headers = {"id": "r1", "task": "a.task", "compression": "application/x-gzip"}
    packed = zlib.compress(b" " * (MAX_BODY_BYTES + 1))
    assert read(message(packed=packed, headers=headers)).problem == "body unpacks to more than 16 MiB: not opened"


def test_a_body_that_is_too_large_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = message()["body"]
    monkeypatch.setattr(decoding, "MAX_BODY_BYTES", len(encoded) / 2)
    assert read(message()).problem == ""
    monkeypatch.setattr(decoding, "MAX_BODY_BYTES", (len(encoded) - 1) / 2)
    assert read(message()).problem == f"body of {len(encoded)} bytes: too large to be shown"


def test_a_body_may_be_plain_text() -> None:
    found = read(message(properties={}) | {"body": '[["é"], {}, {}]'})
    assert (found.args, found.problem) == (["é"], "")


@pytest.mark.parametrize("body", ["not base64!", "YQ=", "é"])
def test_a_body_that_is_not_the_base64_that_it_says_is_named(body: str) -> None:
    assert read(message() | {"body": body}).problem == "body is not the base64 that it says it is"


@pytest.mark.parametrize("data", [b"nonsense", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_the_json_that_it_says_is_named(data: bytes) -> None:
    assert read(message(packed=data)).problem == "body is not the JSON that it says it is"


def test_a_body_of_celerys_own_json_is_json() -> None:
    assert read(message() | {"content-type": "application/vnd.celery.v2+json"}).args == ["a.docx", 1]


@pytest.mark.parametrize(
    ("kind", "said"), [("text/plain", "text/plain"), (None, "of an unknown kind"), (7, "of an unknown kind")]
)
def test_a_body_of_another_kind_is_not_opened(kind: Any, said: str) -> None:
    assert read(message() | {"content-type": kind}).problem == f"body is {said}: not opened"


def test_a_pickled_body_is_read_without_running_it() -> None:
    kind = "application/x-python-serialize"
    found = read(message(packed=pickle.dumps(BODY, protocol=2)) | {"content-type": kind})
    assert (found.args, found.kwargs, found.problem) == (["a.docx", 1], {"password": "hunter2"}, "")
    broken = read(message(packed=b"nonsense") | {"content-type": kind})
    assert broken.problem == f"body is {kind}: pickle that can't be read here"


def test_secrets_are_masked_and_bytes_stay() -> None:
    found = read(message(headers={"id": "r1", "task": "a.task", "api_key": "sk-1234567890"}))
    shown = mask_message(found, NO_CODE)
    assert shown.kwargs is not None
    assert "hunter2" not in str(shown.kwargs)
    assert "sk-1234567890" not in str(shown.headers)
    assert (shown.args, shown.raw) == (["a.docx", 1], found.raw)


def test_what_has_no_arguments_is_masked_too() -> None:
    shown = mask_message(read(b"nonsense"), NO_CODE)
    assert (shown.args, shown.kwargs) == (None, None)


def test_an_argument_by_place_is_masked_by_the_name_that_the_signature_gives_it() -> None:
    app = Celery("shop", set_as_current=False)

    @app.task(name="a.task", shared=False)
    def login(user: str, password: str) -> None:
        """Be a task with a secret."""

    assert login
    shown = mask_message(read(message([["ada", "hunter2"], {}, {}])), ApplicationCode(load=lambda: app))
    assert shown.args is not None
    assert shown.args[0] == "ada"
    assert "hunter2" not in str(shown.args)


def test_a_body_with_half_a_character_is_read_as_it_was_written() -> None:
    found = read(message(properties={}) | {"body": '[["a\ud800"], {}, {}]'})
    assert (found.args, found.problem) == (["a\ud800"], "")
