"""Addresses: one mailbox each, by the book, with nothing in them that would change a header or an envelope."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formataddr
from typing import TYPE_CHECKING

from workers.errors import InvalidArgument
from workers.services.storage import shown

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

MAX_NAME = 200
MAX_RECIPIENTS = 1_000
"""Of one message; servers refuse far fewer (RFC 5321 asks them to take 100). More are a bulk mailing."""

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_OF_THIS_NETWORK = ("localhost", "local", "test")
"""Domains that the public net does not know, but a machine's or an office's own mail server may."""
_NOT_IN_PLAIN_NAMES = frozenset(',;<>"@\\')


@dataclass(frozen=True)
class Address:
    """One mailbox.

    Attributes:
        name: Display name, or "".
        mailbox: ``local@domain`` as the envelope has it: the domain in ASCII (punycode).
    """

    name: str
    mailbox: str

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the local part is not ASCII, which only a server with SMTPUTF8 takes."""
        return not self.mailbox.isascii()

    @property
    def domain(self) -> str:
        """The part after the ``@``."""
        return self.mailbox.rpartition("@")[2]

    def header(self) -> str:
        """Spell it for a header: the name quoted, or encoded when it is not ASCII."""
        if self.needs_smtputf8:
            # formataddr insists on ASCII addresses
            return formataddr((self.name, "x@x")).replace("x@x", self.mailbox) if self.name else self.mailbox
        return formataddr((self.name, self.mailbox))


def parse(text: str, field: str = "address") -> Address:
    """Read one address, ``user@host`` or ``Name <user@host>``.

    Raises:
        InvalidArgument: It is none, or more than one; the message names ``field`` and shows the text.
    """
    from email_validator import EmailNotValidError

    problem = _control_character(text)
    if problem:
        raise InvalidArgument(f"{field}: {shown(text, 80)!r} contains {problem}; give a plain address")
    name, mailbox = _split(text.strip(), field)
    try:
        found = _checked(mailbox)
    except EmailNotValidError as error:
        reason = shown(str(error)).rstrip(".")
        raise InvalidArgument(f"{field}: {shown(text, 80)!r} is no e-mail address: {reason}") from None
    local = found.ascii_local_part or found.local_part
    return Address(unicodedata.normalize("NFC", name), f"{local}@{found.ascii_domain}")


def parse_all(given: str | Sequence[str] | None, field: str = "addresses") -> tuple[Address, ...]:
    """Read one address or a list of them, one mailbox an item; the same mailbox counts once.

    Raises:
        InvalidArgument: An item is no address, or there are too many.
    """
    items = [given] if isinstance(given, str) else list(given or ())
    if len(items) > MAX_RECIPIENTS:
        raise InvalidArgument(f"{field}: {len(items)} addresses, {MAX_RECIPIENTS} at most; use send_bulk_emails")
    found: dict[str, Address] = {}
    for item in items:
        address = parse(item, field)
        found.setdefault(address.mailbox, address)
    return tuple(found.values())


def _checked(mailbox: str) -> ValidatedEmail:
    import email_validator

    for name in _OF_THIS_NETWORK:  # as the library's README tells to
        if name in email_validator.SPECIAL_USE_DOMAIN_NAMES:
            email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(name)
    return email_validator.validate_email(mailbox, check_deliverability=False, globally_deliverable=False, strict=True)


def _control_character(text: str) -> str:
    for char in text:
        if unicodedata.category(char) in ("Cc", "Zl", "Zp"):
            return "a line break" if char in "\r\n" else f"the control character {char!a}"
        if char in _BIDI_CONTROLS or unicodedata.category(char) == "Cs":
            return f"the character {char!a}"
    return ""


def _split(text: str, field: str) -> tuple[str, str]:
    if not text.endswith(">"):
        return "", text
    before, _, mailbox = text[:-1].rpartition("<")
    name = before.strip()
    if len(name) > MAX_NAME:
        raise InvalidArgument(f"{field}: a name of {len(name)} characters; {MAX_NAME} at most")
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = _unquoted(name[1:-1], field)
    elif _NOT_IN_PLAIN_NAMES & set(name):
        raise InvalidArgument(
            f"{field}: {shown(text, 80)!r} is not one address; give each as its own item, "
            'and put a name with , ; @ or < in quotes: "Doe, Jo" <jo@example.org>'
        )
    return name, mailbox


def _unquoted(text: str, field: str) -> str:
    name: list[str] = []
    characters = iter(text)
    for char in characters:
        if char == '"':
            raise InvalidArgument(f'{field}: a quote ends inside of the name {shown(text, 80)!r}; write \\" for it')
        name.append(next(characters, "") if char == "\\" else char)
    return "".join(name)
