"""Each action is declared once: its command, help, key and words all follow from its class."""

from __future__ import annotations

import pkgutil
import shlex
from datetime import UTC, datetime
from importlib import import_module
from inspect import isabstract
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import celery_nexus.actions
from celery_nexus.actions import (
    again,
    alerts,
    chords,
    dead_letters,
    footprint,
    history,
    marks,
    messages,
    queues,
    replies,
    runs,
    schedule,
    submit,
)
from celery_nexus.actions.base import Action
from celery_nexus.actions.declaration import Argument
from celery_nexus.actions.registry import ACTIONS
from celery_nexus.actions.workers import consumers, drained_restart, events, limits, pools, programs
from celery_nexus.rows.selection import Selection
from nexus_tui.cli import cli
from nexus_tui.cli.reference import PAGE, page

WITHIN = Selection("ai_queue", "task:*pdf* age:>1h")

SAMPLES: list[tuple[Action, str]] = [
    (drained_restart.DrainRestart(("ai@web1",), within_s=30.0), "drain-restart ai@web1 --within 30"),
    (programs.StartProgram(("workers:ai",)), "start workers:ai"),
    (programs.StopProgram(("ai", "beat")), "stop ai beat"),
    (programs.RestartProgram(("workers",)), "restart workers"),
    (dead_letters.RetryDeadLetters(("a", "b")), "dead-letters retry a b"),
    (dead_letters.DropDeadLetters((), every=True), "dead-letters drop --all"),
    (
        dead_letters.DropDeadLetters((), reasons=("malformed", "deadly")),
        "dead-letters drop --reason malformed --reason deadly",
    ),
    (replies.RemoveReplies(), "remove-replies"),
    (marks.MarkMoment(("v2.4 hotfix",)), "mark 'v2.4 hotfix'"),
    (alerts.SilenceRule("depth", "2h", ("a", "deploy")), "alerts silence depth 2h a deploy"),
    (alerts.EndSilence("depth"), "alerts unsilence depth"),
    (chords.FinishChords(("g",)), "chords finish g"),
    (chords.FinishChords((), every=True), "chords finish --all"),
    (
        submit.Submit("shop.add", [1, "two"], {"name": "x y"}, 0, 1.5, queue="other"),
        """submit shop.add --kwargs '{"name": "x y"}' --args '[1, "two"]' --priority 0 --countdown 1.5 --queue other""",
    ),
    (
        submit.Submit("shop.add", eta=datetime(2030, 1, 31, 9, tzinfo=UTC)),
        "submit shop.add --eta 2030-01-31T09:00:00+00:00",
    ),
    (again.RunAgain(("a", "b")), "retry a b"),
    (
        again.RunAgain((), {"x": 1}, "state:failure", True, 2.5, [], "q", 0),
        """retry --filter state:failure --kwargs '{"x": 1}' --args '[]' --canary --rate 2.5 --queue q --priority 0""",
    ),
    (runs.Revoke(("a",)), "revoke a"),
    (
        runs.Revoke((), True, "SIGKILL", within=Selection("ai_queue")),
        "revoke --from ai_queue --terminate --signal SIGKILL",
    ),
    (messages.ChangePriority(("a", "b"), 0, True), "priority a b 0 --front"),
    (messages.ChangeTime(("a",), None), "delay a --now"),
    (messages.ChangeTime(("a",), datetime(2030, 1, 31, 9, tzinfo=UTC)), "delay a --at 2030-01-31T09:00:00+00:00"),
    (messages.MoveMessages((), "other", within=WITHIN), "move --from ai_queue --filter 'task:*pdf* age:>1h' other"),
    (messages.DeleteMessages(("a",)), "delete a"),
    (queues.Undo(), "undo"),
    (queues.Undo("f00d"), "undo f00d"),
    (queues.PauseQueue("ai queue"), "pause 'ai queue'"),
    (queues.ResumeQueue("ai_queue"), "resume ai_queue"),
    (queues.PurgeQueue("ai_queue", True), "purge ai_queue --for-good"),
    (queues.ReclaimMessages("ai_queue"), "reclaim ai_queue"),
    (pools.Scale(("a", "b"), 4, remember=True), "scale a b 4 --remember"),
    (consumers.Drain(("a",)), "drain a"),
    (pools.GrowPool(("a",), 2, remember=True), "grow a 2 --remember"),
    (pools.ShrinkPool(("a", "b")), "shrink a b 1"),
    (pools.Autoscale(("a",), 8, 2), "autoscale a 8 2"),
    (pools.RestartPool(("a",)), "pool-restart a"),
    (consumers.ShutdownWorker(("a",)), "shutdown a"),
    (consumers.AddConsumer(("a", "b"), "ai_queue"), "add-consumer a b ai_queue"),
    (consumers.CancelConsumer(("a",), "ai_queue", remember=True), "cancel-consumer a ai_queue --remember"),
    (limits.RateLimit((), "shop.add", "10/m"), "rate-limit shop.add 10/m"),
    (limits.RateLimit(("a", "b"), "shop.add", ""), "rate-limit shop.add none --worker a --worker b"),
    (limits.TimeLimit((), "shop.add", 300.0, None, remember=True), "time-limit shop.add --hard 300 --remember"),
    (consumers.ForgetOrders(("pool a", "rate b")), "forget 'pool a' 'rate b'"),
    (events.EnableEvents(), "events enable"),
    (events.DisableEvents(("a",)), "events disable a"),
    (schedule.RunEntry(("daily report", "tick")), "schedule run 'daily report' tick"),
    (schedule.PauseEntry(("tick",)), "schedule pause tick"),
    (schedule.ResumeEntry(("tick",)), "schedule resume tick"),
    (schedule.SkipEntry(("tick",)), "schedule skip tick"),
    (
        schedule.BackfillEntry("tick", datetime(2030, 1, 31, 9, tzinfo=UTC), datetime(2030, 2, 1, tzinfo=UTC), True),
        "schedule backfill tick --from 2030-01-31T09:00:00+00:00 --to 2030-02-01T00:00:00+00:00 --missed",
    ),
    (history.CompactHistory(), "history compact"),
    (history.ImportRuns(), "history import --results"),
    (history.ImportRuns(Path("runs.csv")), "history import runs.csv"),
]
"""Actions, and the command that does the same."""


def commands(group: click.Group = cli, before: str = "") -> dict[str, click.Command]:
    """Every command of the command line, by its whole name."""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found[f"{before}{name}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{before}{name} ")
    return found


def needs_arguments(action: type[Action]) -> bool:
    return any(isinstance(parameter, Argument) and parameter.is_required for parameter in action.parameters)


def test_every_action_is_in_the_registry() -> None:
    for module in pkgutil.walk_packages(celery_nexus.actions.__path__, "celery_nexus.actions."):
        import_module(module.name)
    known, left = list[type[Action]](), [Action]
    while left:
        left = [kind for parent in left for kind in parent.__subclasses__()]
        known += [kind for kind in left if not isabstract(kind) and kind.__module__.startswith("celery_nexus")]
    assert sorted(kind.__name__ for kind in set(known)) == sorted(kind.__name__ for kind in ACTIONS)


def test_every_action_has_a_command_of_its_own_name() -> None:
    known = commands()
    names = [action.command_name for action in ACTIONS]
    assert len(names) == len(set(names))
    assert [name for name in names if name.partition(" --")[0] not in known] == []


@pytest.mark.parametrize(("action", "words"), SAMPLES, ids=[words for _, words in SAMPLES])
def test_the_command_that_an_action_shows_means_that_action(action: Action, words: str) -> None:
    assert action.command == f"nexus-tui {words}"
    assert read(words) == action


def test_every_action_that_is_a_command_has_a_sample() -> None:
    assert {type(action) for action, _ in SAMPLES} | {footprint.RemoveFootprint} == set(ACTIONS)


def test_secrets_are_masked_in_the_command_that_is_shown() -> None:
    assert submit.Submit("t", kwargs={"token": "abc"}).command == """nexus-tui submit t --kwargs '{"token": "***"}'"""


def test_every_command_and_each_of_its_options_and_arguments_has_a_help_text() -> None:
    known = {"": cli, **commands()}
    mute = [f"{name} {row.opts[0]}" for name, command in known.items() for row in command.params if not row.help]
    assert mute == []
    assert [name for name, command in known.items() if not command.help] == []


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.command_name)
def test_every_action_and_each_of_its_parameters_has_a_help_text(action: type[Action]) -> None:
    assert action.help().endswith(".")
    assert [parameter.name for parameter in action.parameters if not parameter.help.endswith(".")] == []


@pytest.mark.parametrize("action", [row for row in ACTIONS if needs_arguments(row)], ids=lambda row: row.command_name)
def test_a_command_without_an_argument_that_it_needs_is_a_mistake_of_usage(action: type[Action]) -> None:
    said = CliRunner().invoke(cli, [*action.command_name.split(), "--yes"])
    assert (said.exit_code, "Missing argument" in said.output) == (2, True), said.output


def test_the_help_of_a_command_is_what_its_action_says() -> None:
    said = " ".join(CliRunner().invoke(cli, ["pause", "--help"]).stdout.split())
    assert queues.PauseQueue.help() == "Stop all workers from taking anything more from a queue."
    assert f"{queues.PauseQueue.help()} Ours keep to it also when they start later." in said
    assert "QUEUE The queue's name." in said


def test_the_reference_is_what_the_program_writes() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m nexus_tui.cli.reference"


def test_every_command_is_in_the_reference() -> None:
    headings = [line.removeprefix("### ") for line in page().split("\n") if line.startswith("### ")]
    assert sorted(headings) == sorted(commands())


def read(words: str) -> Action:
    """Read a command line as the command does, up to the action that it means."""
    command: click.Command = cli
    rest, context = shlex.split(words), click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None
        command, rest = found, rest[1:]
    action = next(row for row in ACTIONS if words.startswith(f"{row.command_name} ") or words == row.command_name)
    given: dict[str, Any] = command.make_context(command.name, rest).params
    return action.from_command({parameter.name: given[parameter.name] for parameter in action.parameters})


def test_the_question_before_a_change_shows_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus_tui.cli.shared.is_on_terminal", lambda: True)
    said = CliRunner().invoke(cli, ["forget", "\x1b[2J"], input="n\n")
    assert "Forget ␛[2J? Workers obey it until they restart. [y/N]: n" in said.output
    assert str(said.exception) == "not confirmed: nothing was changed"
