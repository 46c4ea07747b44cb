"""A TCP proxy in front of a unix socket, whose open connections can fall silent without being closed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

_HANDSHAKE = b"\x16"


class Proxy:
    """Forwards connections to a unix socket.

    Args:
        target: The socket.
        tls: Speak TLS to clients that begin so, and plain text to others.
    """

    def __init__(self, target: Path, tls: ssl.SSLContext | None = None) -> None:
        self._target = str(target)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._generation = 0
        self._lock = threading.Lock()
        self._is_closed = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Swallow everything on the connections that are open now; new ones work."""
        self._generation += 1

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._is_closed = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self._tls is not None and client.recv(1, socket.MSG_PEEK) == _HANDSHAKE:
                client = self._tls.wrap_socket(client, server_side=True)
            server = self._connect()
        except OSError:
            client.close()
            return
        with self._lock:
            if self._is_closed:
                client.close()
                server.close()
                return
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                arguments = (source, sink, self._generation)
                self._threads.append(threading.Thread(target=self._forward, args=arguments, daemon=True))
                self._threads[-1].start()

    def _connect(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            raise
        return server

    def _forward(self, source: socket.socket, sink: socket.socket, generation: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if generation == self._generation:
                    sink.sendall(data)
            if generation == self._generation:
                sink.shutdown(socket.SHUT_WR)
