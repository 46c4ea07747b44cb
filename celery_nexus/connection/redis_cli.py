"""Command lines of ``redis-cli`` for a broker: its place, the user; a password comes from a variable alone."""

from __future__ import annotations

import shlex

from celery_nexus.connection.broker_url import BrokerUrl

PROGRAM = "redis-cli"
PASSWORD = "BROKER_PASSWORD"  # noqa: S105  (a variable's name)
ADMIN_PASSWORD = "ADMIN_PASSWORD"  # noqa: S105  (a variable's name)


def address_redis_cli(url: BrokerUrl, command: str) -> str:
    """Complete a line ``redis-cli …``, so that it acts on a broker wherever it is typed.

    Rights are given by the server's administrator: such a line logs in as nobody in particular.

    Args:
        url: The broker; of one behind Sentinels the line asks them for the server first.
        command: The line without an address.
    """
    is_for_admin = command.startswith(f"{PROGRAM} ACL ")
    words = [PROGRAM, _place(url), *_tls(url)]
    if url.database:
        words.append(f"-n {url.database}")
    if url.username and not is_for_admin:
        words.append(f"--user {shlex.quote(url.username)}")
    line = f"{' '.join(words)}{command.removeprefix(PROGRAM)}"
    if url.password is None:
        return line
    return f'REDISCLI_AUTH="${ADMIN_PASSWORD if is_for_admin else PASSWORD}" {line}'


def _place(url: BrokerUrl) -> str:
    if url.sentinels:
        host, port = url.sentinels[0]
        ask = f"{PROGRAM} -h {shlex.quote(host)} -p {port} SENTINEL get-master-addr-by-name"
        return f"$({ask} {shlex.quote(str(url.master_name))} | xargs printf -- '-h %s -p %s')"
    if url.path is not None:
        return f"-s {shlex.quote(url.path)}"
    return f"-h {shlex.quote(str(url.host))} -p {url.port}"


def _tls(url: BrokerUrl) -> list[str]:
    tls = url.tls
    if not tls:
        return []
    files = {"ssl_ca_certs": "--cacert", "ssl_certfile": "--cert", "ssl_keyfile": "--key"}
    words = [f"{word} {shlex.quote(str(tls[name]))}" for name, word in files.items() if name in tls]
    return ["--tls", *words, *(["--insecure"] if tls.get("ssl_cert_reqs") == "none" else [])]
