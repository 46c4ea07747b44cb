"""The SMTP conversation: one connection, any number of messages, and exact knowledge of how far each got.

A message is handed over by the line with a single dot after it. Before that line nothing was accepted, and
whatever breaks can be tried again. After the server's answer all is known. In between nobody knows; the
conversation tells its caller right before it enters that gap, and reports ``unknown`` when it never leaves it.
"""

from __future__ import annotations

import re
import smtplib
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from celery_nexus.task_errors import TransientError
from workers.services.mail.connection import connect, hang_up, reason, translate_errors
from workers.services.mail.message import Envelope
from workers.services.mail.outcome import Delivery, Refusal, words_of
from workers.services.mail.server import MailServer

_GO_AHEAD, _CLOSING = 354, 421
_ERROR = 400
_NOT_NOW = 450
_BLOCK_BYTES = 128 * 1024
_SLOWEST_BYTES_PER_S = 128 * 1024
"""Slowest transfer of a large message, which lengthens its time limit."""

BeforeHandover = Callable[[tuple[str, ...]], None]
"""Called with the recipients right before the message's last line; an exception keeps it from being sent."""


class Conversation:
    """A connection to a mail server, made at the first message and again when it was lost.

    Args:
        server: Where to connect.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._drop()

    def send(self, envelope: Envelope, before_handover: BeforeHandover) -> Delivery:
        """Offer a message to the server for all of its recipients.

        Returns:
            Each recipient's outcome; refusals of both kinds (4xx, 5xx) are in it.

        Raises:
            TransientError: The connection failed before the message was handed over; nobody got it.
            MailRefused: The server wants nothing from us: login, certificate, STARTTLS, greeting.
        """
        is_used = self._smtp is not None
        with self._limited(len(envelope.content)):
            try:
                delivery, taken = self._offer(envelope)
            except TransientError:
                if not is_used:
                    raise
                # Servers end a connection after some messages or some idle time
                delivery, taken = self._offer(envelope)
            if taken:
                self._or_drop(lambda: before_handover(taken))
                delivery += self._hand_over(taken)
            return delivery

    def check(self) -> None:
        """Connect, greet, secure and log in, without sending anything.

        Raises:
            TransientError: The server can't be reached or is not ready.
            MailRefused: It wants nothing from us.
        """
        with self._limited():
            self._connected()

    def close(self) -> None:
        """End the connection politely if it still works."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            hang_up(smtp)

    def _drop(self) -> None:
        """End the connection without a word: what was begun is not completed."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def _or_drop(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException:
            self._drop()
            raise

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._or_drop(lambda: self._keep(connect(self._server, self._keep)))
        assert self._smtp is not None  # noqa: S101
        return self._smtp

    def _keep(self, smtp: smtplib.SMTP) -> None:
        self._smtp = smtp

    def _offer(self, envelope: Envelope) -> tuple[Delivery, tuple[str, ...]]:
        """Go up to the last line; returns the refusals, and for whom that line would hand the message over."""
        smtp = self._connected()
        try:
            with translate_errors(self._server, "before the message was handed over"):
                taken, refused = _announce(smtp, envelope)
                refusal = _transmit(smtp, envelope.content) if taken else None
                if refusal:
                    taken, refused = (), refused + _for_all(taken, *refusal)
                if not taken:
                    smtp.rset()
        except BaseException:
            self._drop()
            raise
        return Delivery(refused=refused), taken

    def _hand_over(self, taken: tuple[str, ...]) -> Delivery:
        smtp = self._connected()
        try:
            # As long as the whole message may take: giving up here means not to know
            smtp.sock.settimeout(self._server.timeouts.total_s)  # pyright: ignore[reportOptionalMemberAccess]
            smtp.send(b".\r\n")  # pyright: ignore[reportArgumentType]  (the stubs know text only)
            code, words = smtp.getreply()
            smtp.sock.settimeout(self._server.timeouts.step_s)  # pyright: ignore[reportOptionalMemberAccess]
        except smtplib.SMTPResponseException as error:
            code, words = 0, str(error.smtp_error).encode()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Delivery(unknown=taken, words=f"the connection ended before the server's answer ({reason(error)})")
        except BaseException:
            self._drop()
            raise
        if code == _CLOSING or code < _ERROR:
            return self._last_words(taken, code, words)
        return Delivery(refused=_for_all(taken, code, words_of(words)))

    def _last_words(self, taken: tuple[str, ...], code: int, words: bytes) -> Delivery:
        if _is_yes(code):
            return Delivery(accepted=taken)
        self._drop()
        if code == _CLOSING:
            return Delivery(refused=_for_all(taken, code, words_of(words)))
        return Delivery(unknown=taken, words=f"the server's answer makes no sense: {words_of(words)}")

    @contextmanager
    def _limited(self, size_bytes: int = 0) -> Generator[None]:
        """Cut the connection when one message takes longer than all of it may: a slow drip passes every step."""
        timer = threading.Timer(self._server.timeouts.total_s + size_bytes / _SLOWEST_BYTES_PER_S, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        smtp = self._smtp
        connection = smtp.sock if smtp else None
        if connection is not None:
            with suppress(OSError):
                # Not SSLSocket's own, which would take the TLS state away from the thread that reads
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _announce(smtp: smtplib.SMTP, envelope: Envelope) -> tuple[tuple[str, ...], tuple[Refusal, ...]]:
    """Name sender and recipients; returns who was taken and who was refused."""
    options, problem = _mail_options(smtp, envelope)
    if problem:
        return (), _for_all(envelope.recipients, 554, problem)
    # smtplib's own commands read an address again, and write some that they read as another
    smtp.command_encoding = "utf-8" if envelope.needs_smtputf8 else "ascii"
    code, words = _answer(smtp.docmd("MAIL", " ".join([f"FROM:<{envelope.sender}>", *options])))
    if not _is_yes(code):
        return (), _for_all(envelope.recipients, code, f"sender {envelope.sender}: {words}")
    taken: list[str] = []
    refused: list[Refusal] = []
    for recipient in envelope.recipients:
        code, words = _answer(smtp.docmd("RCPT", f"TO:<{recipient}>"))
        if _is_yes(code):
            taken.append(recipient)
        else:
            refused.append(Refusal(recipient, _error_code(code), words))
    return tuple(taken), tuple(refused)


def _mail_options(smtp: smtplib.SMTP, envelope: Envelope) -> tuple[list[str], str]:
    limit = str(smtp.esmtp_features.get("size", ""))
    size = len(envelope.content)
    if limit.isdecimal() and 0 < int(limit) < size:
        return [], f"the message has {size} bytes, the server takes {limit}"
    options = [f"SIZE={size}"] if smtp.has_extn("size") else []
    if envelope.needs_smtputf8:
        if not smtp.has_extn("smtputf8"):
            odd = ", ".join(name for name in (envelope.sender, *envelope.recipients) if not name.isascii())
            return [], (
                f"the server takes only ASCII before the @ of an address (it offers no SMTPUTF8): {odd or 'reply_to'}"
            )
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    return options, ""


def _transmit(smtp: smtplib.SMTP, content: bytes) -> tuple[int, str] | None:
    """Send all of the message but its last line; returns the refusal, if the server does not want it."""
    code, words = _answer(smtp.docmd("DATA"))
    if code != _GO_AHEAD:
        return code, words
    stuffed = re.sub(rb"(?m)^\.", b"..", content if content.endswith(b"\r\n") else content + b"\r\n")
    for start in range(0, len(stuffed), _BLOCK_BYTES):
        smtp.send(stuffed[start : start + _BLOCK_BYTES])  # pyright: ignore[reportArgumentType]
    return None


def _answer(reply: tuple[int, bytes]) -> tuple[int, str]:
    code, words = reply
    if code == _CLOSING or code < 0:
        raise smtplib.SMTPResponseException(code, words)
    return code, words_of(words)


def _is_yes(code: int) -> bool:
    return 200 <= code < 300


def _error_code(code: int) -> int:
    """An answer that is neither yes nor no counts as "not now"."""
    return code if code >= _ERROR else _NOT_NOW


def _for_all(recipients: tuple[str, ...], code: int, words: str) -> tuple[Refusal, ...]:
    return tuple(Refusal(recipient, _error_code(code), words) for recipient in recipients)
