"""The bytes on a real terminal: nothing foreign among them, and the terminal left as it was found."""

from __future__ import annotations

import os
import re
import sys

import pytest

from tests.terminal import Terminal

OWN_SEQUENCES = re.compile(
    r"\x1b\[(?:[0-9;]*[mHKJ]"  # colours, cursor, clearing
    r"|\?(?:25|1049|1000|1002|1003|1004|1006|1015|1016|2004|2026|2048|7)[hl]|\?(?:2026|2048)\$p"  # modes
    r"|>[0-9]*u|<u|c|>c|\?u|[0-9]*n)"  # keyboard protocol, queries
    r"|\x1b\]22;[a-z]+\x07|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"  # mouse pointer, clipboard
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.tui.on_a_terminal", *arguments]


def hostile_session(env: dict[str, str] | None = None) -> bytes:
    """Go through every view, dialog and detail of a stack full of evil texts."""
    with Terminal(command("hostile"), env, (160, 50)) as terminal:
        assert terminal.wait_for("NEXUS")
        terminal.read(1.0)
        for keys in (
            *("2", "\r", "y", "\x1b", "\r", "\x1b", "K", "\x1b", "\x1b"),  # queue, JSON, message, revoke
            *("3", "\r", "y", "\x1b", "\x1b", "j", "K", "\x1b", "B", "\x1b", "c", "/"),  # tasks, run, filter
            *("\x1b", "5", "\r", "G", "S", "\x1b", "\x1b", "S", "\x1b", "?", "\x1b"),  # workers, log, programs
            *("n", "\r", "\x1b", "\x1b", "1", ":", "queue x", "\r"),  # form, command line
            *("\x1b[200~\x1b]0;PWNED\x07\x9b2J\x1b[201~",),  # a paste
        ):
            terminal.press(keys)
            terminal.read(0.25)
        while terminal.read(0.5):  # to the end of a picture, not into a sequence
            pass
        assert terminal.process.poll() is None, terminal.output[-2000:].decode("utf-8", "replace")
        return bytes(terminal.output)


def test_no_escape_sequence_or_control_character_of_outside_text_reaches_the_terminal():
    output = hostile_session().decode("utf-8")
    assert "PWNED" in output, "the evil text was drawn, made visible"
    assert "\x1b[5;31;42m" not in output
    rest = OWN_SEQUENCES.sub("", output)
    foreign = re.findall("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\ud800-\udfff].{0,20}", rest)
    assert foreign == []


def test_a_terminal_without_utf8_gets_ascii_only():
    output = hostile_session({**os.environ, "NEXUS_ASCII": "1"})
    assert re.findall(rb".{0,60}[\x80-\xff]+.{0,60}", output) == []


def test_the_dashboard_ends_when_its_terminal_is_gone():
    with Terminal(command("busy")) as terminal:
        assert terminal.wait_for("NEXUS")
        terminal.vanish()
        assert terminal.process.wait(20) == 0


@pytest.mark.parametrize("stack", ["busy", "dead"])
def test_leaving_restores_the_terminal(stack: str):
    with Terminal(command(stack)) as terminal:
        assert terminal.wait_for("NEXUS")
        terminal.read(0.5)
        terminal.press("q")
        terminal.read(3.0)
        assert terminal.process.wait(10) == os.EX_OK
        assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")


def test_no_color_draws_without_colours():
    with Terminal(command("busy"), {**os.environ, "NO_COLOR": "1"}) as terminal:
        assert terminal.wait_for("email_queue")
        terminal.read(1.0)
    colours = set(re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", terminal.output.decode()))
    assert all(red == green == blue for red, green, blue in colours)


def test_the_smallest_terminal_does_not_end_the_dashboard():
    with Terminal(command("busy"), size=(1, 1)) as terminal:
        assert terminal.wait_for("\x1b[?1049h")
        terminal.read(1.5)
        for keys in "235n":
            terminal.press(keys)
            terminal.read(0.2)
        assert terminal.process.poll() is None
