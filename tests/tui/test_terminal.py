"""The bytes on a real terminal: nothing foreign among them, and the terminal left as it was found."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.harness.terminal import CONSOLE, TRUE_COLOUR, XTERM, Screen, Terminal
from tests.harness.waiting import wait_until
from tests.tui.on_a_terminal import EVIL

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
            *("\x1b", "2", "/", "queue:", "\t", "\x1b", ":", "queue ", "\t", "\x1b", "f", "\x1b"),  # completion, saved
            *("3", "a", "j", "\r", "/", "task:", "\t", "\r", "\x1b", "e", "\x1b", "5", "a", "\x1b", "w"),  # values
        ):
            terminal.press(keys)
            terminal.read(0.25)
        while terminal.read(0.5):  # to the end of a picture, not into a sequence
            pass
        assert terminal.process.poll() is None, terminal.output[-2000:].decode("utf-8", "replace")
        return bytes(terminal.output)


def test_no_escape_sequence_or_control_character_of_outside_text_reaches_the_terminal(tmp_path: Path):
    saved = tmp_path / "config" / "nexus" / "filters.toml"
    saved.parent.mkdir(parents=True)
    saved.write_text(f"[queues]\n{json.dumps(EVIL[:-1])} = {json.dumps(EVIL[:-1])}\n")
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


def colours_of(kind: Mapping[str, str], **variables: str) -> set[str]:
    """Look at some views, a question and the form, and collect the looks that were asked of the terminal."""
    with Screen(command("busy"), {**os.environ, **variables}, kind=kind) as terminal:
        terminal.shows("email_queue")
        for key, text in (("3", "REVOKED"), ("K", "nexus-tui revoke"), ("\x1b", "SENT"), ("n", "Submit a task")):
            terminal.press(key)
            terminal.shows(text)
        return set(re.findall(r"\x1b\[([0-9;]*)m", terminal.output.decode(errors="replace")))


@pytest.mark.parametrize("kind", [TRUE_COLOUR, XTERM], ids=["truecolor", "xterm"])
def test_no_color_sends_no_colour_and_inverts_the_row_of_the_cursor(kind: Mapping[str, str]):
    looks = colours_of(kind, NO_COLOR="1")
    assert looks <= {"0", "1", "3", "4", "7", "1;7", "1;4", "4;7"}
    assert "1;7" in looks


@pytest.mark.parametrize("kind", [XTERM, CONSOLE], ids=["xterm", "console"])
def test_a_terminal_of_few_colours_gets_its_own_text_and_background_and_an_inverted_cursor(kind: Mapping[str, str]):
    looks = colours_of(kind)
    codes = {code for look in looks for code in look.split(";")}
    assert codes <= {"0", "1", "3", "4", "7", "31", "32", "33", "35", "36"}
    assert {"1;7", "32", "33"} <= looks


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_dashboard_and_restores_the_terminal(number: signal.Signals):
    with Terminal(command("busy")) as terminal:
        before = terminal.modes()
        assert terminal.wait_for("NEXUS")
        assert terminal.modes() != before
        terminal.process.send_signal(number)
        assert terminal.ended() == 128 + number
        assert terminal.modes() == before
        assert_given_back(terminal.output)


def test_a_dashboard_that_hangs_gives_the_terminal_back_when_it_is_ended():
    with Terminal(command("stuck")) as terminal:
        before = terminal.modes()
        assert terminal.wait_for("NEXUS")
        terminal.read(0.5)
        terminal.press("1")
        terminal.read(0.5)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ended() == 128 + signal.SIGTERM
        assert terminal.modes() == before
        assert_given_back(terminal.output)


def test_an_action_that_hangs_does_not_hold_the_dashboard_that_is_left():
    with Screen(command("hanging")) as terminal:
        terminal.shows("email_queue")
        terminal.press("2")
        terminal.shows("PRIORITY")
        terminal.press("j")
        terminal.press("P")
        terminal.shows("nexus-tui pause email_queue")
        terminal.press("\r")
        terminal.shows("▶ nexus-tui pause")
        terminal.press("q")
        terminal.shows("Leave\\? An action still runs")
        terminal.press("\r")
        assert terminal.ended() == os.EX_OK


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_paints_all_of_it_again():
    with Screen(["bash", "--norc", "--noprofile", "-i"]) as shell:
        shell.read(0.5)
        shell.press(f"{shlex.join(command('busy'))}\r")
        shell.shows("email_queue")
        shell.press("\x1a")
        shell.shows("Stopped")
        assert_given_back(shell.output[: shell.output.rindex(b"Stopped")])
        shell.press("stty -a; echo stty done\r")
        shell.shows("stty done")
        assert re.search(r"[ ;]icanon .*[ ]echo ", shell.text.replace("\n", " "))
        painted = len(shell.output)
        shell.press("fg\r")
        wait_until(lambda: shell.read(0.1) >= 0 and b"email_queue" in shell.output[painted:])
        shell.shows("NEXUS", "ai_queue", "every source fresh")
        assert b"\x1b[?1049h" in shell.output[painted:]
        shell.press("2")
        shell.shows("DRAINS.*CONSUMERS")
        painted = len(shell.output)
        shell.press("q")
        wait_until(lambda: shell.read(0.1) >= 0 and b"\x1b[?2004h" in shell.output[painted:])  # the shell's prompt
        shell.press("echo left by q\r")
        shell.shows("left by q")


def assert_given_back(output: bytes | bytearray) -> None:
    """Look for the first screen, a cursor, no mouse, no bracketed paste, no focus reports at the end."""
    modes = (("1049", "l"), ("25", "h"), ("1000", "l"), ("1003", "l"), ("2004", "l"), ("1004", "l"))
    for mode, wanted in modes:
        last = re.findall(rf"\x1b\[\?{mode}([hl])", output.decode("utf-8", "replace"))[-1]
        assert last == wanted, f"mode {mode}"


def test_the_smallest_terminal_does_not_end_the_dashboard():
    with Terminal(command("busy"), size=(1, 1)) as terminal:
        assert terminal.wait_for("\x1b[?1049h")
        terminal.read(1.5)
        for keys in "235n":
            terminal.press(keys)
            terminal.read(0.2)
        assert terminal.process.poll() is None
