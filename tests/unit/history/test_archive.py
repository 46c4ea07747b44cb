"""The archive: each run once, whatever happens between; all files read together."""

import fcntl
import importlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from celery_nexus.history.archive import archiving, manifest, parquet
from celery_nexus.history.archive.archiving import Progress, archive_history
from celery_nexus.history.archive.manifest import NAME, SCHEMA_FILE
from celery_nexus.history.errors import AlreadyArchiving, HistoryError
from celery_nexus.history.store.store import Store
from tests.unit.history.former_files import turn_back_to_5

AT = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"WINDOW": 7, "ROWS_AT_ONCE": 2, "PART_RUNS": 4}.items():
        monkeypatch.setattr(archiving, name, size)


def life(number: int, *, to_end: bool = True, at: float = AT, **kwargs: Any) -> list[dict[str, Any]]:
    base = {"uuid": f"run-{number:03d}", "hostname": "w@h"}
    sent = {"type": "task-sent", "timestamp": at + number, "name": "mail", "args": [number], "kwargs": kwargs}
    end = {"type": "task-succeeded", "timestamp": at + number + 0.5, "runtime": 0.25, "result_json": "null"}
    return [base | sent, *([base | end] if to_end else [])]


def write(store: Store, numbers: range, **options: Any) -> None:
    for number in numbers:
        store.write(life(number, **options))


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return ds.dataset(folder, format="parquet").to_table().to_pylist()


def ids_in(folder: Path) -> list[str]:
    return [row["id"] for row in rows_in(folder)]


def ids(*numbers: int) -> list[str]:
    return [f"run-{number:03d}" for number in numbers]


def test_an_archived_run_has_times_of_its_zone_durations_and_typed_arguments(
    store: Store, path: Path, folder: Path
) -> None:
    store.write(life(7, user_id=42, rate=0.5, urgent=True, to="ann", tags=["a", {"b": 1}]))
    archive_history(path, folder)
    (row,) = rows_in(folder)
    sent_at = datetime.fromtimestamp(AT + 7, UTC)
    assert (row["id"], row["state"], row["sent_at"], row["ran_s"]) == ("run-007", "SUCCESS", sent_at, 0.25)
    assert {name: row[name] for name in row if name.startswith("args.")} == {
        "args.0": 7,
        "args.user_id": 42,
        "args.rate": 0.5,
        "args.urgent": True,
        "args.to": "ann",
        "args.tags": '["a",{"b":1}]',
    }
    schema = pq.read_schema(folder / "runs-000001.parquet")
    assert [str(schema.field(f"args.{name}").type) for name in ("user_id", "rate", "urgent")] == [
        "int64",
        "double",
        "bool",
    ]


@pytest.mark.usefixtures("small_parts")
def test_runs_that_are_not_over_wait_for_the_next_time(store: Store, path: Path, folder: Path) -> None:
    write(store, range(10))
    write(store, range(10, 12), to_end=False)
    write(store, range(12, 15))
    assert archive_history(path, folder) == Progress(total=13, seen=13, archived=13, files=3)
    write(store, range(10, 12))
    assert archive_history(path, folder) == Progress(total=15, seen=15, archived=2, files=1)
    assert sorted(ids_in(folder)) == ids(*range(15))


@pytest.mark.usefixtures("small_parts")
def test_runs_that_came_late_are_archived_though_later_ones_are(store: Store, path: Path, folder: Path) -> None:
    write(store, range(5, 15))
    archive_history(path, folder)
    write(store, range(5))
    assert archive_history(path, folder).archived == 5
    assert sorted(ids_in(folder)) == ids(*range(15))


def test_only_runs_before_a_time_are_archived(store: Store, path: Path, folder: Path) -> None:
    write(store, range(10))
    archive_history(path, folder, before=AT + 4)
    assert ids_in(folder) == ids(0, 1, 2, 3)


def test_what_the_history_forgot_stays_in_the_archive(store: Store, path: Path, folder: Path) -> None:
    write(store, range(3))
    archive_history(path, folder)
    store.connection.execute("delete from run")
    write(store, range(3, 5))
    archive_history(path, folder)
    assert ids_in(folder) == ids(0, 1, 2, 3, 4)


def test_a_history_built_anew_archives_no_run_twice(store: Store, path: Path, folder: Path, tmp_path: Path) -> None:
    write(store, range(6))
    archive_history(path, folder)
    anew = Store(tmp_path / "anew.db")
    write(anew, range(3, 9))
    anew.close()
    assert archive_history(tmp_path / "anew.db", folder).archived == 3
    assert sorted(ids_in(folder)) == ids(*range(9))


@pytest.mark.usefixtures("small_parts")
def test_an_archive_goes_on_where_its_process_was_killed(
    store: Store, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at every place where something was written: what is there is whole, and what is missing comes."""
    write(store, range(13), note="x")

    class Killed(BaseException):
        pass

    plain = parquet.sync_folder
    for killed_at in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        calls = iter(range(100))

        def sync(place: Path, calls: Iterator[int] = calls, killed_at: int = killed_at) -> None:
            if next(calls) == killed_at:
                raise Killed
            plain(place)

        monkeypatch.setattr(parquet, "sync_folder", sync)
        try:
            archive_history(path, folder)
            is_killed = False
        except Killed:
            is_killed = True
        monkeypatch.setattr(parquet, "sync_folder", plain)
        archive_history(path, folder)
        assert sorted(ids_in(folder)) == ids(*range(13))
        if not is_killed:
            return
    pytest.fail("it never came to its end")


def test_what_was_half_done_is_removed_and_nothing_else(store: Store, path: Path, folder: Path) -> None:
    write(store, range(2))
    archive_history(path, folder)
    (folder / ".runs-000002.parquet.part").write_bytes(b"PAR1")
    (folder / ".notes.part").write_text("hers")
    (folder / "notes.txt").write_text("hers")
    archive_history(path, folder)
    names = sorted(file.name for file in folder.iterdir())
    assert names == [".lock", ".notes.part", NAME, "notes.txt", SCHEMA_FILE, "runs-000001.parquet"]


def test_a_lost_manifest_is_made_of_the_files(store: Store, path: Path, folder: Path) -> None:
    write(store, range(3), user_id=1)
    archive_history(path, folder)
    for lost in (NAME, SCHEMA_FILE):
        (folder / lost).unlink()
    write(store, range(3, 4))
    assert archive_history(path, folder).archived == 1
    assert [row["args.user_id"] for row in rows_in(folder)] == [1, 1, 1, None]


def test_files_of_another_time_with_other_arguments_are_read_together(store: Store, path: Path, folder: Path) -> None:
    arguments: tuple[dict[str, Any], ...] = ({"a": 1, "b": 1}, {"a": "x", "b": 0.5, "c": True}, {"a": None})
    for number, kwargs in enumerate(arguments):
        store.write(life(number, **kwargs))
        archive_history(path, folder)
    found = [(row["args.a"], row["args.b"], row["args.c"]) for row in rows_in(folder)]
    assert found == [("1", 1.0, None), ("x", 0.5, True), (None, None, None)]


def test_kinds_that_differ_within_a_file_are_widened(
    store: Store, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "ROWS_AT_ONCE", 1)
    for number, value in enumerate((1, 2**60, 0.5, True, [1])):
        store.write(life(number, a=value))
    archive_history(path, folder)
    assert [row["args.a"] for row in rows_in(folder)] == ["1", str(2**60), "0.5", "true", "[1]"]


def test_two_processes_do_not_write_one_archive(store: Store, path: Path, folder: Path) -> None:
    write(store, range(1))
    folder.mkdir()
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(AlreadyArchiving, match="another process archives into"):
            archive_history(path, folder)


def test_a_missing_file_that_may_hold_a_run_is_named(store: Store, path: Path, folder: Path) -> None:
    write(store, range(3))
    archive_history(path, folder)
    (folder / "runs-000001.parquet").unlink()
    with pytest.raises(HistoryError, match=r"runs-000001\.parquet is missing, .* bring it back"):
        archive_history(path, folder)


def test_a_missing_file_of_runs_that_are_gone_is_not_missed(store: Store, path: Path, folder: Path) -> None:
    write(store, range(3))
    archive_history(path, folder)
    (folder / "runs-000001.parquet").unlink()
    store.connection.execute("delete from run")
    write(store, range(3, 5))
    archive_history(path, folder)
    assert ids_in(folder) == ids(3, 4)


def test_without_its_library_it_says_what_to_install(
    store: Store, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = importlib.import_module

    def missing(name: str) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError("No module named 'pyarrow'")
        return plain(name)

    write(store, range(1))
    monkeypatch.setattr(parquet, "import_module", missing)
    with pytest.raises(
        HistoryError, match=r"written by pyarrow, .*No module named 'pyarrow'.*: pip install 'celery-nexus\[export\]'"
    ):
        archive_history(path, folder)
    assert not folder.exists()


def test_a_history_of_the_version_before_is_to_be_brought_up_to_date(store: Store, path: Path, folder: Path) -> None:
    write(store, range(1))
    turn_back_to_5(store.connection)
    with pytest.raises(HistoryError, match="its recorder brings it up to date when it starts"):
        archive_history(path, folder)


def test_an_archive_of_a_newer_version_is_left_alone(store: Store, path: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / NAME).write_text('{"format": 2}')
    with pytest.raises(HistoryError, match="newer version"):
        archive_history(path, folder)


def test_an_archive_is_for_its_owner_only(store: Store, path: Path, folder: Path) -> None:
    write(store, range(1))
    archive_history(path, folder)
    files = (NAME, SCHEMA_FILE, "runs-000001.parquet")
    assert [(folder / name).stat().st_mode & 0o777 for name in files] == [0o600] * 3
    assert folder.stat().st_mode & 0o777 == 0o700


def test_numbers_of_files_go_on(store: Store, path: Path, folder: Path) -> None:
    for number in range(3):
        write(store, range(number, number + 1))
        archive_history(path, folder)
    loaded = manifest.load_manifest(folder)
    assert [part.file for part in loaded.parts] == [f"runs-00000{number}.parquet" for number in (1, 2, 3)]
