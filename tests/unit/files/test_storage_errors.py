"""What the storage says of each thing that is no file, can't be read or can't be written, and how it writes."""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
import time
from pathlib import Path

import pytest

from celery_nexus.task_errors import TaskError, TooLarge
from workers.errors import FileMissing, PathNotAllowed, StorageFull
from workers.services import storage
from workers.services.storage import STALE_PART_S, OutputFolder, find, folder_name, open_input, spell_name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "out", tmp_path / "out" / "run", tmp_path / "source.docx", "0a1b2c3d")


# What is no file


def test_each_kind_of_thing_that_is_no_file_is_named(root: Path) -> None:
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    with pytest.raises(PathNotAllowed, match=r"^path_not_allowed: folder: a folder, no regular file$"):
        find(root, "folder")
    with pytest.raises(PathNotAllowed, match=r"^path_not_allowed: pipe: a named pipe, no regular file$"):
        find(root, "pipe")


def test_a_socket_and_a_device_are_named() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/s")
        with pytest.raises(PathNotAllowed, match=r": a socket, no regular file$"):
            find(Path(folder), "s")
        with pytest.raises(PathNotAllowed, match=r": no regular file$"):
            open_input(Path(folder), "s")
    with pytest.raises(PathNotAllowed, match=r"^path_not_allowed: null: a device, no regular file$"):
        find(Path("/dev"), "null")


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOENT, FileMissing, "a: no such file below /r"),
        (errno.ENOTDIR, FileMissing, "a: no such file below /r"),
        (errno.ENAMETOOLONG, FileMissing, "a: no such file below /r"),
        (errno.ELOOP, PathNotAllowed, "a: no regular file"),
        (errno.ENXIO, PathNotAllowed, "a: no regular file"),
        (errno.EACCES, PathNotAllowed, "a: can't be read (Permission denied)"),
    ],
)
def test_each_error_of_reading_has_its_words(number: int, kind: type[TaskError], words: str) -> None:
    told = storage._not_found(Path("/r"), "a", OSError(number, os.strerror(number)))
    assert type(told) is kind
    assert str(told) == f"{kind.code}: {words}"


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, StorageFull, "no room for /a; make some and submit again"),
        (errno.EDQUOT, StorageFull, "no room for /a; make some and submit again"),
        (errno.EFBIG, TooLarge, "/a: the output would be larger than a run may write"),
        (errno.EROFS, PathNotAllowed, "/a: can't be written (Read-only file system)"),
    ],
)
def test_each_error_of_writing_has_its_words(number: int, kind: type[TaskError], words: str) -> None:
    told = storage._not_written(Path("/a"), OSError(number, os.strerror(number)))
    assert type(told) is kind
    assert str(told) == f"{kind.code}: {words}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "'' is no file name; give a path below "),
        ("a\0b", r"'a\\x00b' is no file name; give a path below "),
        ("a/../b", "a/../b: '..' is not allowed; give a path below "),
        ("/etc/passwd", "/etc/passwd: outside of "),
        (".", ".: outside of "),
    ],
)
def test_a_refused_name_says_why_and_what_is_allowed(root: Path, name: str, words: str) -> None:
    with pytest.raises(PathNotAllowed) as told:
        find(root, name)
    assert str(told.value).startswith(f"path_not_allowed: {words}")
    assert str(root) in str(told.value)


def test_a_file_that_is_exchanged_for_a_link_after_it_was_looked_up_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (root / "link").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(storage.os.path, "realpath", lambda path: str(path))
    with pytest.raises(PathNotAllowed, match=r"^path_not_allowed: link: no regular file$"):
        open_input(root, "link")


def test_a_folder_that_is_exchanged_on_the_way_is_noticed_and_nothing_stays_open(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "f").write_bytes(b"x")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(storage.os.path, "realpath", lambda path: str(path))
    closed: list[int] = []
    monkeypatch.setattr(storage.os, "close", closed.append)
    with pytest.raises(PathNotAllowed, match="folder/f: outside of "):
        open_input(root, "folder/f")
    monkeypatch.undo()
    [descriptor] = closed
    os.close(descriptor)


# What is shown


def test_a_long_name_is_cut_to_two_hundred_characters() -> None:
    assert spell_name("x" * 200) == "x" * 200
    assert spell_name("x" * 201) == "x" * 199 + "…"
    assert spell_name(Path("a/b"), 3) == "a/b"
    assert spell_name("abcd", 3) == "ab…"


def test_the_folder_of_a_request_is_told_from_others_by_ten_digits() -> None:
    assert folder_name("in/report 1.docx", "pages", "2") == "report_1.docx-f953a904ce"
    assert folder_name("x" * 100) == f"{'x' * 60}-09ecb6ebc8"
    assert folder_name("...") == "file-ab5df625bc"
    assert folder_name("a", "b") != folder_name("a", "b", "")


# How it is written


def test_folders_and_files_are_the_users_alone(out: OutputFolder) -> None:
    written = Path(out.write("a.txt", "é"))
    assert written.read_bytes() == "é".encode()
    assert written == out.path / "a.txt"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (out.root, out.path, written)]
    assert modes == [0o700, 0o700, 0o600]


def test_text_that_can_not_be_encoded_is_written_with_marks(out: OutputFolder) -> None:
    assert Path(out.write("a.txt", "a\ud800b")).read_bytes() == b"a?b"


def test_a_file_is_on_disk_before_it_has_its_name(out: OutputFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(storage.os, "fsync", lambda _: seen.append((out.path / "a").exists()))
    out.write("a", b"x")
    assert seen == [False]
    assert (out.path / "a").exists()


def test_a_link_in_the_place_of_an_unfinished_file_is_not_followed(out: OutputFolder, tmp_path: Path) -> None:
    out.make()
    (out.path / ".a.0a1b2c3d.part").symlink_to(tmp_path / "victim")
    with pytest.raises(PathNotAllowed, match=r"/a: can't be written \("):
        out.write("a", b"x")
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize(("age_s", "is_removed"), [(STALE_PART_S - 60, False), (STALE_PART_S + 60, True)])
def test_an_unfinished_file_of_another_run_is_left_for_an_hour(
    out: OutputFolder, age_s: float, is_removed: bool
) -> None:
    out.make()
    part = out.path / ".a.ffffffff.part"
    part.touch()
    os.utime(part, (0, time.time() - age_s))
    out.make()
    assert part.exists() is not is_removed


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_a_name_of_an_output_is_one_plain_name(out: OutputFolder, name: str) -> None:
    with pytest.raises(PathNotAllowed, match=r": no plain file name$"):
        out.write(name, b"")
    assert not out.root.exists()
