"""Detection of secrets in text: keys of known forms, and values assigned to secret names.

A secret has a form of its own (keys of providers, tokens, private keys, passwords in URLs), or stands where a name
says so. A name is followed by its value in many ways; each is one entry of :data:`_INTRODUCTIONS`: an assignment
(``password=…``, ``"api_key": …``), a pair (``("password", …)``), an option of a command (``--password …``), an
object with name and value, an element of XML. Where the value ends is read from it: a quoted text at any level of
escaping, a bracket with all that is in it, a word.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

from celery_nexus.privacy.secret_names import QUALIFIERS, SECRET_NAMES, is_secret_name

MASK = "***"

_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=\\x[0-9a-fA-F]{2})|(?<=%[0-9a-fA-F]{2}))"
r"""Beginning of a word, also right behind an escape: ``\nsk-…`` in a printed text."""

_OPTION = r"(?:(?<![\w-])|(?<=\\[nrt]))-"


@dataclass(frozen=True)
class _Form:
    """A kind of secret known by its form; looked for only when one of ``hints`` is in the lower-cased text."""

    hints: tuple[str, ...]
    regex: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str] = MASK


_KEYS = (
    r"sk-ant-[\w-]+",
    r"sk-[\w-]{12,}",
    r"(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{16,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{12,}(?:[\"']?[\s:,;/]{1,4}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?",
    r"gh[pousr]_[A-Za-z0-9]{10,}",
    r"github_pat_\w{10,}",
    r"glpat-[\w-]{10,}",
    r"xox[a-z]-[\w-]{10,}",
    r"AIza[\w-]{30,}",
    r"ya29\.[\w-]{10,}",
    r"GOCSPX-[\w-]{10,}",
    r"hf_[A-Za-z0-9]{16,}",
    r"npm_[A-Za-z0-9]{16,}",
    r"pypi-[\w-]{16,}",
    r"dop_v1_[a-f0-9]{16,}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{16,}",
    r"SG\.[\w-]{10,}\.[\w-]{10,}",
    r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?",
)
_KEY_HINTS = (
    "sk-", "sk_", "rk_", "pk_", "whsec_", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xox", "aiza", "ya29.", "gocspx-", "hf_", "npm_", "pypi-", "dop_v1_", "shpat_", "shpca_", "shppa_",
    "shpss_", "sg.", "eyj",
)  # fmt: skip
_PEM_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"


def _mask_login(found: re.Match[str]) -> str:
    """Mask what follows ``Basic`` when it is a login in base64: ``basic Configuration`` is none."""
    encoded = found[3].rstrip("=")
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return found[0]
    return f"{found[1]}{found[2]}{MASK}" if b":" in decoded else found[0]


_FORMS = (
    _Form(
        ("private key",),
        re.compile(rf"-----BEGIN {_PEM_LABEL}.*?(?:-----END {_PEM_LABEL}-----|\Z)", re.DOTALL),
    ),
    _Form(_KEY_HINTS, re.compile(rf"{_START}(?:{'|'.join(_KEYS)})")),
    # A port is no password: http://localhost:8080/@scope
    _Form(("://",), re.compile(r"(://[^\s/:@]{0,256}):(?!\d{1,5}[/?#])[^\s\"'<>]{1,1024}@"), rf"\1:{MASK}@"),
    _Form(("://",), re.compile(r"://(?=[\w-]*\d)[\w-]{20,}@"), rf"://{MASK}@"),
    _Form(("hooks.slack.com/",), re.compile(r"(hooks\.slack\.com/\w+/)[\w/]+"), rf"\1{MASK}"),
    _Form(
        ("bearer",),
        re.compile(rf"(?i){_START}(bearer)(\s+)(?=[\w.~+/-]*\d|[\w.~+/-]{{20}})[\w.~+/-]{{6,}}=*"),
        rf"\1\2{MASK}",
    ),
    _Form(("basic",), re.compile(rf"(?i){_START}(basic)(\s+)([A-Za-z0-9+/]{{4,}}={{0,2}})"), _mask_login),
    _Form(
        ("authorization",),
        re.compile(r"(?i)(authorization:\s{0,8})(?:digest|negotiate|ntlm|hmac|aws4-hmac-sha256)\s[^\r\n']+"),
        rf"\1{MASK}",
    ),
    _Form(("cookie",), re.compile(r"(?i)(cookie2?:\s{0,8})[^\r\n\"']+"), rf"\1{MASK}"),
    _Form(
        ("sig", "x-amz-", "x-goog-"),
        re.compile(
            r"(?i)((?<![a-z])(?:sig|signature|x-(?:amz|goog)-(?:signature|security-token|credential))(?:=|%3d))"
            r"[^&\s\"'<>]+"
        ),
        rf"\1{MASK}",
    ),
    # curl -u user:password; a user and a group by number are none
    _Form(
        ("-u", "-user"),
        re.compile(
            rf"(?P<option>{_OPTION}(?:[uU]|-(?:proxy-)?user)(?:\\*[\"']\s{{0,2}},\s{{0,2}}|=|\s{{1,4}})|\bcurl(?=\s)[^\n]{{0,200}}?\s-u)"
            r"(?P<quote>\\*[\"'])?(?!\d+:\d+(?!\w))(?P<user>[^\s:\"'@/\\]{1,128}):(?!//)"
            r"(?(quote)[^\"'\n]{1,500}?(?=(?P=quote))|[^\s\"'\\]+)"
        ),
        rf"\g<option>\g<quote>\g<user>:{MASK}",
    ),
    _Form(
        ("mysql", "mariadb", "sshpass"),
        re.compile(r"(\b(?:mysql|mariadb)\w*\b[^\n|;&]{0,200}?\s-p|\bsshpass\s+-p\s{0,4})(?=\S)[\"']?[^\s\"']+"),
        rf"\1{MASK}",
    ),
    _Form(("identified by",), re.compile(r"(?i)(identified by\s{1,4})(?:'[^']*'|\"[^\"]*\")"), rf"\1{MASK}"),
    _Form(("login",), re.compile(r"(\blogin\s+\S+\s+password\s+)\S+"), rf"\1{MASK}"),  # .netrc
)

_NAME_HINTS = (
    "pass", "pwd", "secret", "token", "key", "auth", "cookie", "credential", "connection", "conn", "jwt", "otp",
    "bearer", "signature",
)  # fmt: skip
_ALONE = ("auth", "bearer", "jwt", "otp", "pass", "pwd")
"""Names that must stand alone, since they are parts of other words: ``compass=…``."""

_WORDS = "|".join(sorted((name.replace("_", "[_ -]?") for name in SECRET_NAMES - set(_ALONE)), key=len, reverse=True))
_QUOTE = r"(?:\\*[\"']|&quot;|&\#3[49];)"
_BEHIND = rf"(?:[_-](?:{'|'.join(sorted(QUALIFIERS))}))?\d{{0,2}}"
_ASSIGNMENT = re.compile(
    rf"""(?ix)
    (?: (?: (?:{_WORDS}) | {_START}_?(?:pass|pwd|jwt|otp) | (?<=_)(?:pass|pwd|jwt|otp) ) {_BEHIND}
        (?: {_QUOTE} )? [ \t]{{0,8}} (?: => | := | ={{1,3}} | != | : ) (?: [ \t]{{0,8}} | \s{{0,80}} (?=["'\[({{]) )
      | (?: {_START} | (?<=_) ) (?:auth|bearer) (?: {_QUOTE} [ \t]{{0,8}} : | (?: {_QUOTE} )? [ \t]{{0,8}} =>? )
        [ \t]{{0,8}}
    )
    """
)


@dataclass(frozen=True)
class _Introduction:
    """A way in which a name introduces a value: the group ``name`` must be a secret one, the value follows.

    Attributes:
        must: A text that is there in every such place.
        is_pair: Whether the value must be the last one before a closing bracket.
        is_word: Whether the value is a word of a command line: it ends at white space alone.
    """

    must: str
    regex: re.Pattern[str]
    is_pair: bool = False
    is_word: bool = False


_NAME = r"(?P<name>[A-Za-z][\w. -]{1,80})"
_INTRODUCTIONS = (
    _Introduction(",", re.compile(rf"[\[(]\s{{0,80}}(?P<q>\\*[\"']){_NAME}(?P=q)\s{{0,4}},\s{{0,80}}"), is_pair=True),
    _Introduction("-", re.compile(rf"(?P<q>\\*[\"'])--?{_NAME}(?P=q)\s{{0,4}},\s{{0,80}}(?=\\*[\"'])")),
    _Introduction(
        "-",
        re.compile(rf"{_OPTION}-?(?P<name>[A-Za-z][\w.-]{{1,80}})(?:[ \t]{{1,8}}(?![\s-])|=(?=\S))"),
        is_word=True,
    ),
    _Introduction(
        "alue",
        re.compile(
            rf"(?i:(?P<q>\\*[\"'])(?:name|key)(?P=q)\s{{0,4}}:\s{{0,4}}(?P=q){_NAME}(?P=q)\s{{0,4}},\s{{0,80}}"
            r"(?P=q)value(?P=q)\s{0,4}:\s{0,4})"
        ),
    ),
    _Introduction("</", re.compile(rf"<(?:\w{{1,40}}:)?{_NAME}(?:\s[^<>]{{0,200}})?>(?=[^<])"), is_word=True),
)

_HARMLESS = re.compile(
    r"(?i)(?:missing|required|none|null|true|false|not?|given|input|field|value|expected|invalid)(?=[\s,;.)\]}\"'\\]|\Z)"
)
"""Words of errors that follow a field's name and a colon; also JSON's constants."""

_OPENING = re.compile(r"(?:[bBuUrRfF]{1,2}(?=[\"']))?(\\*)([\"'])")
_PLAIN_ENDS = {
    '"': re.compile(r'(?:\\.|[^"\\])*(?:"|\Z)', re.DOTALL),
    "'": re.compile(r"(?:\\.|[^'\\])*(?:'|\Z)", re.DOTALL),
}
_BRACKETS = re.compile(r"\\.|[\"'\[\](){}]", re.DOTALL)
_BLOCK = re.compile(r"[|>][+-]?[ \t]*(?:\n|\\n)(?:[ \t]+(?:(?!\\n)[^\n])*(?:\n|\\n|\Z))+")
"""A text of several lines in YAML."""

_WORD = re.compile(
    r"""(?ix)
    (?: (?:basic|bearer|digest|token|negotiate|apikey)\s+ (?=\S) )?
    (?: [^\s,;&"'(){}\[\]<>\\] | [,;&] (?! [\w.-]{1,60}\s{0,2}[:=] | [\s"'\\] | \Z )
      | ["'(){}\[\]<>] (?=\w) | \\ (?![nrt"']) )+
    """
)
"""An unquoted value: punctuation belongs to it while it goes on, unless another name follows."""

_MASKED = re.compile(r"\*{3}(?!\w)")
_SHELL_WORD = re.compile(r"[^\s\"'<>]+")
MAX_VARIABLE = 200
"""Longest beginning of a line that is looked at as the name of an environment variable."""

_LINE_OF_ENVIRONMENT = re.compile(r"[ \t]*(?:export[ \t]+)?[A-Z][A-Z0-9_]*=")
_REST_OF_LINE = re.compile(r"[^\r\n]+")
_DEFAULT_VALUE = re.compile(r"\s{0,4}=\s{0,4}(?=[\"'])")
_PAIR_END = re.compile(r"\s{0,80},?\s{0,80}(?:[\])]|\Z)")


_HINTS = tuple(dict.fromkeys((*_NAME_HINTS, *(hint for form in _FORMS for hint in form.hints))))


def without_secrets(text: str) -> str:
    """Copy a text with its secrets as ``***``."""
    is_in = text.lower().__contains__
    if not any(map(is_in, _HINTS)):
        return text
    for form in _FORMS:
        if any(map(is_in, form.hints)):
            text = form.regex.sub(form.replacement, text)
    if not any(map(is_in, _NAME_HINTS)):
        return text
    for introduction in _INTRODUCTIONS:
        if introduction.must in text:
            text = _mask_introduced(text, introduction)
    return _mask_assigned(text)


def _mask_introduced(text: str, introduction: _Introduction) -> str:
    parts: list[str] = []
    done = position = 0
    while found := introduction.regex.search(text, position):
        position = found.end()
        if not is_secret_name(found["name"]):
            # names lie close to each other: the next may begin inside of what was read
            position = found.start() + 1
            continue
        end = _word_end(text, position) if introduction.is_word else _value_end(text, position)
        if end == position or (introduction.is_pair and not _PAIR_END.match(text, end)):
            continue
        parts += [text[done:position], MASK]
        done = position = end
    return "".join([*parts, text[done:]]) if parts else text


def _mask_assigned(text: str) -> str:
    parts: list[str] = []
    done = position = 0
    while found := _ASSIGNMENT.search(text, position):
        position = found.end()
        end = _assigned_end(text, position)
        if end == position:
            continue
        parts += [text[done:position], MASK]
        done = position = end
    return "".join([*parts, text[done:]]) if parts else text


def _assigned_end(text: str, start: int) -> int:
    """Find the end of an assigned value, with the default value that may follow a type."""
    if text[start - 1] == "=" and text[start : start + 1] not in ('"', "'"):
        line = text.rfind("\n", max(0, start - MAX_VARIABLE), start) + 1
        if _LINE_OF_ENVIRONMENT.fullmatch(text, line, start) and (rest := _REST_OF_LINE.match(text, start)):
            return rest.end()
    end = _value_end(text, start)
    default = _DEFAULT_VALUE.match(text, end) if end > start else None
    return _value_end(text, default.end()) if default else end


def _word_end(text: str, start: int) -> int:
    if masked := _MASKED.match(text, start):
        return masked.end()
    if opening := _OPENING.match(text, start):
        return _quoted_end(text, opening)
    found = _SHELL_WORD.match(text, start)
    return found.end() if found else start


def _value_end(text: str, start: int) -> int:
    """Find where the value that begins at ``start`` ends; ``start`` itself when there is none."""
    if _HARMLESS.match(text, start):
        return start
    if masked := _MASKED.match(text, start):
        return masked.end()
    if opening := _OPENING.match(text, start):
        return _quoted_end(text, opening)
    if text[start : start + 1] in ("[", "(", "{"):
        return _bracket_end(text, start)
    if block := _BLOCK.match(text, start):
        return block.end()
    word = _WORD.match(text, start)
    if word is None:
        return start
    end = word.end()
    return _bracket_end(text, end) if text[end : end + 1] == "(" else end  # SecretStr('…')


def _quoted_end(text: str, opening: re.Match[str]) -> int:
    escapes, quote = opening[1], opening[2]
    if not escapes:
        found = _PLAIN_ENDS[quote].match(text, opening.end())
        return found.end() if found else len(text)
    closing = re.compile(rf"(?<!\\)\\{{{min(len(escapes), 64)}}}{quote}").search(text, opening.end())
    return closing.end() if closing else len(text)


def _bracket_end(text: str, start: int) -> int:
    depth, position = 0, start
    while found := _BRACKETS.search(text, position):
        sign, position = found[0], found.end()
        if sign in ('"', "'"):
            inside = _PLAIN_ENDS[sign].match(text, position)
            position = inside.end() if inside else len(text)
        elif sign in ("[", "(", "{"):
            depth += 1
        elif sign in ("]", ")", "}"):
            depth -= 1
        if depth == 0:
            return position
    return len(text)
