"""Each rule of validation: what is just right, and what is just wrong."""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import zlib
from typing import Any

import pytest

from celery_nexus.delivery import validation


def envelope(**changes: Any) -> dict[str, Any]:
    """Write a message of Celery's second protocol."""
    told: dict[str, Any] = {
        "body": base64.b64encode(b"[[], {}, {}]").decode(),
        "headers": {"id": "r1", "task": "a.task"},
        "properties": {"delivery_tag": "t", "body_encoding": "base64"},
        "content-type": "application/json",
        "content-encoding": "utf-8",
    }
    return {name: value for name, value in (told | changes).items() if value != "left out"}


def refusal(message: Any) -> str:
    """Read why a message is refused; empty when it is not."""
    try:
        validation.decode(message if isinstance(message, bytes) else json.dumps(message).encode())
    except validation.Malformed as problem:
        return str(problem)
    return ""


HEADERS: dict[str, tuple[list[Any], list[Any]]] = {
    "lang": (["py", None], [7]),
    "task": (["é" * 255], ["", "t" * 256, "a\n", "\ud800", None, 7]),
    "id": (["i" * 255], ["", "i" * 256, "a\u200b", None, 7]),
    "shadow": ([None, "s"], [[]]),
    "eta": ([None, "2030-01-01T00:00:00"], ["soon", 7]),
    "expires": ([None, "2030-01-01T00:00:00Z"], ["soon", True]),
    "group": ([None, "g"], [1]),
    "group_index": ([None, 0, 1_000_000], [-1, 1_000_001, True, 1.0, "1"]),
    "retries": ([None, 0, 1_000_000], [-1, 1_000_001, False, "1"]),
    "timelimit": (
        [None, [None, None], [0, 315_360_000], [1.5, None]],
        [[1], [1, 2, 3], "ab", [-1, None], [None, 315_360_001], [True, None], ["1", None], [float("inf"), None]],
    ),
    **dict.fromkeys(("root_id", "parent_id", "argsrepr", "kwargsrepr", "origin"), ([None, "", "x"], [7, []])),
    "replaced_task_nesting": ([None, 0, 3], [-1, True, "1"]),
    "compression": ([None, ""], [7]),
    "ignore_result": ([None, True], [0, "yes"]),
    "stamped_headers": ([None, [], ["a"]], [["a", 1], "a"]),
    "stamps": ([None, {}], [[]]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_has_its_type_and_its_bounds(name: str) -> None:
    right, wrong = HEADERS[name]
    for value in right:
        assert refusal(envelope(headers={"id": "r1", "task": "a.task"} | {name: value})) == "", value
    for value in wrong:
        said = refusal(envelope(headers={"id": "r1", "task": "a.task"} | {name: value}))
        assert said.startswith(f"headers.{name} is {type(value).__name__} "), value


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"properties": None}, "no properties"),
        ({"properties": []}, "no properties"),
        ({"properties": {"delivery_tag": 7}}, "no delivery_tag"),
        ({"properties": {"delivery_tag": "t", "body_encoding": "hex"}}, "properties.body_encoding is str 'hex'"),
        ({"properties": {"delivery_tag": "t", "reply_to": 1}}, "properties.reply_to is int 1"),
        ({"properties": {"delivery_tag": "t", "correlation_id": 1}}, "properties.correlation_id is int 1"),
        ({"properties": {"delivery_tag": "t", "delivery_info": []}}, "properties.delivery_info is list []"),
        ({"headers": []}, "headers is list []"),
        ({"body": None}, "the body is no text"),
        ({"content-type": "text/plain"}, "content type str 'text/plain'"),
        ({"content-type": "left out"}, "content type NoneType None"),
        ({"content-encoding": "latin-1"}, "content encoding str 'latin-1'"),
        ({"headers": {"task": "a.task"}}, "headers without task or id"),
        ({"headers": {"id": "r1"}}, "headers without task or id"),
        ({"headers": {"id": "r1", "task": "t", "compression": "rar"}}, "compression str 'rar'"),
    ],
)
def test_what_is_wrong_with_an_envelope_is_said(changes: dict[str, Any], problem: str) -> None:
    assert refusal(envelope(**changes)) == problem


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": None},
        {"headers": {}},
        {"content-encoding": "left out"},
        {"content-encoding": "binary"},
        {"properties": {"delivery_tag": "", "body_encoding": None, "correlation_id": "c"}},
    ],
)
def test_what_kombu_may_write_is_right(changes: dict[str, Any]) -> None:
    assert refusal(envelope(**changes)) == ""


def test_bytes_that_are_no_object_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(b"nonsense").startswith("not JSON: ")
    assert refusal(b"[" * 100_000) == "nested too deeply"
    assert refusal(b"[]") == "JSON list instead of an object"
    raw = json.dumps(envelope()).encode()
    monkeypatch.setattr(validation, "MAX_MESSAGE_BYTES", len(raw))
    assert refusal(raw) == ""
    assert refusal(raw + b" ") == f"{len(raw) + 1} bytes, more than {len(raw)}"


PACKERS = {
    "zlib": zlib.compress,
    **dict.fromkeys(("gzip", "application/x-gzip"), zlib.compress),  # kombu calls zlib so
    **dict.fromkeys(("bzip2", "bzip", "application/x-bz2"), bz2.compress),
    **dict.fromkeys(("lzma", "xz", "application/x-lzma"), lzma.compress),
}


@pytest.mark.parametrize("compression", PACKERS)
def test_a_packed_body_is_as_large_as_it_will_be(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_BODY_BYTES", 20_000_000)
    headers = {"id": "r1", "task": "a.task", "compression": compression}
    right = base64.b64encode(PACKERS[compression](b" " * 20_000_000)).decode()
    large = base64.b64encode(PACKERS[compression](b" " * 20_000_001)).decode()
    assert refusal(envelope(headers=headers, body=right)) == ""
    assert refusal(envelope(headers=headers, body=large)) == "the body has more than 20000000 bytes when decompressed"
    assert refusal(envelope(headers=headers)).startswith("the body can't be decompressed: ")
    assert refusal(envelope(headers=headers, body="a")).startswith("the body is not base64: ")


def test_a_packed_body_without_base64_is_bytes_of_text() -> None:
    headers = {"id": "r1", "task": "a.task", "compression": "zlib"}
    said = refusal(envelope(headers=headers, properties={"delivery_tag": "t"}))
    assert said.startswith("the body can't be decompressed: ")


def test_the_headers_at_the_end_of_a_message_that_was_cut_are_read() -> None:
    cut = json.dumps({"body": "x" * 100, "headers": {"id": "r1"}, "properties": {}}).encode()[50:]
    assert validation.decode_end(cut) == {"headers": {"id": "r1"}}
    assert validation.decode_end(b'"headers": {"id": "r1') is None
    assert validation.decode_end(b'"headers": [1], "a": 1') is None
    assert validation.decode_end(b"nothing") is None


def test_a_run_is_known_by_names_that_can_be_trusted_alone() -> None:
    assert validation.run_of({"headers": {"id": "r1", "task": "t"}}) == ("r1", "t")
    assert validation.run_of({"headers": {"id": "", "task": "t"}}) == (None, "t")
    assert validation.run_of({"headers": {"id": "r1", "task": 7}}) == ("r1", None)
    assert validation.run_of({"headers": []}) == validation.run_of({}) == validation.run_of(None) == (None, None)


NO_SIGNATURES: list[Any] = [
    *(None, [], {}, {"task": ""}),
    *({"task": "t", "args": 1}, {"task": "t", "kwargs": []}, {"task": "t", "options": 1}),
]


@pytest.mark.parametrize("odd", NO_SIGNATURES)
def test_what_is_no_signature_is_left_out(odd: Any) -> None:
    right = {"task": "t", "args": [1], "kwargs": {}, "options": None}
    assert not validation.is_signature(odd)
    assert validation.keep_signatures([right, odd]) == [right]
    assert validation.keep_signatures(odd) == []


PAYLOADS: list[tuple[Any, dict[str, Any], str]] = [
    *((odd, {"task": "t"}, "the body is not [args, kwargs, embed]") for odd in ([[], {}], [[], {}, {}, {}], "abc", 7)),
    ([{}, {}, {}], {"task": "t"}, "args is not a list"),
    ([[], [], {}], {"task": "t"}, "kwargs is not an object"),
    ([[], {}, {"callbacks": 1}], {"task": "t", "id": "a"}, "embed.callbacks is int 1"),
    ([[], {}, {"errbacks": [{"task": ""}]}], {"task": "t", "id": "a"}, "embed.errbacks is list [{'task': ''}]"),
    ([[], {}, {"chord": []}], {"task": "t", "id": "a"}, "embed.chord is list []"),
    ([[], {}, []], {"task": "t", "id": "a"}, "embed is list []"),
    ([], {}, "neither headers nor a body that name a task"),
    ({"task": "t"}, {}, "no task or no id"),
    ({"id": "a"}, {}, "no task or no id"),
    ([[], {}, {"chain": {}}], {"task": "t", "id": "a"}, "embed.chain is dict {}"),
    ({"task": "", "id": "a"}, {}, "body.task is str ''"),
    ({"task": "t", "id": 1}, {}, "body.id is int 1"),
    ({"task": "t", "id": "a", "args": {}}, {}, "body.args is dict {}"),
    ({"task": "t", "id": "a", "kwargs": []}, {}, "body.kwargs is list []"),
    ({"task": "t", "id": "a", "retries": -1}, {}, "body.retries is int -1"),
    ({"task": "t", "id": "a", "eta": "soon"}, {}, "body.eta is str 'soon'"),
    ({"task": "t", "id": "a", "expires": "soon"}, {}, "body.expires is str 'soon'"),
    ({"task": "t", "id": "a", "timelimit": [1]}, {}, "body.timelimit is list [1]"),
    ({"task": "t", "id": "a", "callbacks": 1}, {}, "embed.callbacks is int 1"),
    ({"task": "t", "id": "a", "errbacks": 1}, {}, "embed.errbacks is int 1"),
    (
        {"args": {}, "kwargs": {}},
        {"task": "t", "id": "a"},
        "body.args is dict {}",
    ),  # a body of the one, headers of the other
    ({"args": [], "kwargs": {}}, {"task": "t"}, "body.id is NoneType None"),
    ({"task": "t", "id": "a", "chord": 1}, {}, "embed.chord is int 1"),
]


@pytest.mark.parametrize(("payload", "headers", "problem"), PAYLOADS)
def test_what_is_wrong_with_a_body_is_said(payload: Any, headers: dict[str, Any], problem: str) -> None:
    with pytest.raises(validation.Malformed) as told:
        validation.check_payload(payload, headers)
    assert str(told.value) == problem


def test_a_body_of_the_first_protocol_under_headers_of_the_second_is_right() -> None:
    validation.check_payload({"args": [], "kwargs": {}, "retries": 0}, {"task": "t", "id": "a"})
    validation.check_payload(([], {}, None), {"task": "t", "id": "a"})


def test_what_is_no_object_is_decoded_as_nothing() -> None:
    assert validation.decode_loosely(b'{"a": 1}') == {"a": 1}
    assert [validation.decode_loosely(raw) for raw in (b"[]", b"{", b"\xff", b"[" * 100_000)] == [None] * 4


def command(body: Any, **properties: Any) -> dict[str, Any]:
    """Write a message of remote control."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {"body": text, "content-type": "application/json", "properties": {"delivery_tag": "t"} | properties}


def test_a_command_of_remote_control_is_read() -> None:
    told = {"method": "ping", "destination": ["w@h"], "reply_to": {"exchange": "e", "routing_key": "r"}}
    assert validation.check_control(command(told), is_command=True) == told
    packed = base64.b64encode(json.dumps(told).encode()).decode()
    assert validation.check_control(command(packed, body_encoding="base64"), is_command=True) == told
    assert validation.check_control(command("nonsense"), is_command=False) == {}


@pytest.mark.parametrize("clock", [None, 0, 2**62])
def test_a_clock_is_a_count(clock: Any) -> None:
    assert validation.check_control(command({}) | {"headers": {"clock": clock}}, is_command=False) == {}


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ([], "JSON list instead of an object"),
        ({"properties": 1}, "no properties"),
        ({"properties": {}}, "no delivery_tag"),
        (command({}) | {"headers": 1}, "headers is no object"),
        (command({}) | {"headers": {"clock": -1}}, "clock is no count"),
        (command({}) | {"headers": {"clock": 2**62 + 1}}, "clock is no count"),
        (command({}) | {"headers": {"clock": "1"}}, "clock is no count"),
        (command({}) | {"content-type": "text/plain"}, "not JSON"),
        (command({}) | {"body": 1}, "the body is no text"),
        (command([]), "the body is no object"),
        (command({}), "command.method is NoneType None"),
        (command({"method": "ping", "destination": 1}), "command.destination is int 1"),
        (command({"method": "ping", "reply_to": {"exchange": "e"}}), "command.reply_to is dict {'exchange': 'e'}"),
        (command({"method": "ping", "arguments": []}), "command.arguments is list []"),
        (command({"method": "ping", "destination": [1]}), "command.destination is list [1]"),
        (
            command({"method": "ping", "reply_to": {"exchange": "e", "routing_key": 1}}),
            "command.reply_to is dict {'exchange': 'e', 'routing_key': 1}",
        ),
        *(
            (command({"method": "ping", name: 1}), f"command.{name} is int 1")
            for name in ("pattern", "matcher", "ticket")
        ),
    ],
)
def test_what_is_no_command_is_refused(message: Any, problem: str) -> None:
    with pytest.raises(validation.Malformed) as told:
        validation.check_control(message, is_command=True)
    assert str(told.value) == problem


def test_a_command_that_is_no_json_is_refused() -> None:
    with pytest.raises(validation.Malformed, match=r"^the body is not JSON: "):
        validation.check_control(command("nonsense"), is_command=True)
