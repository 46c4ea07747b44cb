"""The stack in the foreground: a container's first process, or a service of systemd; ends with SIGTERM, all cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from celery_nexus.errors import Refused, SourceError
from celery_nexus.parent import end_with_parent
from celery_nexus.stack.configuration import UMASK
from celery_nexus.stack.stack import Stack, Step
from celery_nexus.stack_spec import StackSpec

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_EVERY_S = 0.25


class Stopped(Exception):
    """A signal asked to stop."""


class Foreground:
    """One stack, and its supervisord as a child of this process."""

    def __init__(self, spec: StackSpec) -> None:
        self._stack = Stack(spec, launch=self._launch)
        self._child: subprocess.Popen[bytes] | None = None
        self._code: int | None = None

    def run(self) -> Iterator[Step]:
        """Start the stack, yield each part as it answers, wait for SIGTERM or SIGINT, and yield each as it is gone.

        Raises:
            Refused: It runs already.
            SourceError: A part does not start, or supervisord ended by itself; what was started is stopped.
        """
        if self._stack.is_up:
            raise Refused("the stack runs already, in the background: nexus-tui down stops it")
        for number in SIGNALS:
            signal.signal(number, _stop_here)
        try:
            for step in self._stack.start():
                yield step
                self._check()
            yield Step("foreground", "until SIGTERM or Ctrl+C")
            while True:
                self._check()
                time.sleep(LOOK_EVERY_S)
        except Stopped:
            yield from self._stop()
        except BaseException:
            for _ in self._stop():
                pass
            raise

    def _check(self) -> None:
        self._reap()
        if self._code is not None:
            raise SourceError(f"supervisord ended by itself (exit code {self._code})")

    def _launch(self, conf: str, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", conf]
        here = os.getpid()
        self._child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            umask=int(UMASK, 8),
            preexec_fn=lambda: end_with_parent(here),  # noqa: PLW1509  no other thread runs yet
        )

    def _reap(self) -> None:
        """Collect what ended: as the first process of a container, also what others left behind."""
        while self._child is not None:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._child.pid:
                self._code = self._child.returncode = os.waitstatus_to_exitcode(status)

    def _stop(self) -> Iterator[Step]:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a stop is under way; each program has its own time limit
        if self._child is None or self._code is not None:
            return
        if self._stack.is_up:
            yield from self._stack.stop(reap=self._reap)
        else:
            self._child.terminate()
        self._reap()


def _stop_here(_number: int, _frame: Any) -> None:
    raise Stopped
