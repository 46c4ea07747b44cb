"""Starts that are out of the ordinary: in the foreground, in a path with a space, with parts that don't come up."""

from __future__ import annotations

import fcntl
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from celery_nexus.paths import Paths
from tests.harness.places import BIN
from tests.harness.stack import RunningStack, environment
from tests.harness.waiting import wait_until


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose path has a space; what runs there is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="nexus "))
    yield folder
    RunningStack(folder).nexus("down", timeout_s=120)
    shutil.rmtree(folder, ignore_errors=True)


def damage(home: Path) -> Path:
    """Lay out files of a broker of which the latest changes are missing."""
    folder = home / "broker" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    return folder


def test_the_foreground_lasts_until_sigterm_which_stops_everything(home: Path) -> None:
    log = home / "foreground.log"
    with log.open("wb") as file:
        command = [str(BIN / "nexus-tui"), "up", "--foreground"]
        process = subprocess.Popen(
            command, env=environment(home), cwd=home, stdin=subprocess.DEVNULL, stdout=file, umask=0o022
        )
    wait_until(lambda: "✓ foreground" in log.read_text() or process.poll() is not None, timeout_s=150)
    programs = RunningStack(home).nexus("programs", "--json").json
    assert {row["state"] for row in programs} == {"RUNNING"}
    assert RunningStack(home).nexus("up", "--foreground").code == 5
    assert [path for path in home.rglob("*") if path != log and path.lstat().st_mode & 0o077] == []

    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == 0
    assert "✓ workers:default  stopped" in log.read_text()
    assert not Paths.of(home).supervisor_socket.exists()
    assert [row["pid"] for row in programs if Path(f"/proc/{row['pid']}/cmdline").exists()] == []


def test_a_program_that_does_not_stay_up_is_named_with_its_last_words(home: Path) -> None:
    lock = home / "history.db.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = RunningStack(home).nexus("up", "--detach", timeout_s=150)
    assert done.code == 1
    assert f"✗ recorder         ends while it starts: recorder: another recorder writes {home}/history.db" in done.out
    assert done.err.startswith(f"nexus-tui: recorder does not stay up; the end of {home}/log/recorder.log:\n")
    assert "recorder: another recorder writes" in done.err


def test_a_broker_whose_files_can_not_be_mended_is_not_started_again_and_the_next_step_is_said(home: Path) -> None:
    folder = damage(home)
    step = f"begin with an empty broker: mv {folder} {folder}.damaged; then nexus-tui up"

    done = RunningStack(home).nexus("up", "--foreground", timeout_s=120)

    assert done.code == 1
    assert "broker gave up: " in done.err
    assert step in done.err.splitlines()[0]
    assert (home / "log" / "supervisord.log").read_text().count("spawned: 'broker'") == 1
    doctor = RunningStack(home).nexus("doctor")
    assert (doctor.code, step in doctor.err) == (3, True)
