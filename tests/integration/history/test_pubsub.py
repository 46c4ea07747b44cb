"""Any Celery application: recorded from its pub/sub events by a child of whoever looks."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.apparatus.events import wire_form
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Unreachable
from celery_nexus.history.places import history_path
from celery_nexus.history.store.schema import lock_path
from celery_nexus.runs.recording import Origin, Recording, is_recorded, start_recorder
from celery_nexus.runs.source import HistorySource
from nexus_tui.front_door.door import Door, open_sources
from tests.harness.applications import point_at
from tests.harness.places import ROOT
from tests.integration.history.conftest import Stack

pytestmark = pytest.mark.timeout(120)

NOW = time.time()


def url_of(stack: Stack) -> BrokerUrl:
    return BrokerUrl.for_socket(stack.paths.broker_socket, stack.paths.broker_password.read_text().strip())


def life(number: int, worker: str = "w@h") -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number}", "hostname": worker, "pid": 1, "clock": 1, "utcoffset": 0}
    received = {"name": "shop.add", "args": "(1, 2)", "kwargs": "{'token': 'abc'}", "retries": 0, "eta": None}
    return [
        base | received | {"type": "task-received", "timestamp": NOW + number},
        base | {"type": "task-started", "timestamp": NOW + number + 0.1},
        base | {"type": "task-succeeded", "timestamp": NOW + number + 0.2, "runtime": 0.1, "result": "3"},
    ]


def publish(stack: Stack, events: list[dict[str, Any]], channel: str = "/0.celeryev/task.multi") -> None:
    stack.redis.publish(channel, wire_form("task.multi", events))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def origin(broker: Stack, data: Path) -> Origin:
    url = url_of(broker)
    return Origin(url, "", history_path(url))


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        if child.poll() is None:
            child.terminate()
        child.wait(15)
        if child.stdin is not None:
            child.stdin.close()


def listening(stack: Stack, count: int = 1) -> None:
    stack.until(lambda: sum(int(row["psub"]) > 0 for row in stack.redis.client_list()) == count, "somebody listens")


def test_what_is_published_is_recorded_whatever_comes_between(
    broker: Stack, origin: Origin, children: list[subprocess.Popen[bytes]]
) -> None:
    children.append(start_recorder(origin))
    listening(broker)
    publish(broker, life(1))
    for junk in (b"", b"junk", b"{}", b'{"body": 3}', b"\x80\x04K\x01.", b'{"content-type": "application/x-gzip"}'):
        broker.redis.publish("/0.celeryev/task.multi", junk)
    broker.redis.publish("/0.celeryev", wire_form("custom.event", [{"type": "custom-event", "hostname": "x"}]))
    publish(broker, life(2), "/1.celeryev/task.multi")
    publish(broker, life(3), "/0.celeryev")
    source = HistorySource(origin.path)
    broker.until(lambda: source.count("state:success") == 2, "both are recorded")
    run = source.run("run-1")
    assert (run.task, run.worker, run.args, run.kwargs, run.result) == (
        "shop.add", "w@h", [1, 2], "{'token': ***}", 3,
    )  # fmt: skip
    assert source.count() == 2
    assert source.lag_s() is not None
    broker.until(lambda: source.bad_events() == 6, "what made no sense is counted")
    source.close()


def test_events_of_an_application_without_a_fanout_prefix_are_recorded(
    broker: Stack, origin: Origin, children: list[subprocess.Popen[bytes]]
) -> None:
    worker = str(life(1)[-1]["hostname"])
    broker.redis.sadd("_kombu.binding.celery.pidbox", f"\x06\x16\x06\x16{worker}.celery.pidbox")
    children.append(start_recorder(origin))
    listening(broker)
    publish(broker, life(1), "celeryev/task.multi")
    publish(broker, life(2), "celeryev")
    source = HistorySource(origin.path)
    broker.until(lambda: source.count("state:success") == 2, "both are recorded")
    elsewhere = [{**event, "hostname": "w@another-database"} for event in life(3)]
    publish(broker, elsewhere, "celeryev/task.multi")
    publish(broker, life(4), "celeryev")
    broker.until(lambda: source.count("state:success") == 3, "the last is recorded")
    assert source.count() == 3, "what workers of other databases say is not hers"
    source.close()


def test_the_password_is_neither_in_the_name_nor_in_the_list_of_processes(
    broker: Stack, origin: Origin, children: list[subprocess.Popen[bytes]]
) -> None:
    children.append(start_recorder(origin))
    password = origin.url.password or ""
    assert history_path(replace(origin.url, password="another")) == origin.path
    assert password not in str(origin.path)
    assert password.encode() not in Path(f"/proc/{children[0].pid}/cmdline").read_bytes()
    listening(broker)
    assert (origin.path.stat().st_mode & 0o777, origin.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_child_ends_when_its_parent_is_killed(broker: Stack, origin: Origin) -> None:
    code = (
        "import sys, time; from pathlib import Path; from celery_nexus.connection.broker_url import BrokerUrl;"
        "from celery_nexus.runs.recording import Origin, start_recorder;"
        "child = start_recorder(Origin(BrokerUrl.parse(sys.argv[1]), '', Path(sys.argv[2])));"
        "print(child.pid, flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", code, origin.url.redis_py, str(origin.path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=broker.environment, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    listening(broker)
    publish(broker, life(1))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    broker.until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), "it has ended")
    source = HistorySource(origin.path)
    assert source.count("state:success") == 1
    source.close()


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_of_two_dashboards_one_records_and_the_other_takes_over(broker: Stack, origin: Origin) -> None:
    sources = [HistorySource(origin.path), HistorySource(origin.path)]
    recordings = [Recording(origin, source) for source in sources]
    try:
        for recording in recordings:
            recording.start()
            listening(broker)
            broker.until(lambda: is_recorded(origin.path), "it is locked")
        publish(broker, life(1))
        broker.until(lambda: sources[1].count("state:success") == 1, "the other one reads")
        recordings[0].stop()
        assert recordings[0].problem == ""
        listening(broker)
        publish(broker, life(2))
        broker.until(lambda: sources[1].count("state:success") == 2, "it took over")
        assert [gap.reason for gap in sources[1].gaps()] == ["nobody recorded"]
    finally:
        for recording, source in zip(recordings, sources, strict=True):
            recording.stop()
            source.close()
    assert not is_recorded(origin.path)


def test_what_can_not_be_recorded_is_said_where_runs_are_read(broker: Stack, data: Path) -> None:
    (data / "nexus").write_text("a file where the folder should be")
    source = HistorySource(data / "nexus" / "history" / "x.db")
    recording = Recording(Origin(url_of(broker), "", source.path), source)
    recording.start()
    broker.until(lambda: "Not a directory" in recording.problem, "it says what is wrong")
    assert source.recorder_problem() == recording.problem
    recording.stop()


def test_a_recorder_that_hangs_is_said_until_it_goes_on(
    broker: Stack, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celery_nexus.runs.recording.SILENT_AFTER_S", 2.0)
    source = HistorySource(origin.path)
    recording = Recording(origin, source)
    recording.start()
    try:
        listening(broker)
        children = psutil.Process().children()
        pid = next(child.pid for child in children if "celery_nexus.history.recorder.pubsub" in child.cmdline())
        os.kill(pid, signal.SIGSTOP)
        try:
            said = broker.until(source.recorder_problem, "it says that it hangs")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert re.fullmatch(rf"recorder \(pid {pid}\): what happened in the last \d+ s is not recorded: .*", said)
        broker.until(lambda: not source.recorder_problem(), "it goes on")
    finally:
        recording.stop()
        source.close()


def test_it_records_on_while_nobody_can_tell_where_events_are_heard(broker: Stack, origin: Origin) -> None:
    asked: list[float] = []

    def listening() -> None:
        asked.append(time.monotonic())
        raise Unreachable("the broker is away")

    source = HistorySource(origin.path)
    recording = Recording(origin, source, listening)
    recording.start()
    try:
        broker.until(lambda: len(asked) > 2 and is_recorded(origin.path), "it asks again, and records")
        assert recording.problem == ""
    finally:
        recording.stop()
        source.close()


def test_an_interruption_is_a_gap_and_it_goes_on(
    broker: Stack, origin: Origin, children: list[subprocess.Popen[bytes]]
) -> None:
    children.append(start_recorder(origin))
    listening(broker)
    for row in broker.redis.client_list():
        if int(row["psub"]):
            broker.redis.client_kill_filter(_id=row["id"])
    listening(broker)
    publish(broker, life(1))
    source = HistorySource(origin.path)
    broker.until(lambda: source.count() == 1, "it goes on")
    assert [(gap.missed, gap.reason) for gap in source.gaps()] == [(None, "the broker closed the connection")]
    source.close()


@pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")
def test_workers_that_send_no_events_are_named_and_asked(broker: Stack, origin: Origin) -> None:
    from tests.integration.broker.foreign import app

    url = origin.url
    point_at(app, url.kombu, url.kombu)
    command = [sys.executable, "-m", "celery", "-A", "tests.integration.broker.foreign", "worker", "-n", "f@test"]
    environment = {**os.environ, "FOREIGN_BROKER": url.kombu, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(
        [*command, "-c", "1"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    broker.processes.append(worker)
    nap = app.tasks["tests.integration.broker.foreign.nap"]
    nap.apply_async((0,)).get(timeout=40)
    sources = open_sources(Door(broker=url.redis_py))
    recording = sources.recording
    assert recording is not None
    assert recording.origin.prefix in ("", "their:")
    try:
        recording.start()
        listening(broker, sum(int(row["psub"]) > 0 for row in broker.redis.client_list()) + 1)
        time.sleep(2.5)  # one heartbeat: what it did before proves nothing
        nap.apply_async((0,)).get(timeout=20)
        broker.until(lambda: recording.silent == ("f@test",), "it is known to be silent", 20)
        assert sources.history.count() == 0
        assert sources.control.set_events((), send=True) == {"f@test": True}
        assert sources.control.set_events(("f@test",), send=True) == {"f@test": False}
        done = nap.apply_async((0,))
        broker.until(lambda: sources.history.count("state:success") == 1, "the run was heard of")
        assert sources.history.run(done.id).worker == "f@test"
        broker.until(lambda: recording.silent == (), "it tells now")
    finally:
        recording.stop()
        sources.history.close()
    assert lock_path(recording.origin.path).exists()
