"""Addresses: one mailbox each, by the book, with nothing in them that would change a header or an envelope.

Whatever RFC 5321, 5322 and 6532 allow is taken: quoted local parts, comments, literal domains, internationalised
local parts and domains, and in lists also groups. What they allow for old messages only (``a . b@example.org``,
routes) is not.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.header import Header
from email.utils import formataddr
from typing import TYPE_CHECKING

from celery_nexus.task_errors import InvalidArgument
from workers.services.storage import spell_name

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

MAX_NAME = 200
MAX_RECIPIENTS = 1_000
"""Of one message; servers refuse far fewer (RFC 5321 asks them to take 100). More are a bulk mailing."""

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_OF_THIS_NETWORK = ("localhost", "local", "test")
"""Domains that the public net does not know, but a machine's or an office's own mail server may."""
_PAIRS = {'"': '"', "(": ")", "[": "]"}
_LINE = 70
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
        """Spell it for a header: the name quoted, or encoded when it is not ASCII; a long one on several lines."""
        if not self.name:
            return self.mailbox
        if not self.name.isascii():
            return f"{Header(self.name, 'utf-8', maxlinelen=_LINE).encode()} <{self.mailbox}>"
        # formataddr insists on ASCII addresses
        return formataddr((self.name, "x@x")).removesuffix("x@x>") + f"{self.mailbox}>"


def parse(text: str, field: str = "address") -> Address:
    """Read one address, ``user@host`` or ``Name <user@host>``.

    Raises:
        InvalidArgument: It is none, or more than one; the message names ``field`` and shows the text.
    """
    from email_validator import EmailNotValidError

    _refuse_controls(text, field)
    name, mailbox = _split(text.strip(), field)
    try:
        found = _checked(_without_comments(mailbox))
    except EmailNotValidError as error:
        reason = spell_name(str(error)).rstrip(".")
        raise InvalidArgument(f"{field}: {spell_name(text, 80)!r} is no e-mail address: {reason}") from None
    local = found.ascii_local_part or found.local_part
    return Address(unicodedata.normalize("NFC", name), f"{local}@{found.ascii_domain}")


def parse_all(given: str | Sequence[str] | None, field: str = "addresses") -> tuple[Address, ...]:
    """Read one address or a list of them, one mailbox or group an item; the same mailbox counts once.

    Raises:
        InvalidArgument: An item is neither address nor group, or there are too many.
    """
    texts = [given] if isinstance(given, str) else list(given or ())
    items = [item for text in texts for item in _members(text, field)]
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
    return email_validator.validate_email(
        mailbox,
        check_deliverability=False,
        globally_deliverable=False,
        strict=True,
        allow_quoted_local=True,
        allow_domain_literal=True,
    )


def _refuse_controls(text: str, field: str) -> None:
    problem = ""
    for char in text:
        if unicodedata.category(char) in ("Cc", "Zl", "Zp"):
            problem = "a line break" if char in "\r\n" else f"the control character {char!a}"
        elif char in _BIDI_CONTROLS or unicodedata.category(char) == "Cs":
            problem = f"the character {char!a}"
        if problem:
            raise InvalidArgument(f"{field}: {spell_name(text, 80)!r} contains {problem}; give a plain address")


def _members(text: str, field: str) -> list[str]:
    """List the addresses of a group, ``Team: a@example.org, b@example.org;``, or the one that is no group."""
    _refuse_controls(text, field)
    text = text.strip()
    start = next((place for place, char in _outside(text) if char in ":@<"), -1)
    if not text.endswith(";") or start < 0 or text[start] != ":":
        return [text]
    ends = [place for place, char in _outside(text) if char == "," and place > start]
    inside = [text[first + 1 : last] for first, last in zip([start, *ends], [*ends, len(text) - 1], strict=True)]
    members = [member.strip() for member in inside if member.strip()]
    if not members:
        raise InvalidArgument(f"{field}: the group {spell_name(text, 80)!r} names nobody; give its addresses")
    return members


def _outside(text: str) -> Iterator[tuple[int, str]]:
    """Go through the characters that are not inside of quotes, comments or brackets."""
    closing: list[str] = []
    places = iter(enumerate(text))
    for place, char in places:
        if char == "\\" and closing:
            next(places, None)
        elif closing and char == closing[-1]:
            closing.pop()
        elif char in _PAIRS and (not closing or (char == "(" and closing[-1] == ")")):
            closing.append(_PAIRS[char])
        elif not closing:
            yield place, char


def _without_comments(text: str) -> str:
    """Leave out comments, ``jo(home)@example.org``; one that is not closed stays."""
    kept, depth, is_quoted, is_escaped = list[str](), 0, False, False
    for char in text:
        if not is_escaped and not is_quoted and char == "(":
            depth += 1
        if depth == 0:
            kept.append(char)
            is_quoted ^= char == '"' and not is_escaped
        elif not is_escaped and char == ")":
            depth -= 1
        is_escaped = char == "\\" and not is_escaped
    return "".join(kept).strip() if depth == 0 else text


def _split(text: str, field: str) -> tuple[str, str]:
    if not text.endswith(">"):
        return "", text
    opening = next((place for place, char in _outside(text) if char == "<"), -1)
    if opening < 0:
        return "", text
    name, mailbox = text[:opening].strip(), text[opening + 1 : -1].strip()
    if len(name) > MAX_NAME:
        raise InvalidArgument(f"{field}: a name of {len(name)} characters; {MAX_NAME} at most")
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = _unquoted(name[1:-1], field)
    elif _NOT_IN_PLAIN_NAMES & set(name):
        raise InvalidArgument(
            f"{field}: {spell_name(text, 80)!r} is not one address; give each as its own item, "
            'and put a name with , ; @ or < in quotes: "Doe, Jo" <jo@example.org>'
        )
    return name, mailbox


def _unquoted(text: str, field: str) -> str:
    name: list[str] = []
    characters = iter(text)
    for char in characters:
        if char == '"':
            raise InvalidArgument(
                f'{field}: a quote ends inside of the name {spell_name(text, 80)!r}; write \\" for it'
            )
        name.append(next(characters, "") if char == "\\" else char)
    return "".join(name)
