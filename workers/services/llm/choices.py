"""Choices of the AI tasks' arguments; light to import, for forms and the command line read it."""

from __future__ import annotations

from typing import Literal

Provider = Literal["claude", "openai"]
ProviderChoice = Literal["auto", "claude", "openai"]
Role = Literal["system", "user", "assistant"]

AnalysisType = Literal["summary", "sentiment", "entities", "keywords", "topics", "questions", "action_items", "answer"]

ContentType = Literal[
    "blog_post",
    "email",
    "product_description",
    "social_post",
    "newsletter",
    "press_release",
    "job_posting",
    "faq",
    "article",
]
Tone = Literal["neutral", "friendly", "formal", "persuasive", "enthusiastic", "witty", "technical"]
Length = Literal["short", "medium", "long"]
TextFormat = Literal["markdown", "plain", "html"]

Formality = Literal["default", "formal", "informal"]

AfterKill = Literal["report", "ask_again"]
