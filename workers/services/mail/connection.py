"""Connecting to a mail server: TCP, TLS, greeting, login; and what a broken connection means."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from celery_nexus.task_errors import TransientError
from workers.errors import MailRefused
from workers.services.mail.outcome import words_of
from workers.services.mail.server import MailServer

READY, DONE, LOGGED_IN, PERMANENT = 220, 250, 235, 500
_QUIT_S = 2

Keep = Callable[[smtplib.SMTP], None]


def connect(server: MailServer, keep: Keep) -> smtplib.SMTP:
    """Connect, greet, secure and log in.

    Args:
        server: Where to.
        keep: Gets the connection as soon as there is one, so that its owner can cut it.

    Raises:
        TransientError: The server can't be reached, or is not ready.
        MailRefused: It wants nothing from us: greeting, certificate, STARTTLS, login.
    """
    with translate_errors(server, "while connecting"):
        connection = socket.create_connection((server.host, server.port), server.timeouts.connect_s)
        smtp = smtplib.SMTP(local_hostname=_own_name(connection), timeout=server.timeouts.step_s)
        smtp.sock = connection
        keep(smtp)
        connection.settimeout(server.timeouts.step_s)
        if server.security == "tls":
            _secure(server, smtp)
        _expect(server, READY, smtp.getreply(), "its greeting")
        _greet(server, smtp)
        if server.security == "starttls":
            _start_tls(server, smtp)
        if server.username is not None:
            _log_in(server, smtp, server.username, server.password)
    return smtp


def hang_up(smtp: smtplib.SMTP) -> None:
    """End a connection politely, if it still works, without waiting long."""
    with suppress(smtplib.SMTPException, OSError):
        if smtp.sock is not None:
            smtp.sock.settimeout(_QUIT_S)
        smtp.quit()
    smtp.close()


@contextmanager
def translate_errors(server: MailServer, when: str) -> Generator[None]:
    """Turn a broken connection into a :class:`TransientError`: what was begun can be tried again."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        reply = f"{error.smtp_code} {words_of(error.smtp_error)}"
        raise TransientError(f"{server.place}: {reply} {when}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise TransientError(f"{server.place}: {reason(error)} {when}") from None


def reason(error: Exception) -> str:
    """Say in a few words why a connection failed."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return f"the host is not found ({words_of(error.strerror or '')})"
    # smtplib's errors are OSErrors without a strerror
    text = str((isinstance(error, OSError) and error.strerror) or error)
    return words_of(text.removeprefix("Connection unexpectedly closed: ")) or type(error).__name__


def _greet(server: MailServer, smtp: smtplib.SMTP) -> None:
    reply = smtp.ehlo()
    if reply[0] >= PERMANENT:
        reply = smtp.helo()
    _expect(server, DONE, reply, "our greeting")


def _start_tls(server: MailServer, smtp: smtplib.SMTP) -> None:
    if not smtp.has_extn("starttls"):
        raise MailRefused(f"{server.place} offers no STARTTLS; nothing was sent without TLS")
    _expect(server, READY, smtp.docmd("STARTTLS"), "STARTTLS")
    _secure(server, smtp)
    smtp.esmtp_features.clear()  # what was said before TLS counts no more
    _greet(server, smtp)


def _secure(server: MailServer, smtp: smtplib.SMTP) -> None:
    assert smtp.sock is not None  # noqa: S101
    secured = server.tls().wrap_socket(smtp.sock, server_hostname=server.host, do_handshake_on_connect=False)
    smtp.sock = secured
    smtp.file = None  # drops anything that was sent in clear text after the go-ahead
    try:
        secured.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise MailRefused(
            f"the certificate of {server.place} is not trusted: {words_of(error.verify_message)}; "
            "add ?ca_file=… to NEXUS_SMTP_URL for a private authority"
        ) from None
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
            raise MailRefused(f"{server.place} does not begin with TLS; is it smtp+starttls:// or smtp://?") from None
        raise


def _log_in(server: MailServer, smtp: smtplib.SMTP, username: str, password: str) -> None:
    if not smtp.has_extn("auth"):
        raise MailRefused(f"{server.place} offers no login, but NEXUS_SMTP_URL has a user name")
    plain = b64encode(f"\0{username}\0{password}".encode()).decode()
    reply: tuple[int, bytes | str]
    try:
        if (username + password).isascii():
            reply = smtp.login(username, password)
        else:
            reply = smtp.docmd("AUTH", f"PLAIN {plain}")  # in UTF-8 (RFC 4616); smtplib knows ASCII only
    except smtplib.SMTPAuthenticationError as error:
        reply = (error.smtp_code, error.smtp_error)
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException:
        raise MailRefused(f"{server.place} offers no way to log in that we know") from None
    if reply[0] not in (LOGGED_IN, 503):  # 503: already logged in
        words = words_of(reply[1])
        for secret in filter(None, (password, plain, b64encode(password.encode()).decode())):
            words = words.replace(secret, "***")
        _expect(server, LOGGED_IN, (reply[0], words), f"the login of {username}")


def _expect(server: MailServer, wanted: int, reply: tuple[int, bytes | str], to_what: str) -> None:
    code, words = reply
    if code == wanted:
        return
    message = f"{server.place} answered {to_what} with {code} {words_of(words)}"
    if code >= PERMANENT:
        raise MailRefused(message)
    raise TransientError(message)


def _own_name(connection: socket.socket) -> str:
    """What we call ourselves: the host's full name, else our end of the connection (RFC 5321, 4.1.3)."""
    name = socket.gethostname()
    if "." in name and re.fullmatch(r"[A-Za-z0-9.-]{3,255}", name):
        return name
    address = connection.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
