"""Names of fields whose values are secret, in every spelling."""

from __future__ import annotations

import re
from functools import lru_cache

SECRET_NAMES = frozenset({
    "access_key", "access_token", "access_tokens", "account_key", "api_key", "api_keys", "apikey", "auth", "auth_key",
    "authorization", "bearer", "client_secret", "conn_str", "connection_string", "cookie", "cookies", "credential",
    "credentials", "encryption_key", "jwt", "master_key", "otp", "pass", "passcode", "passphrase", "passwd", "password",
    "passwords", "private_key", "proxy_authorization", "pwd", "secret", "secret_key", "secrets", "session_key",
    "set_cookie", "shared_access_signature", "shared_key", "signing_key", "ssh_key", "storage_key", "token",
})  # fmt: skip
"""Names that are secret by themselves, and at the end of a longer name (``smtp_password``)."""

TEXT_ONLY = frozenset({"auth", "pass"})
"""Names that are numbers or flags elsewhere (``{"pass": 12, "fail": 3}``): only texts are masked."""

QUALIFIERS = frozenset({"again", "confirm", "confirmation", "hash", "header", "plain", "repeat", "value"})
"""Words that may follow a secret name: ``password_confirmation``."""

_RUN_TOGETHER = (
    "password", "passwd", "passphrase", "apikey", "authtoken", "accesstoken", "secretkey", "accesskey", "accountkey",
    "privatekey", "clientsecret", "apisecret", "connectionstring",
)  # fmt: skip


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds a secret: ``smtpPassword``, ``X-Api-Key``, ``password2``."""
    words = words_of(name)
    while len(words) > 1 and words[-1] in QUALIFIERS:
        words.pop()
    if any("_".join(words[start:]) in SECRET_NAMES for start in range(len(words))):
        return True
    return bool(words) and words[-1].endswith(_RUN_TOGETHER)


def words_of(name: str) -> list[str]:
    """Split a name in any case style into lower-case words."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[-200:])
    return [word for word in re.split(r"[^a-z]+", separated.lower()) if word]
