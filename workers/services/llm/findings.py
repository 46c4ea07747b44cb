"""Findings of each kind of analysis: the form of their JSON, and the merge of a long text's parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workers.services.llm.choices import AnalysisType

Label = Literal["positive", "negative", "neutral", "mixed"]


class _Findings(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Summary(_Findings):
    """A summary and what to remember of it."""

    summary: str = Field(min_length=1)
    key_points: list[str] = []


class Sentiment(_Findings):
    """How a text feels about its subject."""

    label: Label
    score: float = Field(ge=-1, le=1)
    reasons: list[str] = []


class Entity(_Findings):
    """Somebody or something that is named."""

    name: str
    type: str = "other"
    mentions: int = Field(default=1, ge=1)


class Entities(_Findings):
    """All that is named."""

    entities: list[Entity]


class Keyword(_Findings):
    """A word or phrase, and how much the text is about it (0 to 1)."""

    keyword: str
    relevance: float = Field(default=0.5, ge=0, le=1)


class Keywords(_Findings):
    """The words that would find this text."""

    keywords: list[Keyword]


class Topic(_Findings):
    """A subject of the text."""

    topic: str
    description: str = ""


class Topics(_Findings):
    """What the text is about."""

    topics: list[Topic]


class QuestionAnswer(_Findings):
    """A question that the text answers."""

    question: str
    answer: str = ""


class Questions(_Findings):
    """Questions that the text answers."""

    questions: list[QuestionAnswer]


class ActionItem(_Findings):
    """Something to be done."""

    action: str
    owner: str | None = None
    due: str | None = None


class ActionItems(_Findings):
    """What is to be done."""

    action_items: list[ActionItem]


class Reading(_Findings):
    """An answer out of the text; None where the text doesn't say."""

    answer: str | None
    quotes: list[str] = []


@dataclass(frozen=True)
class Kind:
    """One kind of analysis.

    Attributes:
        form: What its JSON is checked against.
        task: What the model is told to do.
        shape: The JSON that it is told to write.
        merge: Joins the findings of parts, given with each part's length; None where the model itself must do it.
    """

    form: type[_Findings]
    task: str
    shape: str
    merge: Callable[[Sequence[tuple[Any, int]]], _Findings] | None


def _unique(rows: Iterable[Any], key: Callable[[Any], object]) -> list[Any]:
    found: dict[object, Any] = {}
    for row in rows:
        found.setdefault(key(row), row)
    return list(found.values())


def _merge_sentiment(parts: Sequence[tuple[Sentiment, int]]) -> Sentiment:
    total = sum(length for _, length in parts) or 1
    score = round(sum(found.score * length for found, length in parts) / total, 3)
    labels: set[Label] = {found.label for found, _ in parts}
    reasons = _unique((reason for found, _ in parts for reason in found.reasons), str.casefold)
    return Sentiment(label=_common_label(labels), score=score, reasons=reasons)


def _common_label(labels: Collection[Label]) -> Label:
    """Join the labels of parts: neutral parts weigh nothing, and contrary ones are mixed."""
    strong = set(labels) - {"neutral"}
    if not strong:
        return "neutral"
    return strong.pop() if len(strong) == 1 else "mixed"


def _merge_entities(parts: Sequence[tuple[Entities, int]]) -> Entities:
    found: dict[tuple[str, str], Entity] = {}
    for entity in (entity for part, _ in parts for entity in part.entities):
        key = (entity.name.casefold(), entity.type.casefold())
        known = found.get(key)
        found[key] = known.model_copy(update={"mentions": known.mentions + entity.mentions}) if known else entity
    return Entities(entities=sorted(found.values(), key=lambda entity: -entity.mentions))


def _merge_keywords(parts: Sequence[tuple[Keywords, int]]) -> Keywords:
    rows = sorted((row for part, _ in parts for row in part.keywords), key=lambda row: -row.relevance)
    return Keywords(keywords=_unique(rows, lambda row: row.keyword.casefold())[:30])


def _merge_topics(parts: Sequence[tuple[Topics, int]]) -> Topics:
    rows = (row for part, _ in parts for row in part.topics)
    return Topics(topics=_unique(rows, lambda row: row.topic.casefold()))


def _merge_questions(parts: Sequence[tuple[Questions, int]]) -> Questions:
    rows = (row for part, _ in parts for row in part.questions)
    return Questions(questions=_unique(rows, lambda row: row.question.casefold()))


def _merge_actions(parts: Sequence[tuple[ActionItems, int]]) -> ActionItems:
    rows = (row for part, _ in parts for row in part.action_items)
    return ActionItems(action_items=_unique(rows, lambda row: (row.action.casefold(), row.owner, row.due)))


KINDS: dict[AnalysisType, Kind] = {
    "summary": Kind(
        Summary,
        "Summarise the text in one paragraph, then list its three to seven key points.",
        '{"summary": "…", "key_points": ["…"]}',
        None,
    ),
    "sentiment": Kind(
        Sentiment,
        "Judge the sentiment of the text towards its subject. The score goes from -1 (negative) to 1 (positive).",
        '{"label": "positive|negative|neutral|mixed", "score": 0.0, "reasons": ["…"]}',
        _merge_sentiment,
    ),
    "entities": Kind(
        Entities,
        "List the people, organisations, places, dates, amounts and products that the text names, each once.",
        '{"entities": [{"name": "…", "type": "person|organisation|place|date|amount|product|other", "mentions": 1}]}',
        _merge_entities,
    ),
    "keywords": Kind(
        Keywords,
        "List the five to fifteen keywords or phrases by which this text should be found, most relevant first.",
        '{"keywords": [{"keyword": "…", "relevance": 0.9}]}',
        _merge_keywords,
    ),
    "topics": Kind(
        Topics,
        "List the main topics of the text, each with a description of one sentence.",
        '{"topics": [{"topic": "…", "description": "…"}]}',
        _merge_topics,
    ),
    "questions": Kind(
        Questions,
        "Write the questions that a reader of this text should be able to answer, with the answer out of the text.",
        '{"questions": [{"question": "…", "answer": "…"}]}',
        _merge_questions,
    ),
    "action_items": Kind(
        ActionItems,
        "List what the text says is to be done, by whom and until when; null where it doesn't say.",
        '{"action_items": [{"action": "…", "owner": null, "due": null}]}',
        _merge_actions,
    ),
    "answer": Kind(
        Reading,
        "Answer the question out of the text alone, with the sentences that prove it; null if the text doesn't say.",
        '{"answer": "…", "quotes": ["…"]}',
        None,
    ),
}
