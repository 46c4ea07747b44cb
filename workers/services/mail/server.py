"""The mail server that ``NEXUS_SMTP_URL`` names."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from workers.errors import NotConfigured
from workers.services.storage import spell_name

if TYPE_CHECKING:
    import ssl

Security = Literal["plain", "starttls", "tls"]

VARIABLE = "NEXUS_SMTP_URL"
_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("plain", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
_EXAMPLES = "smtp://host, smtps://user:password@host or smtp+starttls://user:password@host:587"
_ENCODE = "a password with : / ? # or @ needs them percent-encoded (%3A %2F %3F %23 %40)"
_OPTIONS = ("ca_file", "timeout_s", "plain_login")
_MIN_TIMEOUT_S, _MAX_TIMEOUT_S = 1, 600


@dataclass(frozen=True)
class Timeouts:
    """How long a server may take, in seconds.

    Attributes:
        connect_s: To accept a connection.
        step_s: To answer one command.
        total_s: For one message, everything together.
    """

    connect_s: float = 10
    step_s: float = 30
    total_s: float = 120


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and how.

    Attributes:
        security: No TLS, TLS after STARTTLS (never without), or TLS from the start.
        host: Name or address; the certificate must be for it.
        port: TCP port.
        username: For AUTH, or None to do without.
        password: Secret.
        ca_file: Certificates to trust instead of the system's, or None.
        timeouts: How long it may take.
    """

    security: Security
    host: str
    port: int
    username: str | None = None
    password: str = field(default="", repr=False)
    ca_file: str | None = None
    timeouts: Timeouts = Timeouts()

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Read the URL of a mail server.

        Its query may have ``ca_file`` (trust these certificates instead of the system's), ``timeout_s`` (for one
        message) and ``plain_login=yes`` (log in to another machine without TLS).

        Raises:
            NotConfigured: It can't be used; the message says why and holds no secret.
        """
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:  # its words quote what may be a piece of the password
            raise _unusable(f"the address can't be read; {_ENCODE}") from None
        if parts.scheme not in _SCHEMES:
            known = parts.scheme if parts.scheme.replace("+", "").isalnum() and "://" in url else "none"
            raise _unusable(f"scheme {spell_name(known, 20)!r}; expected {_EXAMPLES}")
        if not parts.hostname:
            raise _unusable(f"no host; expected {_EXAMPLES}")
        if parts.fragment or parts.path.strip("/") or port == 0:
            raise _unusable(f"something after the host, or a port of 0; {_ENCODE}")
        security, default_port = _SCHEMES[parts.scheme]
        options = _options(parts.query)
        server = cls(
            security,
            parts.hostname,
            port or default_port,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password or ""),
            options.get("ca_file"),
            _timeouts(options.get("timeout_s")),
        )
        server.check_login(allowed=options.get("plain_login") == "yes")
        return server

    @property
    def place(self) -> str:
        """Where it is, for people: no secrets in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def check_login(self, *, allowed: bool) -> None:
        """Refuse to send a password in clear text over a network.

        Raises:
            NotConfigured: It would be.
        """
        if self.password and not self.username:
            raise _unusable("a password without a user name")
        if self.username and self.security == "plain" and not allowed and not _is_this_machine(self.host):
            raise _unusable(
                f"the password would cross the network in clear text; use smtp+starttls://{self.place} or smtps://, "
                "or add ?plain_login=yes"
            )

    def tls(self) -> ssl.SSLContext:
        """Make the TLS settings: certificates are always checked.

        Raises:
            NotConfigured: ``ca_file`` can't be used.
        """
        import ssl

        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "strerror", None) or "no certificates in it"
            raise _unusable(f"ca_file {spell_name(self.ca_file or '')}: {reason}") from None


def _unusable(reason: str) -> NotConfigured:
    return NotConfigured(f"{VARIABLE} can't be used: {reason}")


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = [name for name in options if name not in _OPTIONS]
    if unknown:
        raise _unusable(f"unknown option after '?'; possible: {', '.join(_OPTIONS)} ({_ENCODE})")
    return options


def _timeouts(text: str | None) -> Timeouts:
    if text is None:
        return Timeouts()
    try:
        total_s = float(text)
    except ValueError:
        total_s = -1
    if not _MIN_TIMEOUT_S <= total_s <= _MAX_TIMEOUT_S:
        raise _unusable(f"timeout_s must be a number of seconds from {_MIN_TIMEOUT_S} to {_MAX_TIMEOUT_S}")
    return Timeouts(min(Timeouts.connect_s, total_s), min(Timeouts.step_s, total_s), total_s)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
