"""``nexus-tui tasks --follow``: a line for each change, none twice, until nobody wants more."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from celery_nexus.history.store.store import Store
from celery_nexus.runs.source import HistorySource
from nexus_tui.cli.listings import follow
from tests.harness.places import ROOT

AT = 1_750_000_000.0


def sent(number: int) -> dict[str, Any]:
    return {"type": "task-sent", "uuid": f"run-{number}", "timestamp": AT + number, "name": "mail", "hostname": "h"}


def ended(number: int) -> dict[str, Any]:
    return {"type": "task-succeeded", "uuid": f"run-{number}", "timestamp": AT + 100, "hostname": "w@h", "runtime": 1}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[HistorySource]:
    source = HistorySource(tmp_path / "history.db")
    yield source
    source.close()


def write(source: HistorySource, *events: dict[str, Any]) -> None:
    store = Store(source.path)
    store.write(events)
    store.close()


def state(run: Any) -> tuple[str, str]:
    return run.id, run.state


def test_it_begins_with_what_is_there_and_tells_each_change_once(source: HistorySource) -> None:
    write(source, sent(1), sent(2), sent(3))
    changed = follow._changed(source, "", 2)
    assert [state(next(changed)) for _ in range(2)] == [("run-2", "PENDING"), ("run-3", "PENDING")]
    write(source, ended(1))
    write(source, sent(2), sent(4))
    assert [state(next(changed)) for _ in range(2)] == [("run-1", "SUCCESS"), ("run-4", "PENDING")]


def test_a_history_that_is_built_anew_repeats_nothing(source: HistorySource) -> None:
    write(source, sent(1))
    changed = follow._changed(source, "", 1)
    assert state(next(changed)) == ("run-1", "PENDING")
    for path in source.path.parent.glob("history.db*"):
        path.unlink()
    write(source, sent(1))
    write(source, sent(2))
    assert state(next(changed)) == ("run-2", "PENDING")


def test_only_what_matches_is_told(source: HistorySource) -> None:
    write(source, sent(1))
    changed = follow._changed(source, "state:success", 5)
    write(source, sent(2), ended(2))
    assert state(next(changed)) == ("run-2", "SUCCESS")


def started(home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "NEXUS_HOME": str(home), "PYTHONPATH": str(ROOT), "NEXUS_REDIS_URL": ""}
    command = [sys.executable, "-m", "nexus_tui", "tasks", "--follow", "--limit", "1", "--json"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_control_c_ends_it_without_a_word(source: HistorySource) -> None:
    write(source, sent(1))
    process = started(source.path.parent)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["id"] == "run-1"
    write(source, sent(2))
    assert json.loads(process.stdout.readline())["id"] == "run-2"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_it_ends_when_its_reader_is_gone_though_nothing_changes(source: HistorySource) -> None:
    write(source, sent(1))
    process = started(source.path.parent)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.returncode in {0, -signal.SIGPIPE}
    assert process.stderr.read() == ""
    process.stderr.close()
