"""``nexus-tui probe``: a health check that is answered before click, Textual or Celery could be imported.

Its words are declared here once: this module reads them itself, and :mod:`nexus_tui.cli.probe` shows them in the help.
"""

from __future__ import annotations

import getopt
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import Invalid, SourceError, Unreachable
from celery_nexus.probe.answer import Answer, unreachable

if TYPE_CHECKING:
    from celery_nexus.connection.plain_connection import PlainConnection

COMMAND = "probe"
TIMEOUT_S = 1.0
GRACE_S = 0.5
"""Time after its limit at which a probe ends: a name server that does not answer can't be waited for with a limit."""

PARTS = {"worker": True, "queue": True, "beat": False, "broker": False, "recorder": False, "guardian": False}
"""Kinds of probes, and whether each takes a name."""

USAGE = "nexus-tui probe worker NAME | queue NAME | beat | broker | recorder | guardian [-b URL] [--timeout S]"


class Option(NamedTuple):
    """An option of the command.

    Attributes:
        names: ``-b``, ``--broker``.
        value: What it takes, in the help; empty for nothing.
        help: What it is for.
    """

    names: tuple[str, ...]
    value: str
    help: str


OPTIONS = {
    "broker": Option(("-b", "--broker"), "URL", "The broker; else NEXUS_REDIS_URL, CELERY_BROKER_URL, the stack here."),
    "prefix": Option(("--prefix",), "TEXT", "The application with this global_keyprefix."),
    "timeout": Option(("--timeout",), "S", f"Answer within so many seconds ({TIMEOUT_S:g} when left out)."),
    "lock": Option(("--lock",), "KEY", "Key of RedBeat's lock, when its redbeat_key_prefix is another."),
    "context": Option(("--context",), "NAME", "A broker of your contexts file."),
    "application": Option(("-A", "--app"), "NAME", "Refused: importing an application takes too long."),
    "json": Option(("--json",), "", "Print one JSON document."),
}
_LEADING = frozenset({"-b", "--broker", "-A", "--app", "--prefix", "--context"})
"""Options that may stand before the command and take a value."""


class Question(NamedTuple):
    """What is probed, and how.

    Attributes:
        part: One of :data:`PARTS`.
        name: Of the worker or queue; empty for the others.
        url: The broker.
        prefix: The application's ``global_keyprefix``.
        timeout_s: It is answered within so long.
        lock: Key of RedBeat's lock; empty for its default.
    """

    part: str
    name: str
    url: BrokerUrl
    prefix: str = ""
    timeout_s: float = TIMEOUT_S
    lock: str = ""


def find_words(arguments: Sequence[str]) -> list[str] | None:
    """Return the words of a probe, without the command itself; None of any other command, and when help is asked."""
    words = iter(enumerate(arguments))
    for place, word in words:
        if word in _LEADING:
            next(words, None)
        elif word == COMMAND:
            rest = [*arguments[:place], *arguments[place + 1 :]]
            return None if {"-h", "--help"} & set(rest) else rest
        elif not word.startswith(("--broker=", "--app=", "--prefix=", "--context=")):
            return None
    return None


def run(words: Sequence[str]) -> int:
    """Read the words of a probe, answer with one line, and return the exit code."""
    values: dict[str, str] = {}
    try:
        values, rest = read_options(words)
        found = answer(read_question(values, rest))
    except (Invalid, ConfigError) as error:
        found = Answer.unknown(str(error))
    say(found, as_json="json" in values)
    return found.code


def read_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split words into the values of options, by their names in :data:`OPTIONS`, and the rest.

    Raises:
        Invalid: There is no such option, or it lacks its value.
    """
    by_name = {name: (key, option) for key, option in OPTIONS.items() for name in option.names}
    short = "".join(name[1:] + (":" if row.value else "") for name, (_, row) in by_name.items() if len(name) == 2)
    long = [name[2:] + ("=" if row.value else "") for name, (_, row) in by_name.items() if len(name) > 2]
    try:
        found, rest = getopt.gnu_getopt(list(words), short, long)
    except getopt.GetoptError as error:
        raise Invalid(f"{error}; usage: {USAGE}") from None
    return {by_name[name][0]: value for name, value in found}, rest


def read_question(values: dict[str, str], rest: Sequence[str], url: BrokerUrl | None = None) -> Question:
    """Make the question of options and the other words.

    Args:
        values: By the names in :data:`OPTIONS`.
        rest: What is probed, and its name.
        url: The broker, when it is known already.

    Raises:
        Invalid: The words make no sense.
        ConfigError: The broker's address can't be used.
    """
    part = rest[0] if rest else ""
    if part not in PARTS or len(rest) != (2 if PARTS[part] else 1):
        raise Invalid(f"usage: {USAGE}")
    try:
        timeout_s = float(values.get("timeout", TIMEOUT_S))
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= 3600:
        raise Invalid(f"--timeout {values['timeout']}: give seconds, as in --timeout 2")
    prefix = values.get("prefix")
    if url is None:
        from nexus_tui.front_door.probe_door import find_broker

        url, named = find_broker(values.get("broker"), values.get("application"), values.get("context"))
        prefix = named if prefix is None else prefix
    question = Question(part, rest[1] if PARTS[part] else "", url, prefix or "", timeout_s)
    return question._replace(lock=values.get("lock", ""))


def answer(question: Question) -> Answer:
    """Answer a question within its time, whatever hangs."""
    answers: list[Answer] = []
    # A look-up of a name takes as long as it takes: the thread is left behind when the time is over.
    asking = threading.Thread(target=lambda: answers.append(ask(question)), daemon=True)
    threading.excepthook = _report
    asking.start()
    asking.join(question.timeout_s + GRACE_S)
    if answers:
        return answers[0]
    if asking.is_alive():
        problem = Unreachable(f"broker {question.url.masked} does not answer within {question.timeout_s:g} s")
        return unreachable(question.part, problem)
    return Answer.unknown("the probe failed, which is an error of its own")


def ask(question: Question) -> Answer:
    """Ask the broker."""
    from celery_nexus.connection.plain_connection import PlainConnection

    try:
        with PlainConnection(question.url, question.timeout_s) as server:
            return _probe(server, question)
    except Unreachable as problem:
        return unreachable(question.part, problem)
    except SourceError as problem:
        return Answer.unknown(str(problem))


def _probe(server: PlainConnection, question: Question) -> Answer:
    from celery_nexus.connection.keys import BEAT_LOCK
    from celery_nexus.probe import programs

    match question.part:
        case "worker":
            from celery_nexus.probe.worker import probe_worker

            return probe_worker(server, question.name, question.prefix)
        case "queue":
            from celery_nexus.probe.queue import probe_queue

            return probe_queue(server, question.name, question.prefix)
        case "beat":
            return programs.probe_beat(server, question.prefix, question.lock or BEAT_LOCK)
        case "recorder":
            return programs.probe_recorder(server, question.prefix)
        case "guardian":
            return programs.probe_guardian(server, question.prefix)
        case _:
            return programs.probe_broker(server)


def say(found: Answer, *, as_json: bool) -> None:
    """Print an answer on one line."""
    line = found.line
    if as_json:
        import json

        line = json.dumps({"code": found.code, "line": found.line})
    elif not (line.isascii() and line.isprintable()):
        from celery_nexus.rows.text import safe_text

        line = safe_text(line)
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:  # nobody reads it: the exit code is the answer
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _report(args: threading.ExceptHookArgs) -> None:
    from nexus_tui.cli.faults import report_fault

    if args.exc_value is not None:
        report_fault(args.exc_type, args.exc_value, args.exc_traceback)
