"""From a real worker through the stream into the file: every kind of event, and stock pub/sub beside it."""

import json
import threading
from typing import Any

import pytest

from celery_nexus.connection.broker_url import BrokerUrl
from tests.integration.history.conftest import Stack

pytestmark = pytest.mark.timeout(120)


def events_of(stack: Stack, id_: str) -> list[dict[str, Any]]:
    events = [json.loads(fields[b"d"]) for _, fields in stack.redis.xrange("nexus:events")]
    return [event for event in events if event.get("uuid") == id_]


def life_of(stack: Stack, id_: str) -> list[str]:
    source = stack.history
    try:
        return [event.event for event in source.life(id_)]
    finally:
        source.close()


def test_a_run_that_succeeds_is_recorded_with_all_it_was(stack: Stack) -> None:
    value = {"n": [1, 2.5, None, "ü"], "long": "x" * 3000}
    id_ = stack.call(f"print(echo.apply_async(kwargs={{'value': {value!r}, 'password': 'geheim'}}, priority=2).id)")
    run = stack.run_in(id_, "SUCCESS")
    assert (run.task, run.queue, run.priority, run.worker) == ("lives.echo", "default_queue", 2, "lives@test")
    assert (run.args, run.kwargs, run.result) == ([], {"value": value, "password": "***"}, value)
    assert run.sent_at and run.received_at and run.started_at and run.finished_at
    assert run.sent_at <= run.received_at <= run.started_at <= run.finished_at
    assert run.waited_s is not None and run.ran_s is not None
    assert life_of(stack, id_) == ["sent", "received", "started", "succeeded"]


def test_no_secret_is_in_the_stream_or_the_file(stack: Stack) -> None:
    id_ = stack.call("print(echo.delay('v', password='Correct-Horse-1').id)")
    assert stack.run_in(id_, "SUCCESS").args == ["v"]
    assert b"Correct-Horse-1" not in b"".join(fields[b"d"] for _, fields in stack.redis.xrange("nexus:events"))
    for file in stack.home.glob("history.db*"):
        assert b"Correct-Horse-1" not in file.read_bytes()


def test_of_private_arguments_and_results_nothing_is_told(stack: Stack) -> None:
    first = stack.call("print(private.delay('my diary').id)")
    second = stack.call("print(private.delay(prompt='my other diary', model='x').id)")
    assert stack.run_in(first, "SUCCESS").args == ["‹private, 8 characters›"]
    run = stack.run_in(second, "SUCCESS")
    assert (run.kwargs, run.result) == ({"prompt": "‹private, 14 characters›", "model": "x"}, "‹private›")
    assert b"diary" not in b"".join(fields[b"d"] for _, fields in stack.redis.xrange("nexus:events"))


def test_a_failure_has_type_message_place_and_traceback(stack: Stack) -> None:
    run = stack.run_in(stack.call("print(fail.delay('no\\nluck').id)"), "FAILURE")
    assert run.error == "ValueError: no\nluck"
    assert run.place == "history/tasks_app.py in fail"
    assert run.traceback is not None and run.traceback.startswith("Traceback (most recent call last):")


def test_a_retry_is_part_of_the_run_s_life(stack: Stack) -> None:
    id_ = stack.call("print(retry.delay().id)")
    run = stack.run_in(id_, "SUCCESS")
    assert (run.retries, run.result, run.error) == (1, 1, None)
    assert sorted(life_of(stack, id_)) == sorted(
        ["sent", "received", "started", "sent", "retried", "received", "started", "succeeded"]
    )


def test_progress_is_told_while_it_runs(stack: Stack) -> None:
    id_ = stack.call("print(progress.delay(3).id)")
    run = stack.run_in(id_, "SUCCESS")
    assert run.progress is not None and (run.progress.done, run.progress.total, run.progress.note) == (3, 3, "page 3")


def test_a_child_knows_its_parent_and_its_root(stack: Stack) -> None:
    id_ = stack.call("print(parent.delay().id)")
    child = stack.run_in(str(stack.run_in(id_, "SUCCESS").result), "SUCCESS")
    assert (child.parent_id, child.root_id) == (id_, id_)
    source = stack.history
    assert [run.id for run in source.family(child.id).members] == [id_, child.id]
    source.close()


def test_a_revoked_run_says_how_it_ended(stack: Stack) -> None:
    id_ = stack.call("r = sleep.delay(60); print(r.id)")
    stack.run_in(id_, "STARTED")
    stack.call(f"app.control.revoke('{id_}', terminate=True)")
    run = stack.run_in(id_, "REVOKED")
    assert run.ran_s is not None
    source = stack.history
    assert source.life(id_)[-1].detail.startswith("terminated")
    source.close()


def test_an_expired_run_is_revoked_without_being_received(stack: Stack) -> None:
    id_ = stack.call("print(echo.apply_async(('x',), expires=-1).id)")
    assert stack.run_in(id_, "REVOKED").started_at is None


def test_a_child_killed_while_it_runs_is_a_failure(stack: Stack) -> None:
    run = stack.run_in(stack.call("print(crash.delay().id)"), "FAILURE")
    assert run.error is not None
    assert run.error.startswith("WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL)")
    assert "\n" not in run.error


def test_a_plain_celery_producer_s_run_has_its_arguments(stack: Stack) -> None:
    url = BrokerUrl.for_socket(stack.paths.broker_socket, stack.paths.broker_password.read_text().strip()).kombu
    id_ = stack.call(
        "from celery import Celery\n"
        "from celery.signals import before_task_publish as hooks\n"
        "ours, hooks.receivers = hooks.receivers, []\n"
        "hooks.sender_receivers_cache.clear()\n"
        f"plain = Celery('plain', broker={url!r}, set_as_current=False)\n"
        "plain.conf.broker_transport_options = {'sep': ':', 'priority_steps': list(range(10))}\n"
        "arguments = [{'deep': list(range(400))}]\n"
        "print(plain.send_task('lives.echo', args=arguments, kwargs={'password': 'pw'}, queue='default_queue'))\n"
        "hooks.receivers = ours\n"
    )
    run = stack.run_in(id_, "SUCCESS")
    assert (run.args, run.kwargs) == ([{"deep": list(range(400))}], {"password": "***"})
    assert (run.task, run.queue) == ("lives.echo", "default_queue")
    assert "sent" not in life_of(stack, id_)


def test_large_arguments_are_cut(stack: Stack) -> None:
    id_ = stack.call("print(echo.delay(['word ' * 1000] * 100).id)")
    run = stack.run_in(id_, "SUCCESS")
    assert len(json.dumps(run.args)) < 70_000
    assert "more characters" in json.dumps(run.args)


def test_an_unknown_task_fails_and_has_its_name(stack: Stack) -> None:
    run = stack.run_in(stack.call("print(app.send_task('no.such', queue='default_queue').id)"), "FAILURE")
    assert (run.task, run.error) == ("no.such", "NotRegistered: no.such")


def test_workers_are_in_the_hash_while_they_live(broker: Stack) -> None:
    worker = broker.start_worker(name="brief@test")
    heartbeat = json.loads(broker.redis.hget("nexus:workers", "brief@test"))
    assert (heartbeat["pid"], heartbeat["active"], heartbeat["freq"]) == (worker.pid, 0, 2.0)
    assert heartbeat["started_at"] < heartbeat["timestamp"]
    worker.terminate()
    broker.until(lambda: not broker.redis.hexists("nexus:workers", "brief@test"), "the worker is gone")
    kinds = [json.loads(fields[b"d"])["type"] for _, fields in broker.redis.xrange("nexus:events")]
    assert (kinds[0], kinds[-1]) == ("worker-online", "worker-offline")


def pubsub_kinds(stack: Stack, code: str) -> set[str]:
    """Run a snippet and return the channels that Celery's own events used meanwhile."""
    listener = stack.redis.pubsub()
    listener.psubscribe("/0.celeryev*")
    kinds: set[str] = set()
    ended = threading.Event()

    def listen() -> None:
        while not ended.is_set():
            message = listener.get_message(timeout=0.1)
            if message and message["type"] == "pmessage":
                kinds.add(message["channel"].decode().rsplit("/", 1)[1])

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        id_ = stack.call(code)
        stack.run_in(id_, "SUCCESS")
        stack.until(lambda: "worker.heartbeat" in kinds, "a heartbeat came")
    finally:
        ended.set()
        thread.join()
        listener.close()
    return kinds


def test_pubsub_stays_as_in_stock_celery(stack: Stack) -> None:
    assert pubsub_kinds(stack, "print(echo.delay(1).id)") == {"worker.heartbeat"}
    assert (
        stack.call("print(app.control.enable_events(reply=True))") == "[{'lives@test': {'ok': 'task events enabled'}}]"
    )
    assert pubsub_kinds(stack, "print(echo.delay(1).id)") == {"worker.heartbeat", "task.multi"}
    assert (
        stack.call("print(app.control.disable_events(reply=True))")
        == "[{'lives@test': {'ok': 'task events disabled'}}]"
    )
    assert pubsub_kinds(stack, "print(echo.delay(1).id)") == {"worker.heartbeat"}


def test_a_solo_worker_writes_the_stream(broker: Stack) -> None:
    broker.start_recorder()
    broker.start(
        "-m", "celery", "-A", "tests.integration.history.tasks_app", "worker", "-n", "quiet@test", "--pool", "solo",
        "-Q", "default_queue", "--without-gossip", "--without-mingle",  "--loglevel", "WARNING",
    )  # fmt: skip
    assert broker.run_in(broker.call("print(echo.delay(1).id)"), "SUCCESS").worker == "quiet@test"
