"""Webhook: one JSON document by POST; redirects stay at their host, and the whole exchange in its time."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from celery_nexus.alerts.channels.addresses import resolve
from celery_nexus.alerts.channels.message import AlertMessage
from celery_nexus.alerts.channels.spec import ChannelFailed

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3
MOST_READ = 64 * 1024


def send(table: Mapping[str, Any], message: AlertMessage, timeout_s: float) -> None:
    """Post a message.

    Raises:
        ChannelFailed: It was not taken.
    """
    until = time.monotonic() + timeout_s
    url = str(table["url"])
    first = _split(url)
    for _ in range(MOST_REDIRECTS + 1):
        status, reason, location = _post(_split(url), table.get("headers", {}), message, until)
        if status not in REDIRECTS or not location:
            break
        url = urljoin(url, location)
        there = _split(url)
        if (there.scheme, there.hostname, _port(there)) != (first.scheme, first.hostname, _port(first)):
            raise ChannelFailed(
                f"{first.hostname} redirects to {there.hostname}: refused, a redirect leads to no other host;"
                " name the final address"
            )
    else:
        raise ChannelFailed(f"{first.hostname} redirects again and again")
    if not 200 <= status < 300:
        raise ChannelFailed(f"{first.hostname} answered {status} {reason}".rstrip())


def _post(
    url: SplitResult, headers: Mapping[str, str], message: AlertMessage, until: float
) -> tuple[int, str, str | None]:
    """Post once, and return status, its words, and where a redirect leads."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    usual = {
        "Content-Type": "application/json",
        "User-Agent": "celery-nexus",
        "Idempotency-Key": message.id,
        "Connection": "close",
    }
    connection = _connect(url, until)
    cutter = threading.Timer(max(0.0, until - time.monotonic()), _cut, (connection,))
    cutter.daemon = True
    cutter.start()  # each step has a time limit, but a server may answer byte by byte
    try:
        connection.request("POST", target, json.dumps(message.document).encode(), {**usual, **headers})
        answer = connection.getresponse()
        answer.read(MOST_READ)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(url, error, until) from None
    finally:
        cutter.cancel()
        connection.close()
    return answer.status, answer.reason, answer.getheader("Location")


def _connect(url: SplitResult, until: float) -> http.client.HTTPConnection:
    """Connect to an address of the host that was checked, and to no other."""
    host, port = url.hostname or "", _port(url)
    problem: OSError | None = None
    for _, (address, _) in resolve(host, port):
        try:
            plain = socket.create_connection((address, port), max(0.1, until - time.monotonic()))
            return _wrap(url, plain, until)
        except OSError as error:
            problem = error
    raise _failure(url, problem or OSError("no address"), until)


def _wrap(url: SplitResult, plain: socket.socket, until: float) -> http.client.HTTPConnection:
    host, port = url.hostname or "", _port(url)
    connection = http.client.HTTPConnection(host, port, timeout=max(0.1, until - time.monotonic()))
    connection.sock = plain
    if url.scheme == "https":
        connection.default_port = 443  # so that it is left out of the header Host
        try:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise
    return connection


def _cut(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _failure(url: SplitResult, error: Exception, until: float) -> ChannelFailed:
    if isinstance(error, TimeoutError) or time.monotonic() >= until:
        return ChannelFailed(f"{url.hostname} did not answer in time")
    words = getattr(error, "verify_message", "") or (isinstance(error, OSError) and error.strerror) or str(error)
    return ChannelFailed(f"{url.hostname}: {words or type(error).__name__}")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _port(parts)
    except ValueError:  # its words may quote a secret
        raise ChannelFailed("the address can't be read: write https://HOST/PATH") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChannelFailed("the address leads to no web server: write https://HOST/PATH")
    if not url.isascii() or any(letter <= " " for letter in url):
        raise ChannelFailed("the address has spaces or letters beyond ASCII: percent-encode them")
    return parts


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
