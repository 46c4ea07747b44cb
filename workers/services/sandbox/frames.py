"""Messages between owner, zygote and child: a length, then JSON."""

from __future__ import annotations

import json
import struct
from typing import Any, cast

from celery_nexus.task_errors import TooLarge

Frame = dict[str, Any]

MAX_FRAME_BYTES = 64 << 20
_HEADER = struct.Struct(">I")


def encode(frame: Frame) -> bytes:
    """Encode one message.

    Raises:
        TooLarge: It would be longer than a receiver accepts.
    """
    body = json.dumps(frame).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise TooLarge(f"the result takes {len(body)} bytes, {MAX_FRAME_BYTES} are possible; ask for fewer operations")
    return _HEADER.pack(len(body)) + body


class Decoder:
    """Puts messages together from pieces of a stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take what was received and return the messages that it completes."""
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise TooLarge("the sandbox sent more than it may")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append(cast("Frame", json.loads(self._buffer[_HEADER.size : end])))
            del self._buffer[:end]
        return frames
