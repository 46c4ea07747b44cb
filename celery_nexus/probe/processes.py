"""Processes of this machine: which is a worker's, what state it is in, and which connections to the broker it holds.

Read from ``/proc``; elsewhere than on Linux nothing is found, and the probe goes by what the broker tells.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from celery_nexus.probe.clients import Client
from celery_nexus.probe.socket_inodes import find_tcp_inodes, find_unix_peers

PROC = Path("/proc")
DEFAULT_NODE = "celery"
_NAME_OPTIONS = ("-n", "--hostname")


def expand_node(name: str) -> str:
    """Write a worker's name as Celery does: ``%h`` is this host, and a name without a host is one of this host."""
    host = socket.gethostname()
    short, _, domain = host.partition(".")
    full = name if "@" in name else f"{name}@{host}"
    expanded = full.replace("%h", host).replace("%n", short).replace("%d", domain)
    return expanded.replace("%%", "%")


def find_worker(node: str) -> int | None:
    """Find the main process of a worker of this machine by its command line; None when none or several fit."""
    found = [(pid, parent) for pid, parent, words in _python_processes() if _is_worker(words, node)]
    pids = {pid for pid, _ in found}
    mains = [pid for pid, parent in found if parent not in pids]  # children of a pool have the same command line
    return mains[0] if len(mains) == 1 else None


def _python_processes() -> Iterator[tuple[int, int, list[str]]]:
    try:
        names = os.listdir(PROC)  # noqa: PTH208  pathlib makes an object of each
    except OSError:
        return
    for name in names:
        if name.isdigit():
            words = _read(PROC / name / "cmdline").split(b"\0")[:-1]
            if any(word == b"worker" for word in words):
                pid = int(name)
                yield pid, read_parent(pid), [word.decode("utf-8", "replace") for word in words]


def _is_worker(words: Sequence[str], node: str) -> bool:
    """Tell whether this is the command line of ``celery … worker`` with this node's name.

    A probe of a worker has that word, too.
    """
    if "worker" not in words or not any(_is_celery(word) for word in words[: words.index("worker")]):
        return False
    given = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, _, value = word.partition("=")
        if word in _NAME_OPTIONS:
            given = following
        elif option == "--hostname":
            given = value
        elif word.startswith("-n") and not word.startswith("--"):
            given = word[2:]
    if given and "@" not in given:
        given = f"{DEFAULT_NODE}@{given}"  # Celery takes a name without @ for a host
    return expand_node(given or f"{DEFAULT_NODE}@%h") == node


def _is_celery(word: str) -> bool:
    return word == DEFAULT_NODE or word.endswith("/celery")


def read_parent(pid: int) -> int:
    """Return a process's parent; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[1]) if len(fields) > 1 else 0


def is_stopped(pid: int) -> bool:
    """Tell whether a process was stopped by a signal (SIGSTOP), or by a debugger."""
    return _stat(pid)[:1] in (["T"], ["t"])


def is_going_on(pid: int) -> bool:
    """Tell whether there is such a process, and nobody stopped it."""
    return bool(_stat(pid)) and not is_stopped(pid)


def has_children(pid: int) -> bool:
    """Tell whether a process has children, as a pool of processes has."""
    return bool(_read(PROC / str(pid) / "task" / str(pid) / "children").split())


def _stat(pid: int) -> list[str]:
    return _read(PROC / str(pid) / "stat").decode("utf-8", "replace").rpartition(") ")[2].split()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def find_connections(pid: int, clients: Sequence[Client], server_pid: int, host: str) -> list[Client] | None:
    """Find which connections of the server are a process's; None when that can't be seen from here.

    Args:
        pid: The process.
        clients: All of the database, as the server sees them.
        server_pid: The server's process, in its own words; needed for unix sockets alone.
        host: This machine as the server sees it; empty when it is reached by a unix socket.
    """
    mine = _socket_inodes(pid)
    if not mine:
        return None
    if host:
        near = [client for client in clients if client.address.startswith(f"{host}:")]
        inodes = find_tcp_inodes((client.address, client.server) for client in near)
        found = [client for client in near if inodes.get(client.address) in mine]
    else:
        peers = find_unix_peers()
        inodes_there = {client.fd: read_inode(server_pid, client.fd) for client in clients}
        found = [client for client in clients if inodes_there[client.fd] and peers.get(inodes_there[client.fd]) in mine]
    return found or None  # a process without any is another one of the same number


def _socket_inodes(pid: int) -> set[int]:
    return {inode for inode in (read_inode(pid, name) for name in _descriptors(pid)) if inode}


def _descriptors(pid: int) -> list[str]:
    try:
        return os.listdir(PROC / str(pid) / "fd")  # noqa: PTH208  pathlib makes an object of each
    except OSError:
        return []


def read_inode(pid: int, descriptor: int | str) -> int:
    """Return the inode of a socket that a process has open; 0 for what is none, or can't be seen."""
    try:
        target = str((PROC / str(pid) / "fd" / str(descriptor)).readlink())
    except OSError:
        return 0
    return int(target[8:-1]) if target.startswith("socket:[") else 0
