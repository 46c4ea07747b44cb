"""Names of workers in the bindings of their mailboxes."""

from __future__ import annotations

from collections.abc import Iterable


def read_node_names(members: Iterable[bytes], exchange: str) -> list[str]:
    """Read the names of workers off the members of their mailbox's binding.

    A member is twice the application's separator, the worker's name, a dot and the exchange (``celery.pidbox``).
    """
    found = (_node(member.decode("utf-8", "replace"), f".{exchange}") for member in members)
    return sorted(name for name in found if name)


def _node(member: str, tail: str) -> str:
    if not member.endswith(tail):
        return ""
    for length in range(min(8, len(member) // 2), 0, -1):
        if member[:length] == member[length : 2 * length]:
            return member[2 * length : -len(tail)]
    return ""
