"""Texts of everyday kinds: the brief that a model gets for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workers.services.llm.choices import ContentType, Length, TextFormat, Tone
from workers.services.llm.kept import Kept
from workers.services.llm.models import Voice
from workers.services.llm.several import ask_once
from workers.services.progress import Progress, ignore_progress

BRIEFS: dict[ContentType, str] = {
    "blog_post": "a blog post with a title, an opening that makes one read on, sections with headings, and a close",
    "email": "an e-mail: a first line 'Subject: …', then greeting, body, close",
    "product_description": "a product description: a headline, what it does for its buyer, and a short list of facts",
    "social_post": "a post for social media: one idea, no more than 280 characters, at most two hashtags",
    "newsletter": "a newsletter: a subject line, a short opening, sections with headings, and one call to action",
    "press_release": "a press release: headline, dateline left open as [place, date], lead, body, a note on the sender",
    "job_posting": "a job posting: title, what the work is, what is asked for, what is offered, how to apply",
    "faq": "a list of the questions that readers will have, each with a short answer",
    "article": "an article with a headline, a lead that says the essence, and a body in sections",
}

LENGTHS: dict[Length, int] = {"short": 150, "medium": 500, "long": 1200}
"""Words to aim at; a post for social media keeps its own limit."""

_FORMATS: dict[TextFormat, str] = {
    "markdown": "Format it as Markdown.",
    "plain": "Write plain text without any markup.",
    "html": "Format it as an HTML fragment (h1 to h3, p, ul, li, strong), without script, style or a page around it.",
}


@dataclass(frozen=True)
class Brief:
    """What is to be written; the fields are those of the task."""

    topic: str
    content_type: ContentType
    tone: Tone = "neutral"
    length: Length = "medium"
    text_format: TextFormat = "markdown"
    audience: str | None = None
    language: str | None = None
    keywords: list[str] | None = None
    instructions: str | None = None

    def prompt(self) -> str:
        """Spell it for a model, a line for each wish."""
        lines = [
            f"Write {BRIEFS[self.content_type]}.",
            f"Topic: {self.topic}",
            f"Tone: {self.tone}.",
            "" if self.content_type == "social_post" else f"Length: about {LENGTHS[self.length]} words.",
            f"Readers: {self.audience}." if self.audience else "",
            f"Language: {self.language}." if self.language else "Write in the language of the topic.",
            f"Use these words where they fit: {', '.join(self.keywords)}." if self.keywords else "",
            _FORMATS[self.text_format],
            f"Also: {self.instructions}" if self.instructions else "",
        ]
        return "\n".join(filter(None, lines))


def generate(brief: Brief, voice: Voice, kept: Kept, progress: Progress = ignore_progress) -> dict[str, Any]:
    """Write one text; returns the answer with ``content_type`` and ``words``.

    Raises:
        TaskError: As :func:`~workers.services.llm.asking.ask`.
    """
    system = (
        "You write for a company. Answer with the text alone, without remarks before or after it. "
        "Invent no facts, numbers, names or quotations: leave a [placeholder] where one is needed."
    )
    answer = ask_once(voice.question(brief.prompt(), system), kept, progress)
    return answer.as_dict() | {"content_type": brief.content_type, "words": len(answer.content.split())}
