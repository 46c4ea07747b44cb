"""What a context forbids, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from celery_nexus.actions.base import perform
from celery_nexus.errors import Invalid, Refused, SourceError
from celery_nexus.rows.outcomes import Outcome
from celery_nexus.sources import Sources
from nexus_tui.cli import cli
from nexus_tui.cli.shared import Target
from nexus_tui.front_door import opening
from nexus_tui.front_door.opening import open_context
from tests.tui import fakes

FILE = """
[local]
broker = "redis://localhost:6379/0"

[prod]
broker = "redis://:${PROD_PASSWORD}@prod.example.com:6379/0"
production = true
allow = ["purge", "undo"]

[mirror]
broker = "redis://mirror.example.com:6379/0"
production = true
read_only = true
"""


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> fakes.Fakes:
    """Sources of every context, and the user's file."""
    made = fakes.busy()
    monkeypatch.setattr(opening, "open_sources", lambda door: made.sources())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PROD_PASSWORD", "hunter2")
    monkeypatch.delenv("NEXUS_READ_ONLY", raising=False)
    (tmp_path / "nexus").mkdir()
    (tmp_path / "nexus" / "contexts.toml").write_text(FILE)
    return made


def purge(sources: Sources) -> Outcome:
    from celery_nexus.actions.queues import PurgeQueue

    return perform(PurgeQueue("ai_queue"), sources)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_an_ordinary_context_can_be_changed(stack: fakes.Fakes) -> None:
    assert purge(open_context("local").sources).done


def test_a_production_context_starts_read_only_and_says_how_to_change_it(stack: fakes.Fakes) -> None:
    with pytest.raises(Refused, match="prod is production: :unlock 15m REASON, or nexus-tui --context prod --unlock"):
        purge(open_context("prod").sources)
    assert stack.broker.changed == []


def test_the_command_line_unlocks_with_a_reason_that_is_audited_first(stack: fakes.Fakes) -> None:
    assert purge(Target(context="prod", unlock="ticket 42").sources()).done
    assert stack.broker.audit.recorded == ["nexus-tui --context prod --unlock 'ticket 42'", "nexus-tui purge ai_queue"]


def test_what_can_not_be_audited_is_not_unlocked(stack: fakes.Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise SourceError("no permission to write")

    monkeypatch.setattr(stack.broker.audit, "record", refuse)
    with pytest.raises(SourceError, match="no permission to write"):
        Target(context="prod", unlock="ticket 42").sources()


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (Target(context="mirror", unlock="why not"), "the context mirror is read-only"),
        (Target(context="prod", unlock="why not", read_only=True), "start without --read-only"),
    ],
)
def test_what_is_read_only_for_good_is_not_unlocked(stack: fakes.Fakes, target: Target, why: str) -> None:
    with pytest.raises(Refused, match=why):
        target.sources()


@pytest.mark.parametrize(
    "target",
    [Target(unlock="x"), Target(context="prod", unlock=" "), Target("redis://h", context="prod"),
     Target(prefix="a", context="prod")],
)  # fmt: skip
def test_options_that_contradict_each_other_are_refused(stack: fakes.Fakes, target: Target) -> None:
    with pytest.raises(Invalid):
        target.sources()


def test_only_allowed_actions_are_performed(stack: fakes.Fakes) -> None:
    from celery_nexus.actions.runs import Revoke

    sources = Target(context="prod", unlock="ticket 42").sources()
    with pytest.raises(Refused, match="revoke is not allowed here: nothing is changed; allowed are purge, undo"):
        perform(Revoke((fakes.run_id(3),)), sources)
    assert stack.control.revoked == []


def test_a_command_that_is_shown_names_the_context_and_no_secret(stack: fakes.Fakes) -> None:
    said = open_context("prod").sources.address_command("nexus-tui purge ai_queue")
    assert said == "nexus-tui purge ai_queue --context prod"


@pytest.mark.parametrize(
    "words", [("--context", "prod", "down"), ("down", "--context", "prod"), ("up", "--broker", "x")]
)
def test_the_own_stack_is_neither_started_nor_stopped_for_another_one(stack: fakes.Fakes, words: tuple[str]) -> None:
    assert isinstance(run(*words).exception, Invalid)


def test_contexts_are_listed_with_what_is_missing_and_without_any_value(
    stack: fakes.Fakes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = run("contexts")
    assert said.exit_code == 0
    assert str(tmp_path / "nexus" / "contexts.toml") in said.output
    assert "redis://:***@prod.example.com:6379/0  after unlock     purge, undo  ready" in said.output
    assert "hunter2" not in said.output + run("contexts", "--json").output
    monkeypatch.delenv("PROD_PASSWORD")
    assert "needs PROD_PASSWORD" in run("contexts").output


def test_a_wrong_file_is_listed_with_lines_and_ends_with_1(stack: fakes.Fakes, tmp_path: Path) -> None:
    (tmp_path / "nexus" / "contexts.toml").write_text('[a]\nbroker = "redis://h"\ncolor = "red"\n')
    said = run("contexts")
    assert said.exit_code == 1
    assert "✗ line 3: [a] has a wrong key 'color' (did you mean colour?): allowed are broker," in said.output
