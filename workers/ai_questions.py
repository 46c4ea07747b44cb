"""From the AI tasks' arguments and the settings to questions: whom to ask, what, and where answers are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import current_task

from celery_nexus.runtime.progress import RunProgress
from celery_nexus.task_errors import TaskError
from config.settings import settings
from workers.ai_arguments import AiRequest, ChatTurn
from workers.services.llm.batch import Item
from workers.services.llm.choices import AfterKill, ProviderChoice
from workers.services.llm.kept import Kept, KeptHere, KeptInRedis
from workers.services.llm.models import Defaults, Voice, turn
from workers.services.llm.questions import Turn


def voice(
    provider: ProviderChoice, model: str | None, max_tokens: int | None, temperature: float | None, timeout_s: float
) -> Voice:
    """Settle whom to ask and how.

    Raises:
        NotConfigured: There is no key; names the variable.
    """
    defaults = Defaults(settings().claude_model, settings().openai_model)
    return Voice.choose(defaults, provider, model, max_tokens=max_tokens, temperature=temperature, timeout_s=timeout_s)


def complete(
    provider: ProviderChoice,
    turns: list[Turn],
    system: str | None,
    model: str | None,
    max_tokens: int | None,
    temperature: float | None,
    timeout_s: float,
    after_kill: AfterKill,
) -> dict[str, Any]:
    """Ask one question; the answer's public form."""
    from workers.services.llm.several import ask_once

    chosen = voice(provider, model, max_tokens, temperature, timeout_s)
    return ask_once(chosen.conversation(turns, system), find_kept_answers(after_kill), RunProgress()).as_dict()


def turns_of(messages: Sequence[ChatTurn]) -> list[Turn]:
    """Copy a conversation into the form that services know."""
    return [turn(message.role, message.content) for message in messages]


def items_of(requests: Sequence[AiRequest], common: AiRequest, timeout_s: float) -> list[Item]:
    """Make the items of a batch; a provider without a key is the failure of that item and no other.

    Args:
        requests: What to ask.
        common: The batch's own settings, for requests that don't say.
        timeout_s: Wall clock of each.
    """
    return [_item(index, request, common, timeout_s) for index, request in enumerate(requests)]


def find_kept_answers(after_kill: AfterKill = "report") -> Kept:
    """Answers that this task id has already got; in this process only when no worker runs it."""
    request = current_task.request if current_task else None
    if request is None or not request.id or request.called_directly:
        return KeptHere()
    return KeptInRedis(settings().broker.redis_py, request.id, after_kill)


def _item(index: int, request: AiRequest, common: AiRequest, timeout_s: float) -> Item:
    def choose(name: str) -> Any:
        own = getattr(request, name)
        return getattr(common, name) if own is None else own

    # A request that names another provider must not get this provider's model.
    model = request.model if request.provider not in (None, common.provider) else choose("model")
    try:
        asked = voice(choose("provider"), model, choose("max_tokens"), choose("temperature"), timeout_s)
    except TaskError as error:
        return Item(index, request.id, error)
    turns = [turn("user", request.prompt)] if request.prompt is not None else turns_of(request.messages or [])
    return Item(index, request.id, asked.conversation(turns, choose("system")))
