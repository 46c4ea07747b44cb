"""A server that becomes programs: an interpreter that has imported what most of them need, and forks for each.

A program that is started so is a process as any other, with an environment, folder, output and group of its own. Only
its interpreter and other people's libraries are there already, which are most of a start. The project's own modules are
not: what they know from their import on (settings, which process this is) is each program's own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from celery_nexus.parent import end_with_parent

MOST_BYTES = 150_000
"""Longest order: an environment, and words of a command. A socket's buffer holds one."""

PRELOADED = (
    "celery.apps.worker", "celery.backends.redis", "celery.bin.celery", "celery.concurrency.prefork",
    "celery.fixups.django", "celery.worker.consumer", "celery.worker.loops", "click", "cryptography", "dotenv",
    "kombu.transport.redis", "logging.handlers", "opentelemetry.metrics", "orjson", "psutil", "pydantic",
    "pydantic_settings", "redis", "sqlite3", "yaml",
)  # fmt: skip


def main() -> None:
    """Serve at the socket whose number is the first argument, until it is closed."""
    door = socket.socket(fileno=int(sys.argv[1]))
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then end this
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # so that a collection in a child does not copy all that it shares with this process
    order = serve(door)
    if order:
        signal.signal(signal.SIGINT, interrupted)
        become(order)


def serve(door: socket.socket) -> dict[str, Any] | None:
    """Answer orders; return one in the process that is forked for it, and None at the end."""
    while True:
        text, files, *_ = socket.recv_fds(door, MOST_BYTES, 3)
        if not text:
            return None
        order = json.loads(text)
        answer = _reap(order["reap"]) if "reap" in order else _fork(order)
        if answer == 0 and "reap" not in order:
            os.close(door.detach())
            for number, file in enumerate(files):
                os.dup2(file, number)
                os.close(file)
            return order
        for file in files:
            os.close(file)
        door.send(json.dumps(answer).encode())


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if order["is_leader"]:
        if pid == 0:
            os.setsid()
        while pid and os.getpgid(pid) != pid:
            time.sleep(0.001)  # who starts a leader may kill its group at once
    return pid


def _reap(pid: int) -> int | None:
    """Return a program's exit code as :mod:`subprocess` spells it, or None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def become(order: dict[str, Any]) -> None:
    """Be a program: the rest of this process.

    Args:
        order: ``words`` as after ``python``: ``-m`` and a module, ``-c`` and code, or a file, and its arguments;
            ``environment``; ``folder``; ``is_leader``, whether it leads a group of its own.
    """
    end_with_parent(os.getppid())
    os.chdir(order["folder"])
    foreign = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), ""]
    libraries = [place for place in sys.path if place not in foreign]
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    own = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    kind, *words = order["words"]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("celery_nexus", "tests")]:
        del sys.modules[name]  # a program may have others of these names
    first = {"-m": order["folder"], "-c": ""}.get(kind, str(Path(kind).parent))
    sys.path[:] = [first, *own, *libraries]
    importlib.invalidate_caches()
    _run(kind, words)


def _run(kind: str, words: list[str]) -> None:
    if kind == "-m":
        sys.argv[:] = words
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv[:] = ["-c", *words[1:]]
        module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(words[0], "<string>", "exec"), vars(module))
    else:
        sys.argv[:] = [kind, *words]
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    main()
