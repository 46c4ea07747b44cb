"""Recordings of a real broker by ``nexus-tui record``, as a file that ``replay`` reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.servers import run_server
from tests.harness.waiting import wait_until

NEXUS = str(Path(sys.executable).parent / "nexus-tui")
WAITING = b'{"headers": {"id": "a-run", "task": "shop.ship"}, "properties": {"priority": 0}}'


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A broker with a message that nobody takes."""
    with run_server() as running:
        running.client.sadd("_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
        running.client.lpush("celery", WAITING)
        yield f"unix://{running.socket}"


def nexus(broker: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_DATA_HOME": str(home), "HOME": str(home)}
    command = [NEXUS, "-b", broker, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_recording_without_a_screen_ends_by_itself_and_says_what_it_is(broker: str, tmp_path: Path):
    path = tmp_path / "incident.nexusrec"
    done = nexus(broker, "record", str(path), "--for", "3s", "--json", home=tmp_path)
    told = json.loads(done.stdout)
    assert (told["file"], told["problem"]) == (str(path), None)
    assert told["bytes"] == path.stat().st_size
    assert path.stat().st_mode & 0o777 == 0o600
    marks = json.loads(nexus(broker, "replay", str(path), "--json", home=tmp_path).stdout)["marks"]
    assert [mark["what"] for mark in marks] == ["celery: no consumer"]


def test_a_file_is_not_replaced_unless_it_is_said(broker: str, tmp_path: Path):
    path = tmp_path / "report.txt"
    path.write_text("mine")
    done = nexus(broker, "record", str(path), "--for", "1s", home=tmp_path)
    assert (done.returncode, path.read_text()) == (5, "mine")
    assert "add --force to replace it" in done.stderr


def test_what_was_recorded_before_a_kill_is_replayed(broker: str, tmp_path: Path):
    path = tmp_path / "incident.nexusrec"
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    recording = subprocess.Popen([NEXUS, "-b", broker, "record", str(path), "--no-screen"], env=environment)
    try:
        wait_until(lambda: path.exists() and path.stat().st_size > 700)
    finally:
        recording.send_signal(signal.SIGKILL)
        recording.wait()
    told = json.loads(nexus(broker, "replay", str(path), "--json", home=tmp_path).stdout)
    assert told["is_cut"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("replay", "nothing.nexusrec"), 4, "no file"),
        (("replay", __file__, "--marks"), 2, "is no recording: nexus-tui record makes one"),
        (("record", "-"), 2, "give its name"),
        (("record", "missing/incident.nexusrec"), 4, "no folder"),
        (("record", "a", "--for", "soon"), 2, "is no span of time"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    arguments: tuple[str, ...], code: int, says: str, tmp_path: Path
):
    done = nexus("redis://127.0.0.1:1", *arguments, home=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
