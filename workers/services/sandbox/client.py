"""The owner's side of the sandbox: keep a zygote, hand it jobs, turn every ending into a result or an error."""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from celery_nexus import task_errors
from celery_nexus.task_errors import Crashed, TaskError
from workers import errors
from workers.errors import TimedOut, TooComplex
from workers.services.progress import Progress, ignore_progress
from workers.services.sandbox.frames import Decoder, Frame, encode
from workers.services.sandbox.limits import Limits

Job = Callable[[dict[str, Any], Progress], dict[str, Any]]

_START_S = 20
"""Time that the zygote may need to import its libraries on a busy machine."""
_GRACE_S = 2
"""Time beyond the wall clock in which the zygote must have said how its child ended."""
_CHUNK_BYTES = 1 << 20
_OUT_OF_MEMORY = {signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGKILL}
"""Signals by which libraries in C++ and Rust, and the kernel, end a process that gets no more memory."""
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")

_own = threading.local()


class _ZygoteLost(Exception):
    """The zygote ended by itself; another can take the job."""


def run(
    job: Job, payload: dict[str, Any], *, limits: Limits | None = None, progress: Progress = ignore_progress
) -> dict[str, Any]:
    """Run a module's function on a JSON payload in a fresh child and return its JSON result.

    Raises:
        TimedOut: The wall clock ran out.
        TooComplex: The memory limit was met.
        Crashed: The child died.
        TaskError: What the function raised; foreign errors arrive as ``Corrupt``.
    """
    limits = limits or Limits()
    frame = {"job": f"{job.__module__}:{job.__qualname__}", "payload": payload, "limits": asdict(limits)}
    for _ in range(2):
        with suppress(_ZygoteLost):
            return _attempt(frame, limits, progress)
    raise Crashed("the sandbox was killed from outside, twice; submit again")


def close() -> None:
    """End this thread's zygote; the next job starts another."""
    zygote: _Zygote | None = getattr(_own, "zygote", None)
    _own.zygote = None
    if zygote:
        zygote.close()


def _attempt(frame: Frame, limits: Limits, progress: Progress) -> dict[str, Any]:
    zygote = _zygote()
    try:
        answer = zygote.ask(frame, limits.wall_s, progress)
    except BaseException:  # also a time limit of the caller: what it left half said must not meet the next job
        close()
        raise
    return _result(answer, limits)


def _zygote() -> _Zygote:
    zygote: _Zygote | None = getattr(_own, "zygote", None)
    if zygote is None or zygote.owner != os.getpid():
        zygote = _own.zygote = _Zygote()
    return zygote


def _result(answer: Frame, limits: Limits) -> dict[str, Any]:
    if "result" in answer:
        return answer["result"]
    if "error" in answer:
        raise _typed(*answer["error"])
    if answer["timed_out"]:
        raise TimedOut(f"not finished after {limits.wall_s:g} s, the longest time that one file may take")
    ended = -int(answer["ended"])
    if ended in _OUT_OF_MEMORY:
        raise TooComplex(f"more than {limits.memory_bytes >> 20} MB of memory asked for ({signal.Signals(ended).name})")
    how = signal.Signals(ended).name if ended > 0 else f"exit code {-ended}"
    raise Crashed(f"the process that read the document died ({how})")


def _typed(code: str, message: str) -> TaskError:
    known = {**vars(task_errors), **vars(errors)}
    kinds = [item for item in known.values() if isinstance(item, type) and issubclass(item, TaskError)]
    return next((kind for kind in kinds if kind.code == code), Crashed)(message)


class _Zygote:
    """One zygote process and the socket to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._control, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "workers.services.sandbox.zygote", str(theirs.fileno()), str(self.owner)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=environment,
                start_new_session=True,
            )
        self._is_warm = False
        atexit.register(self.close)

    def ask(self, frame: Frame, wall_s: float, progress: Progress) -> Frame:
        """Have a child do a job and return its answer, or how it ended without one."""
        pipe, theirs = os.pipe()
        try:
            try:
                self._send(frame, theirs)
            finally:
                os.close(theirs)
            deadline = time.monotonic() + wall_s + _GRACE_S + (0 if self._is_warm else _START_S)
            return self._listen(pipe, deadline, progress)
        finally:
            os.close(pipe)

    def _send(self, frame: Frame, pipe: int) -> None:
        data = encode(frame)
        try:
            sent = socket.send_fds(self._control, [data], [pipe])
            self._control.sendall(data[sent:])
        except OSError:
            raise _ZygoteLost from None

    def _listen(self, pipe: int, deadline: float, progress: Progress) -> Frame:
        """Collect the child's messages until the zygote says that it ended."""
        answer: Frame = {}
        from_child, from_zygote = Decoder(), Decoder()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        while (left_s := deadline - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(left_s * 1000)}
            if pipe in ready:
                data = os.read(pipe, _CHUNK_BYTES)
                if not data:
                    poll.unregister(pipe)
                for frame in from_child.feed(data):
                    if "progress" in frame:
                        progress(*frame["progress"])
                    else:
                        answer = frame
            elif ready:  # only when the pipe is read to its end
                ending = self._ending(from_zygote)
                if ending:
                    return answer or ending
        raise TimedOut("the sandbox did not answer in time")

    def _ending(self, decoder: Decoder) -> Frame | None:
        try:
            data = self._control.recv(_CHUNK_BYTES)
        except OSError:
            data = b""
        if not data:
            raise _ZygoteLost
        self._is_warm = True
        return next(iter(decoder.feed(data)), None)

    def close(self) -> None:
        """Kill the zygote; its child dies with it."""
        atexit.unregister(self.close)
        self._control.close()
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()
        else:
            self._process.returncode = 0  # another process's child: nothing to wait for
