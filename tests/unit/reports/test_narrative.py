from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from celery_nexus.task_errors import TransientError
from tests.harness.llm_server import LlmServer, Mood, llm_server
from workers.narrative import add_narrative
from workers.report_tasks import generate_summary_report
from workers.services.reports.analytics import Wishes, analyse
from workers.services.reports.content import Report

RECORDS = [{"customer": "secret name", "amount": 10}, {"customer": "other name", "amount": 30}]


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    """A local provider, the only one with a key."""
    with llm_server() as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-CANARYKEY0123456789")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


@pytest.fixture
def report() -> Report:
    return analyse({"records": RECORDS}, "summary", Wishes("Sales"))


def test_with_a_key_the_report_is_told_in_words(double: LlmServer) -> None:
    double.script.append(Mood(text="Sales tripled.\n\nLook at <b>amount</b>."))
    answer = generate_summary_report({"records": RECORDS})
    assert answer["narrative"] == "Sales tripled.\n\nLook at <b>amount</b>."
    page = Path(answer["outputs"]["html_file"]).read_text("utf-8")
    assert "<p>Look at &lt;b&gt;amount&lt;/b&gt;.</p>" in page
    assert answer["stats"]["columns"]["amount"]["sum"] == 40.0


def test_without_a_key_the_numbers_are_delivered_and_the_missing_narrative_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    answer = generate_summary_report({"records": RECORDS}, format="json")
    whole = json.loads(Path(answer["outputs"]["file"]).read_text())
    assert whole["stats"]["columns"]["amount"]["sum"] == 40.0
    assert answer["narrative"] is None
    assert answer["warnings"] == whole["warnings"]
    assert (
        "without a narrative: not_configured: no AI provider has a key; set ANTHROPIC_API_KEY" in answer["warnings"][0]
    )


def test_a_provider_that_is_overloaded_is_asked_again_while_there_are_tries(double: LlmServer, report: Report) -> None:
    double.script.append(Mood(status=529, kind="overloaded_error"))
    with pytest.raises(TransientError):
        add_narrative(report, "auto", None, 20, may_retry=True)


def test_a_provider_that_stays_away_costs_the_narrative_only(double: LlmServer, report: Report) -> None:
    double.script.append(Mood(status=529, kind="overloaded_error"))
    told = add_narrative(report, "auto", None, 20, may_retry=False)
    assert told.narrative == ""
    assert told.warnings[0].startswith("without a narrative: transient:")
    assert told.figures == report.figures
