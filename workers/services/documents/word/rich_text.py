"""Rich Text (``.rtf``) as plain text: its words, paragraphs and table cells, nothing of its looks."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_UNSEEN = frozenset(
    (b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"listtable", b"listoverridetable",
     b"rsidtbl", b"generator", b"themedata", b"datastore", b"latentstyles", b"xmlnstbl", b"fldinst", b"filetbl",
     b"revtbl", b"nonshppict", b"bkmkstart", b"bkmkend")
)  # fmt: skip
_CHARACTERS = {
    b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"row": "\n", b"cell": "\t", b"nestcell": "\t",
    b"nestrow": "\n", b"tab": "\t", b"emdash": "—", b"endash": "–", b"bullet": "•", b"lquote": "‘", b"rquote": "’",
    b"ldblquote": "“", b"rdblquote": "”", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_SIGNS = {b"~": "\u00a0", b"_": "-", b"\\": "\\", b"{": "{", b"}": "}", b"\n": "\n", b"\r": "\n"}


@dataclass(frozen=True)
class _State:
    """What a group inherits: whether it is seen, how many fallback characters follow a Unicode one."""

    is_seen: bool = True
    fallback: int = 1


def read(data: bytes) -> str:
    """Return the text."""
    reader = _Reader()
    for match in _TOKEN.finditer(data):
        reader.take(match)
    return reader.text()


class _Reader:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._states = [_State()]
        self._codepage = "cp1252"
        self._skipped = 0  # fallback characters still to leave out
        self._is_star = False

    def text(self) -> str:
        whole = "".join(self._pieces)
        return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def take(self, match: re.Match[bytes]) -> None:
        word, number, code, sign, brace, plain = match.groups()
        if brace:
            self._group(brace)
        elif word:
            self._control(word, int(number) if number else None)
        elif code:
            self._add(bytes.fromhex(code.decode()))
        elif sign:
            self._is_star |= sign == b"*"
            self._put(_SIGNS.get(sign, ""))
        elif plain:
            self._add(plain)

    def _group(self, brace: bytes) -> None:
        if brace == b"{":
            self._states.append(self._states[-1])
        elif len(self._states) > 1:
            self._states.pop()
        self._skipped = 0
        self._is_star = False

    def _control(self, word: bytes, number: int | None) -> None:
        state = self._states[-1]
        if self._is_star or word in _UNSEEN:
            self._states[-1] = replace(state, is_seen=False)
        elif word == b"ansicpg" and number:
            self._codepage = f"cp{number}"
        elif word == b"uc" and number is not None:
            self._states[-1] = replace(state, fallback=number)
        elif word == b"u" and number is not None:
            self._put(chr(number & 0xFFFF))
            self._skipped = state.fallback
        elif word == b"v":
            self._states[-1] = replace(state, is_seen=number == 0)
        else:
            self._put(_CHARACTERS.get(word, ""))
        self._is_star = False

    def _add(self, data: bytes) -> None:
        left, self._skipped = data[self._skipped :], max(0, self._skipped - len(data))
        try:
            self._put(left.decode(self._codepage, "replace"))
        except LookupError:
            self._put(left.decode("cp1252", "replace"))

    def _put(self, text: str) -> None:
        if self._states[-1].is_seen:
            self._pieces.append(text)
