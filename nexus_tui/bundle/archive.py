"""The archive of a support bundle: made of its parts, and read again."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from celery_nexus.connection.errors import ConfigError
from celery_nexus.errors import Invalid, SourceError, Unreachable
from nexus_tui.bundle.inquiry import Inquiry
from nexus_tui.bundle.parts import list_parts
from nexus_tui.documents import make_safe, make_safe_text
from nexus_tui.versions import find_version

README = "README.txt"
MAX_README = 200_000
"""Longest readme that is shown of an archive, in bytes."""

MAX_MEMBERS = 1_000

_HEAD = """\
Support bundle of Nexus {version}, made {at}.

Each file is text. Read them before you send them on: names of hosts, queues, workers, tasks and packages stand in
them, texts of errors, and what programs wrote into their logs. There are no messages, arguments or results.
Passwords, keys and tokens are masked as ***: by their names, by their form, and those that are set here wherever
they stand. A secret that neither looks nor is called like one is not known to be one.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a bundle.

    Attributes:
        name: Its name.
        what: What it is, in a line.
        text: What it holds.
        problem: Why it is not there; empty when it is.
    """

    name: str
    what: str
    text: str = ""
    problem: str = ""


def collect(inquiry: Inquiry) -> Iterator[Entry]:
    """Read the parts one after the other, and yield each as it comes; one that can't be read says why. Blocks.

    A broker that does not answer once is not asked again: each question would wait for it.
    """
    secrets = inquiry.collect_secrets()
    for part in list_parts(inquiry):
        what = secrets.mask(make_safe_text(part.what))
        try:
            found = part.read(inquiry)
        except (SourceError, ConfigError, OSError) as problem:
            if part.asks_broker and isinstance(problem, Unreachable):
                inquiry.silence = problem
            told = " ".join(make_safe_text(str(problem)).split())
            yield Entry(part.name, what, problem=secrets.mask(told))
        else:
            yield Entry(part.name, what, secrets.mask(_write(found)))


def write_archive(file: BinaryIO, entries: Sequence[Entry]) -> None:
    """Write a bundle as ``.tar.gz``, its readme first."""
    now = datetime.now(UTC)
    folder = f"nexus-bundle-{now:%Y%m%d-%H%M%S}"
    files = [Entry(README, "", write_readme(entries, now)), *(entry for entry in entries if not entry.problem)]
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for entry in files:
            data = entry.text.encode()
            member = tarfile.TarInfo(f"{folder}/{entry.name}")
            member.size, member.mtime, member.mode = len(data), int(now.timestamp()), 0o600
            archive.addfile(member, io.BytesIO(data))


def write_readme(entries: Sequence[Entry], at: datetime) -> str:
    """Say what is in a bundle, what is not and why, and what to look at before it is sent on."""
    width = max((len(entry.name) for entry in entries), default=0)
    there = [f"  {entry.name:<{width}}  {entry.what}" for entry in entries if not entry.problem]
    missing = [f"  {entry.name:<{width}}  {entry.problem}" for entry in entries if entry.problem]
    lines = [_HEAD.format(version=find_version(), at=f"{at:%Y-%m-%d %H:%M:%S} UTC").replace("Nexus ,", "Nexus,")]
    lines += ["What is in it:", *(there or ["  nothing"]), ""]
    lines += ["What is missing, and why:", *missing, ""] if missing else ["Nothing is missing.", ""]
    return "\n".join(lines)


def read_archive(path: Path) -> tuple[str, list[tuple[str, int]]]:
    """Return the readme of a bundle, and name and size in bytes of each file; nothing is unpacked.

    Raises:
        Invalid: It is no bundle.
        OSError: It can't be read.
    """
    readme, found = "", list[tuple[str, int]]()
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if not member.isfile() or len(found) >= MAX_MEMBERS:
                    continue
                name = member.name.partition("/")[2] or member.name
                found.append((name, member.size))
                if name == README and not readme and (file := archive.extractfile(member)) is not None:
                    readme = file.read(MAX_README).decode(errors="replace")
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Invalid(f"{path} is no support bundle: {error}") from None
    if not readme:
        raise Invalid(f"{path} is no support bundle: there is no {README} in it")
    return readme, found


def _write(found: Any) -> str:
    if isinstance(found, str):
        return f"{found}\n"  # the end of a log, which is masked as a whole where it is read
    return json.dumps(make_safe(found), ensure_ascii=False, indent=2) + "\n"
