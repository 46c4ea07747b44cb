"""Messages: what a caller asked for, and the bytes that go to a server or into a file."""

from __future__ import annotations

import hashlib
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from pathlib import Path
from typing import Self

from celery_nexus.task_errors import InvalidArgument, TooLarge
from workers.services.mail import addresses, attachments
from workers.services.mail.addresses import Address
from workers.services.mail.attachments import MAX_TOTAL_BYTES, Attachment
from workers.services.storage import spell_name

MAX_SUBJECT = 900
_LINE = 76
_MAX_BODY_LINE = 998
"""RFC 5322; a longer line is encoded."""

_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True)
class Mail:
    """A message that was checked, before its bytes are made.

    Attributes:
        sender: ``From`` and the envelope's sender.
        to: Named in ``To``.
        cc: Named in ``Cc``.
        bcc: In the envelope only.
        reply_to: Named in ``Reply-To``.
        subject: One line.
        text: The plain text.
        html: The same as HTML, or None.
        attachments: Names or absolute paths below the upload root.
    """

    sender: Address
    to: tuple[Address, ...]
    subject: str
    text: str
    html: str | None = None
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    attachments: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        sender: str,
        to: str | Sequence[str],
        subject: str,
        text: str,
        html: str | None = None,
        cc: str | Sequence[str] | None = None,
        bcc: str | Sequence[str] | None = None,
        reply_to: str | Sequence[str] | None = None,
        attached: Sequence[str] = (),
    ) -> Self:
        """Check what a caller wrote.

        Raises:
            InvalidArgument: Names the argument and what is wrong with it.
        """
        mail = cls(
            sender=addresses.parse(sender, "from_email"),
            to=addresses.parse_all(to, "to_email"),
            subject=check_subject(subject),
            text=check_text(text, "body"),
            html=None if html is None else check_text(html, "html_body"),
            cc=addresses.parse_all(cc, "cc"),
            bcc=addresses.parse_all(bcc, "bcc"),
            reply_to=addresses.parse_all(reply_to, "reply_to"),
            attachments=tuple(attached),
        )
        if not mail.recipients:
            raise InvalidArgument("to_email: nobody to send to; give at least one address in to_email, cc or bcc")
        if len(mail.recipients) > addresses.MAX_RECIPIENTS:
            raise InvalidArgument(
                f"{len(mail.recipients)} recipients, {addresses.MAX_RECIPIENTS} at most; use send_bulk_emails"
            )
        return mail

    @property
    def recipients(self) -> tuple[str, ...]:
        """The envelope's recipients, each once."""
        return tuple(dict.fromkeys(address.mailbox for address in (*self.to, *self.cc, *self.bcc)))

    @property
    def text_bytes(self) -> int:
        """What its texts take before their encoding."""
        return len(self.text.encode()) + len((self.html or "").encode())


@dataclass(frozen=True)
class Envelope:
    """A message on its way.

    Attributes:
        message_id: With its angle brackets.
        sender: Mailbox.
        recipients: Mailboxes still to be served.
        content: The message, lines ending in CR LF.
        needs_smtputf8: Whether the server must offer SMTPUTF8.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    needs_smtputf8: bool

    def to_only(self, recipients: Sequence[str]) -> Envelope:
        """The same message for some of its recipients."""
        return replace(self, recipients=tuple(recipients))


def build(mail: Mail, key: str, uploads: Path, *, now: datetime | None = None) -> Envelope:
    """Make a message's bytes; its attachments are read here.

    Args:
        mail: What to send.
        key: The task's id (with an index in a bulk mailing): the Message-ID follows from it, so that a
            duplicate is known as one.
        uploads: The upload root.
        now: Its date.

    Raises:
        TaskError: An attachment is missing, outside of the root, or all is too large.
    """
    if mail.text_bytes > MAX_TOTAL_BYTES:
        raise TooLarge(f"the texts are larger than {MAX_TOTAL_BYTES // 2**20} MB; send a link instead")
    files = attachments.read_all(uploads, mail.attachments, mail.text_bytes)
    headers = (mail.sender, *mail.to, *mail.cc, *mail.reply_to)
    in_utf8 = any(address.needs_smtputf8 for address in headers)
    message = EmailMessage(policy=_POLICY.clone(utf8=in_utf8))
    message_id = f"<{safe_key(key)}.nexus@{mail.sender.domain}>"
    _add_headers(message, mail, message_id, now or datetime.now(UTC))
    _add_text(message, mail.text, "plain")
    if mail.html is not None:
        alternative = EmailMessage(policy=_POLICY)
        _add_text(alternative, mail.html, "html")
        message.make_alternative()
        message.attach(alternative)
    for file in files:
        _attach(message, file)
    content = message.as_bytes()
    needs_smtputf8 = in_utf8 or any(address.needs_smtputf8 for address in mail.bcc)
    return Envelope(message_id, mail.sender.mailbox, mail.recipients, content, needs_smtputf8)


def safe_key(key: str) -> str:
    """Spell a task id so that it fits into a Message-ID and a file name."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", key, re.ASCII) and len(key) <= 100:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def check_subject(subject: str) -> str:
    """Check that a subject is one line that can be encoded.

    Raises:
        InvalidArgument: It is not.
    """
    if len(subject) > MAX_SUBJECT:
        raise InvalidArgument(f"subject: {len(subject)} characters, {MAX_SUBJECT} at most")
    for char in subject:
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp"):
            what = "a line break" if char in "\r\n" else f"the control character {char!a}"
            raise InvalidArgument(f"subject: {spell_name(subject, 80)!r} contains {what}; give one line of text")
    return subject


def check_text(text: str, field: str) -> str:
    """Check that a text can be encoded.

    Raises:
        InvalidArgument: It holds half a character (a surrogate).
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"{field}: character {error.start} is half of one (a lone surrogate)") from None
    return text


class _Folded(str):
    """A header's value that says itself how it is folded.

    The library's own folding mangles long lists of non-ASCII names in some versions of Python 3.11 (the comma
    between two of them ends up inside an encoded word, CVE-2025-1795).
    """

    name: str

    __slots__ = ("name",)

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {self.replace(chr(10), policy.linesep + ' ')}{policy.linesep}"


def _header(name: str, *lines: str) -> _Folded:
    value = _Folded("\n".join(lines))
    value.name = name
    return value


def _add_headers(message: EmailMessage, mail: Mail, message_id: str, now: datetime) -> None:
    rows = (("From", (mail.sender,)), ("To", mail.to), ("Cc", mail.cc), ("Reply-To", mail.reply_to))
    for name, people in rows:
        if people:
            lines = ",\n".join(address.header() for address in people).split("\n")
            message[name] = _header(name, *map(str.strip, lines))
    if not mail.to and not mail.cc:
        message["To"] = _header("To", "undisclosed-recipients:;")
    message["Subject"] = _header("Subject", *_subject_lines(mail.subject))
    message["Date"] = _header("Date", format_datetime(now))
    message["Message-ID"] = _header("Message-ID", message_id)


def _subject_lines(subject: str) -> list[str]:
    words = subject.split(" ")
    is_plain = subject.isascii() and "=?" not in subject and all(0 < len(word) < _LINE - 20 for word in words)
    if is_plain:
        return textwrap.wrap(subject, _LINE - 10, break_long_words=False, break_on_hyphens=False)
    return [line.strip() for line in Header(subject, "utf-8", header_name="Subject").encode().splitlines()]


def _add_text(message: EmailMessage, text: str, subtype: str) -> None:
    lines = text.splitlines()
    is_plain = all(char in "\t\r\n" or char.isprintable() for char in text) and text.isascii()
    if is_plain and max(map(len, lines), default=0) <= _MAX_BODY_LINE:
        message.set_content(text, subtype=subtype, cte="7bit")
    else:
        message.set_content(text, subtype=subtype, cte=_shorter_encoding(text))


def _shorter_encoding(text: str) -> str:
    """Quoted-printable triples each byte above ASCII, base64 adds a third to all."""
    above = sum(1 for byte in text.encode() if byte > 126)
    return "base64" if above * 6 > len(text) else "quoted-printable"


def _attach(message: EmailMessage, file: Attachment) -> None:
    message.add_attachment(file.data, maintype=file.maintype, subtype=file.subtype, filename=file.name)
