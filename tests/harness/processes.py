"""Programs that tests and benchmarks start: their environment, their log, their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from tests.harness.forks import can_be_forked, fork_server
from tests.harness.places import ROOT
from tests.harness.waiting import wait_until

_OURS = ("NEXUS_", "ANTHROPIC_", "OPENAI_")
_READY_S = 90


def clean_environment(**variables: str) -> dict[str, str]:
    """Our environment without what this project reads in it, with the checkout on Python's path and what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def start(
    *arguments: str,
    environment: Mapping[str, str],
    log: Path | None = None,
    is_leader: bool = False,
    is_forked: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a Python program in the checkout.

    Args:
        arguments: After the interpreter: ``-m`` and a module, or ``-c`` and code.
        environment: Its whole environment.
        log: File to whose end its output goes; None: nowhere.
        is_leader: Whether it leads a group of processes of its own, to be killed with all of them.
        is_forked: Whether it may find other people's libraries imported.
    """
    told: dict[str, Any] = {
        "environment": environment, "folder": ROOT, "is_leader": is_leader, "is_forked": is_forked
    }  # fmt: skip
    with (log or Path(os.devnull)).open("ab") as file:
        return launch(arguments, output=file, errors=file, **told)


def launch(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    output: IO[bytes],
    errors: IO[bytes],
    is_leader: bool = False,
    is_forked: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a Python program by this process's fork server, or with an interpreter of its own where it needs one.

    Args:
        words: After the interpreter: ``-m`` and a module, ``-c`` and code, or a file; its arguments.
        environment: Its whole environment.
        folder: Where it runs.
        output: What it writes to.
        errors: Where it writes what goes wrong.
        is_leader: Whether it leads a group of processes of its own.
        is_forked: Whether it may find other people's libraries imported, which saves most of its start.
    """
    if is_forked and can_be_forked(environment):
        told: dict[str, Any] = {"environment": environment, "folder": folder, "is_leader": is_leader}
        return fork_server().start(words, output=output, errors=errors, **told)
    return subprocess.Popen(
        [sys.executable, *words],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=is_leader,
    )


def begin_worker(
    application: str,
    *options: str,
    node: str,
    environment: Mapping[str, str],
    log: Path,
    is_leader: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a Celery worker that may not come up.

    Args:
        application: As for ``celery -A``.
        options: Words after ``celery -A … worker``; it looks for no other worker.
        node: Its whole name.
        environment: Its whole environment.
        log: File to whose end it logs, with INFO.
        is_leader: Whether it leads a group of processes of its own, to be killed with all of them.
    """
    quiet = ("--without-gossip", "--without-mingle", "-l", "INFO")
    command = ("-m", "celery", "-A", application, "worker", "-n", node, *quiet, *options)
    # These change Python's own libraries, before anything else is imported.
    is_forked = not {"gevent", "eventlet"}.intersection(options)
    return start(*command, environment=environment, log=log, is_leader=is_leader, is_forked=is_forked)


def start_worker(application: str, *options: str, log: Path, **more: Any) -> subprocess.Popen[bytes]:
    """Start a Celery worker as :func:`begin_worker` does, and wait until it says that it is ready.

    Raises:
        AssertionError: It isn't within a minute, or has ended; the end of its log is named.
    """
    before = _times_ready(log)
    process = begin_worker(application, *options, log=log, **more)
    try:
        wait_until(
            lambda: _times_ready(log) > before or process.poll() is not None,
            lambda: f"the worker is ready\n{_end_of(log)}",
            _READY_S,
        )
    except AssertionError:
        kill(process)
        raise
    assert process.poll() is None, _end_of(log)
    return process


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]


def _times_ready(log: Path) -> int:
    return log.read_text(errors="replace").count(" ready.") if log.exists() else 0


def end(process: subprocess.Popen[bytes], patience_s: float = 20) -> None:
    """End a program as an operator does, and kill it when it takes too long."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and its children, frozen ones among them, and wait until all are gone."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.wait(20)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, 10)
