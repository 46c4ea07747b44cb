"""Where results are kept: a run waits for its broker, and what hangs on a run's end hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery, states
from celery.exceptions import TaskRevokedError

from celery_nexus.delivery.ends import results
from celery_nexus.delivery.ends.private_records import MAX_TRACEBACK, PrivateResults
from celery_nexus.delivery.ends.results import AGAIN_S, RedisResults

AWAY = redis.ConnectionError("away")


class Kept:
    """Records of chords, and a connection; notes what happens, in its order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.known = 1

    def write(self, *told: Any) -> None:
        self.done.append(("write", *told))

    def forget_if_over(self, group: str) -> None:
        self.done.append(("forget if over", group))

    def delete(self, key: bytes) -> None:
        self.done.append(("delete", key))

    def exists(self, key: bytes) -> int:
        self.done.append(("exists", key))
        return self.known

    def expire(self, key: bytes, seconds: int) -> None:
        self.done.append(("expire", key, seconds))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(results.time, "sleep", pauses.append)
    return pauses


@pytest.fixture(params=[True])
def may_wait(request: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(results.running, "may_wait", lambda: request.param)
    return bool(request.param)


everybody_else = pytest.mark.parametrize("may_wait", [False], indirect=True)


def backend_of(kind: type[Any], kept: Kept) -> Any:
    app = Celery("t", set_as_current=False)
    app.conf.update(result_expires=60, result_chord_expires=600)
    made = kind(app=app, url="redis://localhost:1/0")
    made.__dict__.update(client=kept, chord_records=kept)
    return made


@pytest.fixture
def backend(kept: Kept, may_wait: bool, slept: list[float]) -> Any:
    return backend_of(RedisResults, kept)


def celerys(monkeypatch: pytest.MonkeyPatch, kept: Kept, name: str, *answers: Any) -> None:
    """Let a method of Celery's backend answer, or raise, one after the other; it notes that it was asked."""
    left = list(answers)

    def method(_self: Any, *args: Any, **options: Any) -> Any:
        kept.done.append((name, *args))
        answer = left.pop(0) if left else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(results.RedisBackend, name, method)


# Waiting for the broker


def test_who_has_a_result_waits_for_the_broker_as_long_as_it_takes(
    backend: Any, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([AWAY, redis.TimeoutError("slow"), redis.OutOfMemoryError("full"), *[AWAY] * 60])

    def store(*args: Any) -> tuple[Any, ...]:
        for problem in answers:
            raise problem
        return args

    assert backend.ensure(store, (1, 2)) == (1, 2)
    assert slept == [0.0, *[AGAIN_S] * 62]
    assert caplog.text.count("a result waits for the broker: away") == 2  # at first, and once a minute


def test_what_the_broker_will_never_do_is_not_waited_for(backend: Any, slept: list[float]) -> None:
    def store() -> None:
        raise redis.ResponseError("WRONGTYPE")

    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        backend.ensure(store, ())
    assert slept == []


def test_a_record_is_read_as_patiently(backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    celerys(monkeypatch, kept, "get", AWAY, b"record")
    assert backend.get("k") == b"record"
    assert kept.done == [("get", "k")] * 2


@everybody_else
def test_everybody_else_gives_up_as_celery_does(backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    celerys(monkeypatch, kept, "get", AWAY)
    celerys(monkeypatch, kept, "ensure", "as often as the settings say")
    with pytest.raises(redis.ConnectionError):
        backend.get("k")
    assert backend.ensure(len, ("abc",)) == "as often as the settings say"


# Ends


@pytest.mark.parametrize("chain", [None, ["next"]])
def test_what_follows_a_revoked_run_in_its_chain_is_revoked(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch, chain: Any
) -> None:
    failed: list[Any] = []
    celerys(monkeypatch, kept, "mark_as_revoked")
    backend._fail_chain = lambda *args, **options: failed.append((*args, options))
    backend.mark_as_revoked("r1", "revoked", request=SimpleNamespace(chain=chain))
    [(links, error, options)] = failed
    assert (links, options) == (chain, {"store_result": True, "state": states.REVOKED})
    assert isinstance(error, TaskRevokedError)
    assert str(error) == "revoked"
    assert kept.done == [("mark_as_revoked", "r1", "revoked")]


def test_of_a_run_without_a_request_nothing_is_known(backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    celerys(monkeypatch, kept, "mark_as_revoked")
    backend._fail_chain = lambda *_, **__: pytest.fail("there is no chain")
    backend.mark_as_revoked("r1", "revoked")


# Chords


def result(name: str, parent: Any = None, nested: Any = None) -> Any:
    return SimpleNamespace(id=name, parent=parent, results=nested)


def test_a_chord_is_recorded_with_its_members_before_it_begins(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    celerys(monkeypatch, kept, "apply_chord", "begun")
    members = [result("a"), result("group", nested=[result("b"), result("c", parent=result("before c"))])]
    assert backend.apply_chord(("g", members), {"task": "body"}) == "begun"
    assert kept.done == [
        ("delete", backend.get_key_for_group("g", ".c")),
        ("write", "g", {"task": "body"}, [("a",), ("b",), ("c", "before c")]),
        ("apply_chord", ("g", members), {"task": "body"}),
    ]


def test_members_that_are_made_one_by_one_are_not_listed(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made() -> Iterator[Any]:
        pytest.fail("made too early")
        yield

    celerys(monkeypatch, kept, "apply_chord")
    for members in (made(), results._generated(made())):
        kept.done.clear()
        backend.apply_chord(("g", members), {"task": "body"})
        assert kept.done[1] == ("write", "g", {"task": "body"}, [])


def test_a_chord_without_a_body_is_not_recorded(backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    celerys(monkeypatch, kept, "apply_chord")
    backend.apply_chord(("g", []), None)
    assert [entry[0] for entry in kept.done] == ["delete", "apply_chord"]


PART = SimpleNamespace(id="r1", group="g", chord={"task": "body"})


def test_a_part_that_is_done_keeps_what_the_chord_needs_and_is_counted(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    celerys(monkeypatch, kept, "on_chord_part_return", "counted")
    assert backend.on_chord_part_return(PART, states.SUCCESS, 1) == "counted"
    group, task = backend.get_key_for_group("g"), backend.get_key_for_task("r1")
    assert kept.done == [
        ("write", "g", {"task": "body"}),
        ("exists", group),
        ("expire", task, 600),
        ("on_chord_part_return", PART, states.SUCCESS, 1),
        ("forget if over", "g"),
    ]


def test_of_a_chord_without_groups_no_results_are_kept_longer(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    celerys(monkeypatch, kept, "on_chord_part_return")
    kept.known = 0
    backend.on_chord_part_return(PART, states.SUCCESS, 1)
    assert "expire" not in [entry[0] for entry in kept.done]


def test_a_member_of_a_group_is_in_no_chord(backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    celerys(monkeypatch, kept, "on_chord_part_return")
    backend.on_chord_part_return(SimpleNamespace(id="r1", group="g", chord=None), states.SUCCESS, 1)
    backend.on_chord_part_return(SimpleNamespace(id="r1", group=None, chord=None), states.SUCCESS, 1)
    names = [entry[0] for entry in kept.done]
    assert names == ["on_chord_part_return", "forget if over", "on_chord_part_return"]


def test_counting_a_part_waits_for_the_broker_from_its_beginning(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    celerys(monkeypatch, kept, "on_chord_part_return", AWAY, "counted")
    assert backend.on_chord_part_return(PART, states.SUCCESS, 1) == "counted"
    assert [entry[0] for entry in kept.done].count("write") == 2


@pytest.mark.parametrize(
    ("state", "is_told"), [(states.STARTED, True), (states.PENDING, False), (states.SUCCESS, False)]
)
def test_a_body_that_had_begun_fails_in_the_history_too(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch, state: str, is_told: bool
) -> None:
    told: list[Any] = []
    celerys(monkeypatch, kept, "chord_error_from_stack", "failed")
    backend.get_state = lambda _: state
    monkeypatch.setattr(results.socket, "gethostname", lambda: "host")
    backend.app.__dict__["events"] = SimpleNamespace(record=lambda *args, **facts: told.append((*args, facts)))
    assert backend.chord_error_from_stack(SimpleNamespace(id="b1"), exc=ValueError("wrong")) == "failed"
    facts = {"uuid": "b1", "exception": "ValueError('wrong')", "traceback": ""}
    assert told == ([("task-failed", "chord@host", facts)] if is_told else [])


def test_where_no_history_is_written_the_body_just_fails(
    backend: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    celerys(monkeypatch, kept, "chord_error_from_stack", "failed")
    backend.get_state = lambda _: states.STARTED
    assert backend.chord_error_from_stack(SimpleNamespace(id="b1"), exc=ValueError()) == "failed"


# What records say beside the result


def stored(monkeypatch: pytest.MonkeyPatch, kept: Kept, **meta: Any) -> dict[str, Any]:
    """Make a record as Celery would write it, and return what ours becomes."""
    celerys(monkeypatch, kept, "_get_result_meta", {"status": states.SUCCESS, "result": None} | meta)
    return dict(backend_of(PrivateResults, kept)._get_result_meta())


def test_secrets_among_the_arguments_stay_out_of_a_record(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> None:
    meta = stored(monkeypatch, kept, name="t", args=[1], kwargs={"password": "hunter2", "user": "ada"})
    assert meta["kwargs"]["user"] == "ada"
    assert "hunter2" not in str(meta)


def test_what_a_task_returned_is_its_callers(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> None:
    told = {"password": "hunter2", "exc_message": ["password=hunter2"]}
    assert stored(monkeypatch, kept, result=told)["result"] == told


@pytest.mark.parametrize("status", [states.FAILURE, states.RETRY, states.REVOKED])
def test_the_words_of_an_error_are_masked(monkeypatch: pytest.MonkeyPatch, kept: Kept, status: str) -> None:
    error = {"exc_type": "ValueError", "exc_message": ["password=hunter2"], "exc_module": "builtins"}
    meta = stored(monkeypatch, kept, status=status, result=error)
    assert "hunter2" not in str(meta)
    assert (meta["result"]["exc_type"], meta["result"]["exc_module"]) == ("ValueError", "builtins")


def test_a_traceback_is_masked_and_cut(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> None:
    meta = stored(monkeypatch, kept, status=states.FAILURE, traceback=f"password=hunter2 {'x' * 200_000}")
    assert "hunter2" not in meta["traceback"]
    assert meta["traceback"].endswith("xx… (100017 more characters)")
    assert MAX_TRACEBACK == 100_000


def test_a_record_without_arguments_and_traceback_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> None:
    meta = {"status": states.FAILURE, "result": "text", "kwargs": None, "traceback": None}
    assert stored(monkeypatch, kept, **meta) == meta
