"""Book of alerts: the file that remembers what is open and what channels are still to be told, across restarts."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from celery_nexus.alerts.deliveries import Delivery, Told
from celery_nexus.alerts.evaluation import Alert
from celery_nexus.errors import Refused, SourceError
from celery_nexus.private_files import make_private, open_private, read_private

VERSION = 1

logger = logging.getLogger("alerts")


@dataclass(frozen=True, slots=True)
class Book:
    """What is remembered.

    Attributes:
        alerts: What is open.
        deliveries: What channels are still to be told, the oldest first.
    """

    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


class BookFile:
    """The file of a book. One process writes it at a time: see :meth:`hold`.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_suffix(".lock")

    def read(self) -> Book:
        """Read the book; a file that can't be understood is set aside and said in the log.

        Raises:
            SourceError: It can't be read.
        """
        try:
            return _parse(read_private(self.path))
        except FileNotFoundError:
            return Book()
        except OSError as error:
            raise SourceError(f"can't read {self.path}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            aside = self.path.with_suffix(".damaged")
            with suppress(OSError):
                self.path.replace(aside)
            logger.warning("%s could not be understood: alerts begin anew, the file is kept as %s", self.path, aside)
            return Book()

    def write(self, book: Book) -> None:
        """Replace the book, all or nothing.

        Raises:
            SourceError: It can't be written.
        """
        text = json.dumps({"version": VERSION, **asdict(book)}, ensure_ascii=True)
        write_whole(self.path, text)

    @contextmanager
    def hold(self, rules: Path) -> Generator[None]:
        """Be the one process that watches; its lock file's time is that of the last look, and it names the rules file.

        Args:
            rules: The rules file that is watched by.

        Raises:
            Refused: Another process is it.
            SourceError: The file can't be made.
        """
        try:
            make_private(self.path.parent, narrowed=False)
            descriptor = open_private(self._lock_path, os.O_RDWR)
        except OSError as error:
            raise SourceError(f"can't write {self._lock_path}: {error.strerror or error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, os.fsencode(rules.absolute()))
            yield
        except BlockingIOError:
            raise Refused("somebody watches this application already: nothing is told twice") from None
        finally:
            os.close(descriptor)

    def note_look(self) -> None:
        """Note that everything was looked at now."""
        with suppress(OSError):
            os.utime(self._lock_path)

    def rules(self) -> Path | None:
        """Return the rules file of who watched last; None when nobody ever did."""
        try:
            told = read_private(self._lock_path)
        except OSError:
            return None
        return Path(os.fsdecode(told)) if told else None

    def read_last_look(self) -> float | None:
        """Return when somebody last looked, in seconds since the epoch; None when nobody ever did."""
        try:
            return self._lock_path.stat().st_mtime
        except OSError:
            return None

    def is_held(self) -> bool:
        """Tell whether somebody watches now."""
        try:
            with self._lock_path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def write_whole(path: Path, text: str) -> None:
    """Write a file of ours, all or nothing.

    Raises:
        SourceError: It can't be written.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        make_private(path.parent, narrowed=False)
        descriptor = open_private(draft, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SourceError(f"can't write {path}: {error.strerror or error}") from None


def _parse(text: bytes) -> Book:
    told = cast("dict[str, Any]", json.loads(text))
    if told["version"] != VERSION:
        raise ValueError(told["version"])
    return Book(tuple(map(_parse_alert, told["alerts"])), tuple(map(_parse_delivery, told["deliveries"])))


def _parse_alert(told: dict[str, Any]) -> Alert:
    fields: dict[str, Any] = {**told, "told": None if told["told"] is None else tuple(told["told"])}
    return Alert(**fields)


def _parse_delivery(told: dict[str, Any]) -> Delivery:
    fields: dict[str, Any] = {**told, "subjects": tuple(Told(**row) for row in told["subjects"])}
    return Delivery(**fields)
