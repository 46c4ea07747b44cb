"""A program that keeps ending, under a real supervisord: it is named though it runs at the moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from celery_nexus.rows.workers import Program
from celery_nexus.stack.programs import SupervisorSource
from tests.harness.waiting import wait_until

CONFIGURATION = """
[unix_http_server]
file={folder}/s.sock
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/s.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:loops]
command=sh -c 'echo "ValueError: no such thing"; sleep 0.3; exit 3'
startsecs=0
autorestart=true
redirect_stderr=true
stdout_logfile={folder}/loops.log
[program:stays]
command=sleep 600
startsecs=0
"""


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SupervisorSource]:
    configuration = tmp_path / "s.conf"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path))
    with subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)], stdout=subprocess.DEVNULL
    ) as process:
        source = SupervisorSource(tmp_path / "s.sock")
        wait_until(source.is_up)
        yield source
        process.terminate()


def program(source: SupervisorSource, name: str) -> Program:
    return next(program for program in source.programs() if program.name == name)


def test_a_program_that_keeps_ending_is_named_with_the_last_error_of_its_log(source: SupervisorSource) -> None:
    wait_until(lambda: program(source, "loops").exits >= 3)
    loops = program(source, "loops")
    assert loops.is_looping
    assert loops.last_exit == "exit status 3"
    assert f"loops ended {loops.exits} times in the last ten minutes (exit status 3)" == loops.summary
    assert source.last_error("loops") == "ValueError: no such thing"


def test_what_an_operator_restarts_is_not_looping(source: SupervisorSource) -> None:
    for _ in range(4):
        source.restart("stays")
    assert program(source, "stays").exits == 0
    assert not program(source, "stays").is_looping
