"""Default models of the providers."""

from __future__ import annotations

from dataclasses import dataclass

from workers.services.llm.choices import Provider, ProviderChoice, Role
from workers.services.llm.keys import choose_provider
from workers.services.llm.questions import Question, Turn


@dataclass(frozen=True)
class Defaults:
    """The models in force when a task names none."""

    claude: str
    openai: str

    def of(self, provider: Provider) -> str:
        """Name a provider's default model."""
        return self.claude if provider == "claude" else self.openai


@dataclass(frozen=True)
class Voice:
    """Whom to ask and how, settled once for all questions of a task.

    Attributes:
        provider: Whom to ask.
        model: Which of its models.
        max_tokens: Longest answer, or None.
        temperature: None for the model's own.
        timeout_s: Wall clock of each call.
    """

    provider: Provider
    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    timeout_s: float = 120

    @classmethod
    def choose(
        cls,
        defaults: Defaults,
        choice: ProviderChoice,
        model: str | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        timeout_s: float = 120,
    ) -> Voice:
        """Settle provider and model.

        Raises:
            NotConfigured: There is no key; names the variable.
        """
        provider = choose_provider(choice)
        return cls(provider, model or defaults.of(provider), max_tokens, temperature, timeout_s)

    def question(self, prompt: str, system: str | None = None, *, max_tokens: int | None = None) -> Question:
        """Make a question of one prompt."""
        return self.conversation([turn("user", prompt)], system, max_tokens=max_tokens)

    def conversation(self, turns: list[Turn], system: str | None = None, *, max_tokens: int | None = None) -> Question:
        """Make a question of a conversation; system turns in it join the system prompt."""
        systems = [*([system] if system else []), *(t["content"] for t in turns if t["role"] == "system")]
        spoken = tuple(t for t in turns if t["role"] != "system")
        return Question(
            provider=self.provider,
            model=self.model,
            turns=spoken,
            system="\n\n".join(systems) or None,
            max_tokens=self.max_tokens or max_tokens,
            temperature=self.temperature,
            timeout_s=self.timeout_s,
        )


def turn(role: Role, content: str) -> Turn:
    """One message of a conversation."""
    return {"role": role, "content": content}
