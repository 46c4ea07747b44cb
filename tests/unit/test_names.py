"""Names say what they name: functions are verbs, or nouns for what they return, and no participles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("celery_nexus", "config", "nexus_tui", "workers")

REGULAR = re.compile(r"\w{2,}(?:ed|ing)")
IRREGULAR = frozenset(
    {"begun", "bound", "broken", "built", "chosen", "done", "drawn", "fallen", "felt", "found", "given", "gone", "had",
     "heard", "held", "hidden", "kept", "known", "laid", "left", "lost", "made", "meant", "met", "paid", "ran", "said",
     "seen", "sent", "shown", "spent", "stuck", "taken", "thought", "told", "was", "won", "worn", "written"}
)  # fmt: skip
"""Participles and past tenses without the usual ending."""

VERBS = frozenset({"bring", "embed", "exceed", "feed", "need", "ping", "proceed", "succeed"})
"""Words that end so and are no participles."""

ADJECTIVES = frozenset({"absent", "alone", "latest", "neutral", "oldest", "silent", "slowest", "whole", "worst"})
"""What was once the whole name of a function that finds or makes such a thing."""


def first_words(source: str) -> Iterator[tuple[str, int]]:
    """Yield name and line of each public function that is no property."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if not any("property" in ast.unparse(mark) or ".setter" in ast.unparse(mark) for mark in node.decorator_list):
            yield node.name, node.lineno


def is_participle(name: str) -> bool:
    word = name.partition("_")[0]
    return name in ADJECTIVES or word in IRREGULAR or (bool(REGULAR.fullmatch(word)) and word not in VERBS)


@pytest.mark.parametrize("name", ["kept", "addressed", "telling_first", "written", "listed_runs", "held", "silent"])
def test_a_participle_is_found(name: str) -> None:
    assert is_participle(name)


@pytest.mark.parametrize("name", ["keep", "ping", "feed", "address_command", "set_aside", "list_held", "silence"])
def test_a_verb_is_left_alone(name: str) -> None:
    assert not is_participle(name)


def test_no_public_function_is_named_by_a_participle() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for name, line in first_words(path.read_text())
        if is_participle(name)
    ]
    assert found == []
