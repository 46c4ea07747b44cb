from __future__ import annotations

from click.testing import CliRunner

from nexus_tui.cli import cli
from nexus_tui.cli.sections import SECTIONS


def test_every_command_is_in_one_section_of_the_help() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names.split()) == sorted(cli.commands)


def test_the_help_lists_commands_by_section() -> None:
    said = CliRunner().invoke(cli, ["--help"]).stdout
    assert said.index("The stack:") < said.index("  up ") < said.index("Look:") < said.index("  why ")
