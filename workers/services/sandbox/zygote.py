"""The program that forks a child for each file: ``python -m workers.services.sandbox.zygote FD OWNER``.

It reads requests from the socket FD, each with the write end of a pipe; the child answers into that pipe,
and the zygote says on the socket how the child ended. It ends with its owner.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from celery_nexus.task_errors import Corrupt, TaskError, TooLarge
from workers.errors import StorageFull, TooComplex
from workers.services.sandbox.frames import Decoder, Frame, encode
from workers.services.sandbox.limits import Limits, die_with_parent

PRELOADED = (
    "workers.services.documents.word.document",
    "workers.services.documents.sheets.excel",
    "workers.services.documents.powerpoint",
    "workers.services.documents.pdf.document",
    "workers.services.images",
    "lxml.etree",
    "python_calamine",
    "pypdfium2",
    "pypdf",
    "PIL.Image",
)
_DAMAGED = "the document is damaged in a way that its reader does not know"
_CHUNK_BYTES = 65536
_PROGRESS_INTERVAL_S = 0.2


def main(descriptor: int, owner: int) -> None:
    """Serve requests until the owner is gone."""
    die_with_parent(owner)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # children share these pages as long as nobody touches them
    decoder = Decoder()
    while request := _receive(control, decoder):
        frame, pipe = request
        control.sendall(encode(_run(control, frame, pipe)))


def _receive(control: socket.socket, decoder: Decoder) -> tuple[Frame, int] | None:
    descriptors: list[int] = []
    while True:
        data, received, _, _ = socket.recv_fds(control, _CHUNK_BYTES, 1)
        descriptors += received
        if not data:
            return None
        for frame in decoder.feed(data):
            return frame, descriptors[0]


def _run(control: socket.socket, frame: Frame, pipe: int) -> Frame:
    """Fork, wait for the child's end, its time or the owner's end, and say what happened."""
    limits = Limits(**frame["limits"])
    zygote = os.getpid()
    alive, held = os.pipe()  # closes when the child is gone
    child = os.fork()
    if not child:
        os.close(alive)
        control.close()
        _child(frame, pipe, limits, zygote)
    os.close(held)
    os.close(pipe)
    timed_out = _wait(control, alive, limits.wall_s)
    os.close(alive)
    for kill in (os.kill, os.killpg):  # its own group, with whatever it started
        with suppress(ProcessLookupError, PermissionError):
            kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return {"ended": _ending(status), "timed_out": timed_out, "peak_bytes": usage.ru_maxrss * 1024}


def _wait(control: socket.socket, alive: int, wall_s: float) -> bool:
    """Wait until the child or the owner is gone; True when the time is up first."""
    poll = select.poll()
    poll.register(alive, select.POLLIN)
    poll.register(control, select.POLLIN)
    return not poll.poll(wall_s * 1000)


def _ending(status: int) -> int:
    return os.waitstatus_to_exitcode(status)


def _child(frame: Frame, pipe: int, limits: Limits, zygote: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        die_with_parent(zygote)
        os.umask(0o077)
        _silence()
        gc.disable()  # a child is too short-lived to gain from looking for cycles in millions of cells
        limits.apply()
        os.set_blocking(pipe, True)
        _write(pipe, _answer(frame, pipe))
        code = 0
    finally:
        os._exit(code)


def _silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)


def _answer(frame: Frame, pipe: int) -> bytes:
    """Run the job; every way in which a library can fail becomes a code and a message."""
    try:
        return encode({"result": _job(frame["job"])(frame["payload"], _Progress(pipe))})
    except TaskError as error:
        return _failure(error)
    except (MemoryError, RecursionError):
        return _failure(TooComplex("needs more memory, or is nested deeper, than a document may"))
    except OSError as error:
        if error.errno == errno.EFBIG:
            return _failure(TooLarge("a file that was written would be larger than a run may write"))
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _failure(StorageFull("no room for the output; make some and submit again"))
        return _failure(Corrupt(_DAMAGED))
    except BaseException:  # noqa: BLE001  (the outermost guard: 27 kinds of foreign errors, Rust panics too)
        return _failure(Corrupt(_DAMAGED))


def _failure(error: TaskError) -> bytes:
    return encode({"error": [error.code, str(error)]})


def _job(name: str) -> Callable[[Any, Any], Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class _Progress:
    """Sends the child's progress up the pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._sent_at = 0.0

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        now = time.monotonic()
        if now - self._sent_at >= _PROGRESS_INTERVAL_S or done == total:
            self._sent_at = now
            _write(self._pipe, encode({"progress": [done, total, note]}))


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


if __name__ == "__main__":
    with suppress(ConnectionError):
        main(int(sys.argv[1]), int(sys.argv[2]))
