"""What the tests run in the sandbox, where a child imports it by name."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from typing import Any

from workers.errors import Encrypted
from workers.services.progress import Progress


def echo(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return {"payload": payload, "pid": os.getpid(), "parent": os.getppid()}


def report(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    progress(1, 2, "half")
    progress(2, 2, "all")
    return {}


def sleep(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    time.sleep(60)
    return {}


def hang_in_c(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    return {"never": 9**9**9}


def swell(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return {"length": len(bytearray(4 << 30))}


def crash(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def abort(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    os.abort()


def leave(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    os._exit(3)


def exit_politely(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    raise SystemExit(0)


def recurse(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return recurse(payload, progress)


def fail(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    raise KeyError("missing \x1b[31m part")


def refuse(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    raise Encrypted("has a password")


def answer_too_much(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return {"text": "x" * (65 << 20)}


def write_too_much(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    with open(payload["path"], "wb") as file:  # noqa: PTH123
        for _ in range(64):
            file.write(bytes(1 << 20))
    return {}


def kill_zygote(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
    return {}


def environment(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    return {"names": sorted(os.environ)}


def descriptors(payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
    folder = "/proc/self/fd"
    links = [os.readlink(f"{folder}/{name}") for name in os.listdir(folder) if os.path.exists(f"{folder}/{name}")]  # noqa: PTH115, PTH208, PTH110
    return {"sockets": [link for link in links if link.startswith("socket:")]}
