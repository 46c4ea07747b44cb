"""Functions are verbs, or nouns for what they return, no participles; modules and constants say what is in them."""

from __future__ import annotations

import ast
import itertools
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

VERBS = frozenset({"bring", "embed", "exceed", "feed", "heed", "need", "ping", "proceed", "succeed"})
"""Words that end so and are no participles."""

ADJECTIVES = frozenset({"absent", "alone", "latest", "neutral", "oldest", "silent", "slowest", "whole", "worst"})
"""What was once the whole name of a function that finds or makes such a thing."""


def first_words(source: str) -> Iterator[tuple[str, int]]:
    """Yield name and line of each public function that is no property and no named constructor (``Answer.unknown``)."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        marks = [ast.unparse(mark) for mark in node.decorator_list]
        if not any("property" in mark or mark.endswith((".setter", "classmethod")) for mark in marks):
            yield node.name, node.lineno


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


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
        for path in sources()
        for name, line in first_words(path.read_text())
        if is_participle(name)
    ]
    assert found == []


QUESTION = re.compile(r"(?:What|How|Who|Whose|Where|Why|When|Whether|Which|Everything)\b")
VAGUE = re.compile(r"\b[Ss]o (?:many|often|long|few)\b(?! (?:as|that))")


def constants(source: str) -> Iterator[str]:
    """Yield the docstrings of a module's constants."""
    body = ast.parse(source).body
    for before, node in itertools.pairwise(body):
        match node:
            case ast.Expr(ast.Constant(str(text))) if isinstance(before, ast.Assign | ast.AnnAssign):
                yield text
            case _:
                pass


def test_the_first_line_of_a_module_names_what_is_in_it() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {first}"
        for path in sources()
        if QUESTION.match(first := (ast.get_docstring(ast.parse(path.read_text())) or "What?").split("\n")[0])
    ]
    assert found == []


def test_a_constant_says_what_it_bounds() -> None:
    found = [f"{path.relative_to(ROOT)}: {text}" for path in sources() for text in constants(path.read_text())]
    assert len(found) > 300
    vague = [line for line in found if VAGUE.search(line) or QUESTION.match(line.partition(": ")[2])]
    assert vague == []


def test_the_glossary_defines_each_word_once() -> None:
    words = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    defined = [word for word in words if word != "word"]
    assert len(defined) >= 45
    assert sorted(defined) == sorted(set(defined))
