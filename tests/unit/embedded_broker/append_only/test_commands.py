"""Where the last whole command of an append-only file ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from celery_nexus.embedded_broker.append_only.commands import count_whole, scan


def command(*arguments: bytes) -> bytes:
    """One command in RESP."""
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(value), value) for value in arguments)


FIRST = command(b"SELECT", b"0") + command(b"lpush", b"queue", b"a\r\n*1\r\n$3")
SECOND = command(b"HSET", b"h", b"f", bytes(range(256)))
THIRD = command(b"DEL", b"x")


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(data)
    return path


def test_a_whole_file_has_no_problem(tmp_path: Path) -> None:
    found = scan(written(tmp_path, FIRST + b"#TS:1795836196\r\n" + SECOND))
    assert (found.end, found.problem) == (found.size, None)


def test_an_empty_file_is_whole(tmp_path: Path) -> None:
    assert scan(written(tmp_path, b"")).problem is None


@pytest.mark.parametrize(
    ("tail", "problem"),
    [
        (b"\0" * 4096, "zeros"),
        (b"\0", "zeros"),
        (b"*2\r\n$4\r\nDECR\r\n$1", "half a command"),
        (b"*2\r\n$4\r\nDECR\r\n$1\r\nx\r", "half a command"),
        (b"*", "half a command"),
        (b"\x8f\xfe garbage " * 40, "no command"),
        (b"*1\r\n$99999999999\r\n", "a length of 99999999999"),
        (b"*0\r\n", "a length of 0"),
        (b"*1\r\n$3\r\nDELxx", "an argument without an end"),
        (b"*1\r\n$3\r\n\0\0\0\r\n", "no command's name"),
        (command(b"MULTI") + command(b"DEL", b"x"), "half a transaction"),
    ],
)
def test_a_file_is_whole_up_to_the_damage(tmp_path: Path, tail: bytes, problem: str) -> None:
    found = scan(written(tmp_path, FIRST + SECOND + tail))
    assert (found.end, found.problem) == (len(FIRST + SECOND), problem)


def test_a_transaction_that_is_damaged_is_cut_off_whole(tmp_path: Path) -> None:
    found = scan(written(tmp_path, FIRST + command(b"MULTI") + SECOND + b"\0" * 9 + command(b"EXEC")))
    assert found.end == len(FIRST)


def test_a_transaction_that_is_whole_stays(tmp_path: Path) -> None:
    data = FIRST + command(b"multi") + SECOND + command(b"EXEC")
    assert scan(written(tmp_path, data)).end == len(data)


def test_an_argument_of_two_megabytes_is_one_command(tmp_path: Path) -> None:
    data = command(b"SET", b"large", b"x" * 2_000_000) + THIRD
    assert scan(written(tmp_path, data)).end == len(data)


def test_whole_commands_behind_a_damage_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, FIRST + b"\0" * 700 + SECOND + THIRD + b"\xff" * 2_000_000 + THIRD + b"*1\r\n$9\r\nhalf")
    assert count_whole(path, len(FIRST)) == 3
