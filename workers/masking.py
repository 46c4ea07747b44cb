"""Secrets out of what people see: masked copies of JSON values and of text.

Two rules. A value whose field name is in the registered set (:data:`SECRET_NAMES`) becomes ``***``, whatever it
is. And in every text, what looks like a key (providers' key formats, tokens, passwords in URLs, private keys)
or is assigned to a secret name (``password=…``, ``"api_key": "…"``) becomes ``***``.

Nothing here fails, whatever it is given: events and history mask every task's arguments. Sizes are capped, so
that a large argument costs little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

MASK = "***"

MAX_TEXT = 10_000
"""Longest text kept, in characters."""

MAX_TOTAL = 1_000_000
"""Most characters kept of one value, all texts together."""

MAX_ITEMS = 1_000
"""Most items kept of one list or object."""

MAX_DEPTH = 32

SECRET_NAMES = frozenset({
    "access_key", "access_token", "access_tokens", "api_key", "api_keys", "apikey", "auth", "auth_key", "authorization",
    "bearer", "client_secret", "connection_string", "cookie", "cookies", "credential", "credentials", "encryption_key",
    "jwt", "otp", "pass", "passcode", "passphrase", "passwd", "password", "passwords", "private_key",
    "proxy_authorization", "pwd", "secret", "secret_key", "secrets", "session_key", "set_cookie", "signing_key",
    "token",
})  # fmt: skip
"""Names of fields whose values are secret, as they are or at the end of a longer name (``smtp_password``)."""

_TEXT_ONLY = frozenset({"auth", "pass"})
"""Names that are numbers or flags elsewhere (``{"pass": 12, "fail": 3}``): only texts are masked."""

_QUALIFIERS = frozenset({"again", "confirm", "confirmation", "hash", "header", "plain", "repeat", "value"})
"""Words that may follow a secret name: ``password_confirmation``."""

_HARMLESS_WORDS = "missing|required|none|null|true|false|not?|given|input|field|value|expected|invalid"
"""What errors say after a field's name and a colon; also JSON's constants."""


@dataclass(frozen=True)
class _Pattern:
    """A kind of secret in text; looked for only when one of ``hints`` is in the lower-cased text."""

    hints: tuple[str, ...]
    regex: re.Pattern[str]
    replacement: str = MASK


_WORDS_IN_TEXT = sorted(
    {name.replace("_", "[_ -]?") for name in SECRET_NAMES - {"pass", "auth", "bearer", "jwt", "otp"}},
    key=len,
    reverse=True,
)
_ASSIGNED = re.compile(
    rf"""(?ix)
    ( (?<![a-z]) (?:pass|jwt|otp) | (?:{"|".join(_WORDS_IN_TEXT)}) )
    ( \d{{0,2}} (?:\\*["'])? \s{{0,8}} (?: => | [:=] ) \s{{0,8}} )
    (?: (?P<escaped>\\+["']) .*? (?: (?P=escaped) | \Z )
      | " (?: \\. | [^"\\] )* (?: " | \Z )
      | ' (?: \\. | [^'\\] )* (?: ' | \Z )
      | \[ [^\]]* (?: \] | \Z )
      | (?! (?:{_HARMLESS_WORDS})\b ) (?: (?:basic|bearer|digest|token)\s+ )? [^\s,;&"'(){{}}\[\]<>]+
    )
    """,
    re.DOTALL,
)

_KEYS = (
    r"sk-ant-[\w-]+",
    r"sk-[\w-]{12,}",
    r"(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{12,}",
    r"gh[pousr]_[A-Za-z0-9]{10,}",
    r"github_pat_\w{10,}",
    r"glpat-[\w-]{10,}",
    r"xox[a-z]-[\w-]{10,}",
    r"AIza[\w-]{30,}",
    r"ya29\.[\w-]{10,}",
    r"hf_[A-Za-z0-9]{16,}",
    r"npm_[A-Za-z0-9]{16,}",
    r"pypi-[\w-]{16,}",
    r"SG\.[\w-]{10,}\.[\w-]{10,}",
    r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?",
)
_KEY_HINTS = (
    "sk-", "sk_", "rk_", "pk_", "whsec_", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "aiza", "ya29.", "hf_", "npm_", "pypi-", "sg.", "eyj",
)  # fmt: skip

_PATTERNS = (
    _Pattern(
        ("private key",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
    ),
    _Pattern(_KEY_HINTS, re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_KEYS)})")),
    # A port is no password: http://localhost:8080/@scope
    _Pattern(("://",), re.compile(r"(://[^\s/:@]{0,256}):(?!\d{1,5}[/?#])[^\s\"'<>]{1,1024}@"), rf"\1:{MASK}@"),
    _Pattern(
        ("bearer", "basic"),
        re.compile(r"(?i)\b(bearer|basic)(\s+)(?=[\w.~+/-]*\d|[\w.~+/-]{20})[\w.~+/-]{8,}=*"),
        rf"\1\2{MASK}",
    ),
    _Pattern(("cookie",), re.compile(r"(?i)(cookie2?:\s{0,8})[^\r\n\"']+"), rf"\1{MASK}"),
    _Pattern(
        ("pass", "pwd", "secret", "token", "key", "auth", "cookie", "credential", "connection", "jwt", "otp"),
        _ASSIGNED,
        rf"\1\2{MASK}",
    ),
)


def mask(value: Any) -> Any:
    """Copy a JSON value with its secrets as ``***``, cut to the limits above; other types become their name."""
    return _Masking().value(value, 0)


def mask_text(text: str, limit: int = MAX_TEXT) -> str:
    """Copy a text with its secrets as ``***``, cut to ``limit`` characters and saying how many are left out."""
    size = len(text)
    if size > limit:
        text = _without_last_word(text[: limit + 1024])  # a cut key would not be known as one
    lowered = text.lower()
    for pattern in _PATTERNS:
        if any(hint in lowered for hint in pattern.hints):
            text = pattern.regex.sub(pattern.replacement, text)
    return text if size <= limit else f"{text[:limit]}… ({size - min(limit, size)} more characters)"


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret: ``smtpPassword``, ``X-Api-Key``, ``password2``."""
    words = _words(name)
    while len(words) > 1 and words[-1] in _QUALIFIERS:
        words.pop()
    if any("_".join(words[start:]) in SECRET_NAMES for start in range(len(words))):
        return True
    return bool(words) and words[-1].endswith(("password", "passwd", "apikey", "authtoken", "accesstoken", "secretkey"))


def _words(name: str) -> list[str]:
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[-200:])
    return [word for word in re.split(r"[^a-z]+", separated.lower()) if word]


def _without_last_word(text: str) -> str:
    head = text[:-1024]
    tail = text[-1024:]
    return head + (tail.rsplit(None, 1) or [""])[0] if re.search(r"\s", tail) else head


class _Masking:
    """One walk over a value, with what is left of :data:`MAX_TOTAL`."""

    def __init__(self) -> None:
        self._left = MAX_TOTAL

    def value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return value if value.bit_length() <= 1024 else f"<number of {value.bit_length()} bits>"
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(cast('bytes', value))} bytes>"
        if depth >= MAX_DEPTH or self._left <= 0:
            return "…"
        if isinstance(value, Mapping):
            return self._object(cast("Mapping[Any, Any]", value), depth)
        if isinstance(value, list | tuple | Set):
            return self._list(cast("Iterable[Any]", value), len(cast("list[Any]", value)), depth)
        return f"<{type(value).__name__}>"

    def _text(self, text: str) -> str:
        masked = mask_text(text, max(0, min(MAX_TEXT, self._left)))
        self._left -= len(masked)
        return masked

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copy: dict[str, Any] = {}
        named = _is_named_secret(value)
        for index, (key, item) in enumerate(value.items()):
            if index >= MAX_ITEMS or self._left <= 0:
                copy["…"] = f"{len(value) - index} more"
                break
            name = key if isinstance(key, str) else str(self.value(key, MAX_DEPTH))
            secret = is_secret_name(name) or (named and name.lower() == "value")
            copy[self._text(name)] = self._secret(name, item) if secret else self.value(item, depth + 1)
        return copy

    def _list(self, value: Iterable[Any], size: int, depth: int) -> list[Any]:
        copy: list[Any] = []
        for index, item in enumerate(value):
            if index >= MAX_ITEMS or self._left <= 0:
                copy.append(f"… {size - index} more")
                break
            copy.append(self.value(item, depth + 1))
        if len(copy) == 2 and isinstance(copy[0], str) and isinstance(copy[1], str) and is_secret_name(copy[0]):
            copy[1] = MASK  # a header as a pair: ["Authorization", "…"]
        return copy

    def _secret(self, name: str, item: Any) -> Any:
        if item is None or isinstance(item, bool) or (isinstance(item, int | float) and _words(name)[-1] in _TEXT_ONLY):
            return item
        return MASK


def _is_named_secret(value: Mapping[Any, Any]) -> bool:
    """Tell whether an object is a pair in the manner of ``{"name": "password", "value": "…"}``."""
    name = value.get("name", value.get("key"))
    return isinstance(name, str) and is_secret_name(name)
