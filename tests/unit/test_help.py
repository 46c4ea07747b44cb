from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from nexus_tui.cli import cli
from nexus_tui.cli.sections import MODULES, SECTIONS, commands_of


def test_every_command_is_in_one_section_of_the_help() -> None:
    commands = [command.name or "" for module in MODULES for command in commands_of(module)]
    assert sorted(name for names in SECTIONS.values() for name in names.split()) == sorted(commands)


def test_every_command_is_found_in_its_module() -> None:
    for module, names in MODULES.items():
        assert sorted(names.split()) == sorted(command.name or "" for command in commands_of(module))


def test_the_help_lists_commands_by_section() -> None:
    said = CliRunner().invoke(cli, ["--help"]).stdout
    assert said.index("The stack:") < said.index("  up ") < said.index("Look:") < said.index("  why ")


def test_a_command_that_does_not_exist_is_refused() -> None:
    said = CliRunner().invoke(cli, ["queus"])
    assert said.exit_code == 2
    assert "No such command 'queus'" in said.output


def test_opening_the_dashboard_loads_no_command_no_action_and_no_surgery() -> None:
    code = (
        "import sys, nexus_tui.cli.dashboard, nexus_tui.app, celery_nexus.broker; "
        "from nexus_tui.screens.pulse import PulseScreen; print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "nexus_tui.app" in loaded
    late = ("nexus_tui.cli.listings", "nexus_tui.actions.messages", "celery_nexus.broker.edit.surgery", "celery")
    assert [name for name in late if name in loaded] == []
