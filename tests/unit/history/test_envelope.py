"""What is taken from messages that anybody may publish."""

import base64
import json
import pickle
import zlib
from typing import Any

import pytest

from celery_nexus.history.errors import BadEvent
from celery_nexus.history.recorder.stock_events import events_of
from celery_nexus.history.store.run_record import RunRecord
from celery_nexus.history.store.store import Store
from celery_nexus.serializers import formats

NOW = 1_800_000_000.0


def message(content: Any, raw: bytes | None = None, **envelope: Any) -> bytes:
    data = json.dumps(content).encode() if raw is None else raw
    return json.dumps(
        {
            "body": base64.b64encode(data).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"hostname": "w@h"},
            "properties": {"body_encoding": "base64"},
        }
        | envelope
    ).encode()


def event(kind: str = "task-received", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "uuid": "a-run", "hostname": "w@h", "timestamp": NOW, "clock": 3, "utcoffset": 0} | fields


class Opened:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was loaded",))


def test_several_events_of_one_message_keep_their_order() -> None:
    events = events_of(message([event("task-received"), event("task-started")]))
    assert [found and found["type"] for found in events] == ["task-received", "task-started"]


def test_a_body_that_is_no_base64_is_read_as_it_is() -> None:
    text = json.dumps({"body": json.dumps(event()), "content-type": "application/json", "properties": {}})
    assert events_of(text.encode()) == [{"type": "task-received", "uuid": "a-run", "hostname": "w@h", "timestamp": NOW}]


def test_arguments_stay_texts_and_their_secrets_are_masked() -> None:
    [found] = events_of(message(event(args="('a', 1)", kwargs="{'password': 'hunter2', 'page': 3}")))
    assert found is not None
    assert (found["args"], found["kwargs"]) == ("('a', 1)", "{'password': ***, 'page': 3}")


def test_arguments_that_are_no_text_become_one() -> None:
    [found] = events_of(message(event(args=["a", 2**60], kwargs={"x": [1, {"y": None}]})))
    assert found is not None
    assert (found["args"], found["kwargs"]) == ('["a", 1152921504606846976]', '{"x": [1, {"y": null}]}')


@pytest.mark.parametrize("kind", ["msgpack", "pickle", "yaml"])
def test_events_in_other_formats_are_read(kind: str) -> None:
    data, _ = formats.write(formats.NAMES[kind], [event(), event(uuid="other")])
    found = events_of(message(None, data, **{"content-type": formats.NAMES[kind]}))
    assert [item["uuid"] for item in found if item] == ["a-run", "other"]


def test_a_pickle_is_never_loaded() -> None:
    data = message(None, pickle.dumps(Opened()), **{"content-type": "application/x-python-serialize"})
    assert events_of(data) == [None]


def test_fields_of_the_wrong_type_are_left_out() -> None:
    [found] = events_of(message(event(name=["x"], root_id=7, retries="many", runtime=[1], eta={}, extra="y")))
    assert found == {"type": "task-received", "uuid": "a-run", "hostname": "w@h", "timestamp": NOW}


def test_long_texts_are_cut() -> None:
    [found] = events_of(message(event(args="x" * 1_000_000, name="n" * 5000)))
    assert found is not None
    assert len(found["args"]) < 70_000
    assert len(found["name"]) == 256


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (message(None, zlib.compress(b"{}"), headers={"compression": "application/x-gzip"}), "compressed"),
        (message(event(), **{"content-type": None}), "None is not read"),
        (message(None, b"type: x", **{"content-type": "application/x-yaml"}), "yaml that can't be read"),
        (message(None, b"\xc1", **{"content-type": "application/x-msgpack"}), "msgpack that can't be read"),
        (message(event(), body=None), "without a body"),
        (message(event(), body="!"), "no JSON"),
        (message(None, b"\xff\xfe{"), "no JSON"),
        (message(None, b"[" * 100_000), "no JSON"),
        (b"hello", "no JSON"),
        (b"[]", "no message"),
        (b"", "no JSON"),
        (b"\x80\x04" + bytes(100), "no JSON"),
        (b" " * 20_000_000, "20,000,000 bytes"),
    ],
)
def test_what_can_not_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadEvent, match=reason):
        events_of(data)


@pytest.mark.parametrize("body", [None, 3, "text", [1, None, "x", []], {"uuid": "a"}, {"type": 3}, {"type": ""}])
def test_events_that_make_no_sense_are_none(body: Any) -> None:
    assert all(found is None for found in events_of(message(body)))


def test_an_event_of_the_applications_own_is_neither_kept_nor_wrong() -> None:
    assert events_of(message(event("invoice-paid", amount=3))) == [{"type": "invoice-paid"}]


def test_not_a_number_and_lone_surrogates_are_read() -> None:
    raw = b'{"type": "task-succeeded", "uuid": "a", "timestamp": 1800000000.5, "runtime": NaN, "result": "\\ud800x"}'
    [found] = events_of(message(None, raw))
    assert found is not None
    assert found["result"] == "?x"


@pytest.mark.parametrize(
    "kind", ["received", "started", "succeeded", "failed", "retried", "revoked", "sent", "progress"]
)
@pytest.mark.parametrize("value", [None, True, -1, 2**70, 1e308, float("nan"), "", "\ud800\0\x1b[2J", [], {"a": 2**70}])
def test_the_store_takes_whatever_comes_through(tmp_path: Any, kind: str, value: Any) -> None:
    names = ("name", "args", "kwargs", "retries", "eta", "queue", "runtime", "result", "exception", "traceback", "done")
    fields = dict.fromkeys((*names, "total", "root_id", "hostname", "signum", "terminated", "note", "priority"), value)
    store = Store(tmp_path / "history.db")
    store.write([found or b"" for found in events_of(message([event(f"task-{kind}", **fields), event("task-sent")]))])
    assert store.connection.execute("select count(*) from run").fetchone() == (1,)
    assert RunRecord("a").state == "PENDING"
    store.close()
