"""Starting a stack: who may not, what another start means, and the end of a log that goes wrong."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from celery import Celery

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.errors import Invalid, Refused, SourceError
from celery_nexus.paths import Paths
from celery_nexus.project import Project
from celery_nexus.stack import stack
from celery_nexus.stack.log_file import read_log_end
from celery_nexus.stack.stack import Stack
from celery_nexus.stack_spec import StackSpec
from config.settings import Settings
from nexus_tui.cli import cli
from tests.harness.places import ROOT


def stack_in(home: Path) -> Stack:
    paths = Paths.of(home)
    broker = BrokerUrl.for_socket(paths.broker_socket, "secret")
    return Stack(StackSpec(Project(ROOT, "shop"), Celery("shop", set_as_current=False), paths, broker))


@pytest.mark.parametrize("command", ["up", "down"])
@pytest.mark.parametrize("how", ["before", "behind", "environment"])
def test_read_only_starts_and_stops_nothing(command: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from config.settings import settings

    words = {"before": ["--read-only", command], "behind": [command, "--read-only"]}.get(how, [command])
    if how == "environment":
        monkeypatch.setenv("NEXUS_READ_ONLY", "1")
    settings.cache_clear()
    try:
        with pytest.raises(Refused, match=r"read-only: the stack is not (started|stopped)"):
            cli.main(words, standalone_mode=False)
    finally:
        settings.cache_clear()


def test_a_start_that_another_one_holds_up_ends_with_a_message_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "LOCK_TIMEOUT_S", 0.1)
    settings = Settings(home=tmp_path / "home")
    settings.make_folders()
    path = settings.paths.run / "start.lock"
    path.write_text(f"{os.getpid()}\n")
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match=rf"another start holds {path} \(pid {os.getpid()}, \w+\)"):
            next(stack_in(settings.home).start())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_lock_of_another_user_is_a_message() -> None:
    code = (
        "import os, sys, xmlrpc.client\n"
        "from pathlib import Path; from tests.unit.test_stack import stack_in\n"
        "stack = stack_in(Path(sys.argv[1]))\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: next(stack.start())\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        Settings(home=home).make_folders()
        for path in (home, *home.rglob("*")):
            os.chown(path, 65_534, 65_534)
        (home / "run" / "start.lock").touch(mode=0o600)  # as after a start by root
        command = [sys.executable, "-c", code, str(home)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.strip() == f"SourceError can't lock {home}/run/start.lock: Permission denied"


def test_a_pipe_in_place_of_the_lock_does_not_hang(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.make_folders()
    os.mkfifo(settings.paths.run / "start.lock")
    with pytest.raises(SourceError, match=r"can't lock .*: is no file"):
        next(stack_in(settings.home).start())


def test_the_folders_of_tasks_are_there_before_anything_starts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", upload_root=tmp_path / "in" / "here")
    settings.make_folders()
    assert (tmp_path / "in" / "here").is_dir()
    assert (tmp_path / "home" / "outputs").is_dir()
    assert not (tmp_path / "home" / "uploads").exists()


def test_the_end_of_a_log_has_no_commands_for_a_terminal_and_no_secrets(tmp_path: Path) -> None:
    log = tmp_path / "ai.log"
    log.write_bytes(b"first\nred \x1b[31m and \x9b2J \xe2\x80\xae\x07\rover password=hunter2\nlast \xff\n")
    assert read_log_end(log, 2) == ["red ␛[31m and �2J <U+202E>␇␍over password=***", "last �"]


@pytest.mark.parametrize("command", ["up", "down"])
def test_where_no_supervisord_runs_the_programs_none_is_started(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from config.settings import settings

    monkeypatch.setenv("NEXUS_SUPERVISED", "false")
    settings.cache_clear()
    try:
        with pytest.raises(Invalid, match=f"docker compose {command}"):
            cli.main([command], standalone_mode=False)
    finally:
        settings.cache_clear()
