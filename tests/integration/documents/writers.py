"""Processes that write output without end, to be killed: ``python -m tests.integration.documents.writers ROOT``.

For each line on stdin, the name of a writer, a process is forked that writes for ever; its id is the answer. It gets
ids of processes to bury as ``-ID``.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from workers.services import images
from workers.services.exports.export import export
from workers.services.exports.sources import Listed
from workers.services.mail import outbox
from workers.services.mail.message import Envelope
from workers.services.progress import ignore_progress
from workers.services.reports.analytics import Wishes, analyse
from workers.services.reports.delivery import ReportFormat, deliver
from workers.services.storage import OutputFolder
from workers.services.upkeep.archive import archive_old

LIBRARIES = ("pyarrow.parquet", "xlsxwriter", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
             "docx", "polars")  # fmt: skip
ROWS = 400
RECORDS = [{"number": number, "text": f"text {number}" * 5} for number in range(ROWS)]
MAIL = b"Subject: x\r\n\r\n" + b"line of a mail\r\n" * 20_000 + b"the end\r\n"
ENVELOPE = Envelope("<id@example.org>", "a@example.org", ("b@example.org",), MAIL, needs_smtputf8=False)
OLD = b"old output\n" * 20_000
OLD_FILES = 200


def _export(root: Path, format_: str) -> None:
    folder = OutputFolder(root, root / f"export-{format_}", source=root)
    export(Listed(RECORDS), format_, folder, None, root / "tmp", ignore_progress)


def _report(root: Path, format_: ReportFormat) -> None:
    report = analyse({"records": RECORDS}, "detailed", Wishes("A report"))
    deliver(report, format_, OutputFolder(root, root / f"report-{format_}", source=root))


def _image(root: Path) -> None:
    payload = {"uploads": str(root), "path": "picture.png", "outputs": str(root), "folder": str(root / "image")}
    asked = {"operations": ["resize", "convert"], "options": {"target_format": "bmp"}, "wall_s": 25}
    images.process({**payload, **asked, "token": os.urandom(4).hex()}, ignore_progress)


def _mail(root: Path) -> None:
    outbox.put(root / "outbox", ENVELOPE, "key")


def _archive(root: Path) -> None:
    archive_old(root / "old", 3600, ignore_progress)


WRITERS: dict[str, Callable[[Path], None]] = {
    "csv": lambda root: _export(root, "csv"),
    "xlsx": lambda root: _export(root, "xlsx"),
    "parquet": lambda root: _export(root, "parquet"),
    "html": lambda root: _report(root, "html"),
    "docx": lambda root: _report(root, "docx"),
    "image": _image,
    "mail": _mail,
    "archive": _archive,
}


def main(root: Path) -> None:
    """Serve until stdin ends."""
    for library in LIBRARIES:  # once, before the forks
        importlib.import_module(library)
    for line in sys.stdin:
        word = line.strip()
        if word.startswith("-"):
            os.waitpid(int(word[1:]), 0)
            print("buried", flush=True)
            continue
        child = os.fork()
        if not child:
            while True:
                WRITERS[word](root)
        print(child, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
