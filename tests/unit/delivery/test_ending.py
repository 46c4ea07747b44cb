"""The end of a run that will not run: what the result backend is told, and what it is told of."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import states
from celery.exceptions import NotRegistered, TaskRevokedError
from kombu.exceptions import OperationalError

from celery_nexus.delivery.ends import ending, endings
from celery_nexus.delivery.ends.chord_ends import finish
from celery_nexus.delivery.ends.chord_records import ChordRecord
from celery_nexus.delivery.ends.ending import Poisoned, context_of, spell
from celery_nexus.delivery.ends.endings import Note

BODY = {"task": "body", "args": [], "kwargs": {}, "options": {}}
LINK = {"task": "next", "args": [], "kwargs": {}, "options": {}}


class Backend:
    """A result backend that notes what it is told."""

    def __init__(self, record: ChordRecord | None = None, *, is_counting: bool = False) -> None:
        self.told: list[Any] = []
        self.metas: dict[str, dict[str, Any]] = {}
        self.chord_records = SimpleNamespace(read=lambda _: record, is_counting=lambda _: is_counting)

    def mark_as_revoked(self, run_id: str, reason: str, request: Any, store_result: bool) -> None:
        self.told.append(("revoked", run_id, reason, store_result, request.chord))

    def mark_as_failure(self, run_id: str, error: Exception, request: Any, store_result: bool) -> None:
        self.told.append(("failed", run_id, repr(error), store_result, request.chord))

    def on_chord_part_return(self, request: Any, state: str, result: Any) -> None:
        self.told.append(("part", request.id, request.group, request.group_index, state, repr(result), request.chord))

    def get_task_meta(self, run_id: str, cache: bool) -> dict[str, Any]:
        assert not cache
        return self.metas.get(run_id, {"status": "PENDING", "result": None})

    def store_result(self, run_id: str, result: Any, state: str) -> None:
        self.metas[run_id] = {"status": state, "result": result}

    def set_chord_size(self, group: str, size: int) -> None:
        self.told.append(("size", group, size))


def message(*, args: Any = (), embed: Any = None, **headers: Any) -> bytes:
    body = base64.b64encode(json.dumps([list(args), {}, embed or {}]).encode()).decode()
    known = {"id": "a", "task": "t", "group": None, "ignore_result": False} | headers
    properties = {"body_encoding": "base64", "delivery_info": {"routing_key": "q"}}
    return json.dumps({"body": body, "headers": known, "properties": properties}).encode()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the history is told."""
    told: list[Any] = []
    monkeypatch.setattr(ending.ends, "tell", lambda _client, prefix, notes, error: told.append((prefix, notes, error)))
    return told


def end(backend: Backend, note: Note, **tasks: Any) -> None:
    app: Any = SimpleNamespace(backend=backend, tasks=tasks)
    ending._end(app, None, "p:", note)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["deleted", "purged", "revoked"])
def test_what_an_operator_takes_away_is_revoked(told: list[Any], reason: str) -> None:
    backend, note = Backend(), Note(reason, raw=message())
    end(backend, note)
    assert backend.told == [("revoked", "a", f"{reason} by an operator", True, None)]
    assert told == [("p:", [note], "")]


@pytest.mark.parametrize(
    ("reason", "error", "spelt"),
    [
        ("poisoned", Poisoned("t: why; see nexus-tui dead-letters"), "Poisoned('t: why; see nexus-tui dead-letters')"),
        ("unknown task", NotRegistered("t"), "NotRegistered('t')"),
        ("malformed", ValueError("why"), "ValueError('why')"),
    ],
)
def test_what_is_set_aside_fails(told: list[Any], reason: str, error: Exception, spelt: str) -> None:
    backend, note = Backend(), Note(reason, "why", raw=message())
    end(backend, note)
    assert backend.told == [("failed", "a", repr(error), True, None)]
    assert told == [("p:", [note], spelt)]


def test_the_history_is_not_told_twice(told: list[Any]) -> None:
    backend = Backend()
    end(backend, Note("deleted", told=True, raw=message()))
    assert len(backend.told) == 1
    assert told == []


@pytest.mark.parametrize(("reason", "is_kept"), [("deleted", False), ("malformed", False)])
def test_a_result_that_nobody_wants_is_not_stored(told: list[Any], reason: str, is_kept: bool) -> None:
    backend = Backend()
    end(backend, Note(reason, raw=message(ignore_result=True)))
    assert backend.told[0][3] is is_kept


def test_an_error_is_stored_where_its_task_wants_that(told: list[Any]) -> None:
    backend, task = Backend(), SimpleNamespace(store_errors_even_if_ignored=True)
    end(backend, Note("malformed", raw=message(ignore_result=True)), t=task)
    assert backend.told[0][3] is True


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"{}", b'{"headers": {"task": "t"}}'])
def test_of_what_has_no_id_nobody_is_told(told: list[Any], raw: bytes) -> None:
    backend = Backend()
    end(backend, Note("malformed", raw=raw))
    assert (backend.told, told) == ([], [])


def test_a_message_that_was_cut_ends_by_its_headers(told: list[Any]) -> None:
    backend = Backend()
    end(backend, Note("malformed", "large", raw=b'AAA", "headers": {"id": "cut", "task": "t"}, "prop'))
    assert [entry[:2] for entry in backend.told] == [("failed", "cut")]


RECORD = ChordRecord("g", BODY, (("a",), ("b",)), 2, (), False, None)


def test_a_member_whose_body_can_not_be_read_fails_its_chord_by_the_record(told: list[Any]) -> None:
    backend = Backend(RECORD)
    end(backend, Note("malformed", "why", raw=b'{"body": 7, "headers": {"id": "a", "task": "t", "group": "g"}}'))
    assert backend.told == [("failed", "a", "ValueError('why')", True, BODY)]


def test_or_by_the_counters_of_the_chord(told: list[Any]) -> None:
    backend = Backend(is_counting=True)
    end(backend, Note("malformed", "why", raw=b'{"body": 7, "headers": {"id": "a", "task": "t", "group": "g"}}'))
    error = "ValueError('its message could not be read')"
    assert backend.told == [
        ("part", "a", "g", None, states.FAILURE, error, None),
        ("failed", "a", "ValueError('why')", True, None),
    ]


@pytest.mark.parametrize("headers", [{"group": "g"}, {"group": None}, {"group": 7}])
def test_who_can_be_read_or_is_in_no_chord_needs_neither(told: list[Any], headers: dict[str, Any]) -> None:
    backend = Backend(RECORD, is_counting=True)
    is_member = headers["group"] == "g"
    raw = message(**headers) if is_member else json.dumps({"headers": {"id": "a", "task": "t"} | headers}).encode()
    end(backend, Note("malformed", "why", raw=raw))
    assert backend.told == [("failed", "a", "ValueError('why')", True, None)]


def test_a_note_that_can_not_be_carried_out_holds_up_no_other(
    told: list[Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LookupError("odd")

    monkeypatch.setattr(Backend, "mark_as_failure", fail)
    end(Backend(), Note("malformed", raw=message()))
    assert "can't end a: LookupError: odd" in caplog.text
    assert told == []


@pytest.mark.parametrize("error", [redis.ConnectionError("away"), OperationalError("away"), OSError("away")])
def test_what_the_broker_does_not_take_stays_for_later(
    error: Exception, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise error

    monkeypatch.setattr(ending, "carry_out_ends", fail)
    ending.carry_out_what_can_be(None, None)  # type: ignore[arg-type]
    assert "end once the broker is back: away" in caplog.text


def test_a_chord_that_is_to_be_finished_is(monkeypatch: pytest.MonkeyPatch, told: list[Any]) -> None:
    finished: list[str] = []
    monkeypatch.setattr(ending, "finish", lambda _app, group: finished.append(group))
    end(Backend(), Note("chord", group="g"))
    assert (finished, told) == (["g"], [])


def test_a_context_has_what_follows_the_run() -> None:
    raw = message(
        embed={"chord": BODY, "callbacks": [LINK, 7], "errbacks": [LINK], "chain": "odd"},
        args=[1], group="g", group_index=3, root_id="r", parent_id="p", retries=2, stamps={"s": 1},
    )  # fmt: skip
    context = context_of(json.loads(raw))
    assert context is not None
    assert (context.id, context.task, context.args, context.kwargs) == ("a", "t", [1], {})
    assert (context.chord, context.callbacks, context.errbacks, context.chain) == (BODY, [LINK], [LINK], [])
    assert (context.group, context.group_index, context.root_id, context.parent_id) == ("g", 3, "r", "p")
    assert (context.retries, context.stamps, context.delivery_info) == (2, {"s": 1}, {"routing_key": "q"})


@pytest.mark.parametrize("properties", [None, 7, {"delivery_info": 7}])
def test_a_context_leaves_out_what_is_malformed(properties: Any) -> None:
    context = context_of({"headers": {"id": "a", "chord": {"task": 7}}, "properties": properties})
    assert context is not None
    assert (context.task, context.chord, context.delivery_info) == (None, None, {})


def test_there_is_no_context_without_an_id() -> None:
    assert context_of({"headers": {"task": "t"}}) is None


def test_an_error_is_spelt_by_its_words() -> None:
    assert spell(NotRegistered("t")) == "NotRegistered('t')"
    assert spell(ValueError()) == "ValueError()"


def record(**facts: Any) -> ChordRecord:
    known: dict[str, Any] = {
        "group": "g", "body": BODY, "members": (("a", "before a"), ("b",), ("c",)), "size": 3, "counted": (),
        "is_claimed": False, "idle_s": None,
    }  # fmt: skip
    return ChordRecord(**known | facts)


def finish_chord(backend: Backend) -> None:
    app: Any = SimpleNamespace(backend=backend)
    finish(app, "g")


LOST = repr(TaskRevokedError("lost: it is in no queue, and no worker has it"))


def test_members_that_were_not_counted_are_by_what_is_known_of_them() -> None:
    backend = Backend(record(counted=("b:1",)))
    backend.metas = {"c": {"status": "FAILURE", "result": ValueError("why")}, "b": {"status": "SUCCESS", "result": 7}}
    finish_chord(backend)
    assert backend.told == [
        ("part", "a", "g", 0, "REVOKED", LOST, BODY),
        ("part", "c", "g", 2, "FAILURE", "ValueError('why')", BODY),
        ("part", "b", "g", 1, "SUCCESS", "7", BODY),
    ]
    assert backend.metas["a"]["status"] == "REVOKED"
    assert backend.metas["c"]["status"] == "FAILURE"


def test_a_chord_whose_counters_are_gone_counts_anew() -> None:
    backend = Backend(record(size=None))
    finish_chord(backend)
    assert backend.told[0] == ("size", "g", 3)
    counted = Backend(record(size=None, members=(), counted=("x:+inf", "y:1")))
    finish_chord(counted)
    assert counted.told == [("size", "g", 2), ("part", "x", "g", None, "PENDING", "None", BODY)]


def test_members_that_nobody_knows_are_lost() -> None:
    backend = Backend(record(members=(), size=3, counted=("x:0",)))
    backend.metas["x"] = {"status": "SUCCESS", "result": 1}
    finish_chord(backend)
    assert backend.told == [
        ("part", "g-lost-0", "g", None, "REVOKED", LOST, BODY),
        ("part", "g-lost-1", "g", None, "REVOKED", LOST, BODY),
        ("part", "x", "g", 0, "SUCCESS", "1", BODY),
    ]


def test_members_that_are_known_are_not_lost_beside_that() -> None:
    backend = Backend(record(size=9, counted=("a:0", "b:1")))
    finish_chord(backend)
    assert [entry[1] for entry in backend.told] == ["c", "a"]


def test_of_a_chord_that_nobody_knows_nothing_is_done(caplog: pytest.LogCaptureFixture) -> None:
    backend = Backend()
    finish_chord(backend)
    assert backend.told == []
    assert "nothing is known of the chord g" in caplog.text


def test_reasons_are_those_that_operators_give() -> None:
    assert {"deleted", "purged", "revoked"} == endings.REVOKING
