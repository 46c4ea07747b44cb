"""Questions to a model, and its answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from workers.services.llm.choices import Provider, Role

CUT_OFF = "cut_off"
"""Warning: the answer ends where ``max_tokens`` (or the model's window) ended."""

REFUSED = "refused"
"""Warning: the model, or the provider's filter, declined to answer."""


class Turn(TypedDict):
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Question:
    """One call of a model.

    Attributes:
        provider: Whom to ask.
        model: The provider's name of the model.
        turns: The conversation so far, without system prompts.
        system: The system prompt, or None.
        max_tokens: Longest answer in tokens; None for the provider's own limit.
        temperature: 0 (steady) to 2 (wild); None for the model's own.
        timeout_s: Wall clock of the whole call, however steadily the answer drips.
        idempotency_key: Sent as ``Idempotency-Key``, for gateways that know it.
    """

    provider: Provider
    model: str
    turns: tuple[Turn, ...]
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    timeout_s: float = 120
    idempotency_key: str | None = None

    @property
    def private_texts(self) -> list[str]:
        """What must not be quoted in an error."""
        return [turn["content"] for turn in self.turns] + ([self.system] if self.system else [])

    @property
    def digest(self) -> str:
        """Fingerprint of what is asked: the same for the same question."""
        asked = (self.provider, self.model, self.turns, self.system, self.max_tokens, self.temperature)
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]


@dataclass
class Reply:
    """What a provider sent, as far as it came.

    Attributes:
        text: The answer.
        model: The model that answered, as the provider names it.
        stop_reason: The provider's own word for why the answer ended.
        input_tokens: Tokens read, those from a cache included; None where the provider didn't say.
        output_tokens: Tokens written.
        refused: The provider marked the answer as a refusal.
        has_begun: The provider answered with success: what comes is being paid for.
        is_message: Something like a message came at all.
        is_complete: The provider marked its end.
    """

    text: str = ""
    model: str = ""
    stop_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    refused: bool = False
    has_begun: bool = False
    is_message: bool = False
    is_complete: bool = False


@dataclass(frozen=True)
class Usage:
    """Tokens that were paid for; None where the provider didn't say."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def total_tokens(self) -> int | None:
        """Both together."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
        )

    def as_dict(self) -> dict[str, int | None]:
        """The public form: input, output and total."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
        }


@dataclass(frozen=True)
class Answer:
    """A model's answer.

    Attributes:
        content: Its text.
        provider: Who answered.
        model: The model that answered.
        stop_reason: Why the answer ended, in the provider's word.
        usage: Tokens.
        latency_s: Seconds from the request to the answer's end.
        warnings: ``cut_off``, ``refused``.
    """

    content: str
    provider: Provider
    model: str
    stop_reason: str | None
    usage: Usage
    latency_s: float
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The public form, fit for a result."""
        return asdict(self) | {"usage": self.usage.as_dict(), "warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Answer:
        """Read the public form back."""
        fields: dict[str, Any] = {name: stored[name] for name in cls.__dataclass_fields__}
        fields["usage"] = Usage(stored["usage"]["input_tokens"], stored["usage"]["output_tokens"])
        fields["warnings"] = tuple(stored["warnings"])
        return cls(**fields)


def _sum(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else left + right
