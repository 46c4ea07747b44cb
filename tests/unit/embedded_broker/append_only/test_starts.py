"""When the embedded broker's files are looked at, and how long the next start waits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from celery_nexus.embedded_broker.append_only import starts
from celery_nexus.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path, tmp_path / "run", tmp_path / "log")
    found.make()
    (found.broker_data / "appendonlydir").mkdir(parents=True)
    return found


def started(paths: Paths, times: int = 1) -> None:
    """Let a number of starts come to nothing."""
    for _ in range(times):
        start, _ = starts.next_start(paths)
        starts.note_start(paths, start)


def test_the_first_start_looks_at_the_files_and_does_not_wait(paths: Paths) -> None:
    start, is_suspect = starts.next_start(paths)
    assert (start.pause_s, start.failures, is_suspect) == (0.0, 0, True)


def test_a_server_that_changed_its_files_had_loaded_them(paths: Paths) -> None:
    started(paths, 5)
    (paths.broker_data / "appendonlydir" / "appendonly.aof.1.incr.aof").write_text("x")
    start, is_suspect = starts.next_start(paths)
    assert (start.pause_s, start.failures, is_suspect) == (0.0, 0, False)


@pytest.mark.parametrize(("times", "pause_s"), [(1, 0.0), (2, 1.0), (3, 2.0), (5, 8.0), (30, 60.0)])
def test_each_start_that_comes_to_nothing_makes_the_next_wait_longer(paths: Paths, times: int, pause_s: float) -> None:
    started(paths, times)
    start, is_suspect = starts.next_start(paths)
    assert (start.pause_s, is_suspect) == (pause_s, True)


def test_after_a_boot_the_files_are_looked_at_though_they_changed(paths: Paths) -> None:
    started(paths, 3)
    last = json.loads(paths.broker_start.read_text())
    paths.broker_start.write_text(json.dumps(last | {"boot": "another", "files": [["x", 1, 1]]}))
    start, is_suspect = starts.next_start(paths)
    assert (start.failures, is_suspect) == (0, True)


@pytest.mark.parametrize("text", ["", "[]", '{"boot": 1}', "\0\0"])
def test_a_note_that_can_not_be_read_counts_as_none(paths: Paths, text: str) -> None:
    paths.broker_start.write_text(text)
    assert starts.next_start(paths)[1]
