"""Language models: the shells that Celery runs around the plain functions in ``workers.services.llm``.

Prompts, texts and conversations are private arguments: they reach the provider, and no log, event, history or
result record. Keys come from the worker's environment alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from celery_nexus.runtime.progress import RunProgress
from celery_nexus.runtime.task import NexusTask
from celery_nexus.task_errors import TransientError
from config.celery_config import celery_app
from config.queues import BY_FAMILY
from config.settings import settings
from workers.ai_arguments import (
    BUDGET_S,
    AiRequest,
    Conversation,
    Language,
    MaxTokens,
    ModelName,
    Requests,
    Temperature,
    Text,
    Timeout,
)
from workers.ai_questions import complete, find_kept_answers, items_of, turns_of, voice
from workers.document_task import DocumentTask
from workers.services.llm.choices import (
    AfterKill,
    AnalysisType,
    ContentType,
    Formality,
    Length,
    ProviderChoice,
    TextFormat,
    Tone,
)
from workers.services.llm.models import turn
from workers.upload_path import UploadPath

if TYPE_CHECKING:
    from workers.services.llm.batch import BatchRun

SPEC = BY_FAMILY["ai"]


def _options(*private_arguments: str, **further: Any) -> dict[str, Any]:
    """Options of a task whose named arguments are private, and whose answer is: logs and events print none of it."""
    private = {"private_arguments": private_arguments, "private_result": True, "resultrepr_maxsize": 1}
    return SPEC.task_options | private | further


@celery_app.task(bind=False, **_options("prompt", "system"))
def claude_completion(
    prompt: Text,
    model: ModelName | None = None,
    max_tokens: MaxTokens | None = None,
    temperature: Temperature | None = None,
    system: str | None = None,
    timeout_s: Timeout = 120,
    after_kill: AfterKill = "report",
) -> dict[str, Any]:
    """Ask Claude one question.

    Args:
        prompt: What to ask.
        model: Which Claude; the worker's NEXUS_CLAUDE_MODEL when left out.
        max_tokens: Longest answer, in tokens; 4096 when left out.
        temperature: From 0 (steady) up; the model's own when left out.
        system: Who Claude is to be, and its rules.
        timeout_s: Seconds until the call is given up.
        after_kill: Of a call under way when its worker was killed: report it as unknown, or ask again and pay twice.

    Returns: ``content``, ``provider``, ``model``, ``stop_reason``, ``usage`` (input, output and total tokens),
    ``latency_s`` and ``warnings`` (``cut_off``, ``refused``).
    """
    return complete("claude", [turn("user", prompt)], system, model, max_tokens, temperature, timeout_s, after_kill)


@celery_app.task(bind=False, **_options("prompt", "system"))
def openai_completion(
    prompt: Text,
    model: ModelName | None = None,
    max_tokens: MaxTokens | None = None,
    temperature: Temperature | None = None,
    system: str | None = None,
    timeout_s: Timeout = 120,
    after_kill: AfterKill = "report",
) -> dict[str, Any]:
    """Ask OpenAI's GPT one question.

    Args:
        prompt: What to ask.
        model: Which GPT; the worker's NEXUS_OPENAI_MODEL when left out.
        max_tokens: Longest answer, in tokens; the model's own limit when left out.
        temperature: From 0 (steady) to 2 (wild); the model's own when left out.
        system: Who the model is to be, and its rules.
        timeout_s: Seconds until the call is given up.
        after_kill: Of a call under way when its worker was killed: report it as unknown, or ask again and pay twice.

    Returns: As ``claude_completion``.
    """
    return complete("openai", [turn("user", prompt)], system, model, max_tokens, temperature, timeout_s, after_kill)


@celery_app.task(bind=False, **_options("messages", "system"))
def chat_completion(
    messages: Conversation,
    provider: ProviderChoice = "auto",
    model: ModelName | None = None,
    system: str | None = None,
    max_tokens: MaxTokens | None = None,
    temperature: Temperature | None = None,
    timeout_s: Timeout = 120,
    after_kill: AfterKill = "report",
) -> dict[str, Any]:
    """Go on with a conversation.

    Args:
        messages: The conversation so far: objects with role (system, user, assistant) and content.
        provider: Whom to ask; auto takes Claude when it has a key, else OpenAI.
        model: Which model; the worker's default of that provider when left out.
        system: Who the model is to be, and its rules.
        max_tokens: Longest answer, in tokens.
        temperature: From 0 (steady) to 2 (wild); the model's own when left out.
        timeout_s: Seconds until the call is given up.
        after_kill: Of a call under way when its worker was killed: report it as unknown, or ask again and pay twice.

    Returns: As ``claude_completion``, with ``messages``: how many the conversation has with the answer.
    """
    turns = turns_of(messages)
    answer = complete(provider, turns, system, model, max_tokens, temperature, timeout_s, after_kill)
    return answer | {"messages": len(turns) + 1}


@celery_app.task(bind=False, **_options("text", "question", base=DocumentTask))
def analyze_document(
    text: Text | None = None,
    analysis_type: AnalysisType = "summary",
    file_path: UploadPath | None = None,
    question: Text | None = None,
    language: Language | None = None,
    provider: ProviderChoice = "auto",
    model: ModelName | None = None,
    max_tokens: MaxTokens | None = None,
    timeout_s: Timeout = 120,
    after_kill: AfterKill = "report",
) -> dict[str, Any]:
    """Analyse a text or a document: summary, sentiment, entities, keywords, questions and more.

    Long documents are read in parts, whose findings are merged.

    Args:
        text: The text itself; or give file_path.
        analysis_type: What to find; answer needs a question.
        file_path: A text file, Word, PowerPoint or PDF document below the upload root.
        question: What to answer out of the document.
        language: Language of the findings; the document's own when left out.
        provider: Whom to ask; auto takes Claude when it has a key, else OpenAI.
        model: Which model; the worker's default of that provider when left out.
        max_tokens: Longest answer to each part, in tokens.
        timeout_s: Seconds until one call is given up.
        after_kill: Of a call under way when its worker was killed: report it as unknown, or ask again and pay twice.

    Returns: ``analysis`` (the findings), ``content`` (the same for people), ``outcome`` (``parsed``,
    ``partly_parsed``, ``unparsed``, ``refused``), ``parts``, and what ``claude_completion`` returns, summed up.
    """
    from workers.services.llm.analysis import analyze
    from workers.services.llm.documents import read_document

    chosen = voice(provider, model, max_tokens, None, timeout_s)
    ends_at = time.monotonic() + BUDGET_S
    if file_path is not None:
        text = read_document(settings().uploads, settings().outputs, file_path)
    return analyze(
        text or "",
        analysis_type,
        chosen,
        find_kept_answers(after_kill),
        RunProgress(),
        question=question,
        language=language,
        budget_s=ends_at - time.monotonic(),
    )


@celery_app.task(bind=False, **_options("topic", "instructions", "keywords"))
def generate_content(
    topic: Text,
    content_type: ContentType = "blog_post",
    tone: Tone = "neutral",
    length: Length = "medium",
    text_format: TextFormat = "markdown",
    audience: str | None = None,
    language: Language | None = None,
    keywords: list[str] | None = None,
    instructions: str | None = None,
    provider: ProviderChoice = "auto",
    model: ModelName | None = None,
    max_tokens: MaxTokens | None = None,
    temperature: Temperature | None = None,
    timeout_s: Timeout = 120,
    after_kill: AfterKill = "report",
) -> dict[str, Any]:
    """Write a text: blog post, e-mail, product description, social post and more.

    Args:
        topic: What it is about, with the facts that it may use.
        content_type: What kind of text.
        tone: How it sounds.
        length: About 150, 500 or 1200 words.
        text_format: Markdown, plain text, or an HTML fragment.
        audience: Who will read it.
        language: In which language; the topic's own when left out.
        keywords: Words to use where they fit.
        instructions: Anything else to obey.
        provider: Whom to ask; auto takes Claude when it has a key, else OpenAI.
        model: Which model; the worker's default of that provider when left out.
        max_tokens: Longest answer, in tokens.
        temperature: From 0 (steady) to 2 (wild); the model's own when left out.
        timeout_s: Seconds until the call is given up.
        after_kill: Of a call under way when its worker was killed: report it as unknown, or ask again and pay twice.

    Returns: As ``claude_completion``, with ``content_type`` and ``words``.
    """
    from workers.services.llm.content import Brief, generate

    brief = Brief(topic, content_type, tone, length, text_format, audience, language, keywords, instructions)
    return generate(
        brief, voice(provider, model, max_tokens, temperature, timeout_s), find_kept_answers(after_kill), RunProgress()
    )


@celery_app.task(bind=False, **_options("text", "glossary"))
def translate_text(
    text: Text,
    target_language: Language,
    source_language: Language | None = None,
    formality: Formality = "default",
    glossary: dict[str, str] | None = None,
    provider: ProviderChoice = "auto",
    model: ModelName | None = None,
    timeout_s: Timeout = 120,
    after_kill: AfterKill = "report",
) -> dict[str, Any]:
    """Translate a text and keep its formatting; long texts go part by part.

    Args:
        text: What to translate: plain text, Markdown or HTML.
        target_language: Into which language, such as German or pt-BR.
        source_language: From which; found out when left out.
        formality: How the reader is addressed.
        glossary: Words that must be translated in one way: an object of word and translation.
        provider: Whom to ask; auto takes Claude when it has a key, else OpenAI.
        model: Which model; the worker's default of that provider when left out.
        timeout_s: Seconds until one call is given up.
        after_kill: Of a call under way when its worker was killed: report it as unknown, or ask again and pay twice.

    Returns: As ``claude_completion``, summed up, with ``target_language``, ``parts`` and ``incomplete_parts``.
    """
    from workers.services.llm.translation import translate

    return translate(
        text,
        target_language,
        voice(provider, model, None, None, timeout_s),
        find_kept_answers(after_kill),
        RunProgress(),
        source_language=source_language,
        formality=formality,
        glossary=glossary,
        budget_s=BUDGET_S,
    )


@celery_app.task(bind=True, **_options("requests", "system"))
def batch_ai_requests(
    self: NexusTask,
    requests: Requests,
    provider: ProviderChoice = "auto",
    model: ModelName | None = None,
    system: str | None = None,
    max_tokens: MaxTokens | None = None,
    temperature: Temperature | None = None,
    parallel: Annotated[int, Field(ge=1, le=16)] = 4,
    after_kill: AfterKill = "report",
    timeout_s: Timeout = 120,
) -> dict[str, Any]:
    """Send many requests; each has its own outcome, and none is paid for twice.

    Args:
        requests: Prompts, or objects with prompt or messages, and optionally system, provider, model, max_tokens,
            temperature and id.
        provider: Whom to ask where a request doesn't say; auto takes Claude when it has a key, else OpenAI.
        model: Which model, where a request doesn't say.
        system: System prompt, where a request has none.
        max_tokens: Longest answer, in tokens, where a request doesn't say.
        temperature: Where a request doesn't say.
        parallel: Requests under way at once.
        after_kill: What becomes of a request that was under way when a worker was killed: report it as unknown, or
            ask again and perhaps pay twice.
        timeout_s: Seconds until one request is given up.

    Returns: ``results`` in order (each ``status`` ``succeeded`` with an answer, ``failed`` with an error, or
    ``unknown``), ``stats`` (how many of each) and ``usage``.
    """
    from workers.services.llm.batch import run_batch

    common = AiRequest.model_construct(
        provider=provider, model=model, system=system, max_tokens=max_tokens, temperature=temperature
    )
    items = items_of(requests, common, timeout_s)
    run = run_batch(
        items,
        find_kept_answers(),
        self.request.id or "",
        RunProgress(),
        after_kill=after_kill,
        parallel=parallel,
        budget_s=BUDGET_S,
    )
    if run.result is None:
        raise _further_run(self, run, len(items))
    return run.result


def _further_run(task: NexusTask, run: BatchRun, total: int) -> Exception:
    """Publish the run that goes on where this one stopped."""
    wait_s = SPEC.retry.delay_s * 2 ** min(task.request.retries, 4) if run.wait_s is None else run.wait_s
    left = TransientError(f"{run.left} of {total} requests are left for a further run")
    # Each run settles requests or uses up tries of some, so the number of runs needs no limit of its own.
    return task.retry(exc=left, countdown=wait_s, max_retries=task.request.retries + 1, throw=False)
