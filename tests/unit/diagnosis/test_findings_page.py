"""The registry of findings, and the page that is written from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from celery_nexus.diagnosis.kind import Kind
from celery_nexus.diagnosis.page import write_page
from celery_nexus.diagnosis.registry import KINDS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "findings.md"


def test_the_page_of_findings_is_that_of_the_registry() -> None:
    assert PAGE.read_text() == write_page(), "write it anew: python -m celery_nexus.diagnosis.page > docs/findings.md"


def test_each_kind_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in KINDS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_says_what_is_seen_what_comes_of_it_and_what_is_done(kind: Kind) -> None:
    assert all(text.endswith(".") and text[0].isupper() for text in (kind.meaning, kind.consequence, kind.advice))
    assert kind.severity != "well"
