"""What a channel publishes, finds and lets through, without a server: kombu's own part only notes that it is asked."""

from __future__ import annotations

from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from celery_nexus.delivery import keys, scripts, validation
from celery_nexus.delivery.transport import control_channel, publishing, routing
from celery_nexus.delivery.transport.transport import Channel

PING = {"method": "ping", "arguments": {}}
RUN = {"headers": {"id": "r1", "task": "t"}, "properties": {"priority": 3}, "body": ""}


@pytest.fixture
def channel() -> Any:
    made: Any = Channel.__new__(Channel)
    made.__dict__.update(
        nexus_node="w", _in_flight=SimpleNamespace(count=lambda name: made.asked.append(("count", name))), asked=[],
        _expires={}, global_keyprefix="p:", sep=":", priority_steps=[0, 3, 9], _pool="pool", _in_poll=None, _plain=None,
        connection=SimpleNamespace(state=SimpleNamespace(bindings=[])),
    )  # fmt: skip
    return made


def kombus(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, answer: Any) -> None:
    """Let a method of kombu's channel answer, or raise, and note that it was asked."""

    def method(self: Any, *args: Any, **options: Any) -> Any:
        self.asked.append((name, *args, *options.values()))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module._Channel, name, method)


# Remote control


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was checked; a command's arguments are right unless they say otherwise."""
    seen: list[Any] = []

    def check_control(message: Any, *, is_command: bool) -> Any:
        seen.append((message, is_command))
        if isinstance(message, Exception):
            raise message
        return PING if is_command else {}

    monkeypatch.setattr(control_channel.validation, "check_control", check_control)
    monkeypatch.setattr(control_channel.control_arguments, "check", lambda *asked: seen.append(asked))
    return seen


def test_a_command_is_checked_with_its_arguments_before_kombu_has_it(
    channel: Any, monkeypatch: pytest.MonkeyPatch, checked: list[Any]
) -> None:
    kombus(monkeypatch, control_channel, "_deliver_fanout_message", True)
    assert channel._deliver_fanout_message({"a": 1}, "celery.pidbox") is True
    assert checked == [({"a": 1}, True), ("ping", {})]
    assert channel.asked == [("_deliver_fanout_message", {"a": 1}, "celery.pidbox")]


def test_another_message_has_no_arguments(channel: Any, monkeypatch: pytest.MonkeyPatch, checked: list[Any]) -> None:
    kombus(monkeypatch, control_channel, "_deliver_fanout_message", True)
    assert channel._deliver_fanout_message({"a": 1}, "celeryev") is True
    assert checked == [({"a": 1}, False)]


@pytest.mark.parametrize(
    "problem",
    [
        validation.Malformed("odd"), ValueError("odd"), TypeError("odd"), KeyError("odd"),
        AttributeError("odd"), RecursionError("odd"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_counted_and_dropped(
    channel: Any, monkeypatch: pytest.MonkeyPatch, checked: list[Any], problem: Exception, caplog: Any
) -> None:
    kombus(monkeypatch, control_channel, "_deliver_fanout_message", True)
    assert channel._deliver_fanout_message(problem, "celery.pidbox") is False
    assert channel.asked == [("count", keys.BAD_CONTROL)]
    assert f"dropped a malformed control message: {type(problem).__name__}: " in caplog.text


def test_what_kombu_can_not_deliver_is_dropped_too(
    channel: Any, monkeypatch: pytest.MonkeyPatch, checked: list[Any]
) -> None:
    kombus(monkeypatch, control_channel, "_deliver_fanout_message", KeyError("delivery_tag"))
    assert channel._deliver_fanout_message({}, "celery.pidbox") is False
    assert channel.asked[1:] == [("count", keys.BAD_CONTROL)]


@pytest.mark.parametrize("problem", [redis.ConnectionError("cut"), redis.TimeoutError("slow"), OSError("reset")])
def test_a_lost_connection_is_no_malformed_message(
    channel: Any, monkeypatch: pytest.MonkeyPatch, checked: list[Any], problem: Exception
) -> None:
    kombus(monkeypatch, control_channel, "_deliver_fanout_message", problem)
    with pytest.raises(type(problem)):
        channel._deliver_fanout_message({}, "celery.pidbox")
    assert len(channel.asked) == 1


def test_who_is_no_worker_counts_nothing(channel: Any, checked: list[Any]) -> None:
    channel.nexus_node = ""
    assert channel._deliver_fanout_message(ValueError("odd"), "celery.pidbox") is False
    assert channel.asked == []


def test_what_is_nested_too_deeply_to_be_read_is_counted(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kombus(monkeypatch, control_channel, "_receive_one", RecursionError())
    with pytest.raises(Empty):
        channel._receive_one("c")
    assert channel.asked == [("_receive_one", "c"), ("count", keys.BAD_CONTROL)]


@pytest.mark.parametrize(
    ("cause", "counts"), [(ValueError("not JSON"), 1), (TypeError("odd"), 1), (KeyError("x"), 0), (None, 0)]
)
def test_what_is_no_json_is_counted_and_nothing_is_not(
    channel: Any, monkeypatch: pytest.MonkeyPatch, cause: Exception | None, counts: int
) -> None:
    nothing = Empty()
    nothing.__context__ = cause
    kombus(monkeypatch, control_channel, "_receive_one", nothing)
    with pytest.raises(Empty):
        channel._receive_one("c")
    assert channel.asked.count(("count", keys.BAD_CONTROL)) == counts


def test_what_kombu_received_is_passed_on(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kombus(monkeypatch, control_channel, "_receive_one", True)
    assert channel._receive_one("c") is True


# Publishing


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the script was called with; ``answer`` is what it answers."""
    called = SimpleNamespace(with_=[], answer=1)

    def publish(pool: Any, names: Any, arguments: Any) -> Any:
        called.with_.append((pool, names[0], arguments[1]))
        return called.answer

    monkeypatch.setattr(publishing, "_publish", publish)
    return called


def run(**headers: Any) -> dict[str, Any]:
    return {**RUN, "headers": RUN["headers"] | headers, "properties": dict(RUN["properties"])}  # type: ignore[arg-type]


def test_a_run_is_published_by_the_script_into_the_list_of_its_priority(channel: Any, published: Any) -> None:
    message = run()
    channel._put("q", message)
    assert published.with_ == [("pool", "p:q:3", "submitted")]
    assert keys.UNCOUNTED_HEADER not in message["headers"]


def test_a_retry_is_counted_as_one(channel: Any, published: Any) -> None:
    channel._put("q", run(retries=1))
    assert published.with_[0][2] == "retried"


def test_a_publication_that_was_not_counted_says_so_to_its_publisher(channel: Any, published: Any) -> None:
    published.answer, message = scripts.NOT_COUNTED, run()
    channel._put("q", message)
    assert message["headers"][keys.UNCOUNTED_HEADER] is True


def test_in_a_batch_the_script_is_called_with_the_others(channel: Any, published: Any) -> None:
    added: list[Any] = []
    channel._put("q", run(), _publish_batch=SimpleNamespace(add=lambda *command: added.append(command)))
    [(command, script, count, first, *_)] = added
    assert (command, script, count, first, published.with_) == ("eval", scripts.PUBLISH, 5, "p:q:3", [])


@pytest.mark.parametrize(("queue", "message"), [("q", {"headers": {}}), ("q", {"headers": None}), ("reply", RUN)])
def test_what_is_no_run_and_what_expires_is_kombus(
    channel: Any, monkeypatch: pytest.MonkeyPatch, published: Any, queue: str, message: Any
) -> None:
    channel._expires = {"reply": 1}
    kombus(monkeypatch, publishing, "_put", None)
    channel._put(queue, message)
    assert channel.asked == [("_put", queue, message)]
    assert published.with_ == []


def test_the_size_of_a_queue_is_that_of_its_lists(channel: Any) -> None:
    counted: list[str] = []
    pipeline = SimpleNamespace(llen=counted.append, execute=lambda raise_on_error: [2, ValueError("no list"), 3])
    channel._plain_client = lambda: SimpleNamespace(pipeline=lambda transaction: pipeline)
    assert channel._size("q") == 5
    assert counted == ["p:q", "p:q:3", "p:q:9"]


def test_a_purge_takes_every_list_and_what_is_delayed(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    purged: list[Any] = []
    monkeypatch.setattr(publishing, "purge", lambda client, name, prefix: purged.append((name, prefix)) or 2)
    channel._plain_client = lambda: "client"
    assert channel._purge("q") == 8
    assert purged == [(f"p:{name}", "p:") for name in ("q", "q:3", "q:9", "nexus:delayed:q")]


def test_the_client_that_prefixes_nothing_is_made_once_a_pool(channel: Any) -> None:
    channel._pool = redis.ConnectionPool()
    first = channel._plain_client()
    assert channel._plain_client() is first
    channel._pool = redis.ConnectionPool()
    assert channel._plain_client() is not first


# Finding queues


def binding(exchange: str, routing_key: str, queue: str) -> Any:
    return SimpleNamespace(exchange=exchange, routing_key=routing_key, queue=queue)


def test_what_the_broker_knows_is_found(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kombus(monkeypatch, routing, "_lookup", ["q"])
    channel.state.bindings = [binding("x", "r", "another")]
    assert channel._lookup("x", "r", "default") == ["q"]
    assert channel.asked == [("_lookup", "x", "r", "default")]


def test_what_the_broker_lost_is_bound_again(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kombus(monkeypatch, routing, "_lookup", [])
    kombus(monkeypatch, routing, "_queue_bind", None)
    channel.typeof = lambda exchange: SimpleNamespace(prepare_bind=lambda queue, *_: ("r", "", queue))
    channel.state.bindings = [binding("x", "r", "q"), binding("x", "s", "other"), binding("y", "r", "another")]
    assert channel._lookup("x", "r") == ["q"]
    assert channel.asked[1:] == [("_queue_bind", "x", "r", "", "q")]


def test_without_an_exchange_nothing_is_declared(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kombus(monkeypatch, routing, "_lookup", [])
    channel.state.bindings = [binding("", "r", "q")]
    assert channel._lookup("", "r") == []
