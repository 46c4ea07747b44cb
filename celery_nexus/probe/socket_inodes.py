"""Inodes of local sockets by their connections, as the kernel tells them (sock_diag(7)).

Asked for one connection at a time where that is possible: a list of all, as in ``/proc/net/tcp``, takes the kernel
longer than everything else that a probe does.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator

SOCK_DIAG_BY_FAMILY = 20
REQUEST, DUMP = 0x01, 0x300
DONE, ERROR = 3, 2
NETLINK_SOCK_DIAG = 4
ALL_STATES = 0xFFFFFFFF
SHOW_PEER, ATTRIBUTE_PEER = 0x04, 2
ANSWER_TIMEOUT_S = 0.5
ANSWER_BYTES = 1 << 20

_HEADER = struct.Struct("=IHHII")
_UNIX_QUESTION = struct.Struct("=BBHIIIII")
_UNIX_MESSAGE = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
_TCP_QUESTION = struct.Struct("=BBBBI2s2s16s16sIQ")
_TCP_INODE = struct.Struct("=68xI")
_NO_COOKIE = 0xFFFFFFFFFFFFFFFF


def find_tcp_inodes(connections: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Find the inodes of this end of TCP connections.

    Args:
        connections: This end and the other one, each as ``host:port`` with a numeric host.

    Returns:
        By this end; those that are not of this machine, or that the kernel does not tell, are left out.
    """
    found: dict[str, int] = {}
    try:
        with _open_kernel() as kernel:
            for here, there in connections:
                inode = _find_tcp_inode(kernel, here, there)
                if inode:
                    found[here] = inode
    except OSError:  # no such kernel, or forbidden in this container
        return {}
    return found


def find_unix_peers() -> dict[int, int]:
    """Return the inode of the other end of each connected unix socket; empty when the kernel does not tell."""
    question = _UNIX_QUESTION.pack(socket.AF_UNIX, 0, 0, ALL_STATES, 0, SHOW_PEER, 0, 0)
    try:
        with _open_kernel() as kernel:
            kernel.send(_message(REQUEST | DUMP, question))
            return dict(peer for message in _messages(kernel) for peer in _peers(message))
    except OSError:
        return {}


def _open_kernel() -> socket.socket:
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    kernel.settimeout(ANSWER_TIMEOUT_S)
    return kernel


def _message(flags: int, question: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(question), SOCK_DIAG_BY_FAMILY, flags, 1, 0) + question


def _find_tcp_inode(kernel: socket.socket, here: str, there: str) -> int:
    family = socket.AF_INET6 if here.startswith("[") else socket.AF_INET
    (own, own_port), (other, other_port) = _packed(here, family), _packed(there, family)
    head = (family, socket.IPPROTO_TCP, 0, 0, ALL_STATES)
    kernel.send(_message(REQUEST, _TCP_QUESTION.pack(*head, own_port, other_port, own, other, 0, _NO_COOKIE)))
    answer = kernel.recv(ANSWER_BYTES)
    kind = _HEADER.unpack_from(answer)[1]
    return 0 if kind in (DONE, ERROR) else int(_TCP_INODE.unpack_from(answer, _HEADER.size)[0])


def _packed(place: str, family: int) -> tuple[bytes, bytes]:
    host, _, port = place.rpartition(":")
    return socket.inet_pton(family, host.strip("[]")), int(port).to_bytes(2, "big")


def _messages(kernel: socket.socket) -> Iterator[memoryview]:
    while True:
        answer = memoryview(kernel.recv(ANSWER_BYTES))
        while len(answer) >= _HEADER.size:
            length, kind, *_ = _HEADER.unpack_from(answer)
            if kind in (DONE, ERROR):
                return
            yield answer[_HEADER.size : length]
            answer = answer[_aligned(length) :]


def _peers(message: memoryview) -> Iterator[tuple[int, int]]:
    """Yield the inodes of both ends of a unix socket, if it is connected."""
    inode = _UNIX_MESSAGE.unpack_from(message)[4]
    rest = message[_UNIX_MESSAGE.size :]
    while len(rest) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(rest)
        if length < _ATTRIBUTE.size:
            return
        if kind == ATTRIBUTE_PEER:
            yield inode, int(struct.unpack_from("=I", rest, _ATTRIBUTE.size)[0])
        rest = rest[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
