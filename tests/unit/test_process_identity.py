"""A process is known by what its kernel counted, not by a time of day."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from celery_nexus.delivery.leases import process_identity
from celery_nexus.delivery.leases.process_identity import ProcessIdentity, start_of


def test_a_process_that_runs_is_known_as_itself() -> None:
    assert ProcessIdentity.identify().is_running() is True


def test_a_pid_that_is_used_again_is_another_process() -> None:
    mine = ProcessIdentity.identify()
    assert replace(mine, start=mine.start - 1).is_running() is False


def test_a_process_that_has_ended_does_not_run_though_nobody_has_collected_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = replace(ProcessIdentity.identify(), pid=child.pid, start=start_of(child.pid) or 0)
    assert identity.is_running() is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert identity.is_running() is False
    child.communicate()
    assert identity.is_running() is False


def test_of_a_process_elsewhere_nothing_is_known() -> None:
    mine = ProcessIdentity.identify()
    assert replace(mine, boot="another boot").is_running() is None
    assert replace(mine, namespace="pid:[1]").is_running() is None


def test_a_kernel_that_does_not_answer_says_of_nobody_that_it_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise OSError(24, "Too many open files")

    mine = ProcessIdentity.identify()
    monkeypatch.setattr(process_identity, "start_of", refuse)
    assert mine.is_running() is None
