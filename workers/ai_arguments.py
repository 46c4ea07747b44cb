"""Arguments of the AI tasks: their limits, and the objects among them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from config.queues import BY_FAMILY
from workers.services.llm.choices import ProviderChoice, Role

BUDGET_S = BY_FAMILY["ai"].soft_time_limit_s - 60
"""Longest time that one run may begin further calls; what is left is for its end."""

MAX_TEXT = 8_000_000


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("holds no text")
    return text


Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_worded)]
ModelName = Annotated[str, Field(max_length=200, pattern=r"^[\w.:/@-]+$")]
MaxTokens = Annotated[int, Field(ge=1, le=1_000_000)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Timeout = Annotated[float, Field(ge=1, le=BUDGET_S)]
Language = Annotated[str, Field(min_length=2, max_length=60, pattern=r"^[^\n\r]+$")]


class ChatTurn(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Role = "user"
    content: Text


def _asks(messages: list[ChatTurn]) -> list[ChatTurn]:
    if all(message.role == "system" for message in messages):
        raise ValueError("only system messages; at least one of user is needed")
    return messages


Conversation = Annotated[list[ChatTurn], Field(min_length=1), AfterValidator(_asks)]


class AiRequest(BaseModel):
    """One request of a batch: a prompt or a conversation, and what differs from the batch's own settings."""

    model_config = ConfigDict(extra="forbid")

    prompt: Text | None = None
    messages: Conversation | None = None
    system: str | None = None
    provider: ProviderChoice | None = None
    model: ModelName | None = None
    max_tokens: MaxTokens | None = None
    temperature: Temperature | None = None
    id: str | None = Field(default=None, max_length=200)

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        return {"prompt": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _asks_once(self) -> AiRequest:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("a request has either prompt or messages")
        return self


Requests = Annotated[list[AiRequest], Field(min_length=1, max_length=1000)]
