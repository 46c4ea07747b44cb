"""Ports for servers of tests."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Find a port for a server; a Redis Cluster needs the one 10000 above it as well, so it is a low one."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_536:
            return port
