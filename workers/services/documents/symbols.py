"""Characters of symbol fonts (Symbol, Wingdings, Webdings) as Unicode.

Such fonts show a picture for each code from 0x20 to 0xFF; documents give the code as it is, or moved to U+F000. The
Unicode characters are those that Unicode 7 took over from these fonts; squares that forms use as check boxes become
the ballot boxes ☐ ☑ ☒.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

UNKNOWN = "\ufffd"
"""Stands for a symbol that has no Unicode character."""

_PRIVATE = 0xF000
_WINGDINGS = (
    " 🖉✂✁👓🕭🕮🕯🕿✆🖂🖃📪📫📬📭"
    "📁📂📄🗏🗐🗄⌛🖮🖰🖲🖳🖴🖫🖬✇✍"
    "🖎✌👌👍👎☜☞☝☟🖐☺😐☹💣☠🏳"
    "🏱✈☼💧❄🕆✞🕈✠✡☪☯ॐ☸♈♉"
    "♊♋♌♍♎♏♐♑♒♓🙰🙵●🔾■☐"
    "☐☐☐⬧⧫◆❖⬥☒⮹⌘🏵🏶🙶🙷\ufffd"
    "⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹"
    "❺❻❼❽❾❿🙢🙠🙡🙣🙞🙜🙝🙟·•"
    "⬝⭘🞆🞈🞊🞋🔿▪☐🟂✦★✶✴✹✵"
    "⯐⌖⟡⌑⯑✪✰🕐🕑🕒🕓🕔🕕🕖🕗🕘"
    "🕙🕚🕛⮰⮱⮲⮳⮴⮵⮶⮷🙪🙫🙕🙔🙗"
    "🙖🙐🙑🙒🙓⌫⌦⮘⮚⮙⮛⮈⮊⮉⮋🡨"
    "🡪🡩🡫🡬🡭🡯🡮🡸🡺🡹🡻🡼🡽🡿🡾⇦"
    "⇨⇧⇩⬄⇳⬀⬁⬃⬂🢬🢭✗✓☒☑\ufffd"
)
"""From code 0x20 on."""

_SOME: dict[str, dict[int, str]] = {
    "wingdings 2": {
        0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0x55: "⮾", 0x56: "⮿", 0x95: "⚬", 0x96: "•",
        0x97: "●", 0x98: "⬤", 0x9E: "▪", 0xA0: "■", 0xA3: "☐", 0xA4: "☐", 0xA5: "☐", 0xAE: "◆", 0xDC: "†", 0xDD: "‡",
    },
    "wingdings 3": {
        0x22: "←", 0x23: "→", 0x24: "↑", 0x25: "↓", 0x26: "↖", 0x27: "↗", 0x28: "↙", 0x29: "↘", 0x70: "▲", 0x71: "▼",
        0x72: "△", 0x73: "▽", 0x74: "◀", 0x75: "▶", 0x76: "◁", 0x77: "▷", 0x7D: "▶", 0x80: "◀",
    },
    "webdings": {
        0x33: "⏴", 0x34: "⏵", 0x35: "⏶", 0x36: "⏷", 0x61: "✔", 0x63: "☐", 0x67: "■", 0x6E: "⚫", 0x72: "☒", 0x73: "❓",
        0x69: "🛈", 0x79: "⃠", 0x7E: "🗲", 0xC0: "✈",
    },
}  # fmt: skip


def is_symbol_font(font: str) -> bool:
    """Tell whether a font shows pictures where others show letters."""
    name = font.strip().lower()
    return name in ("symbol", "wingdings") or name in _SOME


def spell(font: str, code: int) -> str:
    """Give a symbol's Unicode character; codes outside of the font's private area are characters already."""
    plain = code - _PRIVATE if _PRIVATE <= code <= _PRIVATE + 0xFF else code
    if not is_symbol_font(font) and plain == code:
        return chr(code) if 0x20 <= code < 0x110000 and not 0xD800 <= code < 0xE000 else UNKNOWN
    if plain > 0xFF:
        return chr(plain)
    return _table(font.strip().lower()).get(plain, UNKNOWN)


@lru_cache(maxsize=8)
def _table(font: str) -> dict[int, str]:
    if font == "wingdings":
        return dict(enumerate(_WINGDINGS, 0x20))
    if font in _SOME:
        return {0x20: " ", **_SOME[font]}
    return _adobe_symbol() if font == "symbol" else {0x20: " "}


def _adobe_symbol() -> dict[int, str]:
    """Read the encoding of the font Symbol off its glyphs' names; signs come with and without serifs."""
    from fontTools import agl
    from reportlab.pdfbase._fontdata import encodings

    names: tuple[str | None, ...] = encodings["SymbolEncoding"]
    plain = ((name or "").removesuffix("serif").removesuffix("sans") for name in names)
    texts: list[str] = [cast("Any", agl).toUnicode(name) for name in plain]
    return {code: text for code, text in enumerate(texts) if text}
