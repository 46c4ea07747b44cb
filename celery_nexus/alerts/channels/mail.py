"""Mail: one message to all recipients, by our own mail server or one that the channel names."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from celery_nexus.alerts.channels.message import AlertMessage
from celery_nexus.alerts.channels.spec import ChannelFailed

SMTP_VARIABLE = "NEXUS_SMTP_URL"
FROM_VARIABLE = "NEXUS_MAIL_FROM"
FROM = "nexus@localhost"

_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def send(table: Mapping[str, Any], message: AlertMessage, timeout_s: float) -> None:
    """Hand a mail to the mail server.

    Raises:
        ChannelFailed: It was not taken.
    """
    told = table.get("smtp") or os.environ.get(SMTP_VARIABLE)
    if not told:
        raise ChannelFailed(f"no mail server: give the channel smtp = …, or set {SMTP_VARIABLE}")
    server = _parse(str(told))
    mail = _write(table, message)
    try:
        smtp = _connect(server, timeout_s)
        try:
            refused = smtp.send_message(mail)
        finally:
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
    except smtplib.SMTPResponseException as error:
        words = error.smtp_error.decode("ascii", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        raise ChannelFailed(f"{_place(server)} answered {error.smtp_code} {words}") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise ChannelFailed(f"{_place(server)} takes no mail for {', '.join(error.recipients)}") from None
    except TimeoutError:
        raise ChannelFailed(f"{_place(server)} did not answer in time") from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        words = (isinstance(error, OSError) and error.strerror) or str(error)
        raise ChannelFailed(f"{_place(server)}: {words or type(error).__name__}") from None
    if refused:
        raise ChannelFailed(f"{_place(server)} takes no mail for {', '.join(refused)}")


def _write(table: Mapping[str, Any], message: AlertMessage) -> EmailMessage:
    mail = EmailMessage()
    try:
        mail["Subject"] = message.title
        mail["From"] = str(table.get("from") or os.environ.get(FROM_VARIABLE) or FROM)
        mail["To"] = ", ".join(table["to"])
    except (ValueError, IndexError):
        raise ChannelFailed("an address of the channel can't be read: write NAME@HOST") from None
    mail["Date"] = formatdate(localtime=False)
    mail["Message-ID"] = f"<{message.id}@celery-nexus>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.body)
    return mail


def _connect(server: SplitResult, timeout_s: float) -> smtplib.SMTP:
    """Connect and log in; what asks for STARTTLS gets it or nothing, and certificates are always checked."""
    host, port = server.hostname or "", server.port or _PORTS[server.scheme]
    trusted = parse_qs(server.query).get("ca_file", [None])[0]
    context = ssl.create_default_context(cafile=trusted)
    if server.scheme == "smtps":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
    else:
        smtp = smtplib.SMTP(host, port, timeout=timeout_s)
    try:
        if server.scheme == "smtp+starttls":
            smtp.starttls(context=context)
        if server.username:
            smtp.login(unquote(server.username), unquote(server.password or ""))
    except (OSError, smtplib.SMTPException):
        smtp.close()
        raise
    return smtp


def _parse(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:  # its words may quote a piece of the password
        raise ChannelFailed("the mail server's address can't be read; percent-encode : / ? # @ in a password") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ChannelFailed(
            "the mail server's address must begin with smtp://, smtp+starttls:// or smtps://, and a host"
        )
    is_plain = parts.scheme == "smtp" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
    if parts.username and is_plain and parse_qs(parts.query).get("plain_login") != ["yes"]:
        raise ChannelFailed(
            "the password would cross the network in clear text: use smtp+starttls:// or smtps://, or ?plain_login=yes"
        )
    return parts


def _place(server: SplitResult) -> str:
    return f"{server.hostname}:{server.port or _PORTS[server.scheme]}"
