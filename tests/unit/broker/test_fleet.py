"""Joining workers with programs."""

from __future__ import annotations

import os
import socket
import subprocess
from datetime import UTC, datetime

import pytest

from celery_nexus.control.fleet import is_alive, join
from celery_nexus.rows.workers import Program, Worker

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def told(workers: list[Worker], programs: list[Program]) -> list[tuple[str, str, str | None]]:
    return [(row.name, row.verdict, row.program) for row in join(workers, programs, NOW)]


def test_a_worker_belongs_to_the_program_with_its_pid() -> None:
    workers = [Worker("files@host", "healthy", pid=8), Worker("email@host", "busy", pid=7)]
    programs = [Program("workers:email", "RUNNING", 7, 100), Program("workers:files", "RUNNING", 8, 100)]
    assert told(workers, programs) == [
        ("email@host", "busy", "workers:email"),
        ("files@host", "healthy", "workers:files"),
    ]


def test_a_worker_of_the_same_name_started_by_hand_is_not_the_programs() -> None:
    rows = told([Worker("email@host", "healthy", pid=99)], [Program("workers:email", "RUNNING", 7, 100)])
    assert rows == [("email@?", "silent", "workers:email"), ("email@host", "healthy", None)]


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        ("STOPPED", "stopped"),
        ("STOPPING", "stopped"),
        ("EXITED", "stopped"),
        ("BACKOFF", "crash-looping"),
        ("FATAL", "crash-looping"),
        ("STARTING", "starting"),
        ("UNKNOWN", "silent"),
    ],
)
def test_the_programs_state_decides_when_it_does_not_run(state: str, verdict: str) -> None:
    programs = [Program("workers:email", state)]
    assert told([], programs) == [("email@?", verdict, "workers:email")]
    gone = Worker("email@host", "silent", "does not answer; last heartbeat 90 s ago", pid=7)
    assert told([gone], programs) == [("email@host", verdict, "workers:email")]


@pytest.mark.parametrize(("uptime_s", "verdict"), [(5.0, "starting"), (19.9, "starting"), (20.0, "silent")])
def test_a_program_without_a_node_is_starting_first_and_silent_later(uptime_s: float, verdict: str) -> None:
    assert told([], [Program("workers:email", "RUNNING", 7, uptime_s)]) == [("email@?", verdict, "workers:email")]


@pytest.mark.parametrize(
    ("programs", "verdict"), [([Program("workers:email", "RUNNING", 7, 2.0)], "starting"), ([], "busy")]
)
def test_what_a_killed_worker_said_last_does_not_count_beside_the_program_that_follows(
    programs: list[Program], verdict: str
) -> None:
    killed = Worker("email@host", "busy", pid=6)
    rows = join([killed], programs, NOW, lives=lambda worker: worker.pid != 6)
    assert [(row.name, row.verdict) for row in rows] == [("email@host", verdict)]


def test_a_process_of_this_machine_that_is_gone_does_not_live() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = socket.gethostname()
    workers = [Worker(f"a@{here}", "busy", pid=ended.pid), Worker(f"b@{here}", "busy", pid=os.getpid())]
    assert [is_alive(worker) for worker in (*workers, Worker("c@elsewhere", "busy", pid=ended.pid))] == [
        False,
        True,
        True,
    ]


def test_a_restarted_program_is_starting_while_only_its_last_life_is_known() -> None:
    last_life = Worker("email@host", "silent", pid=6)
    assert told([last_life], [Program("workers:email", "RUNNING", 7, 2.0)]) == [
        ("email@host", "starting", "workers:email")
    ]


def test_programs_that_are_no_workers_have_no_row() -> None:
    assert told([], [Program("broker", "RUNNING", 7, 100), Program("beat", "FATAL")]) == []
