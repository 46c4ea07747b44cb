"""Services by Apprise (extra ``notify``): Slack, Teams, Telegram, PagerDuty, ntfy and a hundred others."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from celery_nexus.alerts.channels.addresses import resolve
from celery_nexus.alerts.channels.message import AlertMessage
from celery_nexus.alerts.channels.spec import ChannelFailed
from celery_nexus.errors import SourceError
from celery_nexus.extras import require

_OTHER_CHANNELS = {
    **dict.fromkeys(("json", "jsons", "xml", "xmls", "form", "forms"), "webhook"),
    **dict.fromkeys(("mailto", "mailtos"), "mail"),
}
"""Schemes for which there is a type of channel with limits of its own."""


def send(table: Mapping[str, Any], message: AlertMessage, timeout_s: float) -> None:
    """Tell a service.

    Raises:
        ChannelFailed: It was not told, or Apprise is not installed.
    """
    url = str(table["url"])
    scheme = url.partition(":")[0].lower()
    if scheme in _OTHER_CHANNELS:
        raise ChannelFailed(f"for {scheme}:// write a channel of type {_OTHER_CHANNELS[scheme]}")
    _check_host(url)
    try:
        require("notify", "a channel of type apprise")
    except SourceError as error:
        raise ChannelFailed(str(error)) from None
    apprise = _load()
    limits = "&" if "?" in url else "?"
    teller = apprise.Apprise()
    if not teller.add(f"{url}{limits}cto={timeout_s:g}&rto={timeout_s:g}"):
        raise ChannelFailed(f"Apprise does not understand the address that begins with {scheme}://")
    kind = apprise.NotifyType.SUCCESS if message.document["event"] == "cleared" else apprise.NotifyType.FAILURE
    if not teller.notify(title=message.title, body=message.body, notify_type=kind):
        raise ChannelFailed(f"{scheme}:// did not take it")


def _load() -> Any:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines hold addresses with tokens
    return apprise


def _check_host(url: str) -> None:
    """Refuse link-local hosts; in many addresses there is a token where others have a host."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return
    if host.count(".") or ":" in host:
        try:
            resolve(host, 443)
        except ChannelFailed as problem:
            if "refused" in str(problem):
                raise
