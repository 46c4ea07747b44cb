"""Programs that the fork server of the tests becomes: they find what they would find when they are started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.commands import run_python
from tests.harness.forks import Fork, can_be_forked
from tests.harness.processes import start

TELL = """
import json, os, signal, sys
handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), sys.path, __name__, handler, "celery_nexus" in sys.modules]))
"""
ENVIRONMENT = {"PATH": "/usr/bin", "PYTHONPATH": "/elsewhere", "TZ": "Asia/Tokyo"}
FIXED = {name: value for name, value in os.environ.items() if name.startswith("PYTHON") and name != "PYTHONPATH"}


def test_a_program_has_its_own_words_folder_environment_and_path_as_a_started_one(tmp_path: Path) -> None:
    environment = {**FIXED, **ENVIRONMENT}
    (tmp_path / "tell.py").write_text(TELL)
    for words in (("-c", TELL, "a"), ("-m", "tell", "a"), (str(tmp_path / "tell.py"), "a")):
        forked = run_python(*words, environment=environment, folder=tmp_path).json
        command = [sys.executable, *words]
        started = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        expected = json.loads(started.stdout)
        for told in (forked, expected):
            told[2].pop("LC_CTYPE", None)  # which Python sets by itself, where nothing says what it is
        assert forked == expected


def test_how_it_ended_and_what_it_said_are_told() -> None:
    done = run_python("-c", "import sys; print('well'); sys.exit('ill')", environment=os.environ)
    assert (done.code, done.out, done.err) == (1, "well\n", "ill\n")
    assert "ZeroDivisionError" in run_python("-c", "1 / 0", environment=os.environ).err


def test_one_that_must_end_well_and_does_not_is_an_error() -> None:
    with pytest.raises(AssertionError, match="code=3"):
        run_python("-c", "raise SystemExit(3)", environment=os.environ, is_well=True)


def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        run_python("-c", code, environment=os.environ, timeout_s=1)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_killed_one_ends_with_its_signal() -> None:
    process = start("-c", "import time; time.sleep(60)", environment=os.environ, is_leader=True)
    assert isinstance(process, Fork)
    assert (process.poll(), os.getpgid(process.pid)) == (None, process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


def test_what_changes_the_interpreter_itself_has_one_of_its_own() -> None:
    assert can_be_forked(os.environ)
    for name in ("LD_PRELOAD", "PYTHONDEVMODE", "REMAP_SIGTERM"):
        assert not can_be_forked({**os.environ, name: "1"})
    assert can_be_forked({**os.environ, "PYTHONPATH": "/elsewhere", "TZ": "UTC"})
