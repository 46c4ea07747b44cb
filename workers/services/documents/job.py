"""One document's processing, inside the sandbox: its input, its operations, and the result that grows."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from workers.errors import TimedOut
from workers.services import storage
from workers.services.documents import archive, formats
from workers.services.progress import Progress
from workers.services.storage import OutputFolder

MAX_CONTENT_CHARACTERS = 1_000_000
"""Longest text inside a result; the text file has all of it."""

MAX_IMAGES = 500
MAX_IMAGE_BYTES = 64 << 20
_FINISHING_S = 5.0
"""Left for writing what was found when optional work is stopped."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_BROKEN = re.compile(r"[\ud800-\udfff]")
_EXTENSIONS: dict[str, str] = {"jpeg": "jpg", "tiff": "tif"}


@dataclass
class Job:
    """What a reader works with.

    Attributes:
        file: The open input.
        operations: What was asked for.
        options: Further arguments of the task.
        out: Where files go.
        progress: Says how far the work is.
        ends_at: Monotonic time when the sandbox kills this process.
    """

    file: BinaryIO
    operations: frozenset[str]
    options: dict[str, Any]
    out: OutputFolder
    progress: Progress
    ends_at: float
    outputs: dict[str, Any] = field(default_factory=lambda: {})
    stats: dict[str, Any] = field(default_factory=lambda: {})
    extra: dict[str, Any] = field(default_factory=lambda: {})
    notes: dict[str, str] = field(default_factory=lambda: {})
    content: str | None = None

    @classmethod
    def of(cls, payload: dict[str, Any], progress: Progress) -> Job:
        """Open the input that a payload of :func:`workers.services.documents.process` names."""
        file = storage.open_input(Path(payload["uploads"]), payload["path"])
        archive.check_size(file)
        roots = [Path(payload[name]) for name in ("outputs", "folder", "path")]
        out = OutputFolder(roots[0], roots[1], roots[2], payload["token"])
        ends_at = time.monotonic() + payload["wall_s"]
        return cls(file, frozenset(payload["operations"]), payload["options"], out, progress, ends_at)

    def warn(self, code: str, words: str) -> None:
        """Add a warning; the first of a code stays."""
        self.notes.setdefault(code, words)

    def keep_text(self, text: str) -> None:
        """Write the text file, and put the text into the result as far as it fits."""
        plain = clean(text)
        self.outputs["text_file"] = self.out.write("text.txt", plain)
        self.content = plain[:MAX_CONTENT_CHARACTERS]
        if len(plain) > MAX_CONTENT_CHARACTERS:
            self.warn(
                "content_cut", f"content has the first {MAX_CONTENT_CHARACTERS} characters; the text file has all"
            )

    def keep_image(self, data: bytes, name: str) -> bool:
        """Write an embedded picture under a numbered name; False when the run has enough of them."""
        images: list[str] = self.outputs.setdefault("images", [])
        if len(images) >= MAX_IMAGES or self.time_left_s() <= 0:
            self.warn("images_skipped", f"only the first {len(images)} pictures were written")
            return False
        suffix = image_suffix(data, name)
        images.append(self.out.write(f"image-{len(images) + 1:03d}{suffix}", data))
        return True

    def time_left_s(self) -> float:
        """Seconds that optional work may still take."""
        return self.ends_at - time.monotonic() - _FINISHING_S

    def result(self, found: str) -> dict[str, Any]:
        """Put the JSON result together."""
        if self.stats:
            self.outputs["stats"] = self.stats
        return {
            "format": found,
            "outputs": self.outputs,
            "stats": self.stats,
            **({} if self.content is None else {"content": self.content}),
            **self.extra,
            "warnings": list(self.notes),
            "notes": self.notes,
        }


class _TimeUp(BaseException):
    """Passes through the libraries' own ``except Exception``."""


@contextmanager
def limit_time(seconds: float) -> Generator[None]:
    """Stop pure Python work after some seconds.

    Raises:
        TimedOut: The time was up.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01), 0.5)  # again, should a library swallow the first
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    except _TimeUp:
        raise TimedOut(f"stopped after {seconds:g} s") from None


def without_controls(text: str) -> str:
    """Drop control characters other than line ends, tabs and form feeds."""
    return _CONTROL.sub("", text)


def clean(text: str) -> str:
    """Drop what no text has: control characters (not newline, tab, form feed) and broken surrogates."""
    return _BROKEN.sub("\ufffd", without_controls(text.replace("\r\n", "\n").replace("\r", "\n")))


def image_suffix(data: bytes, name: str) -> str:
    """Choose a picture's extension by its content, else a harmless form of the one it had."""
    found = formats.detect_head(data)
    if found not in ("binary", "text", "empty", "xml"):
        return f".{_EXTENSIONS.get(found, found)}"
    return f".{re.sub('[^a-z0-9]', '', Path(name).suffix.lower())[:5] or 'bin'}"
