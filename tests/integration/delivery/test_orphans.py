"""No program of the stack outlives supervisord."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.harness.places import ROOT
from tests.harness.waiting import wait_until

PARENT = """
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-m", *sys.argv[1:]], stdout=sys.stderr).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
@pytest.mark.parametrize(
    ("program", "sign"),
    [
        ("celery_nexus.history.recorder -A config.celery_config", "recording"),
        ("celery_nexus.delivery.guardian -A config.celery_config", "can't look"),
        ("celery_nexus.embedded_broker", "Ready to accept connections"),
    ],
)
def test_a_program_ends_when_supervisord_is_killed(tmp_path: Path, program: str, sign: str) -> None:
    environment = {**os.environ, "NEXUS_HOME": str(tmp_path), "SUPERVISOR_ENABLED": "1"}
    environment.pop("SUPERVISOR_SERVER_URL", None)
    command = [sys.executable, "-c", PARENT, *program.split()]
    with (tmp_path / "output").open("wb") as log:
        parent = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    with parent:
        process = psutil.Process(int(parent.stdout.readline() if parent.stdout else 0))
        try:
            wait_until(lambda: sign in (tmp_path / "output").read_text())
        finally:
            parent.kill()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
