"""Connections that learn from each other's silence, against a server that can fall silent."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from celery_nexus.connection import silence


class Server(socketserver.ThreadingTCPServer):
    """Answers ``+PONG`` to whatever it is asked, on connections that were opened since it last fell silent."""

    daemon_threads = True
    generation = 0


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        generation = server.generation
        while self.request.recv(4096):
            if generation == server.generation:
                self.request.sendall(b"+PONG\r\n")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a port of its own."""
    with Server(("127.0.0.1", 0), _Answer) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def connect(server: Server, **options: Any) -> silence.TcpConnection:
    """Open a connection that says nothing of its own accord."""
    port = int(server.server_address[1])
    quiet: dict[str, Any] = {"redis_connect_func": lambda connection: connection._parser.on_connect(connection)}
    connection = silence.TcpConnection("127.0.0.1", port, socket_timeout=1, **quiet, **options)
    connection.connect()
    return connection


def ask(connection: silence.TcpConnection) -> Any:
    """Send a command and read its answer."""
    connection.send_command("PING")
    return connection.read_response()


def test_when_one_connection_hears_nothing_the_others_connect_anew_before_their_next_command(server: Server) -> None:
    one, other = connect(server), connect(server)
    assert (ask(one), ask(other)) == (b"PONG", b"PONG")
    old = other._sock
    server.generation += 1
    with pytest.raises(redis.TimeoutError):
        ask(one)
    assert ask(other) == b"PONG"
    assert other._sock is not old


def test_a_connection_that_was_heard_since_is_kept(server: Server) -> None:
    one, other = connect(server), connect(server)
    old = other._sock
    silence._note_silence(1.0)
    other._heard_at += 1.0
    assert ask(other) == b"PONG"
    assert other._sock is old
    assert ask(one) == b"PONG"


def test_a_short_look_for_an_answer_is_no_silence(server: Server) -> None:
    one, other = connect(server), connect(server)
    old = other._sock
    with pytest.raises(redis.TimeoutError):
        one.read_response(timeout=0.01)
    assert ask(other) == b"PONG"
    assert other._sock is old
