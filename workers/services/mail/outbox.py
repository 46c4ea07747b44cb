"""The outbox: where mail goes as ``.eml`` files while no server is set, for any mail program to open."""

from __future__ import annotations

from pathlib import Path

from workers.services.mail.message import Envelope, safe_key
from workers.services.storage import OutputFolder


def put(outbox: Path, envelope: Envelope, key: str) -> str:
    """Write a message, whole or not at all; the same key writes the same file.

    Returns:
        The file's path.

    Raises:
        StorageFull: There is no room.
        PathNotAllowed: The folder can't be written.
    """
    folder = OutputFolder(root=outbox.parent, path=outbox, source=outbox)
    folder.make()
    return folder.write(f"{safe_key(key)}.eml", envelope.content)
