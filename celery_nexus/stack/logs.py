"""Logs of all programs as one: merged by time, of a level, with a word."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from celery_nexus.errors import SourceError
from celery_nexus.privacy.masking import mask_text
from celery_nexus.rows.logs import LEVELS, Level, LogLine
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Program
from celery_nexus.stack.log_file import read_log_end

MOST_LINE_BYTES = 64 * 1024
"""A longer line is cut."""

LEAST_READ = 200
"""Lines of each log that are read even when fewer are shown: a line's time may stand some lines before it."""

_TIME = re.compile(r"^\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?")
_SERVER = re.compile(r"^\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d)\.(\d{3}) ([.\-*#])")
"""A line of Redis or Valkey."""

_LEVEL = re.compile(r"\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b")
_HEAD_CHARACTERS = 120
"""A level stands in the beginning of a line."""

_LEVELS: dict[str, Level] = {
    "DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "WARNING": "WARNING", "ERROR": "ERROR", "CRITICAL": "ERROR",
    "FATAL": "ERROR", ".": "DEBUG", "-": "INFO", "*": "INFO", "#": "WARNING",
}  # fmt: skip
LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Time of lines before the first that has one."""


def parse_lines(program: str, lines: Iterable[str]) -> Iterator[LogLine]:
    """Read time and level of each line; one without them (of a traceback) is as the line before.

    Args:
        program: Whose log it is.
        lines: In order, safe for the screen; their times are in this machine's time zone.
    """
    at: datetime | None = None
    level: Level = "INFO"
    for text in lines:
        found_at, found_level = read_head(text)
        if found_at is not None:
            at, level = found_at, found_level or "INFO"
        elif found_level is not None and at is None:
            level = found_level
        yield LogLine(at, program, level, text)


def merge(logs: Iterable[Iterable[LogLine]]) -> list[LogLine]:
    """Put lines of several logs in order of time; those of one log keep their order."""
    lines = [line for log in logs for line in log]
    return sorted(lines, key=lambda line: line.at or LONG_AGO)


def read_logs(programs: Sequence[Program], count: int, level: Level = "DEBUG", word: str = "") -> list[LogLine]:
    """Read the last lines of programs' logs, merged.

    Args:
        programs: Whose.
        count: At most so many lines of each log are looked at, and returned in all.
        level: Only lines of this level or a more important one.
        word: Only lines that contain it, in any case of letters.

    Raises:
        SourceError: A log can't be read.
    """
    logs = (
        parse_lines(program.name, _read_end(program, max(count, LEAST_READ))) for program in programs if program.log
    )
    least, wanted = LEVELS.index(level), word.lower()
    found = [line for line in merge(logs) if LEVELS.index(line.level) >= least and wanted in line.text.lower()]
    return found[-count:]


def find_lines(programs: Sequence[Program], word: str, count: int) -> list[LogLine]:
    """Look through whole logs, the older parts that were set aside included, for the last lines with a word.

    Args:
        programs: Whose.
        word: What the lines contain, as it stands there.
        count: At most so many lines of each log.
    """
    logs = (parse_lines(program.name, _find(Path(program.log), word, count)) for program in programs if program.log)
    return merge(logs)[-count:]


def _read_end(program: Program, count: int) -> list[str]:
    try:
        return read_log_end(Path(program.log), count)
    except FileNotFoundError:  # it has not started yet
        return []
    except OSError as error:
        raise SourceError(f"the log {program.log} can't be read: {error.strerror}") from None


def _find(path: Path, word: str, count: int) -> deque[str]:
    """Read line by line: a log may be longer than the memory."""
    found: deque[str] = deque(maxlen=count)
    wanted = word.encode()
    for part in (*sorted(path.parent.glob(f"{path.name}.[0-9]*"), key=_age, reverse=True), path):
        try:
            with part.open("rb") as file:
                while line := file.readline(MOST_LINE_BYTES):
                    if wanted in line:
                        text = mask_text(line.decode(errors="replace"), MOST_LINE_BYTES)
                        found.append(safe_text(text.rstrip("\n")))
        except OSError:
            continue  # set aside or removed meanwhile
    return found


def _age(path: Path) -> int:
    """Number of a log that was set aside: ``worker.log.3`` is older than ``worker.log.1``."""
    number = path.name.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def read_head(text: str) -> tuple[datetime | None, Level | None]:
    """Read the time and the level that a line begins with; None where it has none."""
    server = _SERVER.match(text)
    if server is not None:
        at = datetime.strptime(f"{server[1]}.{server[2]}", "%d %b %Y %H:%M:%S.%f").astimezone()
        return at, _LEVELS[server[3]]
    word = _LEVEL.search(text, 0, _HEAD_CHARACTERS)
    level = _LEVELS[word[1]] if word else None
    time = _TIME.match(text)
    if time is None:
        return None, level
    try:
        at = datetime.fromisoformat(time[1]).astimezone()
    except ValueError:
        return None, level
    return at.replace(microsecond=int((time[2] or "0").ljust(6, "0"))), level
