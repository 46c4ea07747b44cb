from __future__ import annotations

import subprocess
import sys
from itertools import chain

from click.testing import CliRunner

from celery_nexus.actions.registry import ACTIONS
from nexus_tui.cli import cli
from nexus_tui.cli.sections import COMMANDS, commands_of, sections


def test_every_command_is_in_one_section_of_the_help() -> None:
    names = list(chain.from_iterable(sections().values()))
    assert len(names) == len(set(names))
    assert {action.command_name.split()[0] for action in ACTIONS} <= set(names)


def test_every_command_is_found_in_its_module() -> None:
    modules = dict(chain.from_iterable(commands.items() for commands in COMMANDS.values()))
    for module in set(modules.values()):
        named = sorted(name for name, place in modules.items() if place == module)
        assert named == sorted(command.name or "" for command in commands_of(module))


def test_the_help_lists_commands_by_section() -> None:
    said = CliRunner().invoke(cli, ["--help"]).stdout
    assert said.index("The stack:") < said.index("  up ") < said.index("Look:") < said.index("  why ")


def test_a_command_that_does_not_exist_is_refused() -> None:
    said = CliRunner().invoke(cli, ["queus"])
    assert said.exit_code == 2
    assert "No such command 'queus'" in said.output


def test_opening_the_dashboard_loads_no_command_and_no_surgery() -> None:
    code = (
        "import sys, nexus_tui.cli.dashboard, nexus_tui.app, celery_nexus.broker; "
        "from nexus_tui.screens.pulse import PulseScreen; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "nexus_tui.app" in loaded
    late = (
        "nexus_tui.cli.listings.live",
        "celery_nexus.actions.messages",
        "celery_nexus.broker.edit.surgery",
        "celery",
    )
    assert [name for name in late if name in loaded] == []


def test_the_help_loads_nothing_that_talks_to_broker_or_history() -> None:
    code = "import sys; from nexus_tui.cli import cli; cli(['--help'], standalone_mode=False); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = said.rpartition("\n  footprint ")[2].split()
    assert "celery_nexus.actions.registry" in loaded
    late = ("celery", "redis", "sqlite3", "textual", "celery_nexus.stack.programs", "celery_nexus.history.query")
    assert [name for name in late if name in loaded] == []
