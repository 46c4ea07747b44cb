"""What groff's PDFs end lines with is rewritten in place; all else stays byte for byte."""

from __future__ import annotations

import zlib

import pytest

from workers.services.documents.pdf.repairs import is_misread, repair

LINE = b"0 Tw [(passed) -250 (to) -250.000 ()] TJ /F36 10 Tf (openssl) Tj" * 20
RIGHT = LINE.replace(b" ()]", b"]")


def with_stream(stream: bytes) -> bytes:
    return b"1 0 obj << /Filter /FlateDecode\n/Length %d\n>>\nstream\n%s\nendstream" % (len(stream), stream)


def test_a_move_before_an_empty_text_ends_its_line() -> None:
    old = zlib.compress(LINE)
    data = with_stream(old)
    found = repair(data)
    assert len(found) == len(data)
    assert zlib.decompressobj().decompress(found.partition(b"stream\n")[2]) == RIGHT


@pytest.mark.parametrize("stream", [zlib.compress(b"(to) Tj"), b"\x78 no such stream", zlib.compress(bytes(99))])
def test_other_streams_stay(stream: bytes) -> None:
    assert repair(with_stream(stream)) == with_stream(stream)


@pytest.mark.parametrize(("producer", "expected"), [("gropdf version 1.22.4", True), ("GPL Ghostscript", False)])
def test_its_producer_tells(producer: str, expected: bool) -> None:
    assert is_misread(producer) == expected
