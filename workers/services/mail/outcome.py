"""Outcome of a message: the recipients that got it, those refused and with which words, and those unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workers.services.storage import spell_name

Outcome = Literal["sent", "partial", "unknown", "outbox", "refused"]
"""``refused`` is one message of a bulk mailing that nobody got; a single one ends with an error instead."""

MAX_WORDS = 400
_PERMANENT = 500


@dataclass(frozen=True)
class Refusal:
    """A recipient that did not get the message.

    Attributes:
        recipient: Mailbox.
        code: The server's reply code, or None when no server was asked.
        words: The server's words on one line, fit to be shown.
    """

    recipient: str
    code: int | None
    words: str

    @property
    def can_pass(self) -> bool:
        """Whether the server asked to come again later (4xx)."""
        return self.code is not None and self.code < _PERMANENT

    def __str__(self) -> str:
        return f"{self.recipient}: {'' if self.code is None else f'{self.code} '}{self.words}"


@dataclass(frozen=True)
class Delivery:
    """The outcome for each recipient, of one try or of several.

    Attributes:
        accepted: The server took the message for them.
        refused: It did not.
        unknown: The connection ended after the message was sent, before the server's answer.
        words: What happened to the unknown ones.
    """

    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    unknown: tuple[str, ...] = ()
    words: str = ""

    @property
    def outcome(self) -> Outcome:
        """In one word."""
        if self.unknown:
            return "unknown"
        if self.refused:
            return "partial" if self.accepted else "refused"
        return "sent"

    @property
    def settled(self) -> frozenset[str]:
        """Recipients that need no further try."""
        return frozenset((*self.accepted, *self.unknown, *(item.recipient for item in self.refused)))

    @property
    def deferred(self) -> tuple[Refusal, ...]:
        """Refusals that a later try may change."""
        return tuple(item for item in self.refused if item.can_pass)

    def without_deferred(self) -> Delivery:
        """What is final of it."""
        final = tuple(item for item in self.refused if not item.can_pass)
        return Delivery(self.accepted, final, self.unknown, self.words)

    def __add__(self, later: Delivery) -> Delivery:
        """Join the outcomes of two tries for different recipients."""
        return Delivery(
            self.accepted + later.accepted,
            self.refused + later.refused,
            self.unknown + later.unknown,
            later.words or self.words,
        )

    def to_json(self) -> dict[str, Any]:
        """Spell it for a result, and for the mark in Redis."""
        found: dict[str, Any] = {"accepted": list(self.accepted), "refused": [vars(item) for item in self.refused]}
        if self.unknown:
            found |= {"unknown": list(self.unknown), "words": self.words}
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Delivery:
        """Read what :meth:`to_json` wrote."""
        return cls(
            tuple(value.get("accepted", ())),
            tuple(Refusal(**item) for item in value.get("refused", ())),
            tuple(value.get("unknown", ())),
            value.get("words", ""),
        )


def words_of(reply: bytes | str) -> str:
    """Spell a server's reply on one line, without anything that a terminal would obey."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return spell_name(" ".join(text.split()), MAX_WORDS)
