"""Run-time folders and files are their owner's alone; what another user put in their place is refused in words."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from celery_nexus.connection.errors import ConfigError
from celery_nexus.embedded_broker.password import read_embedded_password
from celery_nexus.paths import Paths
from celery_nexus.private_files import make_private_below
from config.settings import Settings

NOBODY = 65_534
LONG = "h" * 100
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def as_nobody(code: str, imports: str = "import os") -> str:
    """Run a few lines of Python as another user, who may not read our code, and return what they print."""
    head = f"{imports}; import os; os.setgid({NOBODY}); os.setuid({NOBODY}); os.umask(0)\n"
    command = [sys.executable, "-c", head + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory that every user may write to, as ``/tmp``; there is no run-time directory of the user."""
    with tempfile.TemporaryDirectory(prefix="nexus-shared-") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        yield folder


def test_folders_and_files_that_existed_with_wider_modes_are_narrowed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("log", "run", "uploads"):
        (home / name).mkdir(parents=True)
        (home / name).chmod(0o755)
    home.chmod(0o777)
    for name in ("history.db", "broker.password", "log/ai.log", "run/broker.conf"):
        (home / name).write_text("secret")
        (home / name).chmod(0o644)
    Settings(home=home).make_folders()
    assert [mode(home / name) for name in ("", "log", "run", "uploads", "outputs", "tmp")] == [0o700] * 6
    names = ("history.db", "broker.password", "log/ai.log", "run/broker.conf")
    assert [mode(home / name) for name in names] == [0o600] * 4


def test_a_home_that_is_more_than_ours_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / "public.html").write_text("")
    (tmp_path / "public.html").chmod(0o644)
    tmp_path.chmod(0o755)
    Paths.of(tmp_path).make()
    assert (mode(tmp_path), mode(tmp_path / "public.html"), mode(tmp_path / "run")) == (0o755, 0o644, 0o700)


def test_a_long_home_has_its_sockets_in_a_folder_of_the_user(shared: Path) -> None:
    home = shared / "mine" / LONG
    paths = Paths.of(home)
    paths.make()
    assert paths.run.parent == shared / f"nexus-{os.geteuid()}"
    assert (mode(paths.run.parent), mode(paths.run)) == (0o700, 0o700)


def test_the_run_time_directory_of_the_user_is_preferred(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = shared / "run-time"
    mine.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(mine))
    assert Paths.of(shared / LONG).run.is_relative_to(mine / "nexus")
    mine.chmod(0o755)
    assert Paths.of(shared / LONG).run.is_relative_to(shared / f"nexus-{os.geteuid()}")


@as_root
@pytest.mark.parametrize("place", ["parent", "folder"])
def test_nobody_gets_the_password_who_put_the_folder_of_the_sockets_there_first(shared: Path, place: str) -> None:
    paths = Paths.of(shared / "mine" / LONG)
    if place == "folder":
        paths.run.parent.mkdir(mode=0o777)
        paths.run.parent.chmod(0o777)
    as_nobody(f"os.makedirs({str(paths.run)!r})")
    with pytest.raises(ConfigError, match=r"nexus-0.*set NEXUS_HOME to a folder that you can write and nobody else"):
        read_embedded_password(paths)
    with pytest.raises(PermissionError):
        paths.make()


@as_root
def test_a_link_in_place_of_a_folder_is_refused(shared: Path) -> None:
    (shared / "elsewhere").mkdir(mode=0o700)
    as_nobody(f"os.symlink({str(shared / 'elsewhere')!r}, {str(shared / 'nexus')!r})")
    with pytest.raises(PermissionError, match=r"is no folder of ours|is a link"):
        make_private_below(shared, "nexus", "run")


@as_root
def test_a_home_that_another_user_made_in_a_shared_folder_is_refused(shared: Path) -> None:
    as_nobody(f"os.makedirs({str(shared / 'home' / 'run')!r})")
    with pytest.raises(ConfigError, match=r"belongs to another user \(nobody\)"):
        read_embedded_password(Paths.of(shared / "home"))


def test_a_shared_folder_whose_users_can_replace_each_others_folders_is_refused(shared: Path) -> None:
    shared.chmod(0o777)
    with pytest.raises(PermissionError, match="others can replace what is in it"):
        Paths.of(shared / "mine" / LONG).make()


@pytest.mark.parametrize("content", [b"", b" \n", b'a"b', b"a b", b"\xff\xfe"])
def test_a_password_file_without_a_password_is_an_error(tmp_path: Path, content: bytes) -> None:
    paths = Paths.of(tmp_path / "home")
    read_embedded_password(paths)
    paths.broker_password.write_bytes(content)
    with pytest.raises(ConfigError, match="remove the file, start again"):
        read_embedded_password(paths)


def test_a_password_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path / "home")
    paths.make()
    paths.broker_password.mkdir()
    with pytest.raises(ConfigError, match=r"can't read or make the broker's password at .*: is no file"):
        read_embedded_password(paths)
    paths.broker_password.rmdir()
    os.mkfifo(paths.broker_password)
    with pytest.raises(ConfigError, match="is no file"):
        read_embedded_password(paths)


@as_root
def test_an_unprivileged_user_is_told_of_folders_that_are_not_his(shared: Path) -> None:
    home = shared / "home"
    home.mkdir(mode=0o755)
    code = f"try: Paths.of(Path({str(home)!r})).make()\nexcept OSError as error: print(error.strerror)"
    assert (
        as_nobody(code, "from pathlib import Path; from celery_nexus.paths import Paths")
        == "belongs to another user (root)"
    )
