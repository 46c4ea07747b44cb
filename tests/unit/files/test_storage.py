"""Nothing outside of a root is read or written, and outputs are whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from celery_nexus.task_errors import TaskError
from tests.harness.places import ROOT
from workers.errors import FileMissing, PathNotAllowed
from workers.services import storage
from workers.services.storage import OutputFolder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "sub" / "b.txt").write_text("b")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.mark.parametrize("name", ["a.txt", "sub/b.txt", "./a.txt", "sub//b.txt"])
def test_a_file_below_the_root_is_found(root: Path, name: str) -> None:
    assert storage.find(root, name).read_text() in ("a", "b")


def test_an_absolute_path_below_the_root_is_found(root: Path) -> None:
    assert storage.find(root, str(root / "a.txt")) == (root / "a.txt").resolve()


@pytest.mark.parametrize(
    "name",
    ["../secret.txt", "sub/../../secret.txt", "sub/../a.txt", "/etc/passwd", "..", ".", "", "/", "a.txt\0", "\ud800",
     "~/x", "/dev/null", "/proc/self/environ", "sub"],
)  # fmt: skip
def test_what_is_no_file_below_the_root_is_refused(root: Path, name: str) -> None:
    with pytest.raises((PathNotAllowed, FileMissing)):
        storage.find(root, name)


def test_the_refusal_names_the_path_and_the_root(root: Path) -> None:
    with pytest.raises(PathNotAllowed) as caught:
        storage.find(root, "/etc/passwd")
    assert str(caught.value) == f"path_not_allowed: /etc/passwd: outside of {root}; only files below it can be used"


def test_a_link_that_leaves_the_root_is_refused(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "secret.txt")
    (root / "folder").symlink_to(root.parent)
    for name in ("link", "folder/secret.txt"):
        with pytest.raises(PathNotAllowed):
            storage.find(root, name)
        with pytest.raises(PathNotAllowed):
            storage.open_input(root, name)


def test_a_link_inside_of_the_root_is_followed(root: Path) -> None:
    (root / "link").symlink_to("sub/b.txt")
    with storage.open_input(root, "link") as file:
        assert file.read() == b"b"


def test_a_loop_of_links_is_refused(root: Path) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises((PathNotAllowed, FileMissing)):
        storage.find(root, "one")


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(PathNotAllowed, match="a named pipe, no regular file"):
        storage.open_input(root, "pipe")


@pytest.mark.parametrize(
    "name", ["line\nbreak.txt", "\x1b[31mred.txt", "left\u202eright.txt", "x" * 255, "caf\udce9.txt"]
)
def test_odd_names_are_opened(root: Path, name: str) -> None:
    (root / name).write_text("odd")
    with storage.open_input(root, name) as file:
        assert file.read() == b"odd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\u202e", r"\u202e"), ("\udce9", r"\udce9"), ("größe", "größe")],
)
def test_outside_text_is_shown_without_control_characters(text: str, expected: str) -> None:
    assert storage.spell_name(text) == expected


@given(
    parts=st.lists(
        st.one_of(
            st.sampled_from(["..", ".", "", "a.txt", "sub", "out", "~", "/", "//", "b.txt"]),
            st.text(max_size=6),
        ),
        max_size=6,
    ),
    absolute=st.booleans(),
)
@hypothesis_settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_the_name_only_files_below_the_root_are_found(root: Path, parts: list[str], absolute: bool) -> None:
    link = root / "out"
    if not link.is_symlink():
        link.symlink_to("..")
    name = ("/" if absolute else "") + "/".join(parts)
    try:
        found = storage.find(root, name)
    except TaskError:
        return
    assert found.resolve().is_relative_to(root.resolve())
    assert found.is_file()


@given(name=st.text(max_size=300))
def test_an_output_folder_has_a_harmless_name(name: str) -> None:
    folder = storage.folder_name(name)
    assert len(folder) <= 80
    assert folder.isascii()
    assert set(folder).isdisjoint("/\\\0\n\x1b ")
    assert not folder.startswith(".")


def test_the_same_request_has_the_same_folder_and_another_has_another() -> None:
    assert storage.folder_name("a.docx", "text") == storage.folder_name("a.docx", "text")
    assert storage.folder_name("a.docx", "text") != storage.folder_name("a.docx", "images")
    assert storage.folder_name("x/a.docx") != storage.folder_name("y/a.docx")


@pytest.fixture
def out(root: Path, tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "out", tmp_path / "out" / "run", root / "a.txt")


def test_an_output_is_written_under_its_name(out: OutputFolder) -> None:
    assert Path(out.write("text.txt", "grün")).read_text(encoding="utf-8") == "grün"
    assert [item.name for item in out.path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "", "."])
def test_an_output_has_a_plain_name(out: OutputFolder, name: str) -> None:
    with pytest.raises(PathNotAllowed):
        out.write(name, "x")


def test_an_output_never_overwrites_the_input(root: Path) -> None:
    out = OutputFolder(root, root, root / "a.txt")
    with pytest.raises(PathNotAllowed, match="would overwrite the input"):
        out.write("a.txt", "x")
    assert (root / "a.txt").read_text() == "a"


def test_an_output_folder_outside_of_its_root_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run").symlink_to(tmp_path)
    with pytest.raises(PathNotAllowed):
        OutputFolder(tmp_path / "out", tmp_path / "out" / "run", root / "a.txt").write("x", "x")


def test_a_failed_write_leaves_the_old_file_and_no_part(out: OutputFolder) -> None:
    out.write("text.txt", "old")
    with pytest.raises(ValueError, match="stop"), out.open_file("text.txt") as file:
        file.write(b"new")
        raise ValueError("stop")
    assert {item.name: item.read_text() for item in out.path.iterdir()} == {"text.txt": "old"}


def test_parts_of_killed_runs_are_removed_when_they_are_old(out: OutputFolder) -> None:
    out.make()
    old, fresh = out.path / ".text.txt.00.part", out.path / ".text.txt.11.part"
    old.write_text("x")
    fresh.write_text("x")
    os.utime(old, (0, 0))
    out.write("text.txt", "new")
    assert sorted(item.name for item in out.path.iterdir()) == [fresh.name, "text.txt"]


def test_sweeping_removes_this_runs_parts_only(out: OutputFolder) -> None:
    out.make()
    (out.path / f".a.{out.token}.part").write_text("x")
    (out.path / ".a.other.part").write_text("x")
    out.sweep()
    assert [item.name for item in out.path.iterdir()] == [".a.other.part"]


def test_killed_at_any_moment_the_output_is_old_or_new_and_never_half(tmp_path: Path) -> None:
    program = (
        "import sys, itertools; from pathlib import Path\n"
        "from workers.services.storage import OutputFolder\n"
        "out = OutputFolder(Path(sys.argv[1]), Path(sys.argv[1]) / 'run', Path('/nowhere'))\n"
        "print('ready', flush=True)\n"
        "for n in itertools.count(): out.write('data', bytes([65 + n % 26]) * 300_000)\n"
    )
    for attempt in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
        )
        assert writer.stdout
        writer.stdout.readline()
        time.sleep(0.003 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        target = tmp_path / "run" / "data"
        if target.exists():
            data = target.read_bytes()
            assert data == data[:1] * 300_000
