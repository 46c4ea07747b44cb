"""A process whose parent died before it could ask to be told."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_child_that_was_an_orphan_before_it_asked_ends_at_once() -> None:
    code = "import os, time; from celery_nexus import parent; parent.end_with_worker(os.getppid() + 1); time.sleep(30)"
    done = subprocess.run([sys.executable, "-c", code], timeout=20, check=False)
    assert done.returncode == -signal.SIGKILL
